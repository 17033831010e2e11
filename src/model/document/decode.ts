import { isDeepStrictEqual } from 'node:util';
import { Compile } from 'typebox/compile';
import { quoted } from '../../address/host.js';
import { StateError } from '../../errors.js';
import { explainValue } from '../../json/explain.js';
import { nearest } from '../../json/nearest.js';
import { JsonError, parseJsonSteps } from '../../json/strict-json.js';
import { engineOf } from '../engines.js';
import { checkStandby, type StandbyFacts, standbyOf } from '../ingests.js';
import {
  type Camera,
  type CameraIngest,
  type CameraKey,
  type DesiredState,
  emptyPushes,
  type Push,
  type StreamingEngine,
} from '../model.js';
import { pushOptionsOf } from '../push-options.js';
import { checkName, codeOfField } from '../rules.js';
import { type CameraFile, type EngineFile, type PushFile, type StateFile, StateFileSchema } from '../schema.js';
import { sourceOf } from '../sources.js';
import { allOf } from '../steps.js';
import { targetOf } from '../targets.js';
import { at, DocumentError } from './document-error.js';
import { type Upgrade, upgradeDocument } from './upgrade.js';

/* The rules that every state must keep, also at the start. state-rules.ts has those that only changes must keep. */

const fileValidator = Compile(StateFileSchema);

/** Opens what is sealed of an entry, before its form is checked. @throws DocumentError */
export type Opening = (section: 'cameras' | 'engines', name: string, entry: unknown) => unknown;

/** The document with all its entries opened. */
function* openedSteps(value: unknown, opening: Opening | undefined): Generator<undefined, unknown> {
  if (opening === undefined || !isRecord(value)) return value;
  const opened: Record<string, unknown> = { ...value };
  for (const section of ['engines', 'cameras'] as const) {
    const entries = value[section];
    if (!isRecord(entries)) continue;
    const mapped: [string, unknown][] = [];
    for (const [name, entry] of Object.entries(entries)) {
      mapped.push([name, opening(section, name, entry)]);
      yield;
    }
    opened[section] = Object.fromEntries(mapped);
  }
  return opened;
}

/**
 * The text of a state file, with all keys and types as they must be.
 * @returns the document, and the version that it was written in, if an older one
 * @throws StateError STATE_INVALID
 */
export function parseDocument(
  text: string,
  upgrades?: ReadonlyMap<number, Upgrade>,
  opening?: Opening,
): { readonly document: StateFile; readonly upgradedFrom: number | undefined } {
  const { value, from } = upgradeDocument(parseText(text), upgrades);
  return { document: checkDocument(allOf(openedSteps(value, opening))), upgradedFrom: from };
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
    at(['engines', name], () => checkName('name', name));
    const known = previous.engines.get(name);
    const engine = decodeEngine(name, entry, known?.createdAt ?? now);
    engines.set(name, known !== undefined && isDeepStrictEqual(known, engine) ? known : engine);
    yield;
  }
  const cameras = new Map<string, Camera>();
  for (const [name, entry] of sortedEntries(file.cameras)) {
    at(['cameras', name], () => checkName('name', name));
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
  opening?: Opening,
): Generator<undefined, DesiredState> {
  const { value } = upgradeDocument(yield* parseTextSteps(text));
  const document = yield* checkDocumentSteps(yield* openedSteps(value, opening));
  return yield* decodeDocumentSteps(document, previous, now);
}

/** Entries that are checked in one step. */
const entriesPerStep = 25;

/** `checkDocument`, some entries at a time. If there are several mistakes, it may report another one of them. */
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
      checkDocument({ version: value.version, [section]: Object.fromEntries(some) });
      yield;
    }
  }
  checkDocument(frame);
  return value as StateFile;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
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
  if (broken !== undefined) {
    const rule = broken.content ? codeOfField(broken.keys.at(-1) ?? '') : 'INVALID_REQUEST';
    throw new DocumentError(broken.keys, broken.rule, rule);
  }
  if (!fileValidator.Check(value)) throw new DocumentError([], 'is not valid', 'INVALID_REQUEST');
  return value;
}

