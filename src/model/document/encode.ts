import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import type {
  Camera,
  CameraIngest,
  CameraKey,
  CameraSource,
  DesiredState,
  Push,
  SourceDevice,
  StreamingEngine,
} from '../model.js';
import { sortedNames } from '../persistent-map.js';
import type { CameraFactsFile, CameraFile, EngineFile, PushFile } from '../schema.js';

/*
 * How the desired state stands in files: in state.json, and in the lines of the journal. Undefined fields are left out;
 * keys are sorted. A new field of the model is added here, for both.
 */

export function filePush(push: Push): PushFile {
  const { audio, audioTrack, createdAt, enabled, engine, enhanced } = push;
  const { queueMaxAgeMs, queueMaxBytes, url, via, videoTrack } = push;
  // Field by field: a spread makes an object for each field that is left out, and state.json has ten thousands of pushes.
  const file = {} as PushFile;
  if (audio !== undefined) file.audio = audio;
  if (audioTrack !== undefined) file.audioTrack = audioTrack;
  file.createdAt = createdAt;
  file.enabled = enabled;
  if (engine !== undefined) file.engine = engine;
  if (enhanced !== undefined) file.enhanced = enhanced;
  if (queueMaxAgeMs !== undefined) file.queueMaxAgeMs = queueMaxAgeMs;
  if (queueMaxBytes !== undefined) file.queueMaxBytes = queueMaxBytes;
  if (url !== undefined) file.url = url;
  if (via !== undefined) file.via = via;
  if (videoTrack !== undefined) file.videoTrack = videoTrack;
  return file;
}

function fileKey({ id, tag, until }: CameraKey): CameraKey {
  return { id, ...(tag === undefined ? {} : { tag }), ...(until === undefined ? {} : { until }) };
}

function fileSource({ url, mode, transport, device }: CameraSource): CameraSource {
  return {
    ...(device === undefined ? {} : { device: fileDevice(device) }),
    ...(mode === undefined ? {} : { mode }),
    ...(transport === undefined ? {} : { transport }),
    url,
  };
}

function fileDevice({ reference, serial }: SourceDevice): SourceDevice {
  return { ...(reference === undefined ? {} : { reference }), serial };
}

function fileIngest({ name, keys, source }: CameraIngest): { name: string; keys?: CameraKey[]; source?: CameraSource } {
  return {
    name,
    ...(keys === undefined ? {} : { keys: keys.map(fileKey) }),
    ...(source === undefined ? {} : { source: fileSource(source) }),
  };
}

/** A camera without its pushes. */
export function fileCameraFacts(camera: Camera): CameraFactsFile {
  const facts = {} as CameraFactsFile;
  putFactsBeforePushes(facts, camera);
  putFactsAfterPushes(facts, camera);
  return facts;
}

function putFactsBeforePushes(file: CameraFactsFile, { createdAt, ingests, keys }: Camera): void {
  file.createdAt = createdAt;
  if (ingests !== undefined) file.ingests = ingests.map(fileIngest);
  if (keys !== undefined) file.keys = keys.map(fileKey);
}

function putFactsAfterPushes(file: CameraFactsFile, camera: Camera): void {
  const { slate, slateSeconds, source, switchBackSeconds, type } = camera;
  if (slate !== undefined) file.slate = slate;
  if (slateSeconds !== undefined) file.slateSeconds = slateSeconds;
  if (source !== undefined) file.source = fileSource(source);
  if (switchBackSeconds !== undefined) file.switchBackSeconds = switchBackSeconds;
  if (type !== undefined) file.type = type;
}

/** With its pushes; all keys sorted. */
export function fileCamera(camera: Camera): CameraFile {
  // No prototype: a push may be called "constructor".
  const pushes: Record<string, PushFile> = Object.create(null);
  for (const id of Object.keys(camera.pushes).sort()) pushes[id] = filePush(camera.pushes[id]!);
  const file = {} as CameraFile;
  putFactsBeforePushes(file, camera);
  file.pushes = pushes;
  putFactsAfterPushes(file, camera);
  return file;
}

