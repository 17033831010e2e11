import Type from 'typebox';
import { Count, Rate } from '../backend/figure.js';
import { orNull } from './schemas.js';

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
        socketMode: orNull(
          Type.String({ description: 'How its RTMP without TLS is read and written: `uring`, `direct`, `plain`.' }),
        ),
        socketModeWhy: orNull(Type.String({ description: 'Why not in a better way, or not as it is set.' })),
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
