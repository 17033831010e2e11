import Type, { type TSchema } from 'typebox';
import type { ErrorCode } from '../errors.js';

/**
 * What is seen of cameras and pushes. The schemas here are the only place that says what there is to see. Types, the answers
 * of the API, its description, the client, and what the workers report all follow from them. A new figure is one entry here,
 * and the line that measures it: in `push/` (`Push.status`, `PushLife.figures`) for a push, in `ingest/`
 * (`SourceIngest.figures`) for a camera. A backend that does not measure it says null.
 */

/** A schema, and the value as long as nothing was seen. */
interface Figure<T extends TSchema> {
  readonly schema: T;
  readonly unseen: Type.Static<T>;
}

type SchemasOf<F> = { -readonly [K in keyof F]: F[K] extends Figure<infer T> ? T : never };
type UnseenOf<F> = { readonly [K in keyof F]: F[K] extends Figure<infer T> ? Type.Static<T> : never };

function figure<T extends TSchema>(schema: T, unseen: Type.Static<T>): Figure<T> {
  return { schema, unseen };
}

function schemasOf<F extends Readonly<Record<string, Figure<TSchema>>>>(figures: F): SchemasOf<F> {
  return Object.fromEntries(Object.entries(figures).map(([key, { schema }]) => [key, schema])) as SchemasOf<F>;
}

function unseenOf<F extends Readonly<Record<string, Figure<TSchema>>>>(figures: F): UnseenOf<F> {
  return Object.fromEntries(Object.entries(figures).map(([key, { unseen }]) => [key, unseen])) as UnseenOf<F>;
}

function nullsOf<F>(figures: F): { readonly [K in keyof F]: null } {
  return Object.fromEntries(Object.keys(figures as object).map((key) => [key, null])) as { [K in keyof F]: null };
}

const orNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const Count = Type.Integer({ minimum: 0 });
const Time = Type.String({ description: 'ISO 8601, UTC.' });
const Rate = Type.Number({ minimum: 0, description: 'Bits per second, averaged over about 10 s.' });
const Milliseconds = Type.Number({ minimum: 0, description: 'Milliseconds.' });
/** In a type of its own, since the document of the API names the codes once. */
const Code = Type.Unsafe<ErrorCode>(Type.String());

/** Why something failed, and when. */
const Failure = Type.Object({ code: Code, message: Type.String(), at: Type.String() });

const Condition = Type.Object(
  {
    code: Code,
    message: Type.String(),
    since: Type.String(),
    label: Type.Optional(Type.String({ description: 'Two or three words, for a mark: `no picture`.' })),
    advice: Type.Optional(Type.String({ description: 'What to do about it.' })),
    level: Type.Optional(
      Type.Literal('notice', { description: 'Worth to know, and no trouble; missing: the camera is in trouble.' }),
    ),
  },
  { title: 'Condition', description: 'Something that is wrong with what a camera sends.' },
);

const Conditions = Type.Optional(
  Type.Array(Condition, {
    description: 'What is wrong with the camera, such as CAMERA_NO_VIDEO, the gravest first; missing: nothing.',
  }),
);

const Track = Type.Object(
  {
    kind: Type.Unsafe<'video' | 'audio'>(Type.String({ enum: ['video', 'audio'] })),
    id: Type.Integer({ minimum: 0, maximum: 255, description: 'Of Enhanced RTMP; 0 where a camera has one.' }),
    isDefault: Type.Boolean({
      description:
        'Track 0, else the lowest of its kind: what players show that know no tracks, and what `videoCodec`, `width` and others are about.',
    }),
    codec: orNull(Type.String({ description: '`h264`, `av1`, `aac`, `opus` ..., or its FourCC.' })),
    profile: orNull(Type.String({ description: '`High`, `Main 10`, `LC` ...; null: not known.' })),
    width: orNull(Type.Integer({ minimum: 1, description: 'Pixels, from the stream itself.' })),
    height: orNull(Type.Integer({ minimum: 1, description: 'Pixels, from the stream itself.' })),
    hdr: orNull(
      Type.Unsafe<'pq' | 'hlg'>(
        Type.String({ enum: ['pq', 'hlg'], description: 'High dynamic range; null: none, or not said.' }),
      ),
    ),
    frameRate: orNull(Type.Number({ minimum: 0, description: 'Of video; frames per second, over about 10 s.' })),
    keyFrameIntervalMs: orNull(
      Type.Number({ minimum: 0, description: 'Of video; between the last two key frames; null before the second.' }),
    ),
    channels: orNull(Type.Integer({ minimum: 1, description: 'Of audio.' })),
  },
  { title: 'Track', description: 'One track of what a camera sends.' },
);

