import Type, { type TSchema } from 'typebox';
import { CameraSnapshotSchema } from '../backend/observed.js';
import { IngestSnapshotSchema, SourceSnapshotSchema } from '../backend/observed-ingest.js';
import { PushSnapshotSchema } from '../backend/observed-push.js';
import { maxEndpoints } from '../control/neighbours.js';
import { errorCodes } from '../errors.js';
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

export const ErrorCodeSchema = Type.String({
  enum: Object.keys(errorCodes),
  title: 'ErrorCode',
  description: 'Stable; see docs/errors.md.',
});

/** The two styles of errors. */
export const ProblemSchema = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    code: ErrorCodeSchema,
    detail: Type.String({ description: 'What was wrong, with which value, and what would be right.' }),
    field: Type.Optional(Type.String({ description: 'The path of the field that is wrong.' })),
    failed: Type.Optional(Type.Integer({ description: 'Of a batch: how many of its changes cannot be made.' })),
    errors: Type.Optional(
      Type.Array(
        Type.Object(
          {
            index: Type.Integer({ minimum: 0, description: 'Which one of `changes`.' }),
            code: ErrorCodeSchema,
            detail: Type.String(),
            field: Type.Optional(Type.String()),
          },
          { title: 'ChangeError' },
        ),
        { description: 'Of a batch: the first 100 changes that cannot be made.' },
      ),
    ),
  },
  { title: 'Problem', description: 'A problem document (RFC 9457).' },
);

const FailureSchema = Type.Object(
  {
    error: Type.String({ description: 'What was wrong, with which value, and what would be right.' }),
    code: ErrorCodeSchema,
  },
  { title: 'Failure', description: 'A failure in the style of the content manager.' },
);

const meanings: Readonly<Record<number, string>> = {
  400: 'A field, or the JSON itself, is wrong; nothing was changed.',
  401: 'A token is needed, or the one that was sent is not valid.',
  403: 'The token does not allow it; or, without a token, a page of another site makes the call.',
  404: 'It does not exist.',
  405: 'Not with this method; `Allow` names those that can be used.',
  409: 'It contradicts what exists, or a limit; nothing was changed.',
  412: '`if-match` or `if-none-match` does not hold: somebody else changed it; nothing was changed.',
  413: 'The body is larger than 64 KiB; that of a batch, than 16 MiB.',
  414: 'A part of the path is longer than any name.',
  415: 'The body is not declared as JSON.',
  429: 'Too many calls, or too many wrong tokens, from this address; `retry-after` says how long to wait.',
  431: 'The address and the headers of the request are larger than 16 KiB. The answer is the same in all parts of the API.',
  500: 'The aggregator failed; its log says why.',
  502: 'The camera that was asked refuses, or does not answer; the code says which.',
  501: 'The media backend cannot do it.',
  503: 'Not now: the state cannot be written, RTMP is not taken, or the identity provider does not answer. Nothing was changed.',
};

/** An answer that is no JSON, by its media type. */
export interface MediaTypes {
  readonly content: Readonly<Record<string, { readonly schema: TSchema }>>;
}

/** Responses for the description of a route: the good ones, and problem documents for the statuses given. */
export function v1Responses(
  good: Readonly<Record<number, TSchema | MediaTypes>>,
  ...failures: number[]
): Record<number, object> {
  const problems = [...failures, 500].map((status) => [
    status,
    { description: meanings[status], content: { 'application/problem+json': { schema: ProblemSchema } } },
  ]);
  return { ...good, ...Object.fromEntries(problems) };
}

/** The same in the content manager's style. */
export function legacyResponses(
  good: Readonly<Record<number, TSchema | MediaTypes>>,
  ...failures: number[]
): Record<number, object> {
  const entries = [...failures, 500].map((status) => [
    status,
    { description: meanings[status], content: { 'application/json': { schema: FailureSchema } } },
  ]);
  return { ...good, ...Object.fromEntries(entries) };
}

/** What the guard of the API answers, in either style. */
export function accessResponses(problems: boolean, statuses: readonly number[]): Record<number, object> {
  // Who answers this does not know yet which route is meant.
  const unread = { 431: { description: meanings[431], content: { 'application/json': { schema: FailureSchema } } } };
  return { ...unread, ...(problems ? v1Responses({}, ...statuses) : legacyResponses({}, ...statuses)) };
}

export const NoContentSchema = Type.Null({ description: 'Done.' });

const orNull = (schema: TSchema): TSchema => Type.Union([schema, Type.Null()]);
const Count = Type.Integer({ minimum: 0 });
const Rate = Type.Number({ minimum: 0, description: 'Bits per second, averaged over about 10 s.' });

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

const NodeLinkSchema = Type.Object(
  {
    to: Type.String({ description: 'The node that gets them.' }),
    cameras: Count,
    active: Type.Integer({ minimum: 0, description: 'Of the cameras, those whose stream flows.' }),
    isDown: Type.Boolean({ description: 'It cannot be reached from this node, and streams go past it.' }),
    bitrateBps: Rate,
    roundTripMs: orNull(Type.Number({ minimum: 0, description: 'From sending to the acknowledgement, on average.' })),
  },
  { title: 'NodeLink' },
);

