import { StreamKeys } from '../../admission/stream-keys.js';
import { keyRules } from '../../control/camera-keys.js';
import { ingestNames } from '../../model/ingests.js';
import type { DesiredState } from '../../model/model.js';
import { compareNames } from '../many/names.js';

/** A state with what the publish keys of its cameras are made from. */
export interface KeyedState {
  readonly state: DesiredState;
  /** The text of `stream-secret`; undefined: there is none. */
  readonly secret: string | undefined;
}

/**
 * The cameras whose publishers are refused after a restore with the keys that let them in before.
 * @param before undefined: there was nothing before; then those are meant that were let in where the backup was made
 */
export function camerasWithOtherKeys(before: KeyedState, after: KeyedState): string[] {
  const names = [...after.state.cameras.keys()].filter((name) => before.state.cameras.has(name));
  return names.filter((name) => tagsOf(before, name) !== tagsOf(after, name)).sort(compareNames);
}

/** What the keys of a camera are compared by; without a secret, nobody knows. */
function tagsOf({ state, secret }: KeyedState, name: string): string {
  const camera = state.cameras.get(name);
  if (camera === undefined || secret === undefined) return 'none';
  const keys = new StreamKeys(Buffer.from(secret.trim(), 'hex'));
  return ingestNames(camera)
    .flatMap((ingest) => keyRules(camera, keys, ingest).map(({ tag }) => tag))
    .sort()
    .join(' ');
}