export function fileEngine(engine: StreamingEngine): EngineFile {
  const { createdAt, host, location, playbackUrl, pushUrl } = engine;
  return { createdAt, host, ...(location === undefined ? {} : { location }), playbackUrl, pushUrl };
}

/** Another form of an entry, of the same keys: one whose secrets are sealed. */
export type EntryMap = (section: 'cameras' | 'engines', name: string, entry: object) => unknown;

/** The whole file: what `JSON.stringify(value, null, 2)` gives, version first, all other keys sorted, a line end. */
export function encodeState(state: DesiredState, map?: EntryMap): string {
  return [...encodePieces(state, map)].join('');
}

/** The file in pieces, one for each entry, so that whoever writes it may take a rest in between. */
function* encodePieces(
  state: DesiredState,
  map: EntryMap = (_section, _name, entry) => entry,
): Generator<string, undefined> {
  yield '{\n  "version": 1,\n  "cameras": ';
  yield* sectionPieces(state.cameras, (camera) => cameraText(camera, map));
  yield ',\n  "engines": ';
  yield* sectionPieces(state.engines, (engine) => engineText(engine, map));
  yield '\n}\n';
  return undefined;
}

function* sectionPieces<T>(map: ReadonlyMap<string, T>, textOf: (value: T) => string): Generator<string, undefined> {
  if (map.size === 0) {
    yield '{}';
    return undefined;
  }
  let separator = '{\n';
  for (const name of sortedNames(map)) {
    yield `${separator}    "${name}": ${textOf(map.get(name)!)}`;
    separator = ',\n';
  }
  yield '\n  }';
  return undefined;
}

/** How the encoding shares the process with requests and frames. */
export interface Pace {
  /** How long it works at a stretch, milliseconds. */
  readonly stretchMs: number;
  /** How long it rests then, milliseconds; 0: it only lets the event loop run once. */
  restMs(): number;
}

/** For who waits for the file. */
const brisk: Pace = { stretchMs: 2, restMs: () => 0 };
/** Pieces are handed on in buffers of about this size. */
const blockBytes = 256 * 1024;

/** The file as blocks of bytes. Between stretches of work others have their turn. */
export async function* encodeBlocks(
  state: DesiredState,
  map?: EntryMap,
  pace: Pace = brisk,
): AsyncGenerator<Buffer, undefined> {
  let pieces: string[] = [];
  let length = 0;
  let sinceMs = performance.now();
  for (const piece of encodePieces(state, map)) {
    pieces.push(piece);
    length += piece.length;
    if (length >= blockBytes) {
      yield Buffer.from(pieces.join(''));
      pieces = [];
      length = 0;
    }
    if (performance.now() - sinceMs > pace.stretchMs) {
      const restMs = pace.restMs();
      await (restMs === 0 ? nextTurn() : delay(restMs));
      sinceMs = performance.now();
    }
  }
  if (length > 0) yield Buffer.from(pieces.join(''));
  return undefined;
}

/** A camera as it stands in the file, indented for its place. @param map keeps the keys and their order */
function cameraText(camera: Camera, map?: EntryMap): string {
  const file = fileCamera(camera);
  return indented(map?.('cameras', camera.name, file) ?? file);
}

/** An engine as it stands in the file, indented for its place. */
function engineText(engine: StreamingEngine, map?: EntryMap): string {
  const file = fileEngine(engine);
  return indented(map?.('engines', engine.name, file) ?? file);
}

/** In two lists, because each indents what is in it: cheaper than to put blanks behind every line end. */
function indented(value: unknown): string {
  return JSON.stringify([[value]], null, 2).slice('[\n  [\n    '.length, -'\n  ]\n]'.length);
}
