import { isDeepStrictEqual } from 'node:util';
import { InputError } from '../errors.js';
import { plural } from '../plural.js';
import { cameraLimit } from './cameras.js';
import { type Differing, differingIn } from './changes.js';
import { at, DocumentError } from './document/document-error.js';
import { checkNewTemplates, engineLimit } from './engines.js';
import { checkStandbySupported, standbyOf } from './ingests.js';
import { checkKeys } from './keys.js';
import { type Camera, type DesiredState, emptyPushes, emptyState, mainIngest, type Push } from './model.js';
import { checkNewUrl, pushLimit } from './pushes.js';
import { checkRoom, checkTarget, type Limit, type RefuseTarget } from './rules.js';
import { allOf } from './steps.js';
import { newlyShared, pushUrlOf } from './targets.js';
import { exampleCamera, resolvePushUrl } from './template.js';

/** The limits of the settings. */
export interface StateLimits {
  readonly maxCameras: number;
  readonly maxPushesPerCamera: number;
  readonly maxEngines: number;
}

/** What the rules need to know beside the states. */
export interface StateRules extends StateLimits {
  /** Undefined: it is not known where pushes may go. */
  readonly refusesTarget?: RefuseTarget | undefined;
  /** The media backend, where it cannot switch between ingests; null: it can. Undefined: nobody knows. */
  readonly withoutStandby?: string | null | undefined;
}

/*
 * The rules that hold whoever changes the state: the API, an edit by hand, a restored backup. The API asks for them one
 * change at a time; this is for whole states, by the same functions. Only what a change makes worse is refused: a limit
 * that was lowered, or a file that broke a rule at the start, keeps nobody from changing something else, or from making
 * it better.
 */

/** @throws DocumentError for the first rule that the change breaks */
export function checkChange(before: DesiredState, after: DesiredState, rules: StateRules): void {
  allOf(checkChangeSteps(before, after, rules));
}

/** `checkChange` in steps, each a fraction of a millisecond. @throws DocumentError */
export function* checkChangeSteps(
  before: DesiredState,
  after: DesiredState,
  rules: StateRules,
): Generator<undefined, void> {
  for (const broken of brokenBy(before, after, rules)) {
    if (broken !== undefined) throw broken;
    yield;
  }
}

/**
 * Descriptions of the rules other than limits that a state breaks: older versions did not know all of them. `maxFound`
 * at most. In steps, each a fraction of a millisecond.
 */
export function* brokenRulesSteps(
  state: DesiredState,
  maxFound: number,
  withoutStandby: StateRules['withoutStandby'] = null,
): Generator<undefined, readonly string[]> {
  const rules = { maxCameras: Infinity, maxPushesPerCamera: Infinity, maxEngines: Infinity, withoutStandby };
  const found: string[] = [];
  for (const broken of brokenBy(emptyState, state, rules)) {
    if (broken !== undefined) found.push(broken.message);
    if (found.length >= maxFound) break;
    yield;
  }
  return found;
}

/** Descriptions of the limits that a state exceeds; empty when there are none. */
export function overLimits(state: DesiredState, limits: StateLimits): readonly string[] {
  return new LimitWatch(limits).over(state);
}

/** `overLimits` of one version of a state after the other: only cameras that changed are looked at again. */
export class LimitWatch {
  readonly #limits: StateLimits;
  #state: DesiredState = emptyState;
  /** Cameras with too many pushes. */
  readonly #crowded = new Set<string>();

  constructor(limits: StateLimits) {
    this.#limits = limits;
  }

