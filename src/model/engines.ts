import { normaliseHost } from '../address/host.js';
import { ConflictError, InputError, messageOf } from '../errors.js';
import { getEngine } from './find-engine.js';
import { type Camera, type DesiredState, defaultPlaybackUrl, defaultPushUrl, type StreamingEngine } from './model.js';
import { differingNames, withEntry, withoutEntry } from './persistent-map.js';
import { checkLocation, checkName, checkRoom, checkUnmasked, type Limit } from './rules.js';
import { allOf } from './steps.js';
import { newlyShared } from './targets.js';
import { checkTemplates, resolvePushUrl } from './template.js';

/** Cameras that are looked at in one step: some 10 µs each. */
const camerasPerStep = 16;

/** What people and programs say of a streaming engine. */
export interface EngineInput {
  readonly name: string;
  readonly host: string;
  readonly pushUrl?: string | undefined;
  readonly playbackUrl?: string | undefined;
  readonly location?: string | undefined;
}

/**
 * Adds an engine; the same again changes nothing.
 * @throws InputError INVALID_NAME or INVALID_ADDRESS, ConflictError ENGINE_CONFLICT or LIMIT_REACHED
 */
export function addEngine(state: DesiredState, input: EngineInput, now: string, maxEngines: number): DesiredState {
  const known = state.engines.get(checkName('name', input.name));
  const engine = engineOf(input, known?.createdAt ?? now);
  checkNewTemplates(known, engine);
  if (known !== undefined && !isSameEngine(known, engine)) {
    const message = `engine "${engine.name}" is registered with other settings; change it with PUT /v1/engines/${engine.name}`;
    throw new ConflictError('ENGINE_CONFLICT', message, { field: 'name' });
  }
  return known === undefined ? withEngine(state, engine, maxEngines) : state;
}

/**
 * Makes the engine what `input` says. The pushes to it follow.
 * @throws InputError INVALID_NAME, or INVALID_ADDRESS also when a camera that goes there would have no URL any more;
 *   ConflictError LIMIT_REACHED, or ENGINE_CONFLICT when two pushes of a camera would go to one target
 */
export function declareEngine(state: DesiredState, input: EngineInput, now: string, maxEngines: number): DesiredState {
  return allOf(declareEngineSteps(state, input, now, maxEngines));
}

/**
 * A change may be tried again, on a newer state, as in a cluster whose other nodes changed it meanwhile. What an earlier try
 * found well it need not look at again: else it would be overtaken each time.
 */
export interface EarlierTry {
  /** All cameras were well in it. */
  state?: DesiredState;
}

/**
 * `declareEngine` in steps, each of a few cameras: ten thousand may go to one engine.
 * @param earlier of the same change; noted in it is what this try finds well
 * @throws as `declareEngine`
 */
export function* declareEngineSteps(
  state: DesiredState,
  input: EngineInput,
  now: string,
  maxEngines: number,
  earlier: EarlierTry = {},
): Generator<undefined, DesiredState> {
  const known = state.engines.get(checkName('name', input.name));
  const engine = engineOf(input, known?.createdAt ?? now);
  checkNewTemplates(known, engine);
  if (known === undefined) return withEngine(state, engine, maxEngines);
  if (isSameEngine(known, engine)) return state;
  const after = withEngine(state, engine, maxEngines);
  if (!goesElsewhere(known, engine)) return after;
  const shared: string[] = [];
  let looks = 0;
  for (const camera of camerasToLookAt(state, earlier.state)) {
    if (++looks % camerasPerStep === 0) yield;
    if (!goesTo(camera, engine.name)) continue;
    try {
      resolvePushUrl(engine, camera);
    } catch (error) {
      const message = `pushUrl: camera "${camera.name}" goes to this engine and would have no URL: ${messageOf(error)}`;
      throw new InputError('INVALID_ADDRESS', message, { field: 'pushUrl', cause: error });
    }
    const ids = newlyShared({ camera, engines: state.engines }, { camera, engines: after.engines });
    if (ids !== undefined) shared.push(`${camera.name} (${ids.join(' and ')})`);
  }
  if (shared.length > 0) {
    const message = `two pushes of one camera would go to the same target: those of ${listOf(shared)}; remove one of each first`;
    throw new ConflictError('ENGINE_CONFLICT', message);
  }
  earlier.state = state;
  return after;
}

/** Those that are not as in a state in which all were well. */
function camerasToLookAt(state: DesiredState, well: DesiredState | undefined): Iterable<Camera> {
  if (well === undefined || !areSameEngines(well.engines, state.engines)) return state.cameras.values();
  return [...differingNames(well.cameras, state.cameras)].flatMap((name) => state.cameras.get(name) ?? []);
}

