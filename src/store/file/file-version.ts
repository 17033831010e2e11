import { lineOfSteps } from '../../json/locate.js';
import { decodeDocument, decodeStateSteps, parseDocument } from '../../model/document/decode.js';
import { DocumentError } from '../../model/document/document-error.js';
import type { Upgrade } from '../../model/document/upgrade.js';
import type { DesiredState } from '../../model/model.js';
import type { StateFile } from '../../model/schema.js';
import { allOf } from '../../model/steps.js';
import type { FileVersion } from './disk.js';

/** `decodeState` of what was read from disk. @throws StateError STATE_INVALID, with the line of the file */
export function decodeVersion(file: FileVersion, previous: DesiredState): DesiredState {
  return withLine(file, () => decodeDocument(parseVersion(file), previous, file.modifiedAt));
}

/** `decodeVersion` in steps, each a fraction of a millisecond. @throws StateError STATE_INVALID */
export function* decodeVersionSteps(file: FileVersion, previous: DesiredState): Generator<undefined, DesiredState> {
  if (file.broken !== undefined) throw file.broken;
  return yield* decodeStateSteps(file.text, previous, file.modifiedAt);
}

/** What was read from disk, with all keys and types as they must be. @throws StateError STATE_INVALID */
function parseVersion(file: FileVersion, upgrades?: ReadonlyMap<number, Upgrade>): StateFile {
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

/** Does something with the content of a file. @throws what it throws; a DocumentError with the line of the file */
export function withLine<R>(file: FileVersion, work: () => R): R {
  try {
    return work();
  } catch (error) {
    throw allOf(locatedSteps(file, error));
  }
}

/** `withLine` of work in steps. */
export function* withLineSteps<R>(file: FileVersion, steps: Iterator<undefined, R>): Generator<undefined, R> {
  try {
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value;
      yield;
    }
  } catch (error) {
    throw yield* locatedSteps(file, error);
  }
}

function* locatedSteps(file: FileVersion, error: unknown): Generator<undefined, unknown> {
  if (!(error instanceof DocumentError)) return error;
  const line = yield* lineOfSteps(file.text, error.keys);
  return line === undefined ? error : error.inLine(line);
}
