import type { Scope } from '../access/scopes.js';
import type { App } from './app.js';

/** What a route requires of its callers: a scope, or nothing (`public`). */
export type RouteScope = Scope | 'public';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What callers must be allowed to do. A route without it takes `admin` callers only; a test finds it. */
    scope?: RouteScope;
    /** True: addresses of `--api-allow` need no token. For the calls of the content manager. */
    allowedAddresses?: boolean;
    /** True: it changes something although it is a GET. */
    changes?: boolean;
    /** True: `?playToken=` with a play token of the camera `:name` does instead. For what viewers watch. */
    playTokens?: boolean;
  }
}

/** A route and what it asks for, for the test that none was forgotten. */
export interface RouteAccess {
  readonly method: string;
  readonly url: string;
  readonly scope: RouteScope | undefined;
}

/** Collects what all routes that are registered from now on ask for; to be read when all are there. */
export function watchScopes(app: App): () => RouteAccess[] {
  const routes: { url: string; method: string | string[]; config?: { scope?: RouteScope } }[] = [];
  // A plugin may add the scope of its routes by a hook of its own, which runs after this one.
  app.addHook('onRoute', (route) => void routes.push(route));
  return () =>
    routes.flatMap(({ url, method, config }) =>
      [method].flat().map((one) => ({ method: one, url, scope: config?.scope })),
    );
}