  over(state: DesiredState): readonly string[] {
    const { maxCameras, maxEngines, maxPushesPerCamera } = this.#limits;
    const { cameras, engines } = state;
    for (const name of differingIn(this.#state, state).cameras) {
      const camera = cameras.get(name);
      if (camera !== undefined && Object.keys(camera.pushes).length > maxPushesPerCamera) this.#crowded.add(name);
      else this.#crowded.delete(name);
    }
    this.#state = state;
    const over: string[] = [];
    if (cameras.size > maxCameras) over.push(`${plural(cameras.size, 'camera')} (max-cameras: ${maxCameras})`);
    if (engines.size > maxEngines) over.push(`${plural(engines.size, 'engine')} (max-engines: ${maxEngines})`);
    const crowded = this.#crowded.size;
    if (crowded > 0) {
      over.push(`${plural(crowded, 'camera')} with too many pushes (max-pushes-per-camera: ${maxPushesPerCamera})`);
    }
    return over;
  }
}

type Found = DocumentError | undefined;

/** Yields every rule that a change breaks, and undefined in between, where the event loop may run. */
function* brokenBy(before: DesiredState, after: DesiredState, rules: StateRules): Generator<Found> {
  const differing = differingIn(before, after);
  yield room(['cameras'], before.cameras.size, after.cameras.size, cameraLimit(rules.maxCameras));
  yield room(['engines'], before.engines.size, after.engines.size, engineLimit(rules.maxEngines));
  for (const name of differing.engines) {
    const [was, is] = [before.engines.get(name), after.engines.get(name)];
    if (is === undefined) continue;
    yield found(['engines', name], () => {
      checkNewTemplates(was, is);
      if (rules.refusesTarget) checkTarget('pushUrl', resolvePushUrl(is, exampleCamera), rules.refusesTarget);
    });
  }
  for (const name of differing.cameras) {
    const is = after.cameras.get(name);
    if (is !== undefined) yield* brokenByCamera(before.cameras.get(name), is, after, rules);
  }
  yield* sharedTargets(before, after, differing);
}

function* brokenByCamera(
  was: Camera | undefined,
  is: Camera,
  { engines }: DesiredState,
  rules: StateRules,
): Generator<Found> {
  const keys = ['cameras', is.name];
  const pushes = Object.values(is.pushes);
  const count = Object.keys(was?.pushes ?? {}).length;
  yield room([...keys, 'pushes'], count, pushes.length, pushLimit(is.name, rules.maxPushesPerCamera));
  const ownKeys = is.keys;
  if (ownKeys !== undefined && !isDeepStrictEqual(ownKeys, was?.keys)) yield found(keys, () => checkKeys(ownKeys));
  yield* brokenByIngests(was, is, rules.withoutStandby ?? null);
  for (const push of pushes) {
    const known = pushOf(was, push.id);
    if (known?.url === push.url && known?.engine === push.engine && known?.audio === push.audio) continue;
    yield found([...keys, 'pushes', push.id], () => {
      checkNewUrl(known, push.url);
      const field = push.url === undefined ? 'engine' : 'url';
      if (rules.refusesTarget) checkTarget(field, pushUrlOf(engines, is, push), rules.refusesTarget, push.audio);
    });
  }
}

function* brokenByIngests(was: Camera | undefined, is: Camera, withoutStandby: string | null): Generator<Found> {
  const keys = ['cameras', is.name];
  if (was !== undefined && isDeepStrictEqual(standbyOf(was), standbyOf(is))) return;
  yield found(keys, () => checkStandbySupported(is, withoutStandby));
  for (const [index, ingest] of (is.ingests ?? []).entries()) {
    if (ingest.keys === undefined) continue;
    const ownKeys = ingest.keys;
    yield found(keys, () => {
      if (ingest.name === mainIngest) {
        const rule = 'has the keys of the camera, which stand in "keys" beside "ingests"; move them there';
        throw new InputError('INVALID_REQUEST', `ingests.${index}.keys: ${rule}`, { field: `ingests.${index}.keys` });
      }
      checkKeys(ownKeys, `ingests.${index}.keys`);
    });
  }
}

/** A changed template may send two pushes of a camera to one target, even if the camera did not change. */
function* sharedTargets(before: DesiredState, after: DesiredState, differing: Differing): Generator<Found> {
  const cameras = differing.engines.size === 0 ? differing.cameras : after.cameras.keys();
  for (const name of cameras) {
    const [was, camera] = [before.cameras.get(name), after.cameras.get(name)];
    if (camera === undefined || (was === camera && !goesBy(camera, differing.engines))) continue;
    const known = was ?? { ...camera, pushes: emptyPushes };
    const shared = newlyShared({ camera: known, engines: before.engines }, { camera, engines: after.engines });
    if (shared === undefined) {
      yield undefined;
      continue;
    }
    const [one, other] = shared;
    const reason = `pushes "${one}" and "${other}" of camera "${name}" would go to the same target; remove one of them`;
    yield new DocumentError(['cameras', name, 'pushes', other], reason, causeOf(shared, was, camera));
  }
}

/** The code with which the API would refuse the same change. */
function causeOf(
  ids: readonly string[],
  was: Camera | undefined,
  is: Camera,
): 'PUSH_CONFLICT' | 'CAMERA_CONFLICT' | 'ENGINE_CONFLICT' {
  const isNew = ids.some((id) => {
    const [known, push] = [pushOf(was, id), pushOf(is, id)];
    return known?.url !== push?.url || known?.engine !== push?.engine;
  });
  if (isNew) return 'PUSH_CONFLICT';
  return was?.type === is.type ? 'ENGINE_CONFLICT' : 'CAMERA_CONFLICT';
}

function pushOf(camera: Camera | undefined, id: string): Push | undefined {
  return camera !== undefined && Object.hasOwn(camera.pushes, id) ? camera.pushes[id] : undefined;
}

function goesBy(camera: Camera, engines: ReadonlySet<string>): boolean {
  if (engines.size === 0) return false;
  return Object.values(camera.pushes).some(({ engine }) => engine !== undefined && engines.has(engine));
}

function room(keys: readonly string[], before: number, after: number, limit: Limit): Found {
  return found(keys, () => checkRoom(before, after, limit));
}

/** The rule that is broken at a place, if it is. */
function found(keys: readonly string[], check: () => void): Found {
  try {
    at(keys, check);
    return undefined;
  } catch (error) {
    if (error instanceof DocumentError) return error;
    throw error;
  }
}
