import { isDeepStrictEqual } from 'node:util';
import { CodedError } from '../errors.js';
import {
  addCamera,
  type CameraChange,
  type CameraInput,
  changeCamera,
  declareCamera,
  getCamera,
  removeCamera,
} from './cameras.js';
import {
  addEngine,
  changeEngineSteps,
  declareEngineSteps,
  type EarlierTry,
  type EngineChange,
  type EngineInput,
  removeEngine,
} from './engines.js';
import { getEngine } from './find-engine.js';
import type { Camera, DesiredState, Push, StreamingEngine } from './model.js';
import type { PushAudio } from './push-options.js';
import {
  type AddedPush,
  addPush,
  changePush,
  declareTarget,
  getPush,
  type PushChange,
  type PushInput,
  removePush,
} from './pushes.js';
import { pushUrlOf } from './targets.js';
import { exampleCamera, resolvePushUrl } from './template.js';

/*
 * Many changes at once. Each has the name of the v1 operation that makes the same change alone. The rules are those of
 * cameras.ts, pushes.ts and engines.ts.
 */

/** A camera with pushes, which are added or declared with it. */
type WithPushes<T> = Omit<T, 'name'> & { readonly pushes?: readonly PushInput[] | undefined };

/** What a change is about, and on what condition it is made. */
interface About {
  /** Entity tags: see `EntityTags.check`. */
  readonly ifMatch?: string | undefined;
  readonly ifNoneMatch?: string | undefined;
}
interface AboutCamera extends About {
  readonly camera: string;
}
interface AboutPush extends AboutCamera {
  readonly push: string;
}
interface AboutEngine extends About {
  readonly engine: string;
}

export type BatchChange =
  | (AboutCamera & { readonly operation: 'addCamera' | 'declareCamera'; readonly body: WithPushes<CameraInput> })
  | (AboutCamera & { readonly operation: 'changeCamera'; readonly body: CameraChange })
  | (AboutCamera & { readonly operation: 'removeCamera' })
  | (AboutCamera & { readonly operation: 'addPush' | 'declarePush'; readonly body: PushInput })
  | (AboutPush & { readonly operation: 'changePush'; readonly body: PushChange })
  | (AboutPush & { readonly operation: 'removePush' })
  | (AboutEngine & { readonly operation: 'addEngine' | 'declareEngine'; readonly body: Omit<EngineInput, 'name'> })
  | (AboutEngine & { readonly operation: 'changeEngine'; readonly body: EngineChange })
  | (AboutEngine & { readonly operation: 'removeEngine' });

export type ChangeOutcome = 'created' | 'changed' | 'unchanged' | 'removed';

/** What became of one thing. */
export interface ChangedThing {
  readonly outcome: ChangeOutcome;
  /** The names of the changed fields. */
  readonly fields?: readonly string[];
}

/** What became of one change. */
export interface ChangeResult extends ChangedThing {
  /** The id of the push that was changed. */
  readonly push?: string;
  /** The pushes that came with a camera. */
  readonly pushes?: readonly (ChangedThing & { readonly id: string })[];
}

/** What the changes need besides the state. */
export interface BatchRules {
  /** ISO 8601, UTC. */
  readonly now: string;
  readonly maxCameras: number;
  readonly maxPushesPerCamera: number;
  readonly maxEngines: number;
  /** @throws InputError TARGET_UNSUPPORTED or TARGET_FORBIDDEN */
  readonly checkTarget: (url: string, field: string, audio?: PushAudio) => void;
  /** @throws ConflictError PRECONDITION_FAILED */
  readonly checkCondition: (current: Camera | Push | StreamingEngine | undefined, change: About) => void;
  /**
   * Completes a new or changed camera: gives new ingests their keys, where keys are required.
   * @throws ConflictError STANDBY_UNSUPPORTED
   */
  readonly keyed: (before: DesiredState, after: DesiredState, name: string) => DesiredState;
  /** What is known of engines from earlier tries of the same batch; empty at first. */
  readonly earlierTries: Map<BatchChange, EarlierTry>;
}

/**
 * Makes one change of many, in steps: many cameras may go to an engine that is changed.
 * @throws what the rule of its operation throws; nothing is changed then
 */
export function* makeChange(
  state: DesiredState,
  change: BatchChange,
  rules: BatchRules,
): Generator<undefined, { readonly state: DesiredState; readonly result: ChangeResult }> {
  switch (change.operation) {
    case 'addCamera':
    case 'declareCamera':
    case 'changeCamera':
    case 'removeCamera':
      return changeOneCamera(state, change, rules);
    case 'addPush':
    case 'declarePush':
    case 'changePush':
    case 'removePush':
      return changeOnePush(state, change, rules);
    default:
      return yield* changeOneEngine(state, change, rules);
  }
}

type Made = { readonly state: DesiredState; readonly result: ChangeResult };
type Of<Operation> = Extract<BatchChange, { readonly operation: Operation }>;

