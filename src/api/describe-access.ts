import type { App } from './app.js';
import { usesProblems } from './errors.js';
import { accessResponses } from './schemas.js';

/** How callers authenticate, for the OpenAPI document. */
export const securitySchemes = {
  bearer: {
    type: 'http',
    scheme: 'bearer',
    description:
      "A token of the aggregator, or a JWT of the configured identity provider. Programs of the aggregator's own user on the same machine " +
      'need none to read and operate, unless api-auth is on. The roles named by each operation are the scopes read, operate and admin.',
  },
  query: {
    type: 'apiKey',
    in: 'query',
    name: 'token',
    description: 'The same, where no header can be sent: a ticket from POST /v1/session, or a token.',
  },
} as const;

/**
 * Adds to the description of every route that is registered from now on what the server as a whole asks and answers:
 * the routes themselves say their scope and what is special to them.
 */
export function describeAccess(app: App): void {
  app.addHook('onRoute', (route) => {
    const { schema, config, url } = route;
    if (schema === undefined || schema.hide === true) return;
    const scope = config?.scope ?? 'admin';
    const isPublic = scope === 'public';
    schema.security ??= isPublic ? [] : [{ bearer: [scope] }, { query: [scope] }];
    // Whatever the method, a body that is sent is read, because the content manager sends one with GET.
    const statuses = [400, 413, 415, 429];
    if (!isPublic) statuses.push(401, 403, 503);
    if (config?.conditional === true) statuses.push(412);
    if (url.includes(':')) statuses.push(414);
    const before = typeof schema.response === 'object' && schema.response !== null ? schema.response : {};
    schema.response = { ...accessResponses(usesProblems(url), statuses), ...before };
  });
}
