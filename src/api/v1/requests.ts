import Type from 'typebox';
import {
  CameraTypeSchema,
  HostSchema,
  LocationSchema,
  NameSchema,
  QueueAgeSchema,
  QueueBytesSchema,
  TemplateSchema,
  UrlSchema,
} from '../../state/schema.js';

const closed = { additionalProperties: false };

export const NameParams = Type.Object({ name: NameSchema }, closed);
export const PushParams = Type.Object({ name: NameSchema, id: NameSchema }, closed);

export const PageQuery = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, description: 'How many at most; 100.' })),
    after: Type.Optional(Type.String({ maxLength: 64, description: 'The name after which the page begins.' })),
  },
  closed,
);

export const NewCamera = Type.Object(
  { name: NameSchema, type: Type.Optional(CameraTypeSchema) },
  { ...closed, title: 'NewCamera' },
);
/** The name stands in the path; it may be repeated. */
export const DeclaredCamera = Type.Object(
  { name: Type.Optional(NameSchema), type: Type.Optional(CameraTypeSchema) },
  { ...closed, title: 'DeclaredCamera' },
);

export const NewPush = Type.Object(
  {
    id: Type.Optional(NameSchema),
    url: Type.Optional(UrlSchema),
    engine: Type.Optional(NameSchema),
    enabled: Type.Optional(Type.Boolean()),
    queueMaxBytes: Type.Optional(QueueBytesSchema),
    queueMaxAgeMs: Type.Optional(QueueAgeSchema),
  },
  {
    ...closed,
    title: 'NewPush',
    description: 'Exactly one of `url` and `engine`. Without `id` it is derived from the target.',
  },
);
export const ChangedPush = Type.Object(
  {
    enabled: Type.Optional(Type.Boolean()),
    queueMaxBytes: Type.Optional(Type.Union([QueueBytesSchema, Type.Null()])),
    queueMaxAgeMs: Type.Optional(Type.Union([QueueAgeSchema, Type.Null()])),
  },
  {
    ...closed,
    title: 'ChangedPush',
    description: 'What is left out stays as it is; null gives a budget back to the settings.',
  },
);
export const TestedPush = Type.Object(
  { url: Type.Optional(UrlSchema), engine: Type.Optional(NameSchema) },
  { ...closed, title: 'TestedPush', description: 'Exactly one of `url` and `engine`.' },
);

const pushUrl = Type.Optional(
  Type.String({ ...TemplateSchema, description: '`{host}`, `{name}`, `{type}`, `{location}` are replaced.' }),
);
const engineFacts = {
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
