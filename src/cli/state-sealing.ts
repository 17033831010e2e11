import { Sealer } from '../cluster/sealer.js';
import { readSecretFile } from '../cluster/secret.js';
import type { Settings } from '../config/index.js';
import type { Sealing } from '../store/sealing.js';

/**
 * What seals the state file of a data folder; undefined: nothing does.
 * @throws ConfigError CONFIG_INVALID_VALUE for a file that holds no key, or that everybody may read
 */
export async function stateSealing({ sealKey }: Pick<Settings, 'sealKey'>): Promise<Sealing | undefined> {
  if (sealKey === undefined) return undefined;
  return Sealer.forFiles(await readSecretFile('seal-key', sealKey));
}
