import type { FastifyRequest } from 'fastify';
import Type from 'typebox';
import type { Control } from '../control/control.js';
import type { Precondition } from '../control/entity-tags.js';
import type { App } from './app.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** True: the route looks at `If-Match` and `If-None-Match`, by `preconditionOf`. */
    conditional?: boolean;
  }
}

const ConditionHeaders = Type.Object({
  'if-match': Type.Optional(
    Type.String({
      maxLength: 1000,
      description: 'Entity tags; 412 unless what is changed has one of them, or for `*` exists.',
    }),
  ),
  'if-none-match': Type.Optional(Type.String({ maxLength: 1000, description: '`*`: 412 if it exists already.' })),
});

/** What a request says of the thing that it changes. */
export function preconditionOf({ headers }: FastifyRequest): Precondition {
  return { ifMatch: headers['if-match'], ifNoneMatch: headers['if-none-match'] };
}

/** Answers tell the entity tag of what they show; conditional routes that are registered from now on are described. */
export function addPreconditions(app: App, control: Control): void {
  app.addHook('preSerialization', async (_, reply, payload: unknown) => {
    const tag = typeof payload === 'object' && payload !== null ? control.tags.ofView(payload) : undefined;
    if (tag !== undefined) reply.header('etag', tag);
    return payload;
  });
  app.addHook('onRoute', ({ config, schema }) => {
    if (config?.conditional === true && schema !== undefined) schema.headers ??= ConditionHeaders;
  });
}