/**
 * `waiting-for-publish`: the backend can begin it only when the camera publishes the next time. `elsewhere`: another node of the
 * cluster runs it.
 */
export const pushStates = [
  'idle',
  'connecting',
  'active',
  'stalled',
  'waiting',
  'waiting-for-publish',
  'disabled',
  'elsewhere',
] as const;
export type PushState = (typeof pushStates)[number];

/** Null: the backend cannot tell. */
const pushFigures = {
  attempt: figure(orNull(Type.Integer({ minimum: 0, description: 'How many tries in a row failed.' })), 0),
  lastError: figure(orNull(Failure), null),
  downSince: figure(
    orNull(
      Type.String({
        description:
          'Since when its target takes no media, over all retries; null: it does. It ends when media has flowed for a while.',
      }),
    ),
    null,
  ),
  firstError: figure(orNull(Failure), null),
  nextRetryAt: figure(orNull(Type.String({ description: 'Null unless waiting.' })), null),
  connects: figure(orNull(Type.Integer({ minimum: 0, description: 'How often it connected, ever.' })), 0),
  bytesOut: figure(orNull(Type.Integer({ minimum: 0, description: 'Bytes handed to the network, ever.' })), 0),
  framesOut: figure(
    orNull(Type.Integer({ minimum: 0, description: 'Audio and video messages handed to the network, ever.' })),
    0,
  ),
  bytesAcknowledged: figure(
    orNull(
      Type.Integer({ minimum: 0, description: 'By the target, on this connection; null when it acknowledges none.' }),
    ),
    null,
  ),
  roundTripMs: figure(
    orNull(Type.Number({ minimum: 0, description: 'From sending to the acknowledgement; null when there is none.' })),
    null,
  ),
  bitrateBps: figure(orNull(Rate), 0),
  queueBytes: figure(orNull(Count), 0),
  queueAgeMs: figure(orNull(Type.Number({ minimum: 0, description: 'Age of the oldest queued byte.' })), 0),
  droppedFrames: figure(orNull(Count), 0),
  droppedBy: figure(
    orNull(
      Type.Object(
        { bytes: Count, age: Count, total: Count },
        { description: 'By the budget that was exceeded: of this push, by bytes or age, or of all queues in total.' },
      ),
    ),
    { bytes: 0, age: 0, total: 0 },
  ),
  lastKeyFrameAt: figure(
    orNull(Type.String({ description: 'When the newest key frame that was sent had come in.' })),
    null,
  ),
} as const;

/** What is seen of a push. */
export const PushSnapshotSchema = Type.Object({
  id: Type.String(),
  url: Type.String({ description: 'With user info, query values and stream key masked.' }),
  state: Type.Unsafe<PushState>(Type.String({ enum: [...pushStates] })),
  since: Type.String({ description: 'Since when it is in this state.' }),
  reason: Type.Optional(Type.String({ description: 'Why, where the state alone does not say.' })),
  node: Type.Optional(
    Type.String({
      description:
        "The node that runs it, where that is another one than the camera's; in the state `elsewhere` its own figures are not known.",
    }),
  ),
  conditions: Conditions,
  ...schemasOf(pushFigures),
});

/** `off`: nobody wants it now. `queued`: it waits for its turn to be dialled. `waiting`: it failed, and is tried again. */
export const sourceStates = ['off', 'queued', 'connecting', 'live', 'waiting'] as const;
export type SourceState = (typeof sourceStates)[number];

/** What is seen of a source that is pulled. */
export const SourceSnapshotSchema = Type.Object(
  {
    url: Type.String({ description: 'With user info and query values masked.' }),
    state: Type.Unsafe<SourceState>(
      Type.String({
        enum: [...sourceStates],
        description:
          '`off` (on demand, and nobody wants it), `queued` (its turn to be dialled comes), `connecting`, `live`, `waiting` (it failed, and is tried again).',
      }),
    ),
    since: Type.String({ description: 'Since when it is in this state.' }),
    attempt: Type.Integer({ minimum: 0, description: 'How many tries in a row failed.' }),
    connects: Type.Integer({ minimum: 0, description: 'How often media came of it, ever.' }),
    lastError: orNull(Failure),
    nextRetryAt: orNull(Type.String({ description: 'Null unless waiting.' })),
  },
  { description: 'Where a stream is fetched from, as it is observed.' },
);

/** How an ingest does. `offline`: nobody publishes it. */
export const ingestStates = ['offline', 'starting', 'ready', 'stalled', 'no-picture'] as const;
export type IngestState = (typeof ingestStates)[number];

