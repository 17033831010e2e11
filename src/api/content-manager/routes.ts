import Type from 'typebox';
import type { Control } from '../../control/control.js';
import type { StreamRequest } from '../../control/redirector.js';
import { InputError } from '../../errors.js';
import { checkLocation } from '../../model/rules.js';
import { CameraTypeSchema, LocationSchema, NameSchema } from '../../model/schema.js';
import type { App } from '../app.js';
import { legacyResponses, PushViewSchema } from '../schemas.js';
import { optionalBody } from '../validation.js';

const closed = { additionalProperties: false };
const tags = ['content manager'];

const RegisterBody = Type.Object({ name: NameSchema, type: Type.Optional(CameraTypeSchema) }, closed);

const streamFacts = {
  se_ip: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 300,
      description: "Host or host:port of the streaming engine; the port is that of the engine's own API.",
    }),
  ),
  location: Type.Optional(LocationSchema),
};
const StreamObject = Type.Object({ name: NameSchema, ...streamFacts }, closed);
const StreamBody = Type.Union([StreamObject, NameSchema]);
/** With a body the query is empty, so nothing is required here; the handler sees to the name. */
const StreamQuery = Type.Object({ name: Type.Optional(NameSchema), ...streamFacts }, closed);

const EndpointAnswer = Type.Object({
  endpoint: Type.String({ description: 'rtmp://HOST:1935/NAME/NAME' }),
  name: NameSchema,
  type: Type.Optional(Type.String()),
});
const StreamAnswer = Type.Object({
  url: Type.String({ description: 'Where the viewer plays it.' }),
  name: NameSchema,
  push: PushViewSchema,
});
const StatsAnswer = Type.Object({
  resource_id: Type.String(),
  bw_in: Type.String({ pattern: '^[0-9]+$', description: 'Bits per second, averaged over about 10 s.' }),
  bw_out: Type.String({ pattern: '^[0-9]+$', description: 'Bits per second, averaged over about 10 s.' }),
  input_conn: Type.Integer({ minimum: 0, description: 'Live cameras.' }),
});
const StatusAnswer = Type.Object({ resource_id: Type.String(), status: Type.String({ enum: ['ok', 'down'] }) });

/** The four calls of the content manager, as it has always made them. */
export function addContentManagerRoutes(app: App, control: Control, resourceId: string): void {
  // The second spelling is the one of the original's own example; both are in use.
  for (const path of ['/registerCamera', '/resgisterCamera']) {
    app.post(
      path,
      {
        config: { scope: 'operate', allowedAddresses: true },
        schema: {
          operationId: path.slice(1),
          summary: 'Register a camera; the same again changes nothing',
          tags,
          body: RegisterBody,
          response: legacyResponses({ 200: EndpointAnswer }, 400, 409, 413, 415, 503),
        },
      },
      async (request) => {
        const { view } = await control.cameras.add(request.body, request.headers.host);
        return { endpoint: view.endpoint, name: view.name, ...(view.type === undefined ? {} : { type: view.type }) };
      },
    );
  }

  for (const method of ['GET', 'POST'] as const) {
    app.route({
      method,
      url: '/getStream',
      // It adds a push: not what a HEAD request may do.
      exposeHeadRoute: false,
      config: { scope: 'operate', allowedAddresses: true, changes: true },
      schema: {
        operationId: `${method.toLowerCase()}Stream`,
        summary: 'Redirect a camera to the streaming engine that corresponds; again: changes nothing',
        description: 'The request is the JSON body, also with GET, or a bare JSON string with the name, or the query.',
        tags,
        querystring: StreamQuery,
        body: optionalBody(StreamBody),
        response: legacyResponses({ 200: StreamAnswer }, 400, 404, 409, 413, 415, 503),
      },
      handler: async (request) => control.redirector.getStream(streamRequest(request.body, request.query)),
    });
  }

  app.get(
    '/stats',
    {
      config: { scope: 'read', allowedAddresses: true },
      schema: { operationId: 'getStats', summary: 'Traffic', tags, response: legacyResponses({ 200: StatsAnswer }) },
    },
    async () => {
      const totals = control.node.totals();
      return {
        resource_id: resourceId,
        bw_in: decimal(totals.bitrateInBps),
        bw_out: decimal(totals.bitrateOutBps),
        input_conn: totals.liveCameras,
      };
    },
  );

  for (const path of ['/status', '/Status']) {
    app.get(
      path,
      {
        config: { scope: 'read', allowedAddresses: true },
        schema: {
          operationId: `get${path === '/status' ? '' : 'Capital'}Status`,
          summary: '`ok` when RTMP is really taken, else `down`; 200 either way',
          tags,
          response: legacyResponses({ 200: StatusAnswer }),
        },
      },
      async () => ({ resource_id: resourceId, status: (await control.node.isUp()) ? 'ok' : 'down' }),
    );
  }
}

type StreamFields = Type.Static<typeof StreamQuery>;

function streamRequest(body: StreamFields | string | undefined, query: StreamFields): StreamRequest {
  const fields = typeof body === 'string' ? { name: body } : (body ?? query);
  if (fields.name === undefined) {
    const message = 'name: is missing; send {"name": "NAME_OF_THE_CAMERA"} as body, or ?name=NAME_OF_THE_CAMERA';
    throw new InputError('INVALID_REQUEST', message, { field: 'name' });
  }
  return { name: fields.name, engineAddress: fields.se_ip, location: checkLocation(fields.location) };
}

function decimal(bitsPerSecond: number): string {
  return Math.max(0, Math.round(bitsPerSecond)).toFixed(0);
}
