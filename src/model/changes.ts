import { isDeepStrictEqual } from 'node:util';
import Type, { type TSchema } from 'typebox';
import { quoted } from '../address/host.js';
import { StateError } from '../errors.js';
import { fileCamera, fileCameraFacts, fileEngine, filePush } from './document/encode.js';
import type { Camera, DesiredState } from './model.js';
import { differingNames } from './persistent-map.js';
import { CameraFactsSchema, EngineFileSchema, type PushFile, PushFileSchema, type StateFile } from './schema.js';
import { allOf } from './steps.js';

const closed = { additionalProperties: false };
const orNone = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

/** One change of an engine, of a camera without its pushes, or of a push. Null: it does not exist before, or after. */
export const ChangeSchema = Type.Union([
  Type.Object({ engine: Type.String(), is: orNone(EngineFileSchema), was: orNone(EngineFileSchema) }, closed),
  Type.Object({ camera: Type.String(), is: orNone(CameraFactsSchema), was: orNone(CameraFactsSchema) }, closed),
  Type.Object(
    { camera: Type.String(), push: Type.String(), is: orNone(PushFileSchema), was: orNone(PushFileSchema) },
    closed,
  ),
]);

export type Change = Type.Static<typeof ChangeSchema>;

/** The names of what is not the same in two states. */
export interface Differing {
  readonly cameras: ReadonlySet<string>;
  readonly engines: ReadonlySet<string>;
}

export function differingIn(before: DesiredState, after: DesiredState): Differing {
  return {
    cameras: differingNames(before.cameras, after.cameras),
    engines: differingNames(before.engines, after.engines),
  };
}

/** What turns one state into the other. An added camera comes before its pushes, a removed one after them. */
export function changesBetween(
  before: DesiredState,
  after: DesiredState,
  differing: Differing = differingIn(before, after),
): Change[] {
  return allOf(changesBetweenSteps(before, after, differing));
}

/** `changesBetween`, a camera or an engine in each step. */
export function* changesBetweenSteps(
  before: DesiredState,
  after: DesiredState,
  differing: Differing,
): Generator<undefined, Change[]> {
  const changes: Change[] = [];
  for (const name of differing.engines) {
    const [was, is] = [before.engines.get(name), after.engines.get(name)];
    changes.push({ engine: name, is: is ? fileEngine(is) : null, was: was ? fileEngine(was) : null });
    yield;
  }
  for (const name of differing.cameras) {
    const [was, is] = [before.cameras.get(name), after.cameras.get(name)];
    const facts = { was: was ? fileCameraFacts(was) : null, is: is ? fileCameraFacts(is) : null };
    const pushes = pushChanges(name, was, is);
    if (isDeepStrictEqual(facts.was, facts.is)) changes.push(...pushes);
    else if (is === undefined) changes.push(...pushes, { camera: name, ...facts });
    else changes.push({ camera: name, ...facts }, ...pushes);
    yield;
  }
  return changes;
}

function pushChanges(camera: string, before: Camera | undefined, after: Camera | undefined): Change[] {
  const ids = new Set([...Object.keys(before?.pushes ?? {}), ...Object.keys(after?.pushes ?? {})]);
  const changes: Change[] = [];
  for (const id of ids) {
    const [was, is] = [before?.pushes[id], after?.pushes[id]];
    if (was === is || isDeepStrictEqual(was, is)) continue;
    changes.push({ camera, push: id, is: is ? filePush(is) : null, was: was ? filePush(was) : null });
  }
  return changes;
}

/** Two changes with the same key are changes of the same thing. */
export function keyOf(change: Change): string {
  if ('engine' in change) return `engines.${change.engine}`;
  return 'push' in change ? `cameras.${change.camera}.pushes.${change.push}` : `cameras.${change.camera}`;
}