export function decodeEngine(name: string, entry: EngineFile, defaultCreatedAt: string): StreamingEngine {
  const keys = ['engines', name];
  const createdAt = checkedTime([...keys, 'createdAt'], entry.createdAt) ?? defaultCreatedAt;
  return at(keys, () => engineOf({ ...entry, name }, createdAt));
}

export function decodeCamera(
  name: string,
  entry: CameraFile,
  engines: ReadonlyMap<string, StreamingEngine>,
  known: Camera | undefined,
  now: string,
): Camera {
  const path = ['cameras', name];
  const declaredPushes = sortedEntries(entry.pushes);
  // No prototype: a push may be called "constructor".
  const pushes: Record<string, Push> = Object.create(null);
  for (const [id, push] of declaredPushes) {
    const keys = [...path, 'pushes', id];
    at(keys, () => checkName('id', id));
    checkEngineExists(keys, push, engines);
    const { declared } = at(keys, () => targetOf(engines, { name, type: entry.type }, push));
    pushes[id] = {
      id,
      ...declared,
      enabled: push.enabled ?? true,
      ...at(keys, () => pushOptionsOf(push)),
      createdAt: checkedTime([...keys, 'createdAt'], push.createdAt) ?? known?.pushes[id]?.createdAt ?? now,
    };
  }
  const keys = entry.keys === undefined ? undefined : decodeKeys([...path, 'keys'], entry.keys);
  const ingests = entry.ingests?.map((each, index): CameraIngest => {
    if (typeof each === 'string') return { name: each };
    const ownPath = [...path, 'ingests', String(index), 'keys'];
    return {
      name: each.name,
      ...(each.keys === undefined ? {} : { keys: decodeKeys(ownPath, each.keys) }),
      ...(each.source === undefined ? {} : { source: sourceOf(each.source) }),
    };
  });
  const { ingests: _, source, ...others } = entry;
  const standby: StandbyFacts = {
    ...standbyOf(others),
    ...(ingests === undefined ? {} : { ingests }),
    ...(source === undefined ? {} : { source: sourceOf(source) }),
  };
  at(path, () => checkStandby(standby));
  return {
    name,
    ...(entry.type === undefined ? {} : { type: entry.type }),
    ...(keys === undefined ? {} : { keys }),
    ...standby,
    createdAt: checkedTime([...path, 'createdAt'], entry.createdAt) ?? known?.createdAt ?? now,
    pushes: declaredPushes.length === 0 ? emptyPushes : pushes,
  };
}

function decodeKeys(path: readonly string[], keys: NonNullable<CameraFile['keys']>): CameraKey[] {
  return keys.map((key, index): CameraKey => {
    const until = checkedTime([...path, String(index), 'until'], key.until);
    return {
      id: key.id,
      ...(key.tag === undefined ? {} : { tag: key.tag }),
      ...(until === undefined ? {} : { until }),
    };
  });
}

/** The message also names the engine that was probably meant. */
function checkEngineExists(
  keys: readonly string[],
  { url, engine }: PushFile,
  engines: ReadonlyMap<string, StreamingEngine>,
): void {
  if (url !== undefined || engine === undefined || engines.has(engine)) return;
  const near = nearest(engine, engines.keys());
  const advice = near === undefined ? '; add it to "engines"' : `; did you mean "${near}"?`;
  throw new DocumentError([...keys, 'engine'], `there is no engine ${quoted(engine)}${advice}`, 'ENGINE_NOT_FOUND');
}

function sortedEntries<T>(record: Record<string, T> | undefined): [string, T][] {
  return Object.entries(record ?? {}).sort(([left], [right]) => (left < right ? -1 : 1));
}

function checkedTime(keys: readonly string[], time: string | undefined): string | undefined {
  if (time === undefined || isDate(time)) return time;
  throw new DocumentError(keys, `${quoted(time)} is no date and time`, 'INVALID_REQUEST');
}

/** `Date.parse` takes February 31 for a day in March. */
function isDate(time: string): boolean {
  const ms = Date.parse(time);
  return !Number.isNaN(ms) && new Date(ms).toISOString().slice(0, 10) === time.slice(0, 10);
}