function changeOneCamera(
  before: DesiredState,
  change: Of<'addCamera' | 'declareCamera' | 'changeCamera' | 'removeCamera'>,
  rules: BatchRules,
): Made {
  const { camera: name } = change;
  const known = before.cameras.get(name);
  const check = (): void => rules.checkCondition(known, change);
  switch (change.operation) {
    case 'removeCamera':
      getCamera(before, name);
      check();
      return { state: removeCamera(before, name), result: { outcome: 'removed' } };
    case 'changeCamera': {
      getCamera(before, name);
      check();
      const state = rules.keyed(before, changeCamera(before, name, change.body), name);
      return { state, result: compared(known, state.cameras.get(name)) };
    }
    case 'addCamera':
    case 'declareCamera': {
      check();
      const { pushes, ...facts } = change.body;
      const make = change.operation === 'addCamera' ? addCamera : declareCamera;
      let state = rules.keyed(before, make(before, { ...facts, name }, rules.now, rules.maxCameras), name);
      const result = compared(known, state.cameras.get(name));
      if (pushes === undefined) return { state, result };
      const made: (ChangedThing & { readonly id: string })[] = [];
      for (const [index, input] of pushes.entries()) {
        const add = change.operation === 'addCamera' ? addPush : declareTarget;
        const one = inField(`pushes.${index}`, () => putPush(state, name, input, rules, add));
        state = one.state;
        made.push({ id: one.push.id, ...one.thing });
      }
      return { state, result: { ...result, pushes: made } };
    }
  }
}

function changeOnePush(
  before: DesiredState,
  change: Of<'addPush' | 'declarePush' | 'changePush' | 'removePush'>,
  rules: BatchRules,
): Made {
  const { camera: name } = change;
  const camera = getCamera(before, name);
  switch (change.operation) {
    case 'removePush': {
      const known = getPush(camera, change.push);
      rules.checkCondition(known, change);
      return {
        state: removePush(before, name, change.push),
        result: { outcome: 'removed', push: change.push },
      };
    }
    case 'changePush': {
      const known = getPush(camera, change.push);
      rules.checkCondition(known, change);
      const state = changePush(before, name, change.push, change.body);
      const push = getPush(getCamera(state, name), change.push);
      if (change.body.audio !== undefined)
        rules.checkTarget(pushUrlOf(before.engines, camera, push), 'push', push.audio);
      const result = compared(known, push);
      return { state, result: { ...result, push: change.push } };
    }
    case 'addPush':
    case 'declarePush': {
      const { id = '' } = change.body;
      rules.checkCondition(Object.hasOwn(camera.pushes, id) ? camera.pushes[id] : undefined, change);
      const add = change.operation === 'addPush' ? addPush : declareTarget;
      const { state, push, thing } = putPush(before, name, change.body, rules, add);
      return { state, result: { ...thing, push: push.id } };
    }
  }
}

function putPush(
  before: DesiredState,
  name: string,
  input: PushInput,
  rules: BatchRules,
  add: (state: DesiredState, camera: string, input: PushInput, now: string, max: number) => AddedPush,
): { readonly state: DesiredState; readonly push: Push; readonly thing: ChangedThing } {
  const { state, push, created } = add(before, name, input, rules.now, rules.maxPushesPerCamera);
  const camera = getCamera(before, name);
  if (state !== before) {
    rules.checkTarget(pushUrlOf(before.engines, camera, push), input.url === undefined ? 'engine' : 'url', push.audio);
  }
  const known = created ? undefined : camera.pushes[push.id];
  return { state, push, thing: compared(known, push) };
}

function* changeOneEngine(
  before: DesiredState,
  change: Of<'addEngine' | 'declareEngine' | 'changeEngine' | 'removeEngine'>,
  rules: BatchRules,
): Generator<undefined, Made> {
  const { engine: name } = change;
  const known = before.engines.get(name);
  if (change.operation === 'removeEngine' || change.operation === 'changeEngine') getEngine(before, name);
  rules.checkCondition(known, change);
  if (change.operation === 'removeEngine') {
    return { state: removeEngine(before, name), result: { outcome: 'removed' } };
  }
  const state = yield* changedEngine(before, change, rules);
  if (state !== before) rules.checkTarget(resolvePushUrl(getEngine(state, name), exampleCamera), 'pushUrl');
  return { state, result: compared(known, state.engines.get(name)) };
}

function* changedEngine(
  before: DesiredState,
  change: Of<'addEngine' | 'declareEngine' | 'changeEngine'>,
  { now, maxEngines, earlierTries }: BatchRules,
): Generator<undefined, DesiredState> {
  const { engine: name } = change;
  const earlier = earlierTries.get(change) ?? {};
  earlierTries.set(change, earlier);
  if (change.operation === 'changeEngine') return yield* changeEngineSteps(before, name, change.body, earlier);
  const input = { ...change.body, name };
  return change.operation === 'addEngine'
    ? addEngine(before, input, now, maxEngines)
    : yield* declareEngineSteps(before, input, now, maxEngines, earlier);
}

/** The fields that differ in two versions of a plain object. */
function compared(before: object | undefined, after: object | undefined): ChangedThing {
  if (before === undefined) return { outcome: 'created' };
  if (before === after || after === undefined) return { outcome: 'unchanged' };
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  keys.delete('pushes');
  const fields = [...keys].filter((key) => !isDeepStrictEqual(Reflect.get(before, key), Reflect.get(after, key)));
  return fields.length === 0 ? { outcome: 'unchanged' } : { outcome: 'changed', fields };
}

/** Adds the place of a list to the error of one of its items. */
function inField<R>(place: string, act: () => R): R {
  try {
    return act();
  } catch (error) {
    throw error instanceof Error ? placed(error, place) : error;
  }
}

/** The same error with the place of its field before it, and before its message. */
export function placed(error: Error, place: string): Error {
  if (!(error instanceof CodedError)) return error;
  const field = error.field === undefined ? place : `${place}.${error.field}`;
  return new CodedError(error.code, `${place}: ${error.message}`, { field, cause: error });
}
