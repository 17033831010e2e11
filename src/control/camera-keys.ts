import { randomBytes } from 'node:crypto';
import type { PublishKeyRule, StreamKeys } from '../admission/stream-keys.js';
import { firstKey, type KeyChange, keysOf } from '../model/keys.js';
import { type Camera, mainIngest } from '../model/model.js';

/*
 * Connects the keys in the state, which say what a key is made from, with the keys themselves, which `StreamKeys`
 * makes.
 */

/** What is asked for where a camera gets another key. */
export interface KeyRotation {
  /** Undefined: one is made. */
  readonly key?: string | undefined;
  /** For how long the previous keys are accepted too; undefined: not at all. */
  readonly overlapSeconds?: number | undefined;
  /** The ingest whose key it is; undefined: `main`. */
  readonly ingest?: string | undefined;
}

/** What a generated key is made from: an id that nobody had. */
export function newKeyId(): string {
  return randomBytes(8).toString('hex');
}

/** A rotation in the form that the state keeps. */
export function keyChange(camera: string, { key, overlapSeconds, ingest }: KeyRotation, keys: StreamKeys): KeyChange {
  return { key: key === undefined ? { id: newKeyId() } : { tag: keys.tag(camera, key) }, overlapSeconds, ingest };
}

/** The keys of an ingest of a camera as admission compares them. */
export function keyRules(camera: Camera, keys: StreamKeys, ingest: string = mainIngest): readonly PublishKeyRule[] {
  return keysOf(camera, ingest).map(({ id, tag, until }) => ({
    tag: tag ?? keys.tag(camera.name, keys.generated(camera.name, id, ownPart(ingest))),
    ...(until === undefined ? {} : { untilMs: Date.parse(until) }),
  }));
}

/** The key that an ingest of the camera is to show; undefined when somebody else chose it, who knows it. */
export function currentKey(camera: Camera, keys: StreamKeys, ingest: string = mainIngest): string | undefined {
  const current = keysOf(camera, ingest)[0] ?? firstKey;
  return current.tag === undefined ? keys.generated(camera.name, current.id, ownPart(ingest)) : undefined;
}

/** The key of `main` is that of a camera without a list of ingests: with the list it stays the same. */
function ownPart(ingest: string): string | undefined {
  return ingest === mainIngest ? undefined : ingest;
}
