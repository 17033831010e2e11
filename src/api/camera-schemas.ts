import Type from 'typebox';
import { Count } from '../backend/figure.js';
import { CameraSnapshotSchema } from '../backend/observed.js';
import { IngestSnapshotSchema, SourceSnapshotSchema } from '../backend/observed-ingest.js';
import { PushSnapshotSchema } from '../backend/observed-push.js';
import { maxEndpoints } from '../control/neighbours.js';
import {
  AudioTrackSchema,
  EnhancedSchema,
  NameSchema,
  PushAudioSchema,
  SlateSchema,
  SlateSecondsSchema,
  SourceDeviceSchema,
  SwitchBackSchema,
  TimeSchema,
  VideoTrackSchema,
} from '../model/schema.js';
import { ErrorCodeSchema, orNull } from './schemas.js';

export const PushViewSchema = Type.Object(
  {
    ...PushSnapshotSchema.properties,
    id: NameSchema,
    engine: Type.Optional(NameSchema),
    enabled: Type.Boolean(),
    queueMaxBytes: Type.Optional(Count),
    queueMaxAgeMs: Type.Optional(Count),
    enhanced: Type.Optional(EnhancedSchema),
    videoTrack: Type.Optional(VideoTrackSchema),
    audioTrack: Type.Optional(AudioTrackSchema),
    audio: Type.Optional(PushAudioSchema),
    via: Type.Optional(Type.String({ description: 'The location that it goes through, or `direct`.' })),
    createdAt: TimeSchema,
  },
  { title: 'Push', description: 'A push as it is desired and as it is observed.' },
);

export const EventsSchema = Type.Object({
  items: Type.Array(
    Type.Object(
      {
        at: Type.String({ description: 'ISO 8601, UTC.' }),
        kind: Type.String({ description: '`state`, `error`, `command`, `drop` ...' }),
        text: Type.String(),
      },
      { title: 'RecordedEvent' },
    ),
  ),
});

const SourceViewSchema = Type.Object(
  {
    ...SourceSnapshotSchema.properties,
    mode: Type.Unsafe<'always' | 'on-demand'>(Type.String({ enum: ['always', 'on-demand'] })),
    transport: Type.Optional(
      Type.Unsafe<'tcp' | 'udp'>(Type.String({ enum: ['tcp', 'udp'], description: 'Of RTSP.' })),
    ),
    device: Type.Optional(SourceDeviceSchema),
  },
  { title: 'Source', description: 'Where a stream is fetched from, as desired and as observed.' },
);

const IngestViewSchema = Type.Object(
  {
    ...IngestSnapshotSchema.properties,
    name: NameSchema,
    source: Type.Optional(SourceViewSchema),
    endpoint: Type.String({ description: 'Where it is published to.' }),
    rtmpsEndpoint: Type.Optional(Type.String({ description: 'The same with TLS, where there is a listener for it.' })),
    srtEndpoint: Type.Optional(Type.String({ description: 'The same by SRT, where there is a listener for it.' })),
  },
  { title: 'Ingest', description: 'One of the things that a camera has its stream from, as desired and as observed.' },
);

const LastLiveSchema = Type.Object(
  {
    since: TimeSchema,
    until: Type.Union([Type.String(), Type.Null()], { description: 'Null: it is live.' }),
    reason: Type.Union([Type.String(), Type.Null()], {
      description: 'Why it stopped; null: not known, or it is live.',
    }),
    code: Type.Union([ErrorCodeSchema, Type.Null()]),
    publisher: Type.Union([Type.String(), Type.Null()]),
    encoder: Type.Union([Type.String(), Type.Null()]),
    lastFrameAt: Type.Union([Type.String(), Type.Null()]),
  },
  { title: 'LastLive', description: 'When a camera was last live, also before a restart; null: never.' },
);

