import { StateError } from '../../errors.js';

/** The version of state.json that this program writes. */
const stateVersion = 1;

/** Makes a document of one version into one of the next. Pure; the document is of the shape of its version or refused. */
export type Upgrade = (document: Record<string, unknown>) => Record<string, unknown>;

/**
 * By the version that they begin with, the ways from older files to the next version. A file is brought up step by step,
 * so that each step is written once and never again. None yet: version 1 is the first.
 */
const stateUpgrades: ReadonlyMap<number, Upgrade> = new Map();

/**
 * The document in the present version.
 * @returns also which version it had, when it was an older one
 * @throws StateError STATE_INVALID for a newer one
 */
export function upgradeDocument(
  value: unknown,
  upgrades: ReadonlyMap<number, Upgrade> = stateUpgrades,
): { value: unknown; from: number | undefined } {
  if (typeof value !== 'object' || value === null || !('version' in value)) return { value, from: undefined };
  const { version } = value;
  if (typeof version !== 'number' || !Number.isInteger(version)) return { value, from: undefined };
  if (version > stateVersion) {
    const message = `version: the file is of version ${version}, written by a newer media-aggregator; this one knows versions up to ${stateVersion}. Run the newer one, or restore a backup that an older one made`;
    throw new StateError('STATE_INVALID', message, { field: 'version' });
  }
  let document: Record<string, unknown> = { ...value };
  for (let at = version; at < stateVersion; at += 1) {
    const upgrade = upgrades.get(at);
    // The schema says what is wrong with a version that never was.
    if (upgrade === undefined) return { value, from: undefined };
    document = { ...upgrade(document), version: at + 1 };
  }
  return { value: document, from: version === stateVersion ? undefined : version };
}
