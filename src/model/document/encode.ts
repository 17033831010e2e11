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
  return {
    ...(audio === undefined ? {} : { audio }),
    ...(audioTrack === undefined ? {} : { audioTrack }),
    createdAt,
    enabled,
    ...(engine === undefined ? {} : { engine }),
    ...(enhanced === undefined ? {} : { enhanced }),
    ...(queueMaxAgeMs === undefined ? {} : { queueMaxAgeMs }),
    ...(queueMaxBytes === undefined ? {} : { queueMaxBytes }),
    ...(url === undefined ? {} : { url }),
    ...(via === undefined ? {} : { via }),
    ...(videoTrack === undefined ? {} : { videoTrack }),
  };
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
  const { createdAt, ingests, keys, slate, slateSeconds, source, switchBackSeconds, type } = camera;
  return {
    createdAt,
    ...(ingests === undefined ? {} : { ingests: ingests.map(fileIngest) }),
    ...(keys === undefined ? {} : { keys: keys.map(fileKey) }),
    ...(slate === undefined ? {} : { slate }),
    ...(slateSeconds === undefined ? {} : { slateSeconds }),
    ...(source === undefined ? {} : { source: fileSource(source) }),
    ...(switchBackSeconds === undefined ? {} : { switchBackSeconds }),
    ...(type === undefined ? {} : { type }),
  };
}

export function fileCamera(camera: Camera): CameraFile {
  // No prototype: a push may be called "constructor".
  const pushes: Record<string, PushFile> = Object.create(null);
  for (const id of Object.keys(camera.pushes).sort()) pushes[id] = filePush(camera.pushes[id]!);
  return { ...fileCameraFacts(camera), pushes };
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

/** The bytes of an entry in state.json, with its separators and indentation. */
export function entryBytes(name: string, value: Camera | StreamingEngine | undefined): number {
  if (value === undefined) return 0;
  const text = 'pushes' in value ? cameraText(value) : engineText(value);
  return Buffer.byteLength(text) + name.length + `    "": ,\n`.length;
}

/** A camera as it stands in the file, indented for its place. */
function cameraText(camera: Camera, map?: EntryMap): string {
  const file = fileCamera(camera);
  const entries = Object.entries((map?.('cameras', camera.name, file) ?? file) as CameraFile).sort(([left], [right]) =>
    left < right ? -1 : 1,
  );
  return indented(Object.fromEntries(entries));
}

/** An engine as it stands in the file, indented for its place. */
function engineText(engine: StreamingEngine, map?: EntryMap): string {
  const file = fileEngine(engine);
  return indented((map?.('engines', engine.name, file) ?? file) as EngineFile);
}

function indented(value: object): string {
  return JSON.stringify(value, null, 2).replaceAll('\n', '\n    ');
}
