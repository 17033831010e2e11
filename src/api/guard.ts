import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Access, type Caller, RateLimitedError } from '../access/access.js';
import { RateLimiter } from '../access/rate-limit.js';
import { includesScope } from '../access/scopes.js';
import { addressKey } from '../address/plain-address.js';
import { CodedError } from '../errors.js';
import type { App } from './app.js';
import { callFacts, checkHead } from './request-head.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** The caller; null for public routes. */
    caller: Caller | null;
    /** False once the caller's token was revoked or has ended: for answers that have no end of their own. */
    mayGoOn(): boolean;
    /** Charges the caller's rate for the cost of a call; null: the caller is not limited. */
    charge: ((units: number) => void) | null;
  }
}

export interface GuardOptions {
  readonly access: Access;
  /** Calls a second from one address on another machine, ten times as many at once; 0: no limit. */
  readonly callsPerSecond: number;
  /** Whether a token is a play token of this camera, and valid now. */
  readonly isPlayToken: (camera: string, token: string) => boolean;
}

/**
 * A play token lets its holder watch its camera. An expired token cannot begin, but a viewer that already watches goes
 * on.
 */
const viewer: Caller = { kind: 'play-token', name: null, scope: 'read', parent: 'play-token' };

const burstSeconds = 10;

/** Checks for every call what its route requires of callers, before its body is read. */
export function addGuard(app: App, { access, callsPerSecond, isPlayToken }: GuardOptions): void {
  const limiter =
    callsPerSecond > 0
      ? new RateLimiter({ perSecond: callsPerSecond, burst: callsPerSecond * burstSeconds })
      : undefined;
  app.decorateRequest('caller', null);
  app.decorateRequest('charge', null);
  app.decorateRequest('mayGoOn', function (this: FastifyRequest) {
    return this.caller === null || access.isStillValid(this.caller);
  });
  app.addHook('onRequest', async (request, reply) => {
    // An incomplete or ambiguous head is refused before anything else is decided.
    const refusal = checkHead(request.raw);
    if (refusal !== undefined) {
      reply.header('connection', 'close');
      throw refusal;
    }
    const token = takeToken(request);
    const { config } = request.routeOptions;
    const playToken = config.playTokens === true ? takeFromQuery(request, 'playToken') : undefined;
    const isPublic = request.is404 || config.scope === 'public';
    const route = {
      token,
      takesAllowed: config.allowedAddresses === true,
      changes: config.changes === true || !['GET', 'HEAD', 'OPTIONS'].includes(request.method),
    };
    const call = await callFacts(request.raw, route, !isPublic && token === undefined && playToken === undefined);
    if (limiter !== undefined && access.isCounted(call)) {
      const key = addressKey(call.address);
      const waitMs = limiter.take(key);
      if (waitMs > 0) throw new RateLimitedError(waitMs, rateMessage(waitMs));
      request.charge = (units) => limiter.charge(key, units);
    }
    if (allowOrigin(request, reply, access.origins) === 'answered') return reply;
    // The paths are no secret: /openapi.json lists them.
    if (isPublic || config.scope === 'public') return;
    if (token === undefined && playToken !== undefined) {
      if (!isPlayToken(nameInPath(request), playToken)) {
        throw new CodedError(
          'UNAUTHENTICATED',
          'the play token is not valid: it is for another camera, or has expired',
        );
      }
      request.caller = viewer;
      return;
    }
    const needed = config.scope ?? 'admin';
    const caller = await access.identify(call).catch((error: unknown) => {
      if (error instanceof CodedError && error.code === 'UNAUTHENTICATED') challenge(reply, token);
      throw error;
    });
    if (!includesScope(caller.scope, needed)) {
      if (token === undefined) {
        challenge(reply, token);
        const message = `this call needs a token with the scope "${needed}", on the same machine too; "media-aggregator token" needs none there`;
        throw new CodedError('UNAUTHENTICATED', message);
      }
      const message = `this call needs the scope "${needed}", and the token has "${caller.scope}"`;
      throw new CodedError('FORBIDDEN', message);
    }
    if (caller.kind === 'node' && !isBetweenNodes(request)) {
      const message = 'the token of a node is for what nodes ask each other: of their cameras and of themselves';
      throw new CodedError('FORBIDDEN', message);
    }
    request.caller = caller;
  });
}

/** Whether nodes ask this of each other. A token of theirs is good for a minute, and shall make nothing that lasts. */
function isBetweenNodes({ method, routeOptions: { config } }: FastifyRequest): boolean {
  const isRead = method === 'GET' || method === 'HEAD';
  return config.atHolder === true || config.passedOn === true || (isRead && config.ofAllNodes === true);
}

/** The token of the header or of the query. */
function takeToken(request: FastifyRequest): string | undefined {
  const inQuery = takeFromQuery(request, 'token');
  const inHeader = /^bearer(?:\s+(.*))?$/i.exec(request.headers.authorization ?? '');
  return inHeader === null ? inQuery : (inHeader[1] ?? '');
}

/** A parameter of the query, from which it is taken away: schemas and handlers do not know of it. */
function takeFromQuery({ query }: FastifyRequest, name: string): string | undefined {
  if (typeof query !== 'object' || query === null || !Object.hasOwn(query, name)) return undefined;
  const value: unknown = Reflect.get(query, name);
  Reflect.deleteProperty(query, name);
  // Given twice it is a list, which is no token.
  return textOf(value) ?? '';
}

function nameInPath({ params }: FastifyRequest): string {
  return typeof params === 'object' && params !== null && 'name' in params ? String(params.name) : '';
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function rateMessage(waitMs: number): string {
  const seconds = Math.ceil(waitMs / 1000);
  return `too much came from this address: a call costs 1 unit, and long answers cost more by what they hold (docs/api.md); there is room again in ${seconds} s`;
}

/** RFC 6750 section 3. */
function challenge(reply: FastifyReply, token: string | undefined): void {
  const error = token === undefined ? '' : ', error="invalid_token"';
  reply.header('www-authenticate', `Bearer realm="media-aggregator"${error}`);
}

/** Cross-origin resource sharing, for the origins that were named; answers the questions that browsers ask before. */
function allowOrigin(
  request: FastifyRequest,
  reply: FastifyReply,
  origins: ReadonlySet<string>,
): 'answered' | undefined {
  if (origins.size === 0) return undefined;
  reply.header('vary', 'origin');
  const { origin } = request.headers;
  if (origin === undefined || !origins.has(origin.toLowerCase())) return undefined;
  reply.headers({
    'access-control-allow-origin': origin,
    'access-control-expose-headers': 'etag, location, retry-after, www-authenticate',
  });
  if (request.method !== 'OPTIONS' || request.headers['access-control-request-method'] === undefined) return undefined;
  reply.code(204).headers({
    'access-control-allow-methods': 'GET, HEAD, POST, PUT, PATCH, DELETE',
    'access-control-allow-headers': 'authorization, content-type, if-match, if-none-match, last-event-id',
    'access-control-max-age': '600',
  });
  reply.send();
  return 'answered';
}