export const NodeViewSchema = Type.Object(
  {
    links: Type.Array(NodeLinkSchema, {
      description: 'The streams that it sends to other nodes of its cluster, by node; none of one that is alone.',
    }),
    name: Type.String(),
    id: orNull(Type.String({ description: 'Its id in the cluster; null: it is alone.' })),
    self: Type.Boolean({ description: 'True for the node that answers.' }),
    isDraining: Type.Boolean({ description: 'It takes no new cameras.' }),
    problems: Type.Array(Type.Object({ code: Type.String(), message: Type.String(), since: Type.String() }), {
      description: 'What is wrong with it; as in /v1/config.',
    }),
    version: Type.String(),
    location: orNull(Type.String()),
    backend: Type.String(),
    startedAt: Type.String(),
    status: Type.String({ enum: ['ok', 'down'] }),
    rtmp: Type.Object({ host: Type.String(), port: Type.Integer() }),
    rtmps: orNull(Type.Object({ host: Type.String(), port: Type.Integer() })),
    srt: Type.Optional(
      orNull(
        Type.Object(
          { host: Type.String(), port: Type.Integer() },
          { description: 'For encoders that publish by SRT; missing: a node of an older version answered.' },
        ),
      ),
    ),
    cameras: Count,
    bitrateInBps: Rate,
    bitrateOutBps: Rate,
    liveCameras: Count,
    viewers: Count,
    connections: Count,
    load: Type.Object(
      {
        cpuPercent: Type.Integer({ minimum: 0, description: 'Of one core, over the last 5 s.' }),
        loopDelayMs: Type.Number({ description: 'How late its event loop was in the last 5 s, at worst.' }),
        peakBitrateOutBps: Type.Integer({
          minimum: 0,
          description: 'The most that it sent, bits per second, while its event loop was less than 100 ms late.',
        }),
        peakLiveCameras: Type.Integer({ minimum: 0, description: 'The most cameras that were live while it was so.' }),
      },
      { title: 'NodeLoad', description: 'How the process that answers is loaded, and what it showed it can do.' },
    ),
    capacity: orNull(
      Type.Object(
        {
          outBps: orNull(Type.Integer({ description: 'capacity-out-mbps, bits per second; null: no limit.' })),
          cameras: orNull(Type.Integer({ description: 'capacity-cameras; null: no limit.' })),
          committedBps: Type.Integer({
            minimum: 0,
            description: 'What takes room, bits per second, what is about to begin included; 0 without a limit.',
          }),
          isFull: Type.Boolean({ description: 'It takes no new cameras.' }),
        },
        { title: 'NodeCapacity', description: 'What it may carry; null: this media backend keeps to no limit.' },
      ),
    ),
    backendFacts: Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Null()]), {
      description: 'What there is to tell of this media backend only.',
    }),
    workers: Type.Array(
      Type.Object({
        number: Type.Integer({ minimum: 1 }),
        pid: orNull(Type.Integer()),
        up: Type.Boolean(),
        cameras: Count,
        restarts: Count,
        cpuSeconds: orNull(Type.Number({ description: 'CPU time since its last start.' })),
        residentBytes: orNull(Type.Integer()),
        loopDelayMs: orNull(
          Type.Number({ description: 'How late its event loop was in about the last second, at worst.' }),
        ),
      }),
      { description: 'The processes that move media, where they are others than the one that answers.' },
    ),
  },
  { title: 'Node' },
);

const AnnouncementSchema = Type.Object(
  {
    url: Type.String(),
    state: Type.String({ enum: ['announcing', 'accepted', 'waiting'] }),
    since: Type.String({ description: 'Since when it is accepted, or is not.' }),
    address: Type.String({ description: 'What is announced as the API of this aggregator.' }),
    attempt: Type.Integer({ minimum: 0, description: 'How many tries in a row failed.' }),
    lastError: orNull(Type.Object({ code: Type.String(), message: Type.String(), at: Type.String() })),
    nextRetryAt: orNull(Type.String()),
  },
  { title: 'Announcement', description: 'How the content manager took the announcement of this aggregator.' },
);

const WebhookSchema = Type.Object(
  {
    url: Type.String(),
    state: Type.String({ enum: ['ready', 'waiting'] }),
    since: Type.String({ description: 'Since when it is in this state.' }),
    waiting: Type.Integer({ minimum: 0, description: 'Events that wait for it.' }),
    delivered: Count,
    failures: Type.Integer({ minimum: 0, description: 'Tries that failed, ever.' }),
    dropped: Type.Object(
      { full: Count, expired: Count, refused: Count },
      { description: 'Events that it never got: more than may wait, too old, or refused by it.' },
    ),
    lastError: orNull(Type.Object({ message: Type.String(), at: Type.String() })),
    nextRetryAt: orNull(Type.String()),
  },
  { title: 'Webhook', description: 'A receiver of events, and how it takes them.' },
);

const SettingValueSchema = Type.Object({
  value: Type.Unknown(),
  source: Type.String(),
  names: Type.Optional(
    Type.Array(Type.String(), { description: 'What else it is called: its key in files and flags, its variables.' }),
  ),
});

export const ConfigViewSchema = Type.Object(
  {
    settings: Type.Record(Type.String(), SettingValueSchema, {
      description: 'By key (`rtmpPort`, `media.queueMaxBytes`): the value, and where it comes from.',
    }),
    problems: Type.Array(Type.Object({ code: Type.String(), message: Type.String(), since: Type.String() })),
    contentManager: orNull(AnnouncementSchema),
    webhooks: Type.Array(WebhookSchema),
  },
  { title: 'Config' },
);

export function pageSchema(item: TSchema): TSchema {
  return Type.Object({
    items: Type.Array(item),
    next: Type.Union([Type.String(), Type.Null()], { description: 'Give it as `after` for the next page.' }),
  });
}

/** A page with parts of all nodes of a cluster. */
export function clusterPageSchema(item: TSchema): TSchema {
  return Type.Object({
    items: Type.Array(item),
    next: Type.Union([Type.String(), Type.Null()], { description: 'Give it as `after` for the next page.' }),
    unknown: Type.Optional(
      Type.Array(Type.String(), { description: 'In a cluster: nodes that did not answer; their parts are not known.' }),
    ),
  });
}
