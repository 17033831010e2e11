import type { ErrorCode, TargetError } from '../errors.js';
import type { Logger } from '../log/log.js';

/** A failure that continues is logged again after this time. */
const againAfterMs = 600_000;

/**
 * Logs the state of a push without a line for each attempt: each kind of failure once, that it is active once, and
 * every ten minutes that it keeps failing. This starts again once the push was well for a while. The status and the
 * events have every attempt.
 */
export class FailureLog {
  readonly #log: Logger;
  /** Null: there was none. */
  #said: Set<ErrorCode> | null = null;
  #activeSaid = false;
  #saidAtMs = 0;
  #unsaid = 0;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Media flows. @param attempt the number of the attempt */
  active(attempt: number): void {
    if (this.#activeSaid) return;
    this.#activeSaid = true;
    this.#log.info('push is active', { attempt });
  }

  /** An attempt failed. True if a full line was written about it. */
  failed(error: TargetError, pauseMs: number, failures: number): boolean {
    const { code, message: reason } = error;
    const nowMs = performance.now();
    if (!this.#said?.has(code)) {
      this.#said ??= new Set();
      this.#said.add(code);
      this.#saidAtMs = nowMs;
      this.#log.warn('push failed; it will be retried', { code, reason, pauseMs });
      return true;
    }
    this.#unsaid++;
    if (nowMs - this.#saidAtMs > againAfterMs) {
      this.#saidAtMs = nowMs;
      this.#log.warn('push keeps failing', { code, reason, failures, pauseMs });
    }
    return false;
  }

  /** The push was well for a while, so the next failure counts as new. */
  well(): void {
    if (this.#unsaid > 0) this.#log.info('push has recovered', { failuresNotLogged: this.#unsaid });
    this.#said = null;
    this.#activeSaid = false;
    this.#unsaid = 0;
  }
}
