import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest, Agent as SecureAgent } from 'node:https';
import { messageOf } from '../errors.js';
import { setHeardTimeout } from '../process/standstill.js';
import type { HookQuestion } from './hook-question.js';
import { maxAsked } from './hook-queue.js';

/** What a back end said: yes, no with the reason, or nothing that could be taken for either. */
export type HookVerdict =
  | { readonly kind: 'allowed' }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'failed'; readonly reason: string };

/** What is read of an answer before its connection is cut. */
const maxBodyBytes = 64 << 10;

/**
 * Asks an HTTP back end, as nginx-rtmp's `on_publish` and `on_play` do: a POST (of form fields, or of JSON). 2xx allows; 4xx refuses,
 * and so does 3xx, which renames or relays a stream there and is not followed here; 5xx and no answer within the
 * deadline are failures.
 */
export class AccessHook {
  /** Where it is; its query is the operator's. */
  readonly url: URL;
  readonly #timeoutMs: number;
  readonly #agent: Agent;

  /** @param url as the operator set it: http or https */
  constructor(url: string, timeoutMs: number) {
    this.url = new URL(url);
    this.#timeoutMs = timeoutMs;
    // A connection each: one that is kept may be closed by the far side just as it is used again.
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
      // Stays: what fails after the answer must not be nobody's.
      sent.on('error', (error) => {
        clearTimeout(timer);
        resolve({ kind: 'failed', reason: messageOf(error) });
      });
      sent.end(body);
    });
  }

  /** Ends what is under way. */
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
