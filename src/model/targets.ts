import { maskTarget, parseRtmpUrl, type RtmpUrl } from '../address/rtmp-url.js';
import { CodedError, InputError } from '../errors.js';
import { getEngine } from './find-engine.js';
import type { Camera, Push, StreamingEngine } from './model.js';
import { checkName } from './rules.js';
import { expandPushUrl, resolvePushUrl, type TemplateCamera } from './template.js';

type Engines = ReadonlyMap<string, StreamingEngine>;

/**
 * Where a push goes, with the engine's template filled in.
 * @throws NotFoundError ENGINE_NOT_FOUND, InputError INVALID_ADDRESS: neither happens with a state that was accepted
 */
export function pushUrlOf(engines: Engines, camera: Camera, push: Push): string {
  if (push.url !== undefined) return push.url;
  return resolvePushUrl(getEngine({ engines }, push.engine ?? '', 'engine'), camera);
}

/** Where a push is to go. */
export interface Target {
  readonly declared: { readonly url: string } | { readonly engine: string };
  /** Templates filled in. */
  readonly url: string;
}

/**
 * Reads where a push is to go: exactly one of `url` and `engine`.
 * @throws InputError INVALID_REQUEST, INVALID_NAME or INVALID_ADDRESS; NotFoundError ENGINE_NOT_FOUND
 */
export function targetOf(
  engines: Engines,
  camera: TemplateCamera,
  { url, engine }: { readonly url?: string | undefined; readonly engine?: string | undefined },
): Target {
  if (url !== undefined && engine === undefined) {
    inField('url', () => parseRtmpUrl(url, (text) => maskTarget(text, camera.name)));
    return { declared: { url }, url };
  }
  if (engine !== undefined && url === undefined) {
    const found = getEngine({ engines }, checkName('engine', engine), 'engine');
    return { declared: { engine }, url: inField('engine', () => resolvePushUrl(found, camera)) };
  }
  const message = `a push needs exactly one of "url" and "engine"; ${url === undefined ? 'neither is' : 'both are'} given`;
  throw new InputError('INVALID_REQUEST', message, { field: 'url' });
}

/** Names the field of the push that is invalid. */
function inField<R>(field: string, rule: () => R): R {
  try {
    return rule();
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    throw new InputError(error.code, error.message, { field, cause: error });
  }
}

/** Equal for all spellings of the same target, whatever the user name. @throws InputError INVALID_ADDRESS */
export function targetKey(url: string): string {
  return keyOf(parseRtmpUrl(url));
}

function keyOf({ scheme, host, port, app, streamName }: RtmpUrl): string {
  return JSON.stringify([scheme, host.toLowerCase(), port, app, streamName]);
}

/**
 * A target, to be found among pushes. Most go clearly elsewhere, and their URLs are not taken apart: nothing has to be kept of
 * them for the next time.
 */
export class TargetMatch {
  /** As `targetKey`. */
  readonly key: string;
  /** What stands in every spelling of the host, in lower case; empty: it is an IPv6 address, which has many. */
  readonly #host: string;
  /** The first part of the stream name, which nothing spells differently. */
  readonly #part: string;

  /** @throws InputError INVALID_ADDRESS */
  constructor(url: string) {
    const parsed = parseRtmpUrl(url);
    const { host, streamName } = parsed;
    this.key = keyOf(parsed);
    this.#host = host.includes(':') ? '' : host;
    this.#part = /^[^/?]*/.exec(streamName)?.[0] ?? '';
  }

  /** Whether a push goes there; one without a URL does not. */
  isOf(engines: Engines, camera: Camera, push: Push): boolean {
    try {
      const url = push.url ?? expandPushUrl(getEngine({ engines }, push.engine ?? ''), camera);
      return url.includes(this.#part) && url.toLowerCase().includes(this.#host) && targetKey(url) === this.key;
    } catch (error) {
      if (error instanceof CodedError) return false;
      throw error;
    }
  }
}

/**
 * Whether a URL names a user name or password other than those of another URL of the same target. Who names none means
 * the target, whoever logs in there. @throws InputError INVALID_ADDRESS
 */
export function namesOtherUser(url: string, present: string): boolean {
  const [wanted, known] = [parseRtmpUrl(url), parseRtmpUrl(present)];
  if (wanted.username === undefined) return false;
  return wanted.username !== known.username || wanted.password !== known.password;
}

/** A camera with the engines that its pushes go by. */
export interface Declared {
  readonly camera: Camera;
  readonly engines: Engines;
}

/** So many pushes of a camera are each compared with the others; of more, all are looked up in a table. */
const comparedEach = 4;

/**
 * The ids of two pushes of a camera that go to one target after a change and did not before; undefined when there are
 * none. Two publishers of one stream throw each other out at the target. Both sides must have a URL for each push.
 */
export function newlyShared(before: Declared, after: Declared): readonly [string, string] | undefined {
  const changed = changedPushes(before, after);
  if (changed.length === 0) return undefined;
  if (changed.length <= comparedEach && !changed.some((push) => hasCompanion(after, push))) return undefined;
  const now = targetsOf(after);
  if (new Set(now.values()).size === now.size) return undefined;
  const then = targetsOf(before);
  const seen = new Map<string, string>();
  for (const [id, key] of now) {
    const other = seen.get(key);
    const wasShared = then.has(id) && then.get(id) === then.get(other ?? '');
    if (other !== undefined && !wasShared) return [other, id];
    seen.set(key, id);
  }
  return undefined;
}

/** Those that may go elsewhere than before. */
function changedPushes(before: Declared, after: Declared): Push[] {
  const isSameType = before.camera.type === after.camera.type;
  const changed: Push[] = [];
  for (const id of Object.keys(after.camera.pushes)) {
    const push = after.camera.pushes[id]!;
    const was = Object.hasOwn(before.camera.pushes, id) ? before.camera.pushes[id] : undefined;
    const { engine } = push;
    const goesWhereItWent =
      was !== undefined &&
      was.url === push.url &&
      was.engine === engine &&
      (engine === undefined || (isSameType && before.engines.get(engine) === after.engines.get(engine)));
    if (!goesWhereItWent) changed.push(push);
  }
  return changed;
}

/** Whether another push of the camera goes to the same target. */
function hasCompanion({ camera, engines }: Declared, push: Push): boolean {
  const target = new TargetMatch(pushUrlOf(engines, camera, push));
  for (const id of Object.keys(camera.pushes)) {
    const other = camera.pushes[id]!;
    if (other !== push && target.isOf(engines, camera, other)) return true;
  }
  return false;
}

function targetsOf({ camera, engines }: Declared): Map<string, string> {
  const targets = new Map<string, string>();
  for (const push of Object.values(camera.pushes)) targets.set(push.id, targetKey(pushUrlOf(engines, camera, push)));
  return targets;
}
