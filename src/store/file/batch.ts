import { StateError } from '../../errors.js';
import { isErrno } from '../../files/errno.js';
import type { Change, Differing } from '../../model/changes.js';
import type { Camera, DesiredState } from '../../model/model.js';

/* The parts of a commit: the waiting updates, the state that they make, and by how much the file grows. */

/** An update that waits for its commit. */
export interface Waiting {
  /** In steps; most changes have none. @throws what the change throws */
  readonly run: (state: DesiredState) => Generator<unknown, DesiredState>;
  readonly resolve: (state: DesiredState) => void;
  readonly reject: (error: unknown) => void;
}

/** Runs a batch in order. A change that throws is rejected alone; the others go on from the state before it. */
export function* applyChanges(
  base: DesiredState,
  batch: Waiting[],
): Generator<unknown, { state: DesiredState; accepted: Waiting[] }> {
  let state = base;
  const accepted: Waiting[] = [];
  for (const one of batch) {
    try {
      state = yield* one.run(state);
      accepted.push(one);
    } catch (error) {
      one.reject(error);
    }
  }
  return { state, accepted };
}

/**
 * By how many bytes state.json grows from one state to the next.
 * @param changes those between them, as they are written. What is encoded is these alone, and not whole cameras twice
 */
export function* grownBytes(
  before: DesiredState,
  after: DesiredState,
  { cameras }: Pick<Differing, 'cameras'>,
  changes: readonly Change[],
): Generator<undefined, number> {
  let bytes = 0;
  for (const section of ['cameras', 'engines'] as const) {
    bytes += sectionBytes(after[section]) - sectionBytes(before[section]);
  }
  for (const name of cameras) {
    bytes += pushesBytes(after.cameras.get(name)) - pushesBytes(before.cameras.get(name));
    yield;
  }
  for (const change of changes) {
    const { is, was } = change;
    bytes += entryBytes(change, is) - entryBytes(change, was);
    yield;
  }
  return bytes;
}

/** What stands around the entries of a section. */
function sectionBytes({ size }: ReadonlyMap<string, unknown>): number {
  return size === 0 ? '{}'.length : '{\n\n  }'.length - ',\n'.length;
}

/** What stands in a camera beside its facts and the pushes themselves, of which the last has no comma. */
function pushesBytes(camera: Camera | undefined): number {
  if (camera === undefined) return 0;
  const key = ',\n      "pushes": '.length;
  for (const _ in camera.pushes) return key + '{\n\n      }'.length - ',\n'.length;
  return key + '{}'.length;
}

/** The bytes of an entry in state.json, with its name, separators and indentation; of a camera without its pushes. */
function entryBytes(change: Change, value: Change['is']): number {
  if (value === null) return 0;
  if ('engine' in change) return namedBytes(change.engine, { '': { '': value } }, 2);
  if ('push' in change) return namedBytes(change.push, { '': { '': { '': { '': value } } } }, 4);
  return namedBytes(change.camera, { '': { '': value } }, 2);
}

/** @param framed the value, within so many objects, which indent it */
function namedBytes(name: string, framed: object, depth: 2 | 4): number {
  return Buffer.byteLength(JSON.stringify(framed, null, 2)) - frameBytes[depth] + name.length + ',\n'.length;
}

/** What frames take without the line of the value, whose indentation and quotes count. */
const frameBytes = {
  2: '{\n  "": {\n\n  }\n}'.length,
  4: '{\n  "": {\n    "": {\n      "": {\n\n      }\n    }\n  }\n}'.length,
};

/** A change that is not made. @param cause what the disk said */
export function writeFailed(message: string, cause?: unknown): StateError {
  const hint = isErrno(cause, 'ENOSPC') ? ' (free some space, then try again)' : '';
  return new StateError('STATE_WRITE_FAILED', message + hint, { cause });
}
