import type { ErrorCode } from '../errors.js';

/** A target that refuses the application or the key does not change its decision within a quarter of a second. */
const refusedRetryMinMs = 2000;

/** Failures that only a person can correct: a wrong application, name, key or port. */
const refusals: ReadonlySet<ErrorCode> = new Set([
  'TARGET_CONNECT_REJECTED',
  'TARGET_PUBLISH_REJECTED',
  'TARGET_UNSUPPORTED',
  'TARGET_TLS',
  'TARGET_FLOOD',
  'SOURCE_NOT_FOUND',
  'SOURCE_PROTOCOL',
  'SOURCE_PROGRAM',
]);

/**
 * Failures that last until somebody changes a setting, a certificate, a password or a DNS record. They get no fast
 * retries, because some targets lock out a client that keeps sending a wrong password.
 */
const slow: ReadonlySet<ErrorCode> = new Set([
  ...(['TARGET_FORBIDDEN', 'TARGET_TLS_CERTIFICATE', 'TARGET_AUTH', 'TARGET_CODEC'] as const),
  ...(['SOURCE_FORBIDDEN', 'SOURCE_TLS', 'SOURCE_AUTH', 'SOURCE_CODEC', 'SOURCE_UNSUPPORTED'] as const),
]);

/**
 * Pauses between attempts. They double from a minimum to a maximum, and each is up to 25 % longer or shorter at random,
 * so that the pushes of a failed target do not all return at once.
 */
export class Backoff {
  readonly #minMs: number;
  readonly #maxMs: number;
  #failures = 0;

  constructor(minMs: number, maxMs: number) {
    this.#minMs = minMs;
    this.#maxMs = maxMs;
  }

  /** Failures in a row. */
  get failures(): number {
    return this.#failures;
  }

  /** Notes a failure, and returns the pause before the next attempt, milliseconds. */
  pauseMs(code: ErrorCode): number {
    const refusedMs = Math.min(Math.max(refusedRetryMinMs, this.#minMs), this.#maxMs);
    const minMs = slow.has(code) ? this.#maxMs : refusals.has(code) ? refusedMs : this.#minMs;
    const nominalMs = Math.min(this.#maxMs, minMs * 2 ** Math.min(this.#failures, 30));
    this.#failures++;
    return Math.round(Math.min(this.#maxMs, nominalMs * (0.75 + Math.random() / 2)));
  }

  /** Continues as after this many failures, if there were more. */
  rewind(failures: number): void {
    this.#failures = Math.min(this.#failures, failures);
  }

  reset(): void {
    this.#failures = 0;
  }
}
