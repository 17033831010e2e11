import { InputError } from '../errors.js';
import { getCamera, withCamera } from './cameras.js';
import { type Camera, type CameraKey, type DesiredState, maxKeys } from './model.js';

/*
 * The publish keys of cameras as the state has them: ids that keys are made from, tags that given keys are compared by,
 * and when they end. What a key is, only the secret part knows (`StreamKeys`).
 */

/** The key of cameras that were registered before keys were wanted, or by hand. */
export const firstKey: CameraKey = { id: 'first' };

/** The id of keys that somebody else chose. */
const givenId = 'given';

/** The keys of a camera; the first is the one in use. */
export function keysOf(camera: Camera): readonly CameraKey[] {
  return camera.keys ?? [firstKey];
}

/** What is asked for where a camera gets another key. */
export interface KeyChange {
  /** The key: a new id that it is made from, or the tag of one that somebody chose. */
  readonly key: { readonly id: string } | { readonly tag: string };
  /** For how long the keys of before are taken too; undefined: not at all. */
  readonly overlapSeconds?: number | undefined;
}

/**
 * Gives a camera another key. The same given key again only ends the others.
 * @throws NotFoundError CAMERA_NOT_FOUND, InputError INVALID_REQUEST for a key that ended before
 */
export function rotateKeys(state: DesiredState, name: string, change: KeyChange, nowMs: number): DesiredState {
  const camera = getCamera(state, name);
  const { key, overlapSeconds = 0 } = change;
  const next: CameraKey = 'tag' in key ? { id: givenId, tag: key.tag } : { id: key.id };
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

/**
 * A camera that is new gets a key of its own: one that was removed had another.
 * @param id what it is made from: one that nobody had
 */
export function withNewKey(before: DesiredState, after: DesiredState, name: string, id: string): DesiredState {
  const camera = after.cameras.get(name);
  if (camera === undefined || before.cameras.has(name)) return after;
  return withCamera(after, { ...camera, keys: [{ id }] });
}

/**
 * The rules for the keys of one camera that a schema cannot say.
 * @throws InputError INVALID_REQUEST
 */
export function checkKeys(keys: readonly CameraKey[]): void {
  const seen = new Map<string, number>();
  for (const [index, { id, tag }] of keys.entries()) {
    const field = `keys.${index}`;
    if ((id === givenId) !== (tag !== undefined)) {
      const rule = `"tag" stands with the id "${givenId}", of a key that somebody chose, and with no other`;
      throw new InputError('INVALID_REQUEST', `${field}: ${rule}`, { field });
    }
    const other = seen.get(tag ?? `id ${id}`);
    if (other !== undefined) {
      throw new InputError('INVALID_REQUEST', `${field}: is the same key as keys.${other}; remove one`, { field });
    }
    seen.set(tag ?? `id ${id}`, index);
  }
}
