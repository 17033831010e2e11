import Type from 'typebox';
import { maxUrlChars } from '../address/rtmp-url.js';
import { maxIngests, maxKeys } from './model.js';
import { namePattern } from './rules.js';

/*
 * The shapes that the state file and the API share. What a schema cannot say (that a URL is one, that an engine
 * exists) is checked where the values are used.
 */

export const NameSchema = Type.String({
  pattern: namePattern.source,
  description: 'Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters.',
});

export const CameraTypeSchema = Type.String({
  pattern: namePattern.source,
  description: 'What kind of camera it is, for the templates of engines: `360`, `plane` ... Same rule as names.',
});

export const UrlSchema = Type.String({
  minLength: 1,
  maxLength: maxUrlChars,
  description: 'rtmp[s]://HOST[:PORT]/APP[/INSTANCE][/STREAM][?QUERY]; what is in it is sent as it is written.',
});

export const HostSchema = Type.String({
  minLength: 1,
  maxLength: 255,
  description: 'Host name or IP address, without a port.',
});

export const TemplateSchema = Type.String({ minLength: 1, maxLength: maxUrlChars });

/** `checkLocation` says the rest: patterns with surrogates mean nothing, or an error, to most other languages. */
export const LocationSchema = Type.String({
  pattern: '^[^\\x00-\\x1f\\x7f]{1,128}$',
  description: 'Where it is, in the words of the operator; at most 128 characters.',
});

export const TimeSchema = Type.String({
  pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(\\.\\d{1,9})?Z$',
  description: 'ISO 8601, UTC.',
});

/** The budgets of one push; the same ranges as the settings `queue-max-bytes` and `queue-max-age`. */
export const QueueBytesSchema = Type.Integer({
  minimum: 64 * 1024,
  maximum: 1024 ** 3,
  description: 'Bytes that may wait for this target; without it, the setting `queue-max-bytes`.',
});
export const QueueAgeSchema = Type.Integer({
  minimum: 100,
  maximum: 600_000,
  description: 'Milliseconds that the oldest waiting byte may be old; without it, the setting `queue-max-age`.',
});

/** Of one push: what its target is told of Enhanced RTMP, and which tracks it gets. */
export const EnhancedSchema = Type.Unsafe<'auto' | 'off'>(
  Type.String({
    enum: ['auto', 'off'],
    description:
      '`auto` (without it): the target is told which codecs and tracks the stream has. `off`: it is told nothing, and gets one track of each kind, without wrapping and prefixes.',
  }),
);
const trackOf = (kind: string) =>
  Type.Union([Type.Integer({ minimum: 0, maximum: 255 }), Type.Literal('all')], {
    description: `The id of the only ${kind} track that the target gets; \`all\`, as without it: every one.`,
  });
export const VideoTrackSchema = trackOf('video');
export const AudioTrackSchema = trackOf('audio');
export const PushAudioSchema = Type.Unsafe<'as-is' | 'none' | 'silence' | 'aac'>(
  Type.String({
    enum: ['as-is', 'none', 'silence', 'aac'],
    description:
      'What the target gets of the sound. `as-is` (without it): as the camera sends it. `none`: no sound. `silence`: a silent AAC track. `aac`: the default audio track as AAC, transcoded by one ffmpeg a camera where it is of another codec.',
  }),
);
export const ViaSchema = Type.String({
  minLength: 1,
  maxLength: 128,
  description:
    'In a cluster: the location that the stream goes through on its way to the target, or `direct`; without it, that of the engine.',
});

const closed = { additionalProperties: false };

export const PushFileSchema = Type.Object(
  {
    url: Type.Optional(UrlSchema),
    engine: Type.Optional(NameSchema),
    enabled: Type.Optional(Type.Boolean()),
    queueMaxBytes: Type.Optional(QueueBytesSchema),
    queueMaxAgeMs: Type.Optional(QueueAgeSchema),
    enhanced: Type.Optional(EnhancedSchema),
    videoTrack: Type.Optional(VideoTrackSchema),
    audioTrack: Type.Optional(AudioTrackSchema),
    audio: Type.Optional(PushAudioSchema),
    via: Type.Optional(ViaSchema),
    createdAt: Type.Optional(TimeSchema),
  },
  closed,
);

/** Publish keys: what they are made from, and what given ones are compared by; not the keys. */
const CameraKeysSchema = Type.Array(
  Type.Object(
    {
      id: Type.String({ pattern: '^[0-9a-z]{1,32}$' }),
      tag: Type.Optional(Type.String({ pattern: '^[0-9a-f]{64}$' })),
      until: Type.Optional(TimeSchema),
    },
    closed,
  ),
  { minItems: 1, maxItems: maxKeys },
);