function areSameEngines(some: DesiredState['engines'], others: DesiredState['engines']): boolean {
  return [...differingNames(some, others)].every((name) => {
    const [one, other] = [some.get(name), others.get(name)];
    return one !== undefined && other !== undefined && isSameEngine(one, other);
  });
}

function goesTo(camera: Camera, engine: string): boolean {
  return Object.values(camera.pushes).some((push) => push.engine === engine);
}

/**
 * The engine that `input` means, in the form in which it is kept; its name is checked by itself.
 * @throws InputError INVALID_ADDRESS
 */
export function engineOf(input: EngineInput, createdAt: string): StreamingEngine {
  const location = checkLocation(input.location);
  const engine: StreamingEngine = {
    name: input.name,
    host: normaliseHost(input.host, 'host'),
    pushUrl: input.pushUrl ?? defaultPushUrl,
    playbackUrl: input.playbackUrl ?? defaultPlaybackUrl,
    ...(location === undefined ? {} : { location }),
    createdAt,
  };
  checkTemplates(engine);
  return engine;
}

/**
 * A template that is new is none that an answer masked. What was there already stays.
 * @throws InputError INVALID_ADDRESS
 */
export function checkNewTemplates(known: StreamingEngine | undefined, engine: StreamingEngine): void {
  for (const field of ['pushUrl', 'playbackUrl'] as const) {
    if (engine[field] !== known?.[field]) checkUnmasked(field, engine[field]);
  }
}

/** The limit of `max-engines`. */
export function engineLimit(max: number): Limit {
  return { what: 'engines', max, setting: 'max-engines' };
}

/** What changes of an engine; what is undefined stays, and null gives it its default. */
export interface EngineChange {
  readonly host?: string | undefined;
  readonly pushUrl?: string | null | undefined;
  readonly playbackUrl?: string | null | undefined;
  readonly location?: string | null | undefined;
}

/** @throws NotFoundError ENGINE_NOT_FOUND; else as `declareEngine` */
export function changeEngine(state: DesiredState, name: string, change: EngineChange): DesiredState {
  return allOf(changeEngineSteps(state, name, change));
}

/** `changeEngine` in steps, as those of `declareEngineSteps`. @throws as `changeEngine` */
export function* changeEngineSteps(
  state: DesiredState,
  name: string,
  change: EngineChange,
  earlier: EarlierTry = {},
): Generator<undefined, DesiredState> {
  const known = getEngine(state, name);
  const pick = (field: 'pushUrl' | 'playbackUrl' | 'location'): string | undefined =>
    change[field] === undefined ? known[field] : (change[field] ?? undefined);
  const input = {
    name,
    host: change.host ?? known.host,
    pushUrl: pick('pushUrl'),
    playbackUrl: pick('playbackUrl'),
    location: pick('location'),
  };
  return yield* declareEngineSteps(state, input, known.createdAt, state.engines.size, earlier);
}

/** @throws NotFoundError ENGINE_NOT_FOUND, ConflictError ENGINE_IN_USE */
export function removeEngine(state: DesiredState, name: string): DesiredState {
  getEngine(state, name);
  const users: string[] = [];
  for (const camera of state.cameras.values()) {
    if (goesTo(camera, name)) users.push(camera.name);
  }
  if (users.length > 0) {
    const message = `engine "${name}" gets pushes of ${listOf(users)}; remove these pushes first`;
    throw new ConflictError('ENGINE_IN_USE', message);
  }
  return { ...state, engines: withoutEntry(state.engines, name) };
}

function listOf(names: readonly string[]): string {
  return [...names].sort().slice(0, 5).join(', ') + (names.length > 5 ? ` and ${names.length - 5} more` : '');
}

function withEngine(state: DesiredState, engine: StreamingEngine, maxEngines: number): DesiredState {
  const engines = withEntry(state.engines, engine.name, engine);
  checkRoom(state.engines.size, engines.size, engineLimit(maxEngines));
  return { ...state, engines };
}

/** Whether any push to it may have another URL: it is made of the template, and of what that names. */
function goesElsewhere(known: StreamingEngine, { pushUrl, host, location }: StreamingEngine): boolean {
  return (
    pushUrl !== known.pushUrl ||
    (host !== known.host && pushUrl.includes('{host}')) ||
    (location !== known.location && pushUrl.includes('{location}'))
  );
}

function isSameEngine(left: StreamingEngine, right: StreamingEngine): boolean {
  const facts = ['host', 'pushUrl', 'playbackUrl', 'location'] as const;
  return facts.every((fact) => left[fact] === right[fact]);
}
