import { createHash } from 'node:crypto';
import { ConflictError, NotFoundError } from '../errors.js';
import { getCamera, withCamera } from './cameras.js';
import type { Camera, DesiredState, Push } from './model.js';
import {
  changedOptions,
  hasSameOptions,
  otherOption,
  pushOptionsOf,
  type SaidPushOptions,
  withoutOptions,
} from './push-options.js';
import { checkName, checkRoom, checkUnmasked, type Limit } from './rules.js';
import { namesOtherUser, pushUrlOf, type Target, TargetMatch, targetOf } from './targets.js';

/** What people and programs say of a push: exactly one of `url` and `engine`. */
export interface PushInput extends SaidPushOptions {
  readonly id?: string | undefined;
  readonly url?: string | undefined;
  readonly engine?: string | undefined;
  readonly enabled?: boolean | undefined;
}

/** What changes of a push; what is undefined stays, and null is the usual. */
export interface PushChange extends SaidPushOptions {
  readonly enabled?: boolean | undefined;
}

export interface AddedPush {
  readonly state: DesiredState;
  readonly push: Push;
  /** False when the camera had it already. */
  readonly created: boolean;
}

/**
 * Adds a push to a camera. The same target again is the same push, whatever way it is named.
 * @throws NotFoundError CAMERA_NOT_FOUND or ENGINE_NOT_FOUND; InputError INVALID_REQUEST, INVALID_NAME or
 *   INVALID_ADDRESS; ConflictError PUSH_CONFLICT or LIMIT_REACHED
 */
export function addPush(
  state: DesiredState,
  cameraName: string,
  input: PushInput,
  now: string,
  max: number,
): AddedPush {
  const camera = getCamera(state, cameraName);
  const target = toTarget(state, camera, input);
  const wantedId = input.id === undefined ? undefined : checkName('id', input.id);
  const existing = findPush(state, camera, wantedId, target);
  if (existing !== undefined) {
    if (namesOtherUser(target.url, pushUrlOf(state.engines, camera, existing))) {
      const message = `push "${existing.id}" of camera "${camera.name}" goes to this target with another user name or password; change it with PUT, or remove it first`;
      throw new ConflictError('PUSH_CONFLICT', message, { field: input.url === undefined ? 'engine' : 'url' });
    }
    if (input.enabled !== undefined && input.enabled !== existing.enabled) {
      const message = `push "${existing.id}" of camera "${camera.name}" is ${existing.enabled ? 'enabled' : 'disabled'}; change it with PATCH`;
      throw new ConflictError('PUSH_CONFLICT', message, { field: 'enabled' });
    }
    const other = otherOption(existing, input);
    if (other !== undefined) {
      const message = `push "${existing.id}" of camera "${camera.name}" has another ${other.name} (${other.own}, not ${other.said}); change it with PATCH`;
      throw new ConflictError('PUSH_CONFLICT', message, { field: other.name });
    }
    return { state, push: existing, created: false };
  }
  const count = Object.keys(camera.pushes).length;
  checkRoom(count, count + 1, pushLimit(camera.name, max));
  const push: Push = {
    id: wantedId ?? deriveId(camera, target.match.key),
    ...target.declared,
    enabled: input.enabled ?? true,
    ...pushOptionsOf(input),
    createdAt: now,
  };
  return { state: withPush(state, camera, push), push, created: true };
}

/**
 * Makes the push with this id what `input` says, its target included; it is made when there is none.
 * @throws as `addPush`; ConflictError PUSH_CONFLICT when another push of the camera goes to this target
 */
export function declarePush(
  state: DesiredState,
  cameraName: string,
  input: PushInput & { readonly id: string },
  now: string,
  max: number,
): AddedPush {
  const camera = getCamera(state, cameraName);
  const known = Object.hasOwn(camera.pushes, input.id) ? camera.pushes[input.id] : undefined;
  if (known === undefined) return addPush(state, cameraName, input, now, max);
  const target = toTarget(state, camera, input, known);
  const { [known.id]: _, ...others } = camera.pushes;
  // Searched without an id among the other pushes, so that a match goes to the same target.
  const shared = findPush(state, { ...camera, pushes: others }, undefined, target);
  if (shared !== undefined) {
    const message = `push "${shared.id}" of camera "${camera.name}" goes to this target already`;
    throw new ConflictError('PUSH_CONFLICT', message, { field: input.url === undefined ? 'engine' : 'url' });
  }
  const push: Push = {
    id: known.id,
    ...target.declared,
    enabled: input.enabled ?? true,
    ...pushOptionsOf(input),
    createdAt: known.createdAt,
  };
  const facts = ['url', 'engine', 'enabled'] as const;
  if (facts.every((fact) => push[fact] === known[fact]) && hasSameOptions(push, known))
    return { state, push: known, created: false };
  return { state: withPush(state, camera, push), push, created: false };
}

