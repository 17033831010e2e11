import { decodeDocument, decodeStateSteps, parseDocument } from '../../model/document/decode.js';
import type { Upgrade } from '../../model/document/upgrade.js';
import type { DesiredState } from '../../model/model.js';
import type { StateFile } from '../../model/schema.js';
import type { FileVersion } from './disk.js';

/** `decodeState` of what was read from disk. @throws StateError STATE_INVALID */
export function decodeVersion(file: FileVersion, previous: DesiredState): DesiredState {
  return decodeDocument(parseVersion(file), previous, file.modifiedAt);
}

/** `decodeVersion` in steps, each a fraction of a millisecond. @throws StateError STATE_INVALID */
export function* decodeVersionSteps(file: FileVersion, previous: DesiredState): Generator<undefined, DesiredState> {
  if (file.broken !== undefined) throw file.broken;
  return yield* decodeStateSteps(file.text, previous, file.modifiedAt);
}

/** What was read from disk, with all keys and types as they must be. @throws StateError STATE_INVALID */
export function parseVersion(file: FileVersion, upgrades?: ReadonlyMap<number, Upgrade>): StateFile {
  return parseAny(file, upgrades).document;
}

/** The same, and which version it was of, if of an older one. @throws StateError STATE_INVALID */
export function parseAny(
  file: FileVersion,
  upgrades?: ReadonlyMap<number, Upgrade>,
): { readonly document: StateFile; readonly upgradedFrom: number | undefined } {
  if (file.broken !== undefined) throw file.broken;
  return parseDocument(file.text, upgrades);
}