const SourceUrlSchema = Type.String({
  minLength: 1,
  maxLength: maxUrlChars,
  description:
    'rtmp[s]://, http[s]:// (FLV, HLS, MPEG-TS), rtsp[s]:// or srt://, with user name and password where they are needed.',
});
const printable = '^[^\\x00-\\x1f\\x7f]{1,128}$';
/** What `discover` notes of a camera that it adds. */
export const SourceDeviceSchema = Type.Object(
  {
    serial: Type.String({ pattern: printable, description: 'Its serial number, as it says it by ONVIF.' }),
    reference: Type.Optional(
      Type.String({ pattern: printable, description: 'What it calls itself in WS-Discovery: `urn:uuid:...`.' }),
    ),
  },
  {
    ...closed,
    title: 'SourceDevice',
    description: 'The ONVIF device that it is: when it cannot be reached, it is looked for at other addresses.',
  },
);
const SourceObjectSchema = Type.Object(
  {
    url: SourceUrlSchema,
    mode: Type.Optional(
      Type.Unsafe<'always' | 'on-demand'>(
        Type.String({
          enum: ['always', 'on-demand'],
          description: '`on-demand`: only while an enabled push, or a viewer, wants it. Without it: always.',
        }),
      ),
    ),
    transport: Type.Optional(
      Type.Unsafe<'tcp' | 'udp'>(
        Type.String({ enum: ['tcp', 'udp'], description: 'How the media of RTSP comes. Without it: tcp.' }),
      ),
    ),
    device: Type.Optional(SourceDeviceSchema),
  },
  { ...closed, title: 'CameraSource' },
);
/** As the API takes it. */
export const SourceSchema = Type.Union([SourceUrlSchema, SourceObjectSchema], {
  description: 'Where its stream is fetched from, as a URL, or with how and when. Without it, the camera publishes.',
});

const IngestListBounds = {
  minItems: 1,
  maxItems: maxIngests,
  description:
    'What the stream may come from, in the order in which it is preferred: `["main", "backup"]`. Each is a publisher, who names it as `?ingest=NAME`, or is fetched from its `source`. Without it: one, `main`.',
};
/** As the API takes them. */
export const IngestsSchema = Type.Array(
  Type.Union([
    NameSchema,
    Type.Object(
      { name: NameSchema, source: Type.Optional(Type.Union([SourceUrlSchema, SourceObjectSchema, Type.Null()])) },
      { ...closed, title: 'NewIngest' },
    ),
  ]),
  IngestListBounds,
);
export const SwitchBackSchema = Type.Integer({
  minimum: 1,
  maximum: 86_400,
  description:
    'Go back to an ingest that stands earlier in the list when it has been well for so many seconds; without it, never.',
});
export const SlateSchema = Type.String({
  pattern: '^(?:built-in|[A-Za-z0-9][A-Za-z0-9._-]{0,59}\\.flv)$',
  description:
    'What is shown when no ingest is left: `built-in`, or a file of the folder `slate-dir`. Without it, nothing.',
});
export const SlateSecondsSchema = Type.Integer({
  minimum: 1,
  maximum: 86_400,
  description: 'For how long the slate is shown at most; 60.',
});

const standbyFile = {
  ingests: Type.Optional(
    Type.Array(
      Type.Union([
        NameSchema,
        Type.Object(
          { name: NameSchema, keys: Type.Optional(CameraKeysSchema), source: Type.Optional(SourceSchema) },
          closed,
        ),
      ]),
      IngestListBounds,
    ),
  ),
  source: Type.Optional(SourceSchema),
  switchBackSeconds: Type.Optional(SwitchBackSchema),
  slate: Type.Optional(SlateSchema),
  slateSeconds: Type.Optional(SlateSecondsSchema),
};

const cameraFacts = {
  keys: Type.Optional(CameraKeysSchema),
  ...standbyFile,
  type: Type.Optional(CameraTypeSchema),
  createdAt: Type.Optional(TimeSchema),
};

/** A camera without its pushes, as the journal has it. */
export const CameraFactsSchema = Type.Object(cameraFacts, closed);

export const CameraFileSchema = Type.Object(
  { ...cameraFacts, pushes: Type.Optional(Type.Record(Type.String(), PushFileSchema)) },
  closed,
);

export const EngineFileSchema = Type.Object(
  {
    host: HostSchema,
    pushUrl: Type.Optional(TemplateSchema),
    playbackUrl: Type.Optional(TemplateSchema),
    location: Type.Optional(LocationSchema),
    createdAt: Type.Optional(TimeSchema),
  },
  closed,
);

/** The state file as people may write it; what is optional gets its default. */
export const StateFileSchema = Type.Object(
  {
    version: Type.Literal(1),
    cameras: Type.Optional(Type.Record(Type.String(), CameraFileSchema)),
    engines: Type.Optional(Type.Record(Type.String(), EngineFileSchema)),
  },
  closed,
);

export type StateFile = Type.Static<typeof StateFileSchema>;
/** A camera without its pushes. */
export type CameraFactsFile = Type.Static<typeof CameraFactsSchema>;
export type CameraFile = Type.Static<typeof CameraFileSchema>;
export type EngineFile = Type.Static<typeof EngineFileSchema>;
export type PushFile = Type.Static<typeof PushFileSchema>;
