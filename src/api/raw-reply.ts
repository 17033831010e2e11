import type { ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';

/**
 * Takes an answer out of Fastify's hands, for what has no end: its head is sent with these headers and those that hooks
 * have set (CORS and the like). Hooks that look at what is sent do not run for it.
 */
export function takeReply(
  reply: FastifyReply,
  status: number,
  headers: Readonly<Record<string, string>>,
): ServerResponse {
  reply.hijack();
  const response = reply.raw;
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (value !== undefined) response.setHeader(name, value);
  }
  // A client that goes away in the middle is no failure of this program.
  response.on('error', () => response.destroy());
  response.writeHead(status, { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', ...headers });
  return response;
}