/**
 * As `declarePush`, but the id may be left out: then it declares the push that goes to the target.
 * @throws as `declarePush`
 */
export function declareTarget(
  state: DesiredState,
  cameraName: string,
  input: PushInput,
  now: string,
  max: number,
): AddedPush {
  const { id = idOfTarget(state, getCamera(state, cameraName), input) } = input;
  return id === undefined
    ? addPush(state, cameraName, input, now, max)
    : declarePush(state, cameraName, { ...input, id }, now, max);
}

/** @throws NotFoundError CAMERA_NOT_FOUND or PUSH_NOT_FOUND */
export function changePush(state: DesiredState, cameraName: string, id: string, change: PushChange): DesiredState {
  const camera = getCamera(state, cameraName);
  const push = getPush(camera, id);
  const enabled = change.enabled ?? push.enabled;
  const changed: Push = { ...withoutOptions(push), enabled, ...changedOptions(push, change) };
  const isSame = enabled === push.enabled && hasSameOptions(changed, push);
  return isSame ? state : withPush(state, camera, changed);
}

/** The URL of a target that is not a push yet. @throws as `addPush` for a wrong one */
export function targetUrlOf(state: DesiredState, cameraName: string, input: PushInput): string {
  return toTarget(state, getCamera(state, cameraName), input).url;
}

/** @throws NotFoundError CAMERA_NOT_FOUND or PUSH_NOT_FOUND */
export function removePush(state: DesiredState, cameraName: string, id: string): DesiredState {
  const camera = getCamera(state, cameraName);
  getPush(camera, id);
  const pushes: Record<string, Push> = Object.assign(Object.create(null), camera.pushes);
  delete pushes[id];
  return withCamera(state, { ...camera, pushes });
}

/** @throws NotFoundError PUSH_NOT_FOUND */
export function getPush(camera: Camera, id: string): Push {
  const push = Object.hasOwn(camera.pushes, id) ? camera.pushes[id] : undefined;
  if (push === undefined) {
    throw new NotFoundError('PUSH_NOT_FOUND', `camera "${camera.name}" has no push "${id}"`, { field: 'id' });
  }
  return push;
}

/** The limit of `max-pushes-per-camera`. */
export function pushLimit(camera: string, max: number): Limit {
  return { what: `pushes of camera "${camera}"`, max, setting: 'max-pushes-per-camera' };
}

/**
 * A new URL must not be one that an answer masked. An existing one stays.
 * @throws InputError INVALID_ADDRESS
 */
export function checkNewUrl(known: Push | undefined, url: string | undefined): void {
  if (url !== undefined && url !== known?.url) checkUnmasked('url', url);
}

/** The id of the push that goes to a target already. */
function idOfTarget(state: DesiredState, camera: Camera, input: PushInput): string | undefined {
  return pushTo(state, camera, toTarget(state, camera, input))?.id;
}

interface WantedTarget extends Target {
  readonly match: TargetMatch;
}

/** @param known the push that goes there or elsewhere now */
function toTarget(state: DesiredState, camera: Camera, input: PushInput, known?: Push): WantedTarget {
  checkNewUrl(known, input.url);
  const target = targetOf(state.engines, camera, input);
  return { ...target, match: new TargetMatch(target.url) };
}

/** The push of a camera that goes to a target. */
function pushTo({ engines }: DesiredState, camera: Camera, { match }: WantedTarget): Push | undefined {
  return Object.values(camera.pushes).find((push) => match.isOf(engines, camera, push));
}

function findPush(state: DesiredState, camera: Camera, id: string | undefined, target: WantedTarget): Push | undefined {
  const sameTarget = pushTo(state, camera, target);
  if (id === undefined || sameTarget?.id === id) return sameTarget;
  if (sameTarget !== undefined) {
    const message = `push "${sameTarget.id}" of camera "${camera.name}" goes to this target already`;
    throw new ConflictError('PUSH_CONFLICT', message, { field: 'id' });
  }
  if (Object.hasOwn(camera.pushes, id)) {
    const message = `push "${id}" of camera "${camera.name}" goes to another target; remove it first, or use another id`;
    throw new ConflictError('PUSH_CONFLICT', message, { field: 'id' });
  }
  return undefined;
}

/** `p-` and 8 hex digits of the target's SHA-256; more of them where these are taken by another target. */
function deriveId(camera: Camera, key: string): string {
  const digest = createHash('sha256').update(key).digest('hex');
  let digits = 8;
  while (Object.hasOwn(camera.pushes, `p-${digest.slice(0, digits)}`) && digits < 60) digits += 4;
  return `p-${digest.slice(0, digits)}`;
}

function withPush(state: DesiredState, camera: Camera, push: Push): DesiredState {
  // No prototype: a push may be called "constructor".
  const pushes: Record<string, Push> = Object.assign(Object.create(null), camera.pushes, { [push.id]: push });
  return withCamera(state, { ...camera, pushes });
}
