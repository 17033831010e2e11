import type { Settings } from '../../config/index.js';
import { prepareSockets } from '../../net/socket-way.js';
import type { ApiClient } from '../client.js';
import { type Check, ok, warn } from './check.js';

/** How media would be read and written here, and why not in a better way. */
export async function checkSockets({ backend, media: { socketMode } }: Settings): Promise<Check[]> {
  if (backend !== 'native') return [];
  const name = 'sockets';
  const { mode, why } = await prepareSockets(socketMode);
  const found = `socket-mode ${socketMode}: ${mode}${why === null ? '' : ` (${why})`}`;
  if (socketMode === 'auto' || socketMode === mode) return [ok(name, found)];
  return [warn(name, found, advice)];
}

const advice = 'See "When io_uring is used" in docs/performance.md, or set another --socket-mode.';

/** How the aggregator that runs reads and writes media, which of its media workers in a worse way than others, and why. */
export async function checkSocketsInUse(client: Pick<ApiClient, 'nodes'>): Promise<Check[]> {
  const nodes = await client.nodes().catch(() => []); // other checks tell that it does not answer
  return nodes.flatMap(({ backendFacts: { socketMode: mode, socketModeWhy: why }, workers }) => {
    if (typeof mode !== 'string') return [];
    const found = `the running aggregator: ${mode}${typeof why === 'string' ? ` (${why})` : ''}`;
    const isMixed = new Set(workers.flatMap(({ socketMode }) => socketMode ?? [])).size > 1;
    const name = 'sockets in use';
    return isMixed ? [warn(name, found, `Its log says why. ${advice}`)] : [ok(name, found)];
  });
}
