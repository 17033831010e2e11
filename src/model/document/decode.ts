import { isDeepStrictEqual } from 'node:util';
import { Compile } from 'typebox/compile';
import { isHost, quoted } from '../../address/host.js';
import { maskTarget, parseRtmpUrl } from '../../address/rtmp-url.js';
import { InputError, messageOf, StateError } from '../../errors.js';
import { explainValue } from '../../json/explain.js';
import { nearest } from '../../json/nearest.js';
import { JsonError, parseJsonSteps } from '../../json/strict-json.js';
import {
  type Camera,
  type DesiredState,
  defaultPlaybackUrl,
  defaultPushUrl,
  namePattern,
  type Push,
  type StreamingEngine,
} from '../model.js';
import { type CameraFile, type EngineFile, type StateFile, StateFileSchema } from '../schema.js';
import { checkTemplates, resolvePushUrl } from '../template.js';
import { type Upgrade, upgradeDocument } from './upgrade.js';

const fileValidator = Compile(StateFileSchema);

/**
 * The text of a state file, with all keys and types as they must be.
 * @returns the document, and the version that it was written in, if an older one
 * @throws StateError STATE_INVALID
 */
export function parseDocument(
  text: string,
  upgrades?: ReadonlyMap<number, Upgrade>,
): { readonly document: StateFile; readonly upgradedFrom: number | undefined } {
  const { value, from } = upgradeDocument(parseText(text), upgrades);
  return { document: checkDocument(value), upgradedFrom: from };
}

/** `decodeDocument` of a text. @throws StateError STATE_INVALID, whose message names path and rule */
export function decodeState(text: string, previous: DesiredState, now: string): DesiredState {
  return decodeDocument(checkDocument(upgradeDocument(parseText(text)).value), previous, now);
}

/**
 * Reads a state file. Values that are equal to those of `previous` are taken over from it, so that a comparison by
 * identity finds what changed. What the file leaves out gets its default; `createdAt` that of `previous`, else `now`.
 * @throws StateError STATE_INVALID, whose message names path and rule
 */
export function decodeDocument(file: StateFile, previous: DesiredState, now: string): DesiredState {
  return allOf(decodeDocumentSteps(file, previous, now));
}

/** `decodeDocument`, entry by entry. @throws StateError STATE_INVALID */
export function* decodeDocumentSteps(
  file: StateFile,
  previous: DesiredState,
  now: string,
): Generator<undefined, DesiredState> {
  const engines = new Map<string, StreamingEngine>();
  for (const [name, entry] of sortedEntries(file.engines)) {
    checkName(`engines.${name}`, name);
    const known = previous.engines.get(name);
    const engine = decodeEngine(name, entry, known?.createdAt ?? now);
    engines.set(name, known !== undefined && isDeepStrictEqual(known, engine) ? known : engine);
    yield;
  }
  const cameras = new Map<string, Camera>();
  for (const [name, entry] of sortedEntries(file.cameras)) {
    checkName(`cameras.${name}`, name);
    const known = previous.cameras.get(name);
    const camera = decodeCamera(name, entry, engines, known, now);
    cameras.set(name, known !== undefined && isDeepStrictEqual(known, camera) ? known : camera);
    yield;
  }
  return { cameras, engines };
}

/** `decodeState` in steps, each a fraction of a millisecond. @throws StateError STATE_INVALID */
export function* decodeStateSteps(
  text: string,
  previous: DesiredState,
  now: string,
): Generator<undefined, DesiredState> {
  const { value } = upgradeDocument(yield* parseTextSteps(text));
  const document = yield* checkDocumentSteps(value);
  return yield* decodeDocumentSteps(document, previous, now);
}

/** Entries that are checked in one step. */
const entriesPerStep = 25;

