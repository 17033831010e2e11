import type { FastifyReply, FastifyRequest } from 'fastify';
import type Type from 'typebox';
import { RateLimitedError } from '../../access/access.js';
import { TargetTestSchema } from '../../backend/observed-push.js';
import type { Control } from '../../control/control.js';
import { FairGate, GateError } from '../../fairness/fair-gate.js';
import type { App } from '../app.js';
import { shareOf } from '../caller-share.js';
import { EventsSchema, PushViewSchema } from '../camera-schemas.js';
import type { CostlyCalls } from '../costly-calls.js';
import { preconditionOf } from '../preconditions.js';
import { NoContentSchema, pageSchema, v1Responses } from '../schemas.js';
import { checkSameName } from './cameras.js';
import type { ClusterCameras } from './cluster-cameras.js';
import { type OtherNodes, passOn } from './other-nodes.js';
import {
  ChangedPush,
  DeclaredPush,
  NameParams,
  NewPush,
  PushParams,
  PushQuery,
  TestedPush,
  TestedTarget,
} from './requests.js';

type PushPath = Type.Static<typeof PushParams>;

const tags = ['pushes'];

/** Tests of targets under way at once, each a connection of up to half a minute: in all, and of one caller. */
const testLimits = {
  ...{ atOnce: 16, atOncePerKey: 4 },
  ...{ waiting: 64, waitingPerKey: 16, longestWaitMs: 20_000 },
};
/** What a test costs of the caller's rate. */
const testUnits = 10;