/** Who was refused as a publisher. */
export const RefusedPublisherSchema = Type.Object(
  {
    address: Type.String(),
    name: Type.String({ description: 'What it wanted to publish as: the application of its URL.' }),
    camera: Type.Union([NameSchema, Type.Null()], { description: 'The registered camera that it meant, if any.' }),
    asked: Type.String({ enum: ['connect', 'publish'], description: '`connect`: it was refused before it said more.' }),
    code: ErrorCodeSchema,
    message: Type.String(),
    encoder: Type.String({ description: 'What it calls itself; empty when it does not.' }),
    count: Type.Integer({ minimum: 1 }),
    firstAt: TimeSchema,
    lastAt: TimeSchema,
    registerable: Type.Boolean({ description: 'A camera of this name could be registered.' }),
  },
  { title: 'RefusedPublisher' },
);

export const CameraViewSchema = Type.Object(
  {
    ...CameraSnapshotSchema.properties,
    name: NameSchema,
    type: Type.Optional(Type.String()),
    createdAt: TimeSchema,
    endpoint: Type.String({ description: 'Where the camera publishes to, and viewers play it.' }),
    rtmpsEndpoint: Type.Optional(Type.String({ description: 'The same with TLS, where there is a listener for it.' })),
    srtEndpoint: Type.Optional(Type.String({ description: 'The same by SRT, where there is a listener for it.' })),
    endpoints: Type.Optional(
      Type.Array(Type.String(), {
        maxItems: maxEndpoints,
        description:
          'In a cluster: where the camera may publish to, the best first, which is `endpoint`; 8 at most, and one of them in another place, if there is any.',
      }),
    ),
    node: Type.Optional(
      Type.Union([Type.String(), Type.Null()], {
        description: 'In a cluster: the node that has it, whose figures these are; null: it is live at none.',
      }),
    ),
    unknown: Type.Optional(
      Type.String({
        description: 'In a cluster: why what is observed of it is not known; what was declared is right all the same.',
      }),
    ),
    ingests: Type.Optional(
      Type.Array(IngestViewSchema, { description: 'In the order in which they are preferred; missing: one, `main`.' }),
    ),
    source: Type.Optional(SourceViewSchema),
    switchBackSeconds: Type.Optional(SwitchBackSchema),
    slate: Type.Optional(SlateSchema),
    slateSeconds: Type.Optional(SlateSecondsSchema),
    lastLive: orNull(LastLiveSchema),
    pushes: Type.Array(PushViewSchema),
  },
  { title: 'Camera', description: 'A camera as it is desired and as it is observed.' },
);

export const EngineViewSchema = Type.Object(
  {
    name: NameSchema,
    host: Type.String(),
    pushUrl: Type.String({ description: 'With secrets masked by `***`; such a value is not taken back.' }),
    playbackUrl: Type.String({ description: 'The same.' }),
    location: Type.Optional(Type.String()),
    createdAt: TimeSchema,
    pushes: Type.Optional(
      Type.Object(
        {
          total: Type.Integer({ minimum: 0 }),
          active: Type.Integer({ minimum: 0, description: 'Those whose target takes media.' }),
          down: Type.Integer({ minimum: 0, description: 'Those whose target takes none although it should.' }),
        },
        { title: 'EnginePushes', description: 'How the pushes to it fare; in answers to GET.' },
      ),
    ),
  },
  { title: 'Engine', description: 'A streaming engine: where viewers play what is pushed to it.' },
);

export const PlayTokenSchema = Type.Object(
  {
    token: Type.String(),
    expiresAt: Type.String(),
    url: Type.String({ description: 'Where the camera is played with it.' }),
    rtmpsUrl: Type.Optional(Type.String({ description: 'The same with TLS, where there is a listener for it.' })),
    httpUrl: Type.Optional(
      Type.String({
        description: 'As FLV over HTTP (WebSocket: ws), where the media backend gives that; not with on-play.',
      }),
    ),
  },
  { title: 'PlayToken' },
);
