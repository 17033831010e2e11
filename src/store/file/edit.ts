import type { Differing } from '../../model/changes.js';
import { mergeEditSteps } from '../../model/merge.js';
import type { DesiredState } from '../../model/model.js';
import type { Sealing } from '../sealing.js';
import type { FileVersion } from './disk.js';
import { decodeVersionSteps, withLineSteps } from './file-version.js';

/* Applies an edit of state.json by hand to the running state. */

/** Looks at a change in steps, each a fraction of a millisecond. @throws StateError which names rule and place */
export type StateCheck = (before: DesiredState, after: DesiredState) => Generator<undefined, void>;

/** What an edit meets. */
export interface EditContext {
  /** The running state. */
  readonly before: DesiredState;
  /** The content of state.json before the edit, if the journal has further changes, which count too; otherwise null. */
  readonly base: DesiredState | null;
  readonly check: StateCheck | undefined;
  readonly sealing?: Sealing | undefined;
}

/** Decodes a file and makes the new running state from it, in steps. @throws StateError, with the line */
export function editSteps(
  file: FileVersion,
  context: EditContext,
): Generator<undefined, { edited: DesiredState; after: DesiredState }> {
  return withLineSteps(file, readSteps(file, context));
}

function* readSteps(
  file: FileVersion,
  { before, base, check, sealing }: EditContext,
): Generator<undefined, { edited: DesiredState; after: DesiredState }> {
  const edited = yield* decodeVersionSteps(file, before, sealing);
  const after = base === null ? edited : yield* mergeEditSteps(base, before, edited, file.modifiedAt);
  if (check !== undefined) yield* check(before, after);
  return { edited, after };
}

/** For the log: what an edit did, in numbers and the first few names. */
export function summaryOf({ cameras, engines }: Differing): Record<string, unknown> {
  const count = (names: ReadonlySet<string>) => ({ count: names.size, names: [...names].slice(0, 10) });
  return { cameras: count(cameras), engines: count(engines) };
}
