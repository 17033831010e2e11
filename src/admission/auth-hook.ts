import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest, Agent as SecureAgent } from 'node:https';
import { messageOf } from '../errors.js';
import { setHeardTimeout } from '../process/standstill.js';
import type { HookQuestion } from './hook-question.js';
import { maxAsked } from './hook-queue.js';

/** The answer of an auth hook. `failed`: it gave no usable answer. */
export type HookVerdict =
  | { readonly kind: 'allowed' }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'failed'; readonly reason: string };

/** Maximum size of the body of an answer; above it the connection is closed. */
const maxBodyBytes = 64 << 10;

/**
 * An HTTP auth hook, called like `on_publish` and `on_play` of nginx-rtmp: a POST of form fields or JSON. 2xx allows and 4xx
 * refuses. 3xx refuses too: in nginx-rtmp it renames or relays a stream, which this program does not do. 5xx, and no answer
 * within the deadline, are failures.
 */
export class AuthHook {
  /** The URL from the settings, with its query. */
  readonly url: URL;
  readonly #timeoutMs: number;
  readonly #agent: Agent;

  /** @param url as the operator set it: http or https */
  constructor(url: string, timeoutMs: number) {
    this.url = new URL(url);
    this.#timeoutMs = timeoutMs;
    // One connection per call: the server might close an idle one at the moment it is used again.
    const options = { keepAlive: false, maxSockets: maxAsked };
    this.#agent = this.url.protocol === 'https:' ? new SecureAgent(options) : new Agent(options);
  }

  /** Never rejects. */
  ask({ contentType, body }: Pick<HookQuestion, 'contentType' | 'body'>): Promise<HookVerdict> {
    return new Promise((resolve) => {
      const send = this.url.protocol === 'https:' ? httpsRequest : httpRequest;
      const sent = send(this.url, {
        method: 'POST',
        agent: this.#agent,
        headers: {
          'content-type': contentType,
          'content-length': Buffer.byteLength(body),
        },
      });
      const timer = setHeardTimeout(() => {
        sent.destroy(new Error(`no answer within ${this.#timeoutMs} ms`));
      }, this.#timeoutMs);
      sent.once('response', (response) => {
        clearTimeout(timer);
        discard(response, this.#timeoutMs);
        resolve(verdictOf(response.statusCode ?? 0));
      });
      // This listener stays, since an error after the answer would otherwise be uncaught.
      sent.on('error', (error) => {
        clearTimeout(timer);
        resolve({ kind: 'failed', reason: messageOf(error) });
      });
      sent.end(body);
    });
  }

  /** Ends the calls in progress. */
  close(): void {
    this.#agent.destroy();
  }
}

function verdictOf(status: number): HookVerdict {
  if (status >= 200 && status <= 299) return { kind: 'allowed' };
  if (status >= 500) return { kind: 'failed', reason: `it answered ${status}` };
  const hint = status >= 300 && status <= 399 ? '; streams are neither renamed nor relayed here' : '';
  return { kind: 'refused', reason: `it answered ${status}${hint}` };
}

function discard(response: IncomingMessage, timeoutMs: number): void {
  let bytes = 0;
  const timer = setHeardTimeout(() => response.destroy(), timeoutMs);
  timer.unref();
  response.on('data', (data: Buffer) => {
    bytes += data.length;
    if (bytes > maxBodyBytes) response.destroy();
  });
  response.on('error', () => {});
  response.once('close', () => clearTimeout(timer));
}
