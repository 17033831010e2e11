import type { ErrorCode } from '../errors.js';

/** Who refuses the application or the key does not change his mind in a quarter of a second. */
const refusedRetryMinMs = 2000;

/** Which failures only a person mends: a wrong application, name, key or port. */
const refusals: ReadonlySet<ErrorCode> = new Set([
  'TARGET_CONNECT_REJECTED',
  'TARGET_PUBLISH_REJECTED',
  'TARGET_UNSUPPORTED',
  'TARGET_TLS',
  'TARGET_FLOOD',
]);

/**
 * What stays as it is until somebody changes a setting, a certificate, a password or a name's address: no fast tries at
 * all. Who tries a wrong password every other second is locked out by some targets.
 */
const slow: ReadonlySet<ErrorCode> = new Set(['TARGET_FORBIDDEN', 'TARGET_TLS_CERTIFICATE', 'TARGET_AUTH']);

/**
 * Pauses between tries: doubling from a minimum to a maximum, each a quarter longer or shorter by chance, so that the
 * pushes of a target that died do not come back all at once.
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

  /** Notes a failure and returns the pause before the next try, milliseconds. */
  pauseMs(code: ErrorCode): number {
    const refusedMs = Math.min(Math.max(refusedRetryMinMs, this.#minMs), this.#maxMs);
    const minMs = slow.has(code) ? this.#maxMs : refusals.has(code) ? refusedMs : this.#minMs;
    const nominalMs = Math.min(this.#maxMs, minMs * 2 ** Math.min(this.#failures, 30));
    this.#failures++;
    return Math.round(Math.min(this.#maxMs, nominalMs * (0.75 + Math.random() / 2)));
  }

  /** Goes on as behind so many failures, where there were more. */
  rewind(failures: number): void {
    this.#failures = Math.min(this.#failures, failures);
  }

  reset(): void {
    this.#failures = 0;
  }
}
