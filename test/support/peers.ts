import { inject, test } from 'vitest';
import type { PeerName } from '../../scripts/peers.mjs';

/**
 * `test` for a case that needs these peers. They are always there, or the run does not begin; only when missing peers
 * were explicitly allowed is the case reported as skipped instead.
 */
export function testWith(...peers: PeerName[]): typeof test {
  const missing = inject('missingPeers').filter((name) => peers.includes(name));
  return missing.length > 0 ? (test.skip as typeof test) : test;
}