/** What the connection of an encoder that publishes by SRT is like. */
const SrtSchema = Type.Object(
  {
    rttMs: orNull(Type.Number({ minimum: 0, description: 'To the encoder and back.' })),
    latencyMs: Type.Number({ minimum: 0, description: 'How long a packet that is missing is waited for.' }),
    isEncrypted: Type.Boolean(),
    packets: Count,
    packetsLost: Type.Integer({ minimum: 0, description: 'That did not come at first.' }),
    packetsDropped: Type.Integer({ minimum: 0, description: 'That never came, or too late.' }),
  },
  { title: 'SrtConnection', description: 'Of an encoder that publishes by SRT, since it connected.' },
);

/** What is seen of one of a camera's ingests. */
export const IngestSnapshotSchema = Type.Object(
  {
    name: Type.String(),
    live: Type.Boolean({ description: 'It feeds the stream; the others stand by.' }),
    state: Type.Unsafe<IngestState>(
      Type.String({
        enum: [...ingestStates],
        description:
          'How it does: `offline` (not connected), `starting` (no frame yet), `ready`, `stalled` (no frames any more), `no-picture` (sound alone goes on).',
      }),
    ),
    connectedSince: orNull(Time),
    publisher: orNull(Type.String({ description: '`host:port` of the publisher; null: nobody publishes it.' })),
    encoder: orNull(Type.String({ description: 'What the publisher calls itself.' })),
    videoCodec: orNull(Type.String()),
    audioCodec: orNull(Type.String()),
    width: orNull(Type.Number({ description: 'Pixels.' })),
    height: orNull(Type.Number({ description: 'Pixels.' })),
    bitrateInBps: Rate,
    frameRate: orNull(Type.Number({ minimum: 0, description: 'Video frames per second, over about 10 s.' })),
    keyFrameIntervalMs: orNull(Type.Number({ minimum: 0 })),
    lastFrameAt: orNull(Time),
    keptBytes: Type.Integer({ minimum: 0, description: 'What is kept of it while it stands by.' }),
    source: Type.Optional(SourceSnapshotSchema),
    srt: Type.Optional(SrtSchema),
  },
  { description: 'One of the things that a camera has its stream from, as it is observed.' },
);

/** The last switch of a camera from one ingest to another. */
const SwitchSchema = Type.Object(
  { at: Time, from: Type.String(), to: Type.String(), reason: Type.String() },
  { title: 'IngestSwitch' },
);

/** A copy of a camera's stream on its way to another node. */
const HopSchema = Type.Object(
  {
    to: Type.String({ description: 'The node that gets it.' }),
    state: Type.Unsafe<PushState>(Type.String({ enum: [...pushStates], description: 'As that of a push.' })),
    since: Time,
    roundTripMs: orNull(Type.Number({ minimum: 0, description: 'From sending to the acknowledgement.' })),
    bitrateBps: Rate,
    bytesOut: Type.Integer({ minimum: 0, description: 'Bytes handed to the network.' }),
    droppedFrames: Count,
    error: Type.Optional(Type.String({ description: 'Why it failed last.' })),
  },
  { title: 'Hop' },
);

const cameraFigures = {
  live: figure(Type.Boolean(), false),
  liveSince: figure(orNull(Time), null),
  publisher: figure(
    orNull(Type.String({ description: '`host:port` of the publisher, or `test pattern`; null when not live.' })),
    null,
  ),
  encoder: figure(orNull(Type.String({ description: 'What the publisher calls itself.' })), null),
  videoCodec: figure(orNull(Type.String({ description: '`h264`, `hevc`, `av1` ...' })), null),
  audioCodec: figure(orNull(Type.String({ description: '`aac`, `mp3`, `opus` ...' })), null),
  tracks: figure(
    Type.Array(Track, {
      description: 'Video first, by their ids; empty when not live, or when the backend cannot tell.',
    }),
    [],
  ),
  width: figure(orNull(Type.Number({ description: 'Pixels, from the stream itself, else from its metadata.' })), null),
  height: figure(orNull(Type.Number({ description: 'Pixels.' })), null),
  bytesIn: figure(orNull(Type.Integer({ minimum: 0, description: 'Media bytes since it is live.' })), 0),
  bitrateInBps: figure(orNull(Rate), 0),
  frameRate: figure(
    orNull(Type.Number({ minimum: 0, description: 'Video frames per second, over about 10 s.' })),
    null,
  ),
  keyFrameIntervalMs: figure(
    orNull(Type.Number({ minimum: 0, description: 'Between the last two key frames; null before the second.' })),
    null,
  ),
  timestampJumps: figure(
    orNull(Type.Integer({ minimum: 0, description: 'Backwards, or by more than 3 s, since it is live.' })),
    0,
  ),
  ignoredMessages: figure(
    orNull(Type.Integer({ minimum: 0, description: 'Of the publisher, that could not be used, since it connected.' })),
    0,
  ),
  jitterMs: figure(orNull(Milliseconds), null),
  lastFrameAt: figure(orNull(Time), null),
  graceUntil: figure(
    orNull(Type.String({ description: 'Until when targets stay connected for a camera that left and may return.' })),
    null,
  ),
  viewers: figure(orNull(Count), 0),
} as const;

