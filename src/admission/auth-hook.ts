import { Agent } from 'node:http';
import { Agent as SecureAgent } from 'node:https';
import { messageOf } from '../errors.js';
import { post } from '../net/post.js';
import type { HookQuestion } from './hook-question.js';
import { maxAsked } from './hook-queue.js';

/** The answer of an auth hook. `failed`: it gave no usable answer. */
export type HookVerdict =
  | { readonly kind: 'allowed' }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'failed'; readonly reason: string };

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
  async ask({ contentType, body }: Pick<HookQuestion, 'contentType' | 'body'>): Promise<HookVerdict> {
    const options = { contentType, body, timeoutMs: this.#timeoutMs, agent: this.#agent };
    try {
      return verdictOf(await post(this.url, options));
    } catch (error) {
      return { kind: 'failed', reason: messageOf(error) };
    }
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
