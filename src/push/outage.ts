import type { PushFailure } from './push-failure.js';

/**
 * One outage of a push, from when its target stopped taking media until it has taken it for a while again. What is seen at
 * each retry belongs to the same outage: neither a short success nor the next error begins another one, so its first
 * cause stays known.
 */
export class Outage {
  #sinceMs: number | null = null;
  #first: PushFailure | null = null;
  #last: PushFailure | null = null;

  /** Milliseconds since 1970; null: there is none. */
  get sinceMs(): number | null {
    return this.#sinceMs;
  }

  /** The error that it began with; null before the first. */
  get first(): PushFailure | null {
    return this.#first;
  }

  /** The newest error of it. */
  get last(): PushFailure | null {
    return this.#last;
  }

  /** The target takes nothing, and its connection is still there. */
  stalled(atMs: number): void {
    this.#sinceMs ??= atMs;
  }

  /** A connection, or an attempt to make one, failed. */
  failed(failure: PushFailure): void {
    this.#sinceMs ??= failure.atMs;
    this.#first ??= failure;
    this.#last = failure;
  }

  /** Media flows. One that only stalled is over; else it has to flow for a while. */
  flows(): void {
    if (this.#first === null) this.#sinceMs = null;
  }

  /** Media has flowed for a while, or the push is no longer wanted. */
  end(): void {
    this.#sinceMs = null;
    this.#first = this.#last = null;
  }
}

/**
 * Why it is down, where the last error alone does not say: a later one is often a consequence of the first.
 * @returns undefined: there is nothing to add
 */
export function causeOf({ first, last }: Pick<Outage, 'first' | 'last'>): string | undefined {
  if (first === null || last === null || first.code === last.code) return undefined;
  const began = `it began with ${first.code}: ${first.message}`;
  const holds = first.code === 'TARGET_STALLED' || first.code === 'TARGET_CLOSED' || first.code === 'TARGET_TIMEOUT';
  if (last.code === 'TARGET_PUBLISH_REJECTED' && holds) {
    return `${began}; the refusal may be a consequence: the target still holds the stream of the connection that broke`;
  }
  return `${began}; later errors may be consequences`;
}
