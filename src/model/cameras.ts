import { ConflictError, NotFoundError } from '../errors.js';
import { type Camera, type DesiredState, emptyPushes } from './model.js';
import { withEntry, withoutEntry } from './persistent-map.js';
import { checkName, checkRoom, checkType, type Limit } from './rules.js';
import { newlyShared } from './targets.js';
import { resolvePushUrl } from './template.js';

/** What people and programs say of a camera. */
export interface CameraInput {
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
  if (known === undefined) return withNewCamera(state, input.name, type, now, maxCameras);
  if (known.type === type) return state;
  const message = `camera "${known.name}" is registered ${described(known.type)}, not ${described(type)}; remove it first, or change it with PUT /v1/cameras/${known.name}`;
  throw new ConflictError('CAMERA_CONFLICT', message, { field: 'type' });
}

/**
 * Makes the camera what `input` says; its pushes stay.
 * @throws InputError INVALID_NAME or INVALID_ADDRESS (the template of an engine it goes to needs a type),
 *   ConflictError LIMIT_REACHED, or CAMERA_CONFLICT when two of its pushes would go to one target
 */
export function declareCamera(state: DesiredState, input: CameraInput, now: string, maxCameras: number): DesiredState {
  const known = state.cameras.get(checkName('name', input.name));
  const type = checkType(input.type);
  if (known === undefined) return withNewCamera(state, input.name, type, now, maxCameras);
  if (known.type === type) return state;
  const { type: _, ...rest } = known;
  const camera = type === undefined ? rest : { ...rest, type };
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

/** What changes of a camera; what is undefined stays, and null takes it away. */
export interface CameraChange {
  readonly type?: string | null | undefined;
}

/** @throws NotFoundError CAMERA_NOT_FOUND; else as `declareCamera` */
export function changeCamera(state: DesiredState, name: string, change: CameraChange): DesiredState {
  const known = getCamera(state, name);
  const type = change.type === undefined ? known.type : (change.type ?? undefined);
  return declareCamera(state, { name, type }, known.createdAt, state.cameras.size);
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
  type: string | undefined,
  now: string,
  maxCameras: number,
): DesiredState {
  checkRoom(state.cameras.size, state.cameras.size + 1, cameraLimit(maxCameras));
  return withCamera(state, { name, ...(type === undefined ? {} : { type }), createdAt: now, pushes: emptyPushes });
}

function described(type: string | undefined): string {
  return type === undefined ? 'without a type' : `with type "${type}"`;
}
