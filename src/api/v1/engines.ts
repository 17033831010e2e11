import type { Control } from '../../control/control.js';
import type { App } from '../app.js';
import { EngineViewSchema } from '../camera-schemas.js';
import type { CostlyCalls } from '../costly-calls.js';
import { preconditionOf } from '../preconditions.js';
import { NoContentSchema, pageSchema, v1Responses } from '../schemas.js';
import { checkSameName } from './cameras.js';
import { ChangedEngine, DeclaredEngine, NameParams, NewEngine, PageQuery } from './requests.js';

const tags = ['engines'];

export function addEngineRoutes(app: App, control: Control, costly: CostlyCalls): void {
  app.get(
    '/v1/engines',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'listEngines',
        summary: 'The registered streaming engines, by name',
        tags,
        querystring: PageQuery,
        response: v1Responses({ 200: pageSchema(EngineViewSchema) }, 400),
      },
    },
    async (request, reply) => costly.sendPage(request, reply, control.engines.listSteps(request.query)),
  );

  app.post(
    '/v1/engines',
    {
      config: { scope: 'operate' },
      schema: {
        operationId: 'addEngine',
        summary: 'Register a streaming engine; the same again changes nothing',
        tags,
        body: NewEngine,
        response: v1Responses({ 200: EngineViewSchema, 201: EngineViewSchema }, 400, 409, 413, 415, 503),
      },
    },
    async (request, reply) => {
      const { created, view } = await control.engines.add(request.body);
      if (created) reply.code(201).header('location', `/v1/engines/${view.name}`);
      return view;
    },
  );

  app.get(
    '/v1/engines/:name',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'getEngine',
        summary: 'One streaming engine',
        tags,
        params: NameParams,
        response: v1Responses({ 200: EngineViewSchema }, 400, 404),
      },
    },
    async (request) => {
      const { name } = request.params;
      await costly.turnFor(request, control.engines.pushCount(name));
      return control.engines.get(name);
    },
  );

  app.put(
    '/v1/engines/:name',
    {
      config: { scope: 'operate', conditional: true },
      schema: {
        operationId: 'declareEngine',
        summary: 'Make an engine what the body says; the pushes to it follow',
        tags,
        params: NameParams,
        body: DeclaredEngine,
        response: v1Responses({ 200: EngineViewSchema, 201: EngineViewSchema }, 400, 409, 413, 415, 503),
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      checkSameName(name, request.body.name);
      const { created, view } = await control.engines.declare({ ...request.body, name }, preconditionOf(request));
      if (created) reply.code(201).header('location', `/v1/engines/${name}`);
      return view;
    },
  );

  app.patch(
    '/v1/engines/:name',
    {
      config: { scope: 'operate', conditional: true },
      schema: {
        operationId: 'changeEngine',
        summary: 'Change what the body names of an engine; the pushes to it follow',
        tags,
        params: NameParams,
        body: ChangedEngine,
        response: v1Responses({ 200: EngineViewSchema }, 400, 404, 409, 413, 415, 503),
      },
    },
    async (request) => control.engines.change(request.params.name, request.body, preconditionOf(request)),
  );

  app.delete(
    '/v1/engines/:name',
    {
      config: { scope: 'operate', conditional: true },
      schema: {
        operationId: 'removeEngine',
        summary: 'Forget an engine that no push goes to',
        tags,
        params: NameParams,
        response: v1Responses({ 204: NoContentSchema }, 400, 404, 409, 503),
      },
    },
    async (request, reply) => {
      await control.engines.remove(request.params.name, preconditionOf(request));
      return reply.code(204).send();
    },
  );
}
