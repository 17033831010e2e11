import { maskTarget, parseRtmpUrl } from '../address/rtmp-url.js';
import { CodedError, InputError } from '../errors.js';
import { getEngine } from './find-engine.js';
import type { Camera, Push, StreamingEngine } from './model.js';
import { checkName } from './rules.js';
import { resolvePushUrl, type TemplateCamera } from './template.js';

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
  const { scheme, host, port, app, streamName } = parseRtmpUrl(url);
  return JSON.stringify([scheme, host.toLowerCase(), port, app, streamName]);
}

interface KnownKey {
  /** What the URL of the push was made from, besides the push. */
  readonly engine: StreamingEngine | undefined;
  readonly type: string | undefined;
  readonly key: string;
}

/**
 * The keys of pushes that somebody looked for; of one with a URL of its own the key alone, which never changes. Pushes,
 * engines and cameras are never mutated.
 */
const knownKeys = new WeakMap<Push, KnownKey | string>();

/** `targetKey` of where a push goes, which is kept: for cameras that are asked for again. @throws as `pushUrlOf` */
export function keyOfPush(engines: Engines, camera: Camera, push: Push): string {
  const known = knownKeyOf(engines, camera, push);
  if (known !== undefined) return known;
  const key = targetKey(pushUrlOf(engines, camera, push));
  const engine = push.engine === undefined ? undefined : engines.get(push.engine);
  knownKeys.set(push, push.url === undefined ? { engine, type: camera.type, key } : key);
  return key;
}

function knownKeyOf(engines: Engines, camera: Camera, push: Push): string | undefined {
  const known = knownKeys.get(push);
  if (known === undefined || typeof known === 'string') return known;
  // A push is of one camera, whose name never changes.
  return known.engine === engines.get(push.engine ?? '') && known.type === camera.type ? known.key : undefined;
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

/**
 * The ids of two pushes of a camera that go to one target after a change and did not before; undefined when there are
 * none. Two publishers of one stream throw each other out at the target. Both sides must have a URL for each push.
 */
export function newlyShared(before: Declared, after: Declared): readonly [string, string] | undefined {
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

/** Keeps no key: this looks at the pushes of all cameras, of which most are never asked for. */
function targetsOf({ camera, engines }: Declared): Map<string, string> {
  const targets = new Map<string, string>();
  for (const push of Object.values(camera.pushes)) {
    const key = knownKeyOf(engines, camera, push) ?? targetKey(pushUrlOf(engines, camera, push));
    targets.set(push.id, key);
  }
  return targets;
}
