import Type, { type TObject, type TProperties, type TSchema } from 'typebox';
import type { BatchChange } from '../../model/batch.js';
import { NameSchema } from '../../model/schema.js';
import { ErrorCodeSchema } from '../schemas.js';
import { checkedByRoute } from '../validation.js';
import { ChangedCamera, ChangedEngine, ChangedPush, cameraFields, engineFacts, NewPush } from './requests.js';

/** How many changes one call may have; each push that comes with a camera is one too. */
export const maxChanges = 50_000;
/** How many of them may be of engines: each of these looks at all cameras. */
export const maxEngineChanges = 1000;
/** Ten thousand cameras with three pushes of long URLs each take about half of it. */
export const batchBodyLimitBytes = 16 * 1024 * 1024;

const closed = { additionalProperties: false };

const condition = {
  ifMatch: Type.Optional(Type.String({ maxLength: 1000, description: 'Only if it has one of these entity tags.' })),
  ifNoneMatch: Type.Optional(Type.String({ maxLength: 1000, description: '`*`: only if it does not exist.' })),
};

const NewPushes = Type.Optional(Type.Array(NewPush, { maxItems: 10_000, description: 'Pushes of the camera.' }));
const AddedCamera = Type.Object(
  { ...cameraFields, pushes: NewPushes },
  { ...closed, title: 'AddedCamera', description: 'A camera with pushes to add to it.' },
);
const EngineFacts = Type.Object(engineFacts, { ...closed, title: 'EngineFacts' });

function change<T extends string, P extends TProperties>(operation: T, title: string, about: P): TObject {
  return Type.Object({ operation: Type.Literal(operation), ...about, ...condition }, { ...closed, title });
}

const ofCamera = { camera: NameSchema };
const ofPush = { camera: NameSchema, push: NameSchema };
const ofEngine = { engine: NameSchema };

/** By operation: what a change by it consists of. */
export const changeSchemas: Readonly<Record<BatchChange['operation'], TObject>> = {
  addCamera: change('addCamera', 'AddCameraChange', { ...ofCamera, body: AddedCamera }),
  declareCamera: change('declareCamera', 'DeclareCameraChange', { ...ofCamera, body: AddedCamera }),
  changeCamera: change('changeCamera', 'ChangeCameraChange', { ...ofCamera, body: ChangedCamera }),
  removeCamera: change('removeCamera', 'RemoveCameraChange', ofCamera),
  addPush: change('addPush', 'AddPushChange', { ...ofCamera, body: NewPush }),
  declarePush: change('declarePush', 'DeclarePushChange', { ...ofCamera, body: NewPush }),
  changePush: change('changePush', 'ChangePushChange', { ...ofPush, body: ChangedPush }),
  removePush: change('removePush', 'RemovePushChange', ofPush),
  addEngine: change('addEngine', 'AddEngineChange', { ...ofEngine, body: EngineFacts }),
  declareEngine: change('declareEngine', 'DeclareEngineChange', { ...ofEngine, body: EngineFacts }),
  changeEngine: change('changeEngine', 'ChangeEngineChange', { ...ofEngine, body: ChangedEngine }),
  removeEngine: change('removeEngine', 'RemoveEngineChange', ofEngine),
};

export const BatchBody = Type.Object(
  {
    mode: Type.Optional(
      Type.String({
        enum: ['all', 'each'],
        description:
          '`all` (default): if one change cannot be made, none is. `each`: those that can be made are made; the answer has the others with their errors.',
      }),
    ),
    dryRun: Type.Optional(Type.Boolean({ description: 'true: nothing is changed; the answer says what would be.' })),
    changes: checkedByRoute(
      Type.Array(Type.Union(Object.values(changeSchemas)), {
        minItems: 1,
        maxItems: maxChanges,
        description:
          'In their order. Each has the name of the operation that makes it alone, and the body of that operation. declarePush without an `id` means the push that goes to the target.',
      }),
    ),
  },
  { ...closed, title: 'Batch' },
);

const outcome = Type.String({ enum: ['created', 'changed', 'unchanged', 'removed', 'failed'] });
const fields = Type.Optional(Type.Array(Type.String(), { description: 'Which fields are not as they were.' }));

export const BatchResultSchema = Type.Object(
  {
    changed: Type.Integer({ minimum: 0, description: 'Changes that changed something.' }),
    unchanged: Type.Integer({ minimum: 0, description: 'Changes whose outcome was there already.' }),
    failed: Type.Integer({ minimum: 0, description: 'Changes that were not made.' }),
    dryRun: Type.Boolean(),
    results: Type.Array(
      Type.Object(
        {
          outcome,
          fields,
          camera: Type.Optional(Type.String()),
          push: Type.Optional(Type.String({ description: 'The id of the push.' })),
          engine: Type.Optional(Type.String()),
          endpoint: Type.Optional(Type.String({ description: 'Where the camera publishes to, with its key.' })),
          rtmpsEndpoint: Type.Optional(Type.String({ description: 'The same with TLS.' })),
          srtEndpoint: Type.Optional(Type.String({ description: 'The same by SRT.' })),
          pushes: Type.Optional(
            Type.Array(Type.Object({ id: Type.String(), outcome, fields }, { title: 'BatchPushResult' }), {
              description: 'The pushes that came with the camera.',
            }),
          ),
          error: Type.Optional(
            Type.Object(
              {
                status: Type.Integer({ description: 'What the operation alone would answer.' }),
                code: ErrorCodeSchema,
                detail: Type.String(),
                field: Type.Optional(Type.String()),
              },
              { title: 'BatchError' },
            ),
          ),
        },
        { title: 'ChangeResult' },
      ),
      { description: 'What became of each change, in their order.' },
    ),
  },
  { title: 'BatchResult' },
) satisfies TSchema;
