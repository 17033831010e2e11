import Type from 'typebox';
import { pushStates } from '../../backend/backend.js';
import {
  AudioTrackSchema,
  CameraTypeSchema,
  EnhancedSchema,
  HostSchema,
  IngestsSchema,
  LocationSchema,
  NameSchema,
  PushAudioSchema,
  QueueAgeSchema,
  QueueBytesSchema,
  SlateSchema,
  SlateSecondsSchema,
  SourceSchema,
  SwitchBackSchema,
  TemplateSchema,
  UrlSchema,
  ViaSchema,
  VideoTrackSchema,
} from '../../model/schema.js';

const closed = { additionalProperties: false };

export const NameParams = Type.Object({ name: NameSchema }, closed);
export const PushParams = Type.Object({ name: NameSchema, id: NameSchema }, closed);

const pageFields = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, description: 'How many at most; 100.' })),
  after: Type.Optional(Type.String({ maxLength: 64, description: 'The name after which the page begins.' })),
  prefix: Type.Optional(Type.String({ maxLength: 64, description: 'Only those whose name begins with it.' })),
};
const PushStateSchema = Type.String({ enum: [...pushStates], description: 'Only those in this state.' });

/** Described here, and taken by `addOtherNodes` before schemas look. */
export const nodeFields = {
  node: Type.Optional(
    Type.String({
      enum: ['self'],
      description: '`self`: in a cluster, what the node that is asked has itself; without it, what all nodes have.',
    }),
  ),
};

export const PageQuery = Type.Object(pageFields, closed);
export const CameraQuery = Type.Object(
  {
    ...pageFields,
    ...nodeFields,
    live: Type.Optional(Type.Boolean({ description: 'Only those that publish now, or only those that do not.' })),
    pushState: Type.Optional(Type.String({ ...PushStateSchema, description: 'Only those with a push in this state.' })),
    trouble: Type.Optional(
      Type.Boolean({
        description: 'Only those that have conditions or a push that is down (true), or neither (false).',
      }),
    ),
    held: Type.Optional(
      Type.Boolean({
        description:
          'In a cluster, with `node=self`: only those that are live at the node that is asked, or have pushes that it runs.',
      }),
    ),
    names: Type.Optional(
      Type.String({
        maxLength: 6500,
        description: 'Only these, with commas between; a name that nothing has is left out.',
      }),
    ),
  },
  closed,
);
export const PushQuery = Type.Object({ ...pageFields, state: Type.Optional(PushStateSchema) }, closed);

/** What is declared of a camera, but for its name and its pushes. */
export const cameraFields = {
  type: Type.Optional(CameraTypeSchema),
  ingests: Type.Optional(IngestsSchema),
  source: Type.Optional(SourceSchema),
  switchBackSeconds: Type.Optional(SwitchBackSchema),
  slate: Type.Optional(SlateSchema),
  slateSeconds: Type.Optional(SlateSecondsSchema),
};

export const NewCamera = Type.Object({ name: NameSchema, ...cameraFields }, { ...closed, title: 'NewCamera' });
/** The name stands in the path; it may be repeated. */
export const DeclaredCamera = Type.Object(
  { name: Type.Optional(NameSchema), ...cameraFields },
  { ...closed, title: 'DeclaredCamera' },
);

export const ChangedCamera = Type.Object(
  {
    type: Type.Optional(Type.Union([CameraTypeSchema, Type.Null()])),
    ingests: Type.Optional(Type.Union([IngestsSchema, Type.Null()])),
    source: Type.Optional(Type.Union([SourceSchema, Type.Null()])),
    switchBackSeconds: Type.Optional(Type.Union([SwitchBackSchema, Type.Null()])),
    slate: Type.Optional(Type.Union([SlateSchema, Type.Null()])),
    slateSeconds: Type.Optional(Type.Union([SlateSecondsSchema, Type.Null()])),
  },
  { ...closed, title: 'ChangedCamera', description: 'What is left out stays as it is; null takes it away.' },
);

