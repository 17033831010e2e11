import Type from 'typebox';
import {
  Conditions,
  Count,
  type Frozen,
  figure,
  Milliseconds,
  nullsOf,
  orNull,
  Rate,
  schemasOf,
  Time,
  unseenOf,
} from './figure.js';
import { IngestSnapshotSchema, SourceSnapshotSchema, SrtSchema } from './observed-ingest.js';
import { PushSnapshotSchema, type PushState, pushStates } from './observed-push.js';

/**
 * What is seen of cameras; `observed-push.ts` has the same of pushes, `observed-ingest.ts` of ingests and sources. The schemas
 * there are the only place that says what there is to see. Types, the answers of the API, its description, the client, and
 * what the workers report all follow from them. A new figure is one entry there, and the line that measures it: in `push/`
 * (`Push.status`, `PushLife.figures`) for a push, in `ingest/` (`SourceIngest.figures`) for a camera. A backend that does not
 * measure it says null.
 */

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

export type CameraSnapshot = Frozen<Type.Static<typeof CameraSnapshotSchema>>;
export type HopSnapshot = Frozen<Type.Static<typeof HopSchema>>;

type CameraFigures = Omit<CameraSnapshot, 'name' | 'pushes'>;

/** The figures of a camera that a backend has not seen yet. */
export const unseenCamera: CameraFigures = unseenOf(cameraFigures);

/** The figures of a camera about which a backend can tell nothing. */
export const unknownCamera: CameraFigures = { ...nullsOf(cameraFigures), live: false, tracks: [] };
