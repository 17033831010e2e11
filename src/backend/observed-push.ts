import Type from 'typebox';
import {
  Code,
  Conditions,
  Count,
  FailureSchema,
  type Frozen,
  figure,
  nullsOf,
  orNull,
  Rate,
  schemasOf,
  unseenOf,
} from './figure.js';

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
  lastError: figure(orNull(FailureSchema), null),
  downSince: figure(
    orNull(
      Type.String({
        description:
          'Since when its target takes no media, over all retries; null: it does. It ends when media has flowed for a while.',
      }),
    ),
    null,
  ),
  firstError: figure(orNull(FailureSchema), null),
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

export type PushSnapshot = Frozen<Type.Static<typeof PushSnapshotSchema>>;
export type TargetTest = Frozen<Type.Static<typeof TargetTestSchema>>;

type PushFigures = Omit<PushSnapshot, 'id' | 'url' | 'state' | 'since'>;

/** The figures of a push that a backend has not seen yet. */
export const unseenPush: PushFigures = unseenOf(pushFigures);

/** The figures of a push about which a backend can tell nothing. */
export const unknownPush: PushFigures = nullsOf(pushFigures);
