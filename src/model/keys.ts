import { InputError } from '../errors.js';
import { getCamera, withCamera } from './cameras.js';
import { checkIngestOf } from './ingests.js';
import { type Camera, type CameraIngest, type CameraKey, type DesiredState, mainIngest, maxKeys } from './model.js';

/*
 * The publish keys of cameras as the state has them: ids that keys are made from, tags that given keys are compared by,
 * and when they end. What a key is, only the secret part knows (`StreamKeys`).
 */

/** The key of cameras that were registered before keys were wanted, or by hand. */
export const firstKey: CameraKey = { id: 'first' };

/** The id of keys that somebody else chose. */
const givenId = 'given';

/** The keys of an ingest of a camera; the first is the one in use. */
export function keysOf(camera: Camera, ingest: string = mainIngest): readonly CameraKey[] {
  const keys = ingest === mainIngest ? camera.keys : camera.ingests?.find(({ name }) => name === ingest)?.keys;
  return keys ?? [firstKey];
}

/** What is asked for where a camera gets another key. */
export interface KeyChange {
  /** The key: a new id that it is made from, or the tag of one that somebody chose. */
  readonly key: { readonly id: string } | { readonly tag: string };
  /** For how long the previous keys are accepted too; undefined: not at all. */
  readonly overlapSeconds?: number | undefined;
  /** The ingest whose key it is; undefined: `main`. */
  readonly ingest?: string | undefined;
}

/**
 * Gives an ingest of a camera another key. The same given key again only ends the others.
 * @throws NotFoundError CAMERA_NOT_FOUND, INGEST_NOT_FOUND; InputError INVALID_REQUEST for a key that ended before
 */
export function rotateKeys(state: DesiredState, name: string, change: KeyChange, nowMs: number): DesiredState {
  const camera = getCamera(state, name);
  const { key, overlapSeconds = 0, ingest = mainIngest } = change;
  if (change.ingest !== undefined) checkIngestOf(camera, ingest);
  const next: CameraKey = 'tag' in key ? { id: givenId, tag: key.tag } : { id: key.id };
  const untilMs = nowMs + overlapSeconds * 1000;
  const others = keysOf(camera, ingest).filter(({ tag, until }) => {
    if (tag !== undefined && tag === next.tag) {
      if (until === undefined) return false;
      throw new InputError('INVALID_REQUEST', 'key: was used before and replaced; choose a new one', {
        field: 'key',
      });
    }
    return overlapSeconds > 0 && (until === undefined || Date.parse(until) > nowMs);
  });
  const ending = others.map((other): CameraKey => {
    const endsMs = Math.min(untilMs, other.until === undefined ? untilMs : Date.parse(other.until));
    return { ...other, until: new Date(endsMs).toISOString() };
  });
  return withCamera(state, withKeys(camera, ingest, [next, ...ending.slice(0, maxKeys - 1)]));
}

function withKeys(camera: Camera, ingest: string, keys: readonly CameraKey[]): Camera {
  if (ingest === mainIngest) return { ...camera, keys };
  const ingests = camera.ingests?.map((each) => (each.name === ingest ? { ...each, keys } : each)) ?? [];
  return { ...camera, ingests };
}

/**
 * Gives a new camera a key of its own, and each new ingest: a removed one of the same name had another key.
 * @param id what they are made from: one that nobody had
 */
export function withNewKey(before: DesiredState, after: DesiredState, name: string, id: string): DesiredState {
  const camera = after.cameras.get(name);
  if (camera === undefined) return after;
  const known = before.cameras.get(name);
  const isNew = (ingest: CameraIngest): boolean =>
    ingest.name !== mainIngest && known?.ingests?.some((each) => each.name === ingest.name) !== true;
  const { ingests } = camera;
  if (known !== undefined && ingests?.some(isNew) !== true) return after;
  return withCamera(after, {
    ...camera,
    ...(known === undefined ? { keys: [{ id }] } : {}),
    ...(ingests === undefined
      ? {}
      : { ingests: ingests.map((each) => (isNew(each) ? { ...each, keys: [{ id }] } : each)) }),
  });
}

/**
 * The rules for the keys of one camera, or of one of its ingests, that a schema cannot say.
 * @param where what the list is called
 * @throws InputError INVALID_REQUEST
 */
export function checkKeys(keys: readonly CameraKey[], where = 'keys'): void {
  const seen = new Map<string, number>();
  for (const [index, { id, tag }] of keys.entries()) {
    const field = `${where}.${index}`;
    if ((id === givenId) !== (tag !== undefined)) {
      const rule = `"tag" stands with the id "${givenId}", of a key that somebody chose, and with no other`;
      throw new InputError('INVALID_REQUEST', `${field}: ${rule}`, { field });
    }
    const other = seen.get(tag ?? `id ${id}`);
    if (other !== undefined) {
      throw new InputError('INVALID_REQUEST', `${field}: is the same key as ${where}.${other}; remove one`, { field });
    }
    seen.set(tag ?? `id ${id}`, index);
  }
}
