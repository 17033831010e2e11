import { isDeepStrictEqual } from 'node:util';
import { ConflictError, NotFoundError } from '../errors.js';
import { type StandbyFacts, type StandbyInput, standbyFacts, standbyOf } from './ingests.js';
import { type Camera, type CameraSource, type DesiredState, emptyPushes } from './model.js';
import { withEntry, withoutEntry } from './persistent-map.js';
import { checkName, checkRoom, checkType, type Limit } from './rules.js';
import { newlyShared } from './targets.js';
import { resolvePushUrl } from './template.js';

/** What people and programs say of a camera. */
export interface CameraInput extends StandbyInput {
  readonly name: string;
  readonly type?: string | undefined;
}

/**
 * Adds a camera; the same again changes nothing.
 * @throws InputError INVALID_NAME, ConflictError CAMERA_CONFLICT, ConflictError LIMIT_REACHED
 */
export function addCamera(state: DesiredState, input: CameraInput, now: string, maxCameras: number): DesiredState {
  const known = state.cameras.get(checkName('name', input.name));
  const type = checkType(input.type);
  const standby = standbyFacts(input, known);
  if (known === undefined) return withNewCamera(state, input.name, { type, standby }, now, maxCameras);
  if (known.type !== type) {
    const message = `camera "${known.name}" is registered ${described(known.type)}, not ${described(type)}; remove it first, or change it with PUT /v1/cameras/${known.name}`;
    throw new ConflictError('CAMERA_CONFLICT', message, { field: 'type' });
  }
  // Fields that it does not name stay: a content manager knows names and types only.
  for (const [field, value] of Object.entries(standby)) {
    if (isDeepStrictEqual(Reflect.get(known, field), value)) continue;
    const message = `camera "${known.name}" is registered with another "${field}"; change it with PATCH /v1/cameras/${known.name}`;
    throw new ConflictError('CAMERA_CONFLICT', message, { field });
  }
  return state;
}

/**
 * Makes the camera what `input` says; its pushes stay.
 * @throws InputError INVALID_NAME or INVALID_ADDRESS (the template of an engine it goes to needs a type),
 *   ConflictError LIMIT_REACHED, or CAMERA_CONFLICT when two of its pushes would go to one target
 */
export function declareCamera(state: DesiredState, input: CameraInput, now: string, maxCameras: number): DesiredState {
  const known = state.cameras.get(checkName('name', input.name));
  const type = checkType(input.type);
  const standby = standbyFacts(input, known);
  if (known === undefined) return withNewCamera(state, input.name, { type, standby }, now, maxCameras);
  const isSameStandby = isDeepStrictEqual(standby, standbyOf(known));
  if (known.type === type && isSameStandby) return state;
  const { name, keys, createdAt, pushes } = known;
  const camera = {
    ...{ name, ...(keys === undefined ? {} : { keys }) },
    ...(type === undefined ? {} : { type }),
    ...standby,
    ...{ createdAt, pushes },
  };
  for (const push of Object.values(camera.pushes)) {
    const engine = push.engine === undefined ? undefined : state.engines.get(push.engine);
    if (engine !== undefined) resolvePushUrl(engine, camera);
  }
  const { engines } = state;
  const shared = newlyShared({ camera: known, engines }, { camera, engines });
  if (shared !== undefined) {
    const message = `pushes "${shared.join('" and "')}" of camera "${camera.name}" would go to the same target ${described(type)}; remove one first`;
    throw new ConflictError('CAMERA_CONFLICT', message, { field: 'type' });
  }
  return withCamera(state, camera);
}

/** A change of a camera. An undefined field stays as it is; null removes it. */
export interface CameraChange extends StandbyInput {
  readonly type?: string | null | undefined;
}

/** @throws NotFoundError CAMERA_NOT_FOUND; else as `declareCamera` */
export function changeCamera(state: DesiredState, name: string, change: CameraChange): DesiredState {
  const known = getCamera(state, name);
  const type = change.type === undefined ? known.type : (change.type ?? undefined);
  const given = Object.entries(change).filter(([field, value]) => value !== undefined && field !== 'type');
  // Without a slate, its duration means nothing.
  const { slateSeconds: _, ...withoutSlate } = known;
  const before = change.slate === null ? withoutSlate : known;
  const input = { ...standbyOf(before), ...Object.fromEntries(given), name, type };
  return declareCamera(state, input, known.createdAt, state.cameras.size);
}

/**
 * Has the source of an ingest be at another URL, unless that is another one by now. All else of it stays.
 * @throws as `changeCamera`
 */
export function moveSource(
  state: DesiredState,
  { camera: name, ingest, from, to }: { camera: string; ingest: string; from: string; to: string },
): DesiredState {
  const { ingests, source } = getCamera(state, name);
  const moved = (each: CameraSource | undefined) => (each?.url === from ? { ...each, url: to } : undefined);
  if (ingests === undefined) {
    const next = moved(source);
    return next === undefined ? state : changeCamera(state, name, { source: next });
  }
  const next = moved(ingests.find((each) => each.name === ingest)?.source);
  if (next === undefined) return state;
  return changeCamera(state, name, {
    ingests: ingests.map((each) => (each.name === ingest ? { name: ingest, source: next } : each.name)),
  });
}

/** @throws NotFoundError CAMERA_NOT_FOUND */
export function removeCamera(state: DesiredState, name: string): DesiredState {
  getCamera(state, name);
  return { ...state, cameras: withoutEntry(state.cameras, name) };
}

/** @throws NotFoundError CAMERA_NOT_FOUND */
export function getCamera(state: DesiredState, name: string): Camera {
  const camera = state.cameras.get(name);
  if (camera === undefined) {
    throw new NotFoundError('CAMERA_NOT_FOUND', `no camera "${name}" is registered`, { field: 'name' });
  }
  return camera;
}

/** The state with this camera added or replaced. */
export function withCamera(state: DesiredState, camera: Camera): DesiredState {
  return { ...state, cameras: withEntry(state.cameras, camera.name, camera) };
}

/** The limit of `max-cameras`. */
export function cameraLimit(max: number): Limit {
  return { what: 'cameras', max, setting: 'max-cameras' };
}

function withNewCamera(
  state: DesiredState,
  name: string,
  { type, standby }: { readonly type: string | undefined; readonly standby: StandbyFacts },
  now: string,
  maxCameras: number,
): DesiredState {
  checkRoom(state.cameras.size, state.cameras.size + 1, cameraLimit(maxCameras));
  const facts = { ...(type === undefined ? {} : { type }), ...standby };
  return withCamera(state, { name, ...facts, createdAt: now, pushes: emptyPushes });
}

function described(type: string | undefined): string {
  return type === undefined ? 'without a type' : `with type "${type}"`;
}
