import { createServer, type Server } from 'node:http';
import { failureBody } from './errors.js';

/** Silent or large requests are not kept. */
const limits = { headersTimeout: 5000, requestTimeout: 5000, keepAliveTimeout: 1 };
const maxConnections = 200;

/**
 * Answers on the port of the API while the start waits for a disk: alive, not ready, and why. Nothing else is known yet, so
 * that every other call gets the same refusal, and nobody takes an aggregator that waits for one without cameras.
 */
export class StartingServer {
  readonly #server: Server;
  #isClosed = false;

  /** Listens at once; a port that cannot be had is left alone. @param why for callers: no paths */
  constructor(options: { readonly host: string; readonly port: number; readonly why: () => string }) {
    this.#server = createServer(limits, (request, response) => {
      const url = request.url ?? '/';
      if (/^\/healthz(?:\?|$)/.test(url)) {
        response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' });
        response.end(JSON.stringify({ status: 'ok' }));
        return;
      }
      const { type, text } = failureBody(url, { status: 503, code: 'START_WAITING', message: options.why() });
      response.writeHead(503, { 'content-type': type, 'retry-after': '5', connection: 'close' });
      response.end(text);
    });
    this.#server.maxConnections = maxConnections;
    // The start itself reports a problem with the port when it gets that far.
    this.#server.on('error', () => undefined);
    this.#server.listen({ host: options.host, port: options.port });
  }

  /** The port, once it listens; null before that, and where it cannot. */
  get port(): number | null {
    const address = this.#server.address();
    return address === null || typeof address === 'string' ? null : address.port;
  }

  /** Resolves when the port is free again. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }
}
