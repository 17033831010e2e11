import {
  type Change,
  changeDocumentSteps,
  changesBetweenSteps,
  conflict,
  differingIn,
  documentOfSteps,
  isSameValue,
  keyOf,
  valueIn,
} from './changes.js';
import { decodeDocumentSteps } from './document/decode.js';
import type { DesiredState } from './model.js';

/*
 * State.json may be edited while the journal holds changes that are not in it yet. Both count. What was changed on both
 * sides in different ways, be it an engine, a camera's own facts or a push, is a conflict: then the edit is refused.
 */

/**
 * The running state with an edit by hand, a thing in each step.
 * @param base what state.json said before the edit
 * @param edited what it says now
 * @param now ISO 8601, UTC: the default for `createdAt`
 * @throws StateError STATE_CONFLICT, or STATE_INVALID where both sides fit each other in no other way
 */
export function* mergeEditSteps(
  base: DesiredState,
  running: DesiredState,
  edited: DesiredState,
  now: string,
): Generator<undefined, DesiredState> {
  const changes: Change[] = [];
  for (const change of yield* changesBetweenSteps(base, edited, differingIn(base, edited))) {
    if (isToBeMade(change, running)) changes.push(change);
    yield;
  }
  const document = yield* changeDocumentSteps(yield* documentOfSteps(running), changes);
  return yield* decodeDocumentSteps(document, running, now);
}

/** False for a change that the running state has already. @throws StateError STATE_CONFLICT */
function isToBeMade(change: Change, running: DesiredState): boolean {
  const current = valueIn(running, change);
  if (isSameValue(current, change.is)) return false;
  if (isSameValue(current, change.was)) return true;
  throw conflict(keyOf(change), 'the change through the API stays; edit the file again as it is written then');
}

/**
 * What of a journal's changes is to be made to a state.json that was edited by hand after one of them: the last change of
 * each thing. Where the file has what the thing was at any time of the journal, it was not edited there.
 * @throws StateError STATE_CONFLICT
 */
export function changesForEdited(changes: readonly Change[], edited: DesiredState): Change[] {
  const last = new Map<string, Change>();
  const past = new Map<string, Change['is'][]>();
  for (const change of changes) {
    const key = keyOf(change);
    const values = past.get(key) ?? [change.was];
    values.push(change.is);
    past.set(key, values);
    last.set(key, change);
  }
  for (const [key, change] of last) {
    const value = valueIn(edited, change);
    if (past.get(key)?.some((one) => isSameValue(one, value)) === true) continue;
    throw conflict(
      key,
      'put it back in state.json as the journal has it (the last "is") or as it was; or move the journal away, and with it all that it holds',
    );
  }
  return [...last.values()].sort((one, other) => rankOf(one) - rankOf(other));
}

/** An added camera comes before its pushes, a removed one after them. */
function rankOf(change: Change): number {
  if ('engine' in change) return 0;
  if ('push' in change) return 2;
  return change.is === null ? 3 : 1;
}