/** `checkDocument`, some entries at a time. Of several mistakes it may name another one. */
function* checkDocumentSteps(value: unknown): Generator<undefined, StateFile> {
  if (!isRecord(value)) return checkDocument(value);
  const frame: Record<string, unknown> = { ...value };
  for (const section of ['engines', 'cameras']) {
    const entries = value[section];
    if (!isRecord(entries)) continue;
    frame[section] = {};
    const names = Object.keys(entries);
    for (let at = 0; at < names.length; at += entriesPerStep) {
      const some = names.slice(at, at + entriesPerStep).map((name) => [name, entries[name]]);
      checkDocument({ version: value['version'], [section]: Object.fromEntries(some) });
      yield;
    }
  }
  checkDocument(frame);
  return value as StateFile;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** All steps at once. */
function allOf<R>(steps: Iterator<unknown, R>): R {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

function parseText(text: string): unknown {
  return allOf(parseTextSteps(text));
}

function* parseTextSteps(text: string): Generator<undefined, unknown> {
  try {
    return yield* parseJsonSteps(text);
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    throw new StateError('STATE_INVALID', `not JSON: ${error.message}`, { cause: error });
  }
}

function checkDocument(value: unknown): StateFile {
  const broken = explainValue(fileValidator, StateFileSchema, value);
  if (broken !== undefined) refuse(broken.path, broken.message);
  if (!fileValidator.Check(value)) return refuse('', 'the document is not valid');
  return value;
}

function decodeEngine(name: string, entry: EngineFile, defaultCreatedAt: string): StreamingEngine {
  const path = `engines.${name}`;
  if (!isHost(entry.host)) {
    refuse(
      `${path}.host`,
      `${path}.host: ${quoted(entry.host)} is no host name and no IP address (without brackets and port)`,
    );
  }
  const engine: StreamingEngine = {
    name,
    host: entry.host.toLowerCase(),
    pushUrl: entry.pushUrl ?? defaultPushUrl,
    playbackUrl: entry.playbackUrl ?? defaultPlaybackUrl,
    ...(entry.location === undefined ? {} : { location: entry.location }),
    createdAt: checkedTime(`${path}.createdAt`, entry.createdAt) ?? defaultCreatedAt,
  };
  checkAt(path, () => checkTemplates(engine));
  return engine;
}

function decodeCamera(
  name: string,
  entry: CameraFile,
  engines: ReadonlyMap<string, StreamingEngine>,
  known: Camera | undefined,
  now: string,
): Camera {
  const path = `cameras.${name}`;
  // No prototype: a push may be called "constructor".
  const pushes: Record<string, Push> = Object.create(null);
  for (const [id, push] of sortedEntries(entry.pushes)) {
    const at = `${path}.pushes.${id}`;
    checkName(at, id);
    const { url, engine: engineName } = push;
    if ((url === undefined) === (engineName === undefined))
      refuse(at, `${at}: needs exactly one of "url" and "engine"`);
    if (url !== undefined) checkAt(`${at}.url`, () => parseRtmpUrl(url, (text) => maskTarget(text, name)));
    if (engineName !== undefined) {
      const engine = engines.get(engineName) ?? refuse(`${at}.engine`, unknownEngine(at, engineName, engines));
      checkAt(`${at}.engine`, () => resolvePushUrl(engine, { name, type: entry.type }));
    }
    pushes[id] = {
      id,
      ...(url === undefined ? {} : { url }),
      ...(engineName === undefined ? {} : { engine: engineName }),
      enabled: push.enabled ?? true,
      ...(push.queueMaxBytes === undefined ? {} : { queueMaxBytes: push.queueMaxBytes }),
      ...(push.queueMaxAgeMs === undefined ? {} : { queueMaxAgeMs: push.queueMaxAgeMs }),
      createdAt: checkedTime(`${at}.createdAt`, push.createdAt) ?? known?.pushes[id]?.createdAt ?? now,
    };
  }
  const keys = entry.keys?.map((key, index) => {
    const until = checkedTime(`${path}.keys[${index}].until`, key.until);
    return {
      id: key.id,
      ...(key.tag === undefined ? {} : { tag: key.tag }),
      ...(until === undefined ? {} : { until }),
    };
  });
  return {
    name,
    ...(entry.type === undefined ? {} : { type: entry.type }),
    ...(keys === undefined ? {} : { keys }),
    createdAt: checkedTime(`${path}.createdAt`, entry.createdAt) ?? known?.createdAt ?? now,
    pushes,
  };
}

function unknownEngine(at: string, name: string, engines: ReadonlyMap<string, StreamingEngine>): string {
  const near = nearest(name, engines.keys());
  return `${at}.engine: there is no engine "${name}"${near === undefined ? '' : `; did you mean "${near}"?`}`;
}

function sortedEntries<T>(record: Record<string, T> | undefined): [string, T][] {
  return Object.entries(record ?? {}).sort(([left], [right]) => (left < right ? -1 : 1));
}

function checkName(path: string, name: string): void {
  if (!namePattern.test(name)) refuse(path, `${path}: the name ${quoted(name)} must match ${namePattern.source}`);
}

function checkedTime(path: string, time: string | undefined): string | undefined {
  if (time !== undefined && Number.isNaN(Date.parse(time)))
    refuse(path, `${path}: ${quoted(time)} is no date and time`);
  return time;
}

function checkAt(path: string, check: () => void): void {
  try {
    check();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    refuse(path, `${path}: ${messageOf(error)}`);
  }
}

function refuse(path: string, message: string): never {
  throw new StateError('STATE_INVALID', message, path === '' ? {} : { field: path });
}