export const SwitchedIngest = Type.Object(
  {
    ingest: Type.Optional(
      Type.String({
        ...NameSchema,
        description: 'The ingest to go on with; without it, the one that would follow if the live one failed.',
      }),
    ),
  },
  { ...closed, title: 'SwitchedIngest' },
);

export const RotatedKeys = Type.Object(
  {
    key: Type.Optional(
      Type.String({ pattern: '^[A-Za-z0-9_-]{8,128}$', description: 'The new key; without it, one is made.' }),
    ),
    overlapSeconds: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 31_536_000, description: 'For how long the old keys are taken too; 0.' }),
    ),
    ingest: Type.Optional(
      Type.String({ ...NameSchema, description: 'The ingest whose key it is, of a camera with several; `main`.' }),
    ),
  },
  { ...closed, title: 'RotatedKeys' },
);

export const NewPlayToken = Type.Object(
  {
    seconds: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 31_536_000, description: 'How long it is valid; 3600.' }),
    ),
  },
  { ...closed, title: 'NewPlayToken' },
);

const pushFields = {
  id: Type.Optional(NameSchema),
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
};
/** The id stands in the path; it may be repeated. */
export const DeclaredPush = Type.Object(pushFields, {
  ...closed,
  title: 'DeclaredPush',
  description: 'Exactly one of `url` and `engine`. What is left out gets its default.',
});
export const NewPush = Type.Object(pushFields, {
  ...closed,
  title: 'NewPush',
  description: 'Exactly one of `url` and `engine`. Without `id` it is derived from the target.',
});
export const ChangedPush = Type.Object(
  {
    enabled: Type.Optional(Type.Boolean()),
    queueMaxBytes: Type.Optional(Type.Union([QueueBytesSchema, Type.Null()])),
    queueMaxAgeMs: Type.Optional(Type.Union([QueueAgeSchema, Type.Null()])),
    enhanced: Type.Optional(EnhancedSchema),
    videoTrack: Type.Optional(VideoTrackSchema),
    audioTrack: Type.Optional(AudioTrackSchema),
    audio: Type.Optional(PushAudioSchema),
    via: Type.Optional(Type.Union([ViaSchema, Type.Null()])),
  },
  {
    ...closed,
    title: 'ChangedPush',
    description:
      'What is left out stays as it is; null gives a budget back to the settings, and the way to the engine.',
  },
);
export const TestedPush = Type.Object(
  { url: Type.Optional(UrlSchema), engine: Type.Optional(NameSchema) },
  { ...closed, title: 'TestedPush', description: 'Exactly one of `url` and `engine`.' },
);

export const TestedTarget = Type.Object({ url: UrlSchema }, { ...closed, title: 'TestedTarget' });

const pushUrl = Type.Optional(
  Type.String({ ...TemplateSchema, description: '`{host}`, `{name}`, `{type}`, `{location}` are replaced.' }),
);
export const engineFacts = {
  host: HostSchema,
  pushUrl,
  playbackUrl: pushUrl,
  location: Type.Optional(LocationSchema),
};
export const NewEngine = Type.Object({ name: NameSchema, ...engineFacts }, { ...closed, title: 'NewEngine' });
export const DeclaredEngine = Type.Object(
  { name: Type.Optional(NameSchema), ...engineFacts },
  { ...closed, title: 'DeclaredEngine' },
);
const orDefault = { description: 'null gives it its default.' };
export const ChangedEngine = Type.Object(
  {
    host: Type.Optional(HostSchema),
    pushUrl: Type.Optional(Type.Union([TemplateSchema, Type.Null()], orDefault)),
    playbackUrl: Type.Optional(Type.Union([TemplateSchema, Type.Null()], orDefault)),
    location: Type.Optional(Type.Union([LocationSchema, Type.Null()], { description: 'null takes it away.' })),
  },
  { ...closed, title: 'ChangedEngine', description: 'What is left out stays as it is.' },
);
