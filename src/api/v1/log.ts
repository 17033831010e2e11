import Type from 'typebox';
import type { Control } from '../../control/control.js';
import { type LogLevel, type LogLevels, logLevels, maxDebuggedCameras } from '../../log/levels.js';
import type { Logger } from '../../log/log.js';
import { NameSchema } from '../../model/schema.js';
import type { App } from '../app.js';
import { NoContentSchema, v1Responses } from '../schemas.js';
import { readLines } from './log-lines.js';
import { NameParams } from './requests.js';

/** Long enough to see a camera come and go; a forgotten one ends by itself. */
const defaultSeconds = 900;
const maxSeconds = 86_400;

const LevelSchema = Type.Union(
  logLevels.map((level) => Type.Literal(level)),
  { description: 'The least important lines that are logged.' },
);

const DebuggedCameraSchema = Type.Object(
  {
    camera: NameSchema,
    endsAt: Type.String({ description: 'When it ends by itself.' }),
    notice: Type.Union([Type.String(), Type.Null()], { description: 'What the log cannot tell of it, and why.' }),
  },
  { title: 'DebuggedCamera', description: 'A camera of which every line is logged, whatever the level.' },
);

const LogSchema = Type.Object(
  {
    level: LevelSchema,
    configured: Type.Union(
      logLevels.map((level) => Type.Literal(level)),
      { description: 'The level of the settings, which holds after a restart.' },
    ),
    cameras: Type.Array(DebuggedCameraSchema),
  },
  { title: 'Log', description: 'What is logged now.' },
);

const ChangedLog = Type.Object({ level: LevelSchema }, { title: 'ChangedLog', additionalProperties: false });

const NewDebug = Type.Object(
  {
    seconds: Type.Optional(
      Type.Integer({ minimum: 1, maximum: maxSeconds, description: `For how long; ${defaultSeconds}.` }),
    ),
  },
  { title: 'NewDebug', additionalProperties: false },
);

const LineSchema = Type.Object(
  {
    id: Type.Integer(),
    at: Type.String({ description: 'ISO 8601, UTC.' }),
    level: LevelSchema,
    message: Type.String(),
    fields: Type.Record(Type.String(), Type.Unknown(), { description: '`camera`, `push` and what else it has.' }),
  },
  { title: 'LogLine' },
);

const LinesSchema = Type.Object(
  {
    items: Type.Array(LineSchema, { description: 'Oldest first.' }),
    next: Type.Integer({ description: 'For `after`, to have the lines that follow.' }),
    missed: Type.Boolean({ description: 'True if lines after `after` are not kept any more.' }),
  },
  { title: 'LogLines' },
);

const LinesQuery = Type.Object(
  {
    camera: Type.Optional(Type.String({ maxLength: 6500, description: 'Names, separated by commas: only of these.' })),
    level: Type.Optional(
      Type.String({ enum: [...logLevels], description: 'Only lines that are at least as important.' }),
    ),
    after: Type.Optional(
      Type.String({ pattern: '^[0-9]{1,16}$', description: 'Only lines after this one, the oldest first.' }),
    ),
    limit: Type.Optional(
      Type.String({ pattern: '^[0-9]{1,4}$', description: 'How many at most; 100. Without `after`, the newest.' }),
    ),
  },
  { additionalProperties: false },
);

const defaultLines = 100;
const tags = ['log'];

const nginxNotice =
  'nginx moves the media: what it and the camera, or it and a target, say to each other is not in this log; see ' +
  "nginx's own error log.";

export interface LogRouteOptions {
  readonly control: Control;
  readonly log: Logger;
  readonly levels: LogLevels;
  /** The level that the settings say. */
  readonly configured: LogLevel;
}

/** What is logged, changed while the aggregator runs. */
export function addLogRoutes(app: App, { control, log, levels, configured }: LogRouteOptions): void {
  const notice = control.node.backendKind === 'nginx' ? nginxNotice : null;
  const view = () => ({
    level: levels.level,
    configured,
    cameras: levels.cameras.map((each) => ({ ...each, notice })),
  });

  app.get(
    '/v1/log',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'getLog',
        summary: 'What is logged: the level, and the cameras that are debugged',
        tags,
        response: v1Responses({ 200: LogSchema }),
      },
    },
    async () => view(),
  );

  app.get(
    '/v1/log/lines',
    {
      config: { scope: 'operate' },
      schema: {
        operationId: 'listLogLines',
        summary: 'The newest lines of the log, as far as they are in memory: up to 2,000 lines or 1 MB',
        tags,
        querystring: LinesQuery,
        response: v1Responses({ 200: LinesSchema }, 400),
      },
    },
    async (request) => {
      const { camera, level, after, limit } = request.query;
      const cameras = camera === undefined ? undefined : new Set(camera.split(','));
      const asks = { cameras, level, after: after === undefined ? undefined : Number(after) };
      return readLines(levels.recent, { ...asks, limit: limit === undefined ? defaultLines : Number(limit) });
    },
  );

  app.patch(
    '/v1/log',
    {
      config: { scope: 'operate' },
      schema: {
        operationId: 'changeLog',
        summary: 'Log from another level on, until the aggregator ends',
        tags,
        body: ChangedLog,
        response: v1Responses({ 200: LogSchema }, 400, 413, 415),
      },
    },
    async (request) => {
      const { level: to } = request.body;
      const from = levels.level;
      if (from === to) return view();
      // Told while such lines are still logged, or once they are.
      const isSeen = levels.filter.allows('info', undefined);
      if (isSeen) log.info('the log level changes', { from, to });
      levels.level = to;
      if (!isSeen) log.info('the log level changes', { from, to });
      return view();
    },
  );

  app.put(
    '/v1/cameras/:name/debug',
    {
      config: { scope: 'operate' },
      schema: {
        operationId: 'debugCamera',
        summary: `Log every line of a camera for a time, whatever the level; ${maxDebuggedCameras} cameras at most`,
        tags,
        params: NameParams,
        body: NewDebug,
        response: v1Responses({ 200: DebuggedCameraSchema }, 400, 404, 409, 413, 415),
      },
    },
    async (request) => {
      const { name } = control.cameras.get(request.params.name, request.headers.host);
      const debugged = levels.debug(name, (request.body.seconds ?? defaultSeconds) * 1000);
      log.info('debug logging of a camera is on', { camera: name, until: debugged.endsAt });
      return { ...debugged, notice };
    },
  );

  app.delete(
    '/v1/cameras/:name/debug',
    {
      config: { scope: 'operate' },
      schema: {
        operationId: 'endCameraDebug',
        summary: 'Log of a camera what is logged of all; of one that is not debugged nothing changes',
        tags,
        params: NameParams,
        response: v1Responses({ 204: NoContentSchema }, 400, 404),
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      // One that was removed meanwhile may be debugged still.
      if (!levels.cameras.some(({ camera }) => camera === name)) control.cameras.get(name, request.headers.host);
      else log.info('debug logging of a camera is off', { camera: name });
      levels.endDebug(name);
      return reply.code(204).send();
    },
  );
}