/** What is seen of a camera. */
export const CameraSnapshotSchema = Type.Object({
  name: Type.String(),
  notice: Type.Optional(Type.String({ description: 'What cannot be told of it, and why.' })),
  conditions: Conditions,
  srt: Type.Optional(SrtSchema),
  ingests: Type.Optional(
    Type.Array(IngestSnapshotSchema, {
      description: 'In the order in which they are preferred; missing: one, `main`.',
    }),
  ),
  source: Type.Optional(SourceSnapshotSchema),
  switches: Type.Optional(
    Type.Integer({ minimum: 0, description: 'How often the stream went on with another ingest, ever.' }),
  ),
  lastSwitch: Type.Optional(SwitchSchema),
  relayedFrom: Type.Optional(
    Type.Object(
      { node: Type.String(), owner: Type.String() },
      {
        description:
          'The node that sends its stream here, and the node that has its publisher; missing: it is this one.',
      },
    ),
  ),
  hops: Type.Optional(Type.Array(HopSchema, { description: 'The nodes that get its stream from this one.' })),
  ...schemasOf(cameraFigures),
  pushes: Type.Array(PushSnapshotSchema),
});

/** How far the way to a target is open. */
export const TargetTestSchema = Type.Object(
  {
    ok: Type.Boolean({ description: 'The target would take the stream.' }),
    steps: Type.Array(
      Type.Object({
        step: Type.Unsafe<'dns' | 'tcp' | 'tls' | 'handshake' | 'connect' | 'publish'>(
          Type.String({ enum: ['dns', 'tcp', 'tls', 'handshake', 'connect', 'publish'] }),
        ),
        ok: Type.Boolean(),
        durationMs: Type.Number({ minimum: 0 }),
        error: orNull(Type.Object({ code: Code, message: Type.String() })),
      }),
      { description: 'The steps that were reached; the last one is the one that failed, if any.' },
    ),
  },
  { title: 'TargetTest' },
);

/** `T` with nothing in it that may be changed. */
type Frozen<T> = T extends (infer Item)[]
  ? readonly Frozen<Item>[]
  : T extends object
    ? { readonly [K in keyof T]: Frozen<T[K]> }
    : T;

export type Failure = Frozen<Type.Static<typeof Failure>>;
export type PushSnapshot = Frozen<Type.Static<typeof PushSnapshotSchema>>;
export type CameraSnapshot = Frozen<Type.Static<typeof CameraSnapshotSchema>>;
export type HopSnapshot = Frozen<Type.Static<typeof HopSchema>>;
export type IngestSnapshot = Frozen<Type.Static<typeof IngestSnapshotSchema>>;
export type SourceSnapshot = Frozen<Type.Static<typeof SourceSnapshotSchema>>;
export type TargetTest = Frozen<Type.Static<typeof TargetTestSchema>>;
/** Something that is wrong until somebody mends it. */
export type BackendProblem = Frozen<Type.Static<typeof Condition>>;

type PushFigures = Omit<PushSnapshot, 'id' | 'url' | 'state' | 'since'>;
type CameraFigures = Omit<CameraSnapshot, 'name' | 'pushes'>;

/** The figures of a push that a backend has not seen yet. */
export const unseenPush: PushFigures = unseenOf(pushFigures);

/** The figures of a camera that a backend has not seen yet. */
export const unseenCamera: CameraFigures = unseenOf(cameraFigures);

/** The figures of a push about which a backend can tell nothing. */
export const unknownPush: PushFigures = nullsOf(pushFigures);

/** The figures of a camera about which a backend can tell nothing. */
export const unknownCamera: CameraFigures = { ...nullsOf(cameraFigures), live: false, tracks: [] };

/** The figures of an ingest that nobody publishes. */
export const unseenIngest: Omit<IngestSnapshot, 'name'> = {
  live: false,
  state: 'offline',
  connectedSince: null,
  publisher: null,
  encoder: null,
  videoCodec: null,
  audioCodec: null,
  width: null,
  height: null,
  bitrateInBps: 0,
  frameRate: null,
  keyFrameIntervalMs: null,
  lastFrameAt: null,
  keptBytes: 0,
};

/** The figures of a source of which nothing is known yet. */
export const unseenSource: Omit<SourceSnapshot, 'url' | 'since'> = {
  state: 'off',
  attempt: 0,
  connects: 0,
  lastError: null,
  nextRetryAt: null,
};
