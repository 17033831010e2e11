import Type from 'typebox';
import { Count, FailureSchema, type Frozen, orNull, Rate, Time } from './figure.js';

/** `off`: nobody wants it now. `queued`: it waits for its turn to be dialled. `waiting`: it failed, and is tried again. */
const sourceStates = ['off', 'queued', 'connecting', 'live', 'waiting'] as const;
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
    lastError: orNull(FailureSchema),
    nextRetryAt: orNull(Type.String({ description: 'Null unless waiting.' })),
  },
  { description: 'Where a stream is fetched from, as it is observed.' },
);

/** How an ingest does. `offline`: nobody publishes it. */
const ingestStates = ['offline', 'starting', 'ready', 'stalled', 'no-picture'] as const;
export type IngestState = (typeof ingestStates)[number];

/** What the connection of an encoder that publishes by SRT is like. */
export const SrtSchema = Type.Object(
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

export type IngestSnapshot = Frozen<Type.Static<typeof IngestSnapshotSchema>>;
export type SourceSnapshot = Frozen<Type.Static<typeof SourceSnapshotSchema>>;

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
