import type { App } from './app.js';

/** For answers that are not pages: they load nothing, may not be framed, and browsers must not guess another type. */
const defaults: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

/** A route that knows better sets its own. */
export function addSecurityHeaders(app: App): void {
  app.addHook('onSend', async (_, reply) => {
    for (const [name, value] of Object.entries(defaults)) if (!reply.hasHeader(name)) reply.header(name, value);
  });
}
