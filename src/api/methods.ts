import type { FastifyInstance } from 'fastify';

/** Which methods each path takes, for an answer that says more than "not found". */
export class MethodTable {
  readonly #routes: { readonly pattern: RegExp; readonly methods: Set<string> }[] = [];

  /** Collects all routes that are registered from now on. */
  watch(app: FastifyInstance): void {
    const byUrl = new Map<string, Set<string>>();
    app.addHook('onRoute', ({ url, method }) => {
      let methods = byUrl.get(url);
      if (methods === undefined) {
        methods = new Set();
        byUrl.set(url, methods);
        const escaped = url.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/:[A-Za-z]+/g, '[^/]+');
        this.#routes.push({ pattern: new RegExp(`^${escaped}$`), methods });
      }
      for (const one of [method].flat()) methods.add(one);
    });
  }

  /** The methods of this path, sorted; empty when there is no such path. */
  methodsOf(url: string): string[] {
    const path = url.split('?', 1)[0] ?? url;
    return this.#routes.flatMap(({ pattern, methods }) => (pattern.test(path) ? [...methods] : [])).sort();
  }
}
