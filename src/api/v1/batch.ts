import type { FastifyRequest } from 'fastify';
import { RateLimitedError } from '../../access/access.js';
import type { BatchItem, BatchResult } from '../../control/batch-control.js';
import type { Control } from '../../control/control.js';
import { CodedError, InputError } from '../../errors.js';
import { FairGate, GateError } from '../../fairness/fair-gate.js';
import { Stretch } from '../../fairness/stretch.js';
import { cleanText } from '../../log/pino.js';
import type { BatchChange } from '../../model/batch.js';
import type { App } from '../app.js';
import { shareOf } from '../caller-share.js';
import type { CostlyCalls } from '../costly-calls.js';
import { refusalOf } from '../errors.js';
import { v1Responses } from '../schemas.js';
import { compilePart, type PartValidator } from '../validation.js';
import {
  BatchBody,
  BatchResultSchema,
  batchBodyLimitBytes,
  changeSchemas,
  maxChanges,
  maxEngineChanges,
} from './batch-schemas.js';

/** Large bodies that are handled at once: in all, and of one caller. */
const limits = {
  ...{ atOnce: 4, atOncePerKey: 1 },
  ...{ waiting: 32, waitingPerKey: 8, longestWaitMs: 10_000 },
};

/** This many changes are charged as one call. */
const changesPerUnit = 50;

declare module 'fastify' {
  interface FastifyRequest {
    /** Lets the next batch in; null outside of one. */
    leaveBatch: (() => void) | null;
  }
}

/** Many changes in one call and one commit. */
export function addBatchRoute(app: App, control: Control, costly: CostlyCalls): void {
  const gate = new FairGate(limits);
  const validators = new Map<string, PartValidator>(
    Object.entries(changeSchemas).map(([operation, schema]) => [operation, compilePart(schema, 'body')]),
  );
  app.addHook('preClose', async () => gate.close());
  app.decorateRequest('leaveBatch', null);
  app.post(
    // A double colon stands for one that begins no parameter.
    '/v1/cameras::batch',
    {
      config: { scope: 'operate' },
      bodyLimit: batchBodyLimitBytes,
      // Nothing of the body is read before there is room for it.
      preParsing: async (request, reply, payload) => {
        const leave = await gate.enter(shareOf(request)).catch(refuse);
        reply.raw.once('close', leave);
        if (reply.raw.destroyed) leave();
        request.leaveBatch = leave;
        return payload;
      },
      schema: {
        operationId: 'batchChange',
        summary: 'Make many changes of cameras, pushes and engines in one commit',
        tags: ['cameras'],
        body: BatchBody,
        response: v1Responses({ 200: BatchResultSchema }, 400, 404, 409, 412, 413, 415, 503),
      },
    },
    async (request, reply) => {
      const { changes, dryRun = false, mode } = request.body;
      const items = await itemsOf(changes, validators);
      request.charge?.(items.length / changesPerUnit);
      const result = await control.batch.run(items, { mode: mode === 'each' ? 'each' : 'all', isDry: dryRun });
      request.leaveBatch?.();
      const pieces = resultPieces(items, result, { dryRun, endpoints: endpointsFor(control, request, result) });
      return costly.send(request, reply, 'application/json; charset=utf-8', pieces);
    },
  );
}

/** The changes, each checked by the schema of its operation; in stretches, since they may be tens of thousands. */
async function itemsOf(
  changes: readonly unknown[],
  validators: ReadonlyMap<string, PartValidator>,
): Promise<BatchItem[]> {
  const stretch = new Stretch();
  const items: BatchItem[] = [];
  let count = 0;
  let engines = 0;
  for (const change of changes) {
    const item = itemOf(change, validators);
    items.push(item);
    if (!(item instanceof CodedError)) {
      count += 1 + ('body' in item && 'pushes' in item.body ? (item.body.pushes?.length ?? 0) : 0);
      engines += 'engine' in item ? 1 : 0;
    }
    if (stretch.isOver) await stretch.rest();
  }
  const [found, max, what] =
    engines > maxEngineChanges ? [engines, maxEngineChanges, 'changes of engines'] : [count, maxChanges, 'changes'];
  if (found <= max) return items;
  const message = `changes: ${found} ${what} are more than the ${max} that one call may have; make several calls`;
  throw new InputError('INVALID_REQUEST', message, { field: 'changes' });
}

function itemOf(change: unknown, validators: ReadonlyMap<string, PartValidator>): BatchItem {
  const operation: unknown =
    typeof change === 'object' && change !== null ? Reflect.get(change, 'operation') : undefined;
  const validate = typeof operation === 'string' ? validators.get(operation) : undefined;
  if (validate === undefined) {
    const message = `operation: must be one of ${[...validators.keys()].join(', ')}`;
    return new InputError('INVALID_REQUEST', message, { field: 'operation' });
  }
  const checked = validate(change);
  if ('value' in checked) return checked.value as BatchChange;
  return checked.error instanceof CodedError ? checked.error : new InputError('INVALID_REQUEST', checked.error.message);
}

type EndpointsOf = (camera: string) => object;

/** Where cameras that were added publish to, as the answer to one alone says. */
function endpointsFor(control: Control, request: FastifyRequest, { state }: BatchResult): EndpointsOf {
  const host = control.cameras.advertisedHost(request.headers.host);
  return (name) => {
    const camera = state.cameras.get(name);
    return camera === undefined ? {} : control.cameras.endpointsOf(camera, host);
  };
}

function* resultPieces(
  items: readonly BatchItem[],
  { results, failed }: BatchResult,
  { dryRun, endpoints }: { dryRun: boolean; endpoints: EndpointsOf },
): Generator<string, void> {
  const errors = new Map(failed.map(({ index, error }) => [index, error]));
  let unchanged = 0;
  for (const { outcome, pushes = [] } of results.values()) {
    if (outcome === 'unchanged' && pushes.every((push) => push.outcome === 'unchanged')) unchanged += 1;
  }
  const counts = { changed: results.size - unchanged, unchanged, failed: failed.length, dryRun };
  yield `${JSON.stringify(counts).slice(0, -1)},"results":[`;
  let separator = '';
  for (const [index, item] of items.entries()) {
    const error = errors.get(index);
    const result = results.get(index);
    const about = error === undefined ? aboutOf(item, endpoints, dryRun) : nameOf(item);
    yield separator + JSON.stringify({ ...about, ...(error === undefined ? result : failureOf(error)) });
    separator = ',';
  }
  yield ']}';
}

function aboutOf(item: BatchItem, endpoints: EndpointsOf, dryRun: boolean): object {
  const names = nameOf(item);
  if (item instanceof CodedError || dryRun) return names;
  const isAdded = item.operation === 'addCamera' || item.operation === 'declareCamera';
  return isAdded ? { ...names, ...endpoints(item.camera) } : names;
}

function nameOf(item: BatchItem): object {
  if (item instanceof CodedError) return {};
  if ('engine' in item) return { engine: item.engine };
  return { camera: item.camera, ...('push' in item ? { push: item.push } : {}) };
}

function failureOf(error: CodedError): object {
  const { status, code, message, field } = refusalOf(error);
  return {
    outcome: 'failed',
    error: { status, code, detail: cleanText(message), ...(field === undefined ? {} : { field }) },
  };
}

/** @throws RateLimitedError for who was turned away */
function refuse(error: unknown): never {
  if (!(error instanceof GateError)) throw error;
  throw new RateLimitedError(2000, 'batches of this caller are under way; make one after the other');
}
