import type { ErrorCode, TargetError } from '../errors.js';
import type { Logger } from '../log/log.js';

/** What goes on failing is told of again after this long. */
const againAfterMs = 600_000;

/**
 * Says in the log how a push fares, without a line for each try: each way of failing once, that it is active once, and
 * every ten minutes that it goes on failing; from the beginning again once it was well for a while. All of it is in the
 * status and the events.
 */
export class FailureLog {
  readonly #log: Logger;
  readonly #said = new Set<ErrorCode>();
  #activeSaid = false;
  #saidAtMs = 0;
  #unsaid = 0;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Media flows. @param attempt which try that is */
  active(attempt: number): void {
    if (this.#activeSaid) return;
    this.#activeSaid = true;
    this.#log.info('push is active', { attempt });
  }

  /** A try failed. True when that was said, and not as one of many. */
  failed(error: TargetError, pauseMs: number, failures: number): boolean {
    const { code, message: reason } = error;
    const nowMs = performance.now();
    if (!this.#said.has(code)) {
      this.#said.add(code);
      this.#saidAtMs = nowMs;
      this.#log.warn('push failed; tries again', { code, reason, pauseMs });
      return true;
    }
    this.#unsaid++;
    if (nowMs - this.#saidAtMs > againAfterMs) {
      this.#saidAtMs = nowMs;
      this.#log.warn('push goes on failing', { code, reason, failures, pauseMs });
    }
    return false;
  }

  /** It was well for a while: what comes is new. */
  well(): void {
    if (this.#unsaid > 0) this.#log.info('push is well again', { failuresNotLogged: this.#unsaid });
    this.#said.clear();
    this.#activeSaid = false;
    this.#unsaid = 0;
  }
}
