import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Caller } from '../../access/access.js';
import type { Scope } from '../../access/scopes.js';
import type { Control } from '../../control/control.js';
import { InputError } from '../../errors.js';
import type { App } from '../app.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** In a cluster the node answers that has the camera `:name`; with `?node=self` the one that is asked. */
    atHolder?: boolean;
    /** In a cluster the answer has parts of all nodes; with `?node=self`, that of this one alone. */
    ofAllNodes?: boolean;
    /** No GET, and nodes send it to each other: a change that is passed on to the node that it is about, or a long question. */
    passedOn?: boolean;
  }
  interface FastifyRequest {
    /** The node that is asked is to answer alone: another node asks, or a caller who wants to see this one. */
    isForSelf: boolean;
  }
}

export interface NodeAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly etag: string | undefined;
  readonly bytes: Buffer;
}

/** The APIs of the other nodes of the cluster. */
export interface OtherNodes {
  /** The ids of those that live, without this one. */
  readonly ids: readonly string[];
  /** @throws CodedError NODE_UNAVAILABLE */
  ask(
    node: string,
    request: {
      readonly method: string;
      readonly path: string;
      readonly scope: Scope;
      readonly body?: string | undefined;
      readonly headers?: Readonly<Record<string, string>>;
      readonly limitMs?: number | undefined;
    },
  ): Promise<NodeAnswer>;
  /** The body of an answer without an end. Nothing limits it but the signal. @throws CodedError NODE_UNAVAILABLE */
  follow(
    node: string,
    request: { readonly path: string; readonly scope: Scope; readonly signal: AbortSignal },
  ): Promise<ReadableStream<Uint8Array>>;
}

/** What a caller may do, a node may ask for it. */
export function scopeOf(caller: Caller | null): Scope {
  return caller?.scope ?? 'read';
}

/** Has calls about a camera answered by the node that has it. */
export function addOtherNodes(app: App, control: Control, others: () => OtherNodes | undefined): void {
  app.decorateRequest('isForSelf', false);
  app.addHook('onRequest', async (request) => {
    const { atHolder, ofAllNodes } = request.routeOptions.config;
    if (atHolder !== true && ofAllNodes !== true) return;
    request.isForSelf = takeSelf(request.query) || request.caller?.kind === 'node';
  });
  app.addHook('preHandler', async (request, reply) => {
    const { atHolder } = request.routeOptions.config;
    if (atHolder !== true || request.isForSelf) return undefined;
    const { params } = request;
    const name = typeof params === 'object' && params !== null && 'name' in params ? String(params.name) : '';
    const node = control.places.elsewhere(name);
    const nodes = node === undefined ? undefined : others();
    if (node === undefined || nodes === undefined) return undefined;
    return passOn(request, reply, nodes, node);
  });
}

/** How long another node may take for a change that is passed on: one that was made is not to be told as one that was not. */
const changeMs = 10_000;

/** Answers with what another node answers. @throws CodedError NODE_UNAVAILABLE */
export async function passOn(
  request: FastifyRequest,
  reply: FastifyReply,
  nodes: OtherNodes,
  node: string,
): Promise<FastifyReply> {
  const { method, url, body, caller } = request;
  // The token of the caller stays here.
  const path = new URL(url, 'http://node');
  path.searchParams.delete('token');
  path.searchParams.set('node', 'self');
  const condition = request.headers['if-none-match'];
  const answer = await nodes.ask(node, {
    method,
    path: `${path.pathname}${path.search}`,
    scope: scopeOf(caller),
    ...(body === undefined || body === null ? {} : { body: JSON.stringify(body) }),
    ...(method === 'GET' ? {} : { limitMs: changeMs }),
    ...(condition === undefined ? {} : { headers: { 'if-none-match': condition } }),
  });
  request.charge?.(answer.bytes.length / (256 * 1024));
  reply.code(answer.status).type(answer.contentType);
  if (answer.etag !== undefined) reply.header('etag', answer.etag);
  return reply.send(answer.bytes);
}

/** Takes `node=self` out of the query: schemas and handlers do not know of it. @throws InputError INVALID_REQUEST */
function takeSelf(query: unknown): boolean {
  if (typeof query !== 'object' || query === null || !Object.hasOwn(query, 'node')) return false;
  const value: unknown = Reflect.get(query, 'node');
  if (value !== 'self') {
    const message = `node: is ${JSON.stringify(value).slice(0, 80)}, but can only be "self": the node that is asked answers alone`;
    throw new InputError('INVALID_REQUEST', message, { field: 'node' });
  }
  Reflect.deleteProperty(query, 'node');
  return true;
}