/** The object of a change as it is in a state, in the same form. */
export function valueIn(state: DesiredState, change: Change): Change['is'] {
  if ('engine' in change) {
    const engine = state.engines.get(change.engine);
    return engine === undefined ? null : fileEngine(engine);
  }
  const camera = state.cameras.get(change.camera);
  if (camera === undefined) return null;
  if (!('push' in change)) return fileCameraFacts(camera);
  const push = camera.pushes[change.push];
  return push === undefined ? null : filePush(push);
}

/** True for equal objects. `createdAt` is not compared: nobody changes it by hand. */
export function isSameValue(left: Change['is'], right: Change['is']): boolean {
  if (left === null || right === null) return left === right;
  const [{ createdAt: _left, ...one }, { createdAt: _right, ...other }] = [left, right];
  return isDeepStrictEqual(one, other);
}

/** A state as a document that changes can be made to, and that `decodeDocument` reads; an entry in each step. */
export function* documentOfSteps(state: DesiredState): Generator<undefined, StateFile> {
  const document = emptyDocument();
  for (const [name, camera] of state.cameras) {
    document.cameras[name] = fileCamera(camera);
    yield;
  }
  for (const [name, engine] of state.engines) {
    document.engines[name] = fileEngine(engine);
    yield;
  }
  return document;
}

/**
 * Makes changes to a copy of a document. Only entries that are changed are copied.
 * @throws StateError STATE_CONFLICT when a push has no camera, or a camera that goes keeps a push
 */
export function changeDocument(document: StateFile, changes: Iterable<Change>): StateFile {
  return allOf(changeDocumentSteps(document, changes));
}

/** `changeDocument`, a change in each step. @throws StateError STATE_CONFLICT as that */
export function* changeDocumentSteps(document: StateFile, changes: Iterable<Change>): Generator<undefined, StateFile> {
  const next = emptyDocument();
  Object.assign(next.cameras, document.cameras);
  Object.assign(next.engines, document.engines);
  /** Pushes that are copies already: of one camera, thousands may be changed. */
  const copies = new Set<object>();
  for (const change of changes) {
    if ('engine' in change) put(next.engines, change.engine, change.is);
    else if ('push' in change) putPush(next.cameras, change, copies);
    else putCamera(next.cameras, change);
    yield;
  }
  return next;
}

type Cameras = NonNullable<StateFile['cameras']>;
type CameraChange = Extract<Change, { camera: string }>;

function putCamera(cameras: Cameras, { camera: name, is }: CameraChange): void {
  const pushes = cameras[name]?.pushes;
  if (is === null && Object.keys(pushes ?? {}).length > 0) {
    const ids = Object.keys(pushes ?? {}).map(quoted);
    throw conflict(`cameras.${name}`, `it is removed, and has the push ${ids.join(', ')} that was added meanwhile`);
  }
  put(cameras, name, is === null ? null : { ...is, ...(pushes === undefined ? {} : { pushes }) });
}

function putPush(cameras: Cameras, change: Extract<Change, { push: string }>, copies: Set<object>): void {
  const camera = cameras[change.camera];
  if (camera === undefined) {
    if (change.is === null) return;
    throw conflict(keyOf(change), 'its camera was removed meanwhile');
  }
  if (camera.pushes !== undefined && copies.has(camera.pushes)) {
    put(camera.pushes, change.push, change.is);
    return;
  }
  const pushes: Record<string, PushFile> = Object.assign(Object.create(null), camera.pushes);
  copies.add(pushes);
  put(pushes, change.push, change.is);
  cameras[change.camera] = { ...camera, pushes };
}

function put<T>(entries: Record<string, T>, name: string, value: T | null): void {
  if (value === null) delete entries[name];
  else entries[name] = value;
}

/** The same thing was changed by hand and by the API, in two ways. */
export function conflict(path: string, why: string): StateError {
  return new StateError('STATE_CONFLICT', `${path}: changed by hand and through the API: ${why}`, { field: path });
}

/** No prototypes: a camera may be called "constructor". */
function emptyDocument(): { version: 1; cameras: Cameras; engines: NonNullable<StateFile['engines']> } {
  return { version: 1, cameras: Object.create(null), engines: Object.create(null) };
}