export function addPushRoutes(
  app: App,
  control: Control,
  costly: CostlyCalls,
  all: ClusterCameras,
  others: () => OtherNodes | undefined,
): void {
  const tests = new FairGate(testLimits);
  app.addHook('preClose', async () => tests.close());
  /** The answer of the node that runs a push; undefined: it is this one. @throws CodedError NODE_UNAVAILABLE */
  const atRunner = async (request: FastifyRequest<{ Params: PushPath }>, reply: FastifyReply) => {
    const node = await all.runnerOf(request, request.params.name, request.params.id);
    const nodes = others();
    return node === undefined || nodes === undefined ? undefined : passOn(request, reply, nodes, node);
  };
  app.get(
    '/v1/cameras/:name/pushes',
    {
      config: { scope: 'read', ofAllNodes: true },
      schema: {
        operationId: 'listPushes',
        summary: 'The pushes of a camera, by id',
        tags,
        params: NameParams,
        querystring: PushQuery,
        response: v1Responses({ 200: pageSchema(PushViewSchema) }, 400, 404),
      },
    },
    async (request, reply) => {
      const { params, query } = request;
      if (all.nodesFor(request) === undefined) {
        return costly.sendPage(request, reply, control.pushes.listSteps(params.name, query));
      }
      return costly.sendPage(request, reply, control.pushes.pageOf(await all.pushes(request, params.name), query));
    },
  );

  app.post(
    '/v1/cameras/:name/pushes',
    {
      config: { scope: 'operate', ofAllNodes: true },
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
      const { created, view } = await control.pushes.add(name, request.body);
      if (created) reply.code(201).header('location', `/v1/cameras/${name}/pushes/${view.id}`);
      return all.changedPush(request, name, view);
    },
  );

  app.get(
    '/v1/cameras/:name/pushes/:id',
    {
      config: { scope: 'read', ofAllNodes: true },
      schema: {
        operationId: 'getPush',
        summary: 'One push',
        tags,
        params: PushParams,
        response: v1Responses({ 200: PushViewSchema }, 400, 404),
      },
    },
    async (request) => all.push(request, request.params.name, request.params.id),
  );

  app.put(
    '/v1/cameras/:name/pushes/:id',
    {
      config: { scope: 'operate', conditional: true, ofAllNodes: true },
      schema: {
        operationId: 'declarePush',
        summary: 'Make a push what the body says, its target too; no other push notices',
        tags,
        params: PushParams,
        body: DeclaredPush,
        response: v1Responses({ 200: PushViewSchema, 201: PushViewSchema }, 400, 404, 409, 413, 415, 503),
      },
    },
    async (request, reply) => {
      const { name, id } = request.params;
      checkSameName(id, request.body.id, 'id');
      const { created, view } = await control.pushes.declare(name, { ...request.body, id }, preconditionOf(request));
      if (created) reply.code(201).header('location', `/v1/cameras/${name}/pushes/${id}`);
      return all.changedPush(request, name, view);
    },
  );

  app.patch(
    '/v1/cameras/:name/pushes/:id',
    {
      config: { scope: 'operate', conditional: true, ofAllNodes: true },
      schema: {
        operationId: 'changePush',
        summary: 'Enable or disable a push, or change its budgets, without a break',
        tags,
        params: PushParams,
        body: ChangedPush,
        response: v1Responses({ 200: PushViewSchema }, 400, 404, 413, 415, 503),
      },
    },
    async (request) => {
      const { name, id } = request.params;
      return all.changedPush(
        request,
        name,
        await control.pushes.change(name, id, request.body, preconditionOf(request)),
      );
    },
  );

  app.get(
    '/v1/cameras/:name/pushes/:id/events',
    {
      config: { scope: 'read', ofAllNodes: true },
      schema: {
        operationId: 'listPushEvents',
        summary: 'What the push did lately: states, errors, RTMP commands, drops; in memory, oldest first',
        tags,
        params: PushParams,
        response: v1Responses({ 200: EventsSchema }, 400, 404, 503),
      },
    },
    async (request, reply) =>
      (await atRunner(request, reply)) ?? {
        items: [...(await control.viewing.events(request.params.name, request.params.id))],
      },
  );

  app.post(
    '/v1/cameras/:name/pushes/:id/retry',
    {
      config: { scope: 'operate', ofAllNodes: true, passedOn: true },
      schema: {
        operationId: 'retryPush',
        summary: 'Try a waiting push at once; any other is left as it is',
        tags,
        params: PushParams,
        response: v1Responses({ 200: PushViewSchema }, 400, 404, 413, 415, 503),
      },
    },
    async (request, reply) =>
      (await atRunner(request, reply)) ?? control.pushes.retry(request.params.name, request.params.id),
  );

  app.post(
    '/v1/targets::test',
    {
      config: { scope: 'operate' },
      schema: {
        operationId: 'testTarget',
        summary: 'Go the way to a URL step by step as a push would, up to the permission to publish; nothing is sent',
        tags,
        body: TestedTarget,
        response: v1Responses({ 200: TargetTestSchema }, 400, 413, 415),
      },
    },
    async (request) => {
      request.charge?.(testUnits);
      const leave = await tests.enter(shareOf(request)).catch(refuseTest);
      try {
        return await control.pushes.testUrl(request.body.url);
      } finally {
        leave();
      }
    },
  );

  app.post(
    // A double colon stands for one that begins no parameter.
    '/v1/cameras/:name/pushes::test',
    {
      config: { scope: 'operate' },
      schema: {
        operationId: 'testPush',
        summary: 'Go the way to a target step by step, up to the permission to publish; nothing is added or sent',
        tags,
        params: NameParams,
        body: TestedPush,
        response: v1Responses({ 200: TargetTestSchema }, 400, 404, 413, 415),
      },
    },
    async (request) => {
      request.charge?.(testUnits);
      const leave = await tests.enter(shareOf(request)).catch(refuseTest);
      try {
        return await control.pushes.test(request.params.name, request.body);
      } finally {
        leave();
      }
    },
  );

  app.delete(
    '/v1/cameras/:name/pushes/:id',
    {
      config: { scope: 'operate', conditional: true, ofAllNodes: true },
      schema: {
        operationId: 'removePush',
        summary: 'End a push; nothing else notices',
        tags,
        params: PushParams,
        response: v1Responses({ 204: NoContentSchema }, 400, 404, 503),
      },
    },
    async (request, reply) => {
      await control.pushes.remove(request.params.name, request.params.id, preconditionOf(request));
      return reply.code(204).send();
    },
  );
}

/** @throws RateLimitedError for who was turned away */
function refuseTest(error: unknown): never {
  if (!(error instanceof GateError)) throw error;
  throw new RateLimitedError(2000, 'too many tests of targets are under way; make one after the other');
}
