import { randomBytes } from 'node:crypto';
import type { PublishKeyRule, StreamKeys } from '../admission/stream-keys.js';
import { InputError } from '../errors.js';
import { getCamera, withCamera } from '../model/cameras.js';
import type { Camera, CameraKey, DesiredState } from '../model/model.js';

/** What is asked for where a camera gets another key. */
export interface KeyRotation {
  /** Undefined: one is made. */
  readonly key?: string | undefined;
  /** For how long the keys of before are taken too; undefined: not at all. */
  readonly overlapSeconds?: number | undefined;
}

/** The key of cameras that were registered before keys were wanted, or by hand. */
const firstKey: CameraKey = { id: 'first' };

/** Most keys of one camera; of more, those that end first are dropped. */
const maxKeys = 8;

/** A key that is generated, by an id that nobody had. */
export function newKey(): CameraKey {
  return { id: randomBytes(8).toString('hex') };
}

function keysOf(camera: Camera): readonly CameraKey[] {
  return camera.keys ?? [firstKey];
}

/** The keys of a camera as who lets publishers in has them. */
export function keyRules(camera: Camera, keys: StreamKeys): readonly PublishKeyRule[] {
  return keysOf(camera).map(({ id, tag, until }) => ({
    tag: tag ?? keys.tag(camera.name, keys.generated(camera.name, id)),
    ...(until === undefined ? {} : { untilMs: Date.parse(until) }),
  }));
}

/** The key that the camera is to show; undefined when somebody else chose it, who knows it. */
export function currentKey(camera: Camera, keys: StreamKeys): string | undefined {
  const current = keysOf(camera)[0] ?? firstKey;
  return current.tag === undefined ? keys.generated(camera.name, current.id) : undefined;
}

/**
 * Gives a camera another key. The same key again only ends the others.
 * @throws NotFoundError CAMERA_NOT_FOUND, InputError INVALID_REQUEST for a key that ended before
 */
export function rotateKeys(
  state: DesiredState,
  name: string,
  rotation: KeyRotation,
  keys: StreamKeys,
  nowMs: number,
): DesiredState {
  const camera = getCamera(state, name);
  const { key, overlapSeconds = 0 } = rotation;
  const next: CameraKey = key === undefined ? newKey() : { id: 'given', tag: keys.tag(name, key) };
  const untilMs = nowMs + overlapSeconds * 1000;
  const others = keysOf(camera).filter(({ tag, until }) => {
    if (tag !== undefined && tag === next.tag) {
      if (until === undefined) return false;
      throw new InputError('INVALID_REQUEST', 'key: was replaced by another one before; take a new one', {
        field: 'key',
      });
    }
    return overlapSeconds > 0 && (until === undefined || Date.parse(until) > nowMs);
  });
  const ending = others.map((other): CameraKey => {
    const endsMs = Math.min(untilMs, other.until === undefined ? untilMs : Date.parse(other.until));
    return { ...other, until: new Date(endsMs).toISOString() };
  });
  return withCamera(state, { ...camera, keys: [next, ...ending.slice(0, maxKeys - 1)] });
}

/** A camera that is new gets a key of its own: one that was removed had another. */
export function withNewKey(before: DesiredState, after: DesiredState, name: string): DesiredState {
  const camera = after.cameras.get(name);
  if (camera === undefined || before.cameras.has(name)) return after;
  return withCamera(after, { ...camera, keys: [newKey()] });
}
