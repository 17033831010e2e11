import Type from 'typebox';
import type { Access, Caller } from '../../access/access.js';
import { scopes } from '../../access/scopes.js';
import { CodedError } from '../../errors.js';
import { NameSchema, TimeSchema } from '../../model/schema.js';
import type { App } from '../app.js';
import { NoContentSchema, v1Responses } from '../schemas.js';
import { NameParams } from './requests.js';

const tags = ['access'];
const closed = { additionalProperties: false };

const ScopeSchema = Type.String({
  enum: [...scopes],
  title: 'Scope',
  description: '`read` sees, `operate` changes cameras, pushes and engines as well, `admin` everything.',
});
const timeOrNull = Type.Union([TimeSchema, Type.Null()]);

const tokenFields = {
  name: NameSchema,
  id: Type.String({ description: 'A part of the token that is no secret.' }),
  scope: ScopeSchema,
  createdAt: TimeSchema,
  expiresAt: timeOrNull,
  lastUsedAt: Type.Union([TimeSchema, Type.Null()], { description: 'Since this aggregator runs; null: not yet.' }),
};
const TokenViewSchema = Type.Object(tokenFields, { title: 'Token', description: 'A token, without its secret.' });
const NewTokenViewSchema = Type.Object(
  { ...tokenFields, token: Type.String({ description: 'The token itself. It is shown here, and never again.' }) },
  { title: 'MadeToken', description: 'A token that was just made.' },
);
const NewToken = Type.Object(
  {
    name: NameSchema,
    scope: ScopeSchema,
    expiresAt: Type.Optional(
      Type.String({ ...TimeSchema, description: 'ISO 8601, UTC, in the future; without it, it does not end.' }),
    ),
  },
  { ...closed, title: 'NewToken' },
);
const SessionSchema = Type.Object(
  {
    caller: Type.String({
      enum: ['local', 'allowed', 'open', 'admin-token', 'token', 'jwt', 'ticket', 'node'],
      description: 'What the caller is known by; `open`: the API asks nobody (api-auth off).',
    }),
    name: Type.Union([Type.String(), Type.Null()]),
    scope: ScopeSchema,
    expiresAt: timeOrNull,
  },
  { title: 'Session' },
);
const TicketSchema = Type.Object(
  {
    token: Type.String({ description: 'For `?token=` in addresses that can have no header.' }),
    scope: ScopeSchema,
    expiresAt: TimeSchema,
  },
  { title: 'Ticket' },
);

/** Routes for the caller's own identity, tickets and tokens. */
export function addAccessRoutes(app: App, access: Access): void {
  app.get(
    '/v1/session',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'getSession',
        summary: 'Who the caller is, and what it may',
        tags,
        response: v1Responses({ 200: SessionSchema }),
      },
    },
    async (request) => {
      const { kind, name, scope, expiresMs } = callerOf(request.caller);
      return { caller: kind, name, scope, expiresAt: expiresMs === undefined ? null : timeOf(expiresMs) };
    },
  );

  app.post(
    '/v1/session',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'makeTicket',
        summary: 'A ticket for addresses that can have no header; it reads only, and holds for an hour',
        tags,
        response: v1Responses({ 200: TicketSchema }, 400, 413, 415),
      },
    },
    async (request) => {
      const { token, scope, expiresMs } = access.issueTicket(callerOf(request.caller));
      return { token, scope, expiresAt: timeOf(expiresMs) };
    },
  );

  app.get(
    '/v1/tokens',
    {
      config: { scope: 'admin' },
      schema: {
        operationId: 'listTokens',
        summary: 'The tokens, by name, without their secrets; all on one page',
        tags,
        response: v1Responses({ 200: Type.Object({ items: Type.Array(TokenViewSchema), next: Type.Null() }) }),
      },
    },
    async () => ({ items: access.tokens.list(), next: null }),
  );

  app.post(
    '/v1/tokens',
    {
      config: { scope: 'admin' },
      schema: {
        operationId: 'createToken',
        summary: 'Make a token; the answer is the only one that has its secret',
        tags,
        body: NewToken,
        response: v1Responses({ 201: NewTokenViewSchema }, 400, 409, 413, 415, 503),
      },
    },
    async (request, reply) => {
      const { name, scope, expiresAt } = request.body;
      const known = scopes.find((one) => one === scope) ?? 'read';
      const { view, token } = await access.tokens.create({ name, scope: known, expiresAt });
      reply.code(201).header('location', `/v1/tokens/${name}`);
      return { ...view, token };
    },
  );

  app.get(
    '/v1/tokens/:name',
    {
      config: { scope: 'admin' },
      schema: {
        operationId: 'getToken',
        summary: 'One token, without its secret',
        tags,
        params: NameParams,
        response: v1Responses({ 200: TokenViewSchema }, 400, 404),
      },
    },
    async (request) => access.tokens.get(request.params.name),
  );

  app.delete(
    '/v1/tokens/:name',
    {
      config: { scope: 'admin' },
      schema: {
        operationId: 'revokeToken',
        summary: 'Revoke a token; it stops working at once',
        tags,
        params: NameParams,
        response: v1Responses({ 204: NoContentSchema }, 400, 404, 503),
      },
    },
    async (request, reply) => {
      await access.tokens.revoke(request.params.name);
      return reply.code(204).send();
    },
  );
}

function callerOf(caller: Caller | null): Caller {
  if (caller === null) throw new CodedError('INTERNAL', 'nobody checked who makes this call');
  return caller;
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}
