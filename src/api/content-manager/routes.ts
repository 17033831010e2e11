import { isIP } from 'node:net';
import Type from 'typebox';
import type { Control } from '../../control/control.js';
import { maxEndpoints } from '../../control/neighbours.js';
import type { StreamRequest } from '../../control/redirector.js';
import { InputError } from '../../errors.js';
import { checkLocation } from '../../model/rules.js';
import { CameraTypeSchema, LocationSchema, NameSchema } from '../../model/schema.js';
import type { App } from '../app.js';
import { PushViewSchema } from '../camera-schemas.js';
import { legacyResponses } from '../schemas.js';
import type { ClusterCameras } from '../v1/cluster-cameras.js';
import { optionalBody } from '../validation.js';

const closed = { additionalProperties: false };
const tags = ['content manager'];

const RegisterBody = Type.Object(
  {
    name: NameSchema,
    type: Type.Optional(CameraTypeSchema),
    location: Type.Optional({ ...LocationSchema, description: 'Where the camera is: says which node suits best.' }),
  },
  closed,
);

const streamFacts = {
  se_ip: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 300,
      description: "Host or host:port of the streaming engine; the port is that of the engine's own API.",
    }),
  ),
  location: Type.Optional(LocationSchema),
  viewer_ip: Type.Optional(
    Type.String({
      minLength: 2,
      maxLength: 64,
      description: 'Address of the viewer: says where it is (location-networks), where `location` is not given.',
    }),
  ),
};
const StreamObject = Type.Object({ name: NameSchema, ...streamFacts }, closed);
const StreamBody = Type.Union([StreamObject, NameSchema]);
/** With a body the query is empty, so nothing is required here; the handler sees to the name. */
const StreamQuery = Type.Object({ name: Type.Optional(NameSchema), ...streamFacts }, closed);

const EndpointAnswer = Type.Object({
  endpoint: Type.String({ description: 'rtmp://HOST:1935/NAME/NAME' }),
  name: NameSchema,
  type: Type.Optional(Type.String()),
  endpoints: Type.Optional(
    Type.Array(Type.String(), {
      maxItems: maxEndpoints,
      description:
        'In a cluster: those that would do, the best first, which is `endpoint`; 8 at most, and one of them in another place, if there is any.',
    }),
  ),
  srtEndpoint: Type.Optional(
    Type.String({
      description: 'The same by SRT, where there is a listener for it; in a cluster at the best node that has one.',
    }),
  ),
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
export function addContentManagerRoutes(app: App, control: Control, resourceId: string, all: ClusterCameras): void {
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
        const { location: said, ...camera } = request.body;
        const location = control.places.locationOf(checkLocation(said), request.socket.remoteAddress);
        const { view } = await control.cameras.add(camera, request.headers.host, location);
        const { endpoint, endpoints, srtEndpoint, name, type } = view;
        return {
          endpoint,
          name,
          ...(type === undefined ? {} : { type }),
          ...(endpoints === undefined ? {} : { endpoints }),
          ...(srtEndpoint === undefined ? {} : { srtEndpoint }),
        };
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
      handler: async (request) => {
        const wanted = streamRequest(request.body, request.query, request.socket.remoteAddress);
        const answer = await control.redirector.getStream(wanted);
        return { ...answer, push: await all.changedPush(request, answer.name, answer.push) };
      },
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

function streamRequest(
  body: StreamFields | string | undefined,
  query: StreamFields,
  caller: string | undefined,
): StreamRequest {
  const fields = typeof body === 'string' ? { name: body } : (body ?? query);
  if (fields.name === undefined) {
    const message = 'name: is missing; send {"name": "NAME_OF_THE_CAMERA"} as body, or ?name=NAME_OF_THE_CAMERA';
    throw new InputError('INVALID_REQUEST', message, { field: 'name' });
  }
  const { name, se_ip: engineAddress, location, viewer_ip: viewer } = fields;
  if (viewer !== undefined && isIP(viewer) === 0) {
    const message = `viewer_ip: is ${JSON.stringify(viewer)}, but must be an IPv4 or IPv6 address`;
    throw new InputError('INVALID_REQUEST', message, { field: 'viewer_ip' });
  }
  // A content manager asks for others: its own address counts only where it names no viewer.
  return { name, engineAddress, location: checkLocation(location), addresses: [viewer ?? caller] };
}

function decimal(bitsPerSecond: number): string {
  return Math.max(0, Math.round(bitsPerSecond)).toFixed(0);
}
