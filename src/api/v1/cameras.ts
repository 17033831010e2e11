import { apiAddressOf } from '../../access/own-socket.js';
import type { Control } from '../../control/control.js';
import { InputError } from '../../errors.js';
import type { App } from '../app.js';
import { CameraViewSchema, EventsSchema, PlayTokenSchema } from '../camera-schemas.js';
import type { CostlyCalls } from '../costly-calls.js';
import { preconditionOf } from '../preconditions.js';
import { clusterPageSchema, NoContentSchema, v1Responses } from '../schemas.js';
import { optionalBody } from '../validation.js';
import { type ClusterCameras, clusterPagePieces } from './cluster-cameras.js';
import {
  CameraQuery,
  ChangedCamera,
  DeclaredCamera,
  NameParams,
  NewCamera,
  NewPlayToken,
  RotatedKeys,
  SwitchedIngest,
} from './requests.js';

const tags = ['cameras'];

export function addCameraRoutes(app: App, control: Control, costly: CostlyCalls, all: ClusterCameras): void {
  app.get(
    '/v1/cameras',
    {
      config: { scope: 'read', ofAllNodes: true },
      schema: {
        operationId: 'listCameras',
        summary: 'The registered cameras, by name',
        tags,
        querystring: CameraQuery,
        response: v1Responses({ 200: clusterPageSchema(CameraViewSchema) }, 400),
      },
    },
    async (request, reply) => {
      const { query, headers } = request;
      const nodes = all.nodesFor(request);
      if (nodes === undefined) return costly.sendPage(request, reply, control.cameras.listSteps(query, headers.host));
      const page = await all.page(nodes, request, query);
      return costly.send(request, reply, 'application/json; charset=utf-8', clusterPagePieces(page));
    },
  );

  app.post(
    '/v1/cameras',
    {
      config: { scope: 'operate', ofAllNodes: true },
      schema: {
        operationId: 'addCamera',
        summary: 'Register a camera; the same again changes nothing',
        tags,
        body: NewCamera,
        response: v1Responses({ 200: CameraViewSchema, 201: CameraViewSchema }, 400, 409, 413, 415, 503),
      },
    },
    async (request, reply) => {
      const { created, view } = await control.cameras.add(request.body, request.headers.host);
      if (created) reply.code(201).header('location', `/v1/cameras/${view.name}`);
      return all.changedCamera(request, view);
    },
  );

  app.get(
    '/v1/cameras/:name',
    {
      config: { scope: 'read', ofAllNodes: true },
      schema: {
        operationId: 'getCamera',
        summary: 'One camera',
        tags,
        params: NameParams,
        response: v1Responses({ 200: CameraViewSchema }, 400, 404),
      },
    },
    async (request) => {
      const { name } = request.params;
      await costly.turnFor(request, control.cameras.pushCount(name));
      return all.camera(request, name);
    },
  );

  app.get(
    '/v1/cameras/:name/events',
    {
      config: { scope: 'read', atHolder: true },
      schema: {
        operationId: 'listCameraEvents',
        summary: 'What the camera did lately: publishers, viewers, pushes; in memory, oldest first',
        tags,
        params: NameParams,
        response: v1Responses({ 200: EventsSchema }, 400, 404, 503),
      },
    },
    async (request) => ({ items: await control.viewing.events(request.params.name) }),
  );

  app.put(
    '/v1/cameras/:name',
    {
      config: { scope: 'operate', conditional: true, ofAllNodes: true },
      schema: {
        operationId: 'declareCamera',
        summary: 'Make a camera what the body says; its pushes stay',
        tags,
        params: NameParams,
        body: DeclaredCamera,
        response: v1Responses({ 200: CameraViewSchema, 201: CameraViewSchema }, 400, 409, 413, 415, 503),
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      checkSameName(name, request.body.name);
      const input = { ...request.body, name };
      const { created, view } = await control.cameras.declare(input, request.headers.host, preconditionOf(request));
      if (created) reply.code(201).header('location', `/v1/cameras/${name}`);
      return all.changedCamera(request, view);
    },
  );

  app.patch(
    '/v1/cameras/:name',
    {
      config: { scope: 'operate', conditional: true, ofAllNodes: true },
      schema: {
        operationId: 'changeCamera',
        summary: 'Change what the body names of a camera; the rest stays',
        tags,
        params: NameParams,
        body: ChangedCamera,
        response: v1Responses({ 200: CameraViewSchema }, 400, 404, 409, 413, 415, 503),
      },
    },
    async (request) => {
      const { params, body, headers } = request;
      const view = await control.cameras.change(params.name, body, headers.host, preconditionOf(request));
      return all.changedCamera(request, view);
    },
  );

  app.post(
    // A double colon stands for one that begins no parameter.
    '/v1/cameras/:name/keys::rotate',
    {
      config: { scope: 'operate', conditional: true, ofAllNodes: true },
      schema: {
        operationId: 'rotateKeys',
        summary: 'Give a camera another publish key, which its endpoint then has; who publishes goes on',
        tags,
        params: NameParams,
        body: RotatedKeys,
        response: v1Responses({ 200: CameraViewSchema }, 400, 404, 409, 413, 415, 503),
      },
    },
    async (request) => {
      const { params, body, headers } = request;
      const view = await control.cameras.rotateKeys(params.name, body, headers.host, preconditionOf(request));
      return all.changedCamera(request, view);
    },
  );

  app.post(
    '/v1/cameras/:name/switch',
    {
      config: { scope: 'operate', atHolder: true },
      schema: {
        operationId: 'switchIngest',
        summary: 'Have the stream of a camera go on with another of its ingests, at a key frame; answered when it does',
        description:
          'It waits for the next key frame for three seconds at most. The ingest stays live until it fails, or until another switch is asked for.',
        tags,
        params: NameParams,
        body: optionalBody(SwitchedIngest),
        response: v1Responses({ 200: CameraViewSchema }, 400, 404, 409, 413, 415, 503),
      },
    },
    async (request) => control.cameras.switchIngest(request.params.name, request.body?.ingest, request.headers.host),
  );

  app.post(
    '/v1/cameras/:name/play-tokens',
    {
      config: { scope: 'operate' },
      schema: {
        operationId: 'addPlayToken',
        summary: 'Make a token that the camera can be played with until it ends; it cannot be taken back',
        tags,
        params: NameParams,
        body: NewPlayToken,
        response: v1Responses({ 201: PlayTokenSchema }, 400, 404, 409, 413, 415),
      },
    },
    async (request, reply) => {
      reply.code(201);
      const { params, body, headers, protocol, socket } = request;
      const http = control.viewing.hasFlv ? apiAddressOf({ protocol, socket }) : undefined;
      return control.cameras.playToken(params.name, body.seconds ?? 3600, headers.host, http);
    },
  );

  app.delete(
    '/v1/cameras/:name',
    {
      config: { scope: 'operate', conditional: true, ofAllNodes: true },
      schema: {
        operationId: 'removeCamera',
        summary: 'Forget a camera with its pushes; if it is live it is closed',
        tags,
        params: NameParams,
        response: v1Responses({ 204: NoContentSchema }, 400, 404, 503),
      },
    },
    async (request, reply) => {
      await control.cameras.remove(request.params.name, preconditionOf(request));
      return reply.code(204).send();
    },
  );
}

/** @throws InputError INVALID_REQUEST when a body names another thing than its path */
export function checkSameName(inPath: string, inBody: string | undefined, field: 'name' | 'id' = 'name'): void {
  if (inBody === undefined || inBody === inPath) return;
  const message = `${field}: the body says "${inBody}", the path "${inPath}"; it cannot be changed`;
  throw new InputError('INVALID_REQUEST', message, { field });
}
