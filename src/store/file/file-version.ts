import { lineOfSteps } from '../../json/locate.js';
import { decodeDocument, decodeStateSteps, type Opening, parseDocument } from '../../model/document/decode.js';
import { DocumentError } from '../../model/document/document-error.js';
import type { Upgrade } from '../../model/document/upgrade.js';
import type { DesiredState } from '../../model/model.js';
import type { StateFile } from '../../model/schema.js';
import { allOf } from '../../model/steps.js';
import { openEntry, type Sealing, sealedPrefix, withoutKey } from '../sealing.js';
import type { FileVersion } from './disk.js';

/** `decodeState` of what was read from disk. @throws StateError STATE_INVALID, with the line of the file */
export function decodeVersion(file: FileVersion, previous: DesiredState, sealing?: Sealing): DesiredState {
  return withLine(file, () => decodeDocument(parseAny(file, sealing).document, previous, file.modifiedAt));
}

/** `decodeVersion` in steps, each a fraction of a millisecond. @throws StateError STATE_INVALID */
export function* decodeVersionSteps(
  file: FileVersion,
  previous: DesiredState,
  sealing?: Sealing,
): Generator<undefined, DesiredState> {
  if (file.broken !== undefined) throw file.broken;
  return yield* decodeStateSteps(file.text, previous, file.modifiedAt, openingOf(file, sealing));
}

/** Undefined: nothing in it is sealed. */
function openingOf({ text }: FileVersion, sealing: Sealing = withoutKey): Opening | undefined {
  if (!text.includes(`"${sealedPrefix}`)) return undefined;
  return (section, name, entry) => openEntry(section, name, entry, sealing);
}

/**
 * What was read from disk, opened, with all keys and types as they must be; and which version it was of, if of an older one.
 * @throws StateError STATE_INVALID, STATE_SEALED
 */
export function parseAny(
  file: FileVersion,
  sealing?: Sealing,
  upgrades?: ReadonlyMap<number, Upgrade>,
): { readonly document: StateFile; readonly upgradedFrom: number | undefined } {
  if (file.broken !== undefined) throw file.broken;
  return parseDocument(file.text, upgrades, openingOf(file, sealing));
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
