import { StateError } from '../../errors.js';
import { isErrno } from '../../files/errno.js';
import type { Differing } from '../../model/changes.js';
import { entryBytes } from '../../model/document/encode.js';
import type { DesiredState } from '../../model/model.js';

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

/** By how many bytes state.json grows from one state to the next. */
export function* grownBytes(
  before: DesiredState,
  after: DesiredState,
  { cameras, engines }: Differing,
): Generator<undefined, number> {
  let bytes = 0;
  for (const name of cameras) {
    bytes += entryBytes(name, after.cameras.get(name)) - entryBytes(name, before.cameras.get(name));
    yield;
  }
  for (const name of engines) {
    bytes += entryBytes(name, after.engines.get(name)) - entryBytes(name, before.engines.get(name));
  }
  return bytes;
}

/** A change that is not made. @param cause what the disk said */
export function writeFailed(message: string, cause?: unknown): StateError {
  const hint = isErrno(cause, 'ENOSPC') ? ' (free some space, then try again)' : '';
  return new StateError('STATE_WRITE_FAILED', message + hint, { cause });
}
