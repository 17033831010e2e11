import { existsSync } from 'node:fs';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { App } from './app.js';

/**
 * What the pages may do: run, show and fetch what comes from here, and nothing else. `blob:` is for the player (Media
 * Source Extensions) and for stills, `data:` for the pictures of the style sheet.
 */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "media-src 'self' blob:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Names of files under `assets/` hold a digest of what is in them. */
const foreverSeconds = 365 * 24 * 60 * 60;

/**
 * Serves the dashboard at `/`: exactly the files that are in `folder` now, each by a route of its own, compressed where
 * the build laid a compressed one beside it. They need no token: they hold nothing of this node.
 */
export async function addDashboard(app: App, folder: string): Promise<void> {
  if (!existsSync(join(folder, 'index.html'))) return;
  await app.register(async (scope) => {
    scope.addHook('onRoute', (route) => {
      route.config = { ...route.config, scope: 'public' };
    });
    scope.addHook('onSend', async (request, reply) => {
      const isForever = reply.statusCode < 300 && request.url.startsWith('/assets/');
      reply.headers({
        'cache-control': isForever ? `public, max-age=${foreverSeconds}, immutable` : 'no-cache',
        'content-security-policy': contentSecurityPolicy,
        'referrer-policy': 'no-referrer',
        'cross-origin-opener-policy': 'same-origin',
        'x-frame-options': 'DENY',
      });
    });
    scope.addHook('onRoute', (route) => {
      route.config = { ...route.config, scope: 'public' };
    });
    await scope.register(fastifyStatic, {
      root: folder,
      wildcard: false,
      preCompressed: true,
      globIgnore: ['**/*.br', '**/*.gz'],
      cacheControl: false,
      decorateReply: false,
    });
  });
}
