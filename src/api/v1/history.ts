import Type from 'typebox';
import type { Control } from '../../control/control.js';
import { type HistorySteps, historyPoints, historyStepSeconds } from '../../control/history.js';
import type { App } from '../app.js';
import type { CostlyCalls } from '../costly-calls.js';
import { v1Responses } from '../schemas.js';
import type { ClusterCameras } from './cluster-cameras.js';
import { clusterHistory } from './cluster-history.js';
import { NameParams } from './requests.js';

const maxSeconds = historyPoints * historyStepSeconds;

const HistoryQuery = Type.Object(
  {
    seconds: Type.Optional(
      Type.Integer({ minimum: 1, maximum: maxSeconds, description: `How far back; ${maxSeconds}, which is all.` }),
    ),
  },
  { additionalProperties: false },
);

const Points = Type.Array(Type.Union([Type.Number(), Type.Null()]), { title: 'Points' });
const columns = <N extends string>(names: readonly N[]) =>
  Type.Object(Object.fromEntries(names.map((name) => [name, Points])));

const HistorySchema = Type.Object(
  {
    stepSeconds: Type.Integer(),
    from: Type.Union([Type.String(), Type.Null()], {
      description: 'When the first point was taken; null: nothing is remembered.',
    }),
    camera: columns(['bitrateInBps', 'frameRate', 'viewers', 'jitterMs']),
    pushes: Type.Record(
      Type.String(),
      columns(['bitrateBps', 'queueBytes', 'queueAgeMs', 'roundTripMs', 'droppedFrames']),
      { description: 'By id. Dropped frames are those of each step.' },
    ),
  },
  { title: 'History', description: 'Columns of figures, a point for each step; null where nothing was seen.' },
);

function* historyPieces({ pushes, ...camera }: HistorySteps): Generator<string, void> {
  const head = JSON.stringify(camera);
  yield `${head.slice(0, -1)},"pushes":{`;
  let separator = '';
  for (const [id, columns] of pushes) {
    yield `${separator}${JSON.stringify(id)}:${JSON.stringify(columns)}`;
    separator = ',';
  }
  yield '}}';
}

/** `GET /v1/cameras/{name}/history`. */
export function addHistoryRoute(app: App, control: Control, costly: CostlyCalls, all: ClusterCameras): void {
  app.get(
    '/v1/cameras/:name/history',
    {
      config: { scope: 'read', ofAllNodes: true },
      schema: {
        operationId: 'getHistory',
        summary: 'What was seen of a camera in the last hour, every five seconds, for plots',
        tags: ['cameras'],
        params: NameParams,
        querystring: HistoryQuery,
        response: v1Responses({ 200: HistorySchema }, 400, 404, 503),
      },
    },
    async (request, reply) => {
      const { seconds = maxSeconds } = request.query;
      const nothing = {
        stepSeconds: historyStepSeconds,
        from: null,
        camera: { bitrateInBps: [], frameRate: [], viewers: [], jitterMs: [] },
        pushes: {},
      };
      const { name } = request.params;
      const nodes = all.nodesFor(request);
      const steps =
        nodes === undefined
          ? control.viewing.historySteps(name, seconds)
          : await clusterHistory(request, { control, all, nodes, name, seconds });
      if (steps === null) return nothing;
      return costly.send(request, reply, 'application/json; charset=utf-8', historyPieces(steps));
    },
  );
}
