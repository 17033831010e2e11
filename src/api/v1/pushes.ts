import type { Control } from '../../control/control.js';
import type { App } from '../app.js';
import { NoContentSchema, PushViewSchema, pageSchema, v1Responses } from '../schemas.js';
import { ChangedPush, NameParams, NewPush, PageQuery, PushParams } from './requests.js';

const tags = ['pushes'];

export function addPushRoutes(app: App, control: Control): void {
  app.get(
    '/v1/cameras/:name/pushes',
    {
      schema: {
        operationId: 'listPushes',
        summary: 'The pushes of a camera, by id',
        tags,
        params: NameParams,
        querystring: PageQuery,
        response: v1Responses({ 200: pageSchema(PushViewSchema) }, 400, 404),
      },
    },
    async (request) => control.pushes(request.params.name, request.query),
  );

  app.post(
    '/v1/cameras/:name/pushes',
    {
      schema: {
        operationId: 'addPush',
        summary:
          'Redirect a camera to a URL or an engine, at once also while it is live; the same again changes nothing',
        tags,
        params: NameParams,
        body: NewPush,
        response: v1Responses({ 200: PushViewSchema, 201: PushViewSchema }, 400, 404, 409, 413, 415, 503),
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const { created, view } = await control.addPush(name, request.body);
      if (created) reply.code(201).header('location', `/v1/cameras/${name}/pushes/${view.id}`);
      return view;
    },
  );

  app.get(
    '/v1/cameras/:name/pushes/:id',
    {
      schema: {
        operationId: 'getPush',
        summary: 'One push',
        tags,
        params: PushParams,
        response: v1Responses({ 200: PushViewSchema }, 400, 404),
      },
    },
    async (request) => control.push(request.params.name, request.params.id),
  );

  app.patch(
    '/v1/cameras/:name/pushes/:id',
    {
      schema: {
        operationId: 'changePush',
        summary: 'Enable or disable a push',
        tags,
        params: PushParams,
        body: ChangedPush,
        response: v1Responses({ 200: PushViewSchema }, 400, 404, 413, 415, 503),
      },
    },
    async (request) => control.setPushEnabled(request.params.name, request.params.id, request.body.enabled),
  );

  app.delete(
    '/v1/cameras/:name/pushes/:id',
    {
      schema: {
        operationId: 'removePush',
        summary: 'End a push; nothing else notices',
        tags,
        params: PushParams,
        response: v1Responses({ 204: NoContentSchema }, 400, 404, 503),
      },
    },
    async (request, reply) => {
      await control.removePush(request.params.name, request.params.id);
      return reply.code(204).send();
    },
  );
}
