import type { Report } from './protocol.js';

/** Lines of the log that may wait for a supervisor that does not read; what is more is counted and left out. */
const maxWaitingLines = 5000;

/**
 * What a worker has to say, gathered for the length of one turn of the event loop: one message on the channel for all of
 * it, in order. All but the log is bounded by what it tells of; lines of the log are left out when too many wait.
 */
export class Outbox {
  readonly #send: (reports: readonly Report[], sent: () => void) => void;
  #waiting: Report[] = [];
  #isScheduled = false;
  /** Lines given to the channel, or waiting, that have not left. */
  #lines = 0;
  #linesLeftOut = 0;

  /** @param send gives reports to the channel, and calls `sent` when they have left */
  constructor(send: (reports: readonly Report[], sent: () => void) => void) {
    this.#send = send;
  }

  add(report: Report): void {
    if (report.type === 'log') {
      if (this.#lines >= maxWaitingLines) {
        this.#linesLeftOut++;
        return;
      }
      this.#lines++;
    }
    this.#waiting.push(report);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.flush());
  }

  /** Sends what waits. @param done called when it has left */
  flush(done?: () => void): void {
    this.#isScheduled = false;
    const reports = this.#waiting;
    this.#waiting = [];
    if (this.#linesLeftOut > 0 && this.#lines < maxWaitingLines) {
      const fields = { lines: this.#linesLeftOut };
      reports.push({ type: 'log', level: 'warn', message: 'the log was too slow; lines were left out', fields });
      this.#lines++;
      this.#linesLeftOut = 0;
    }
    const lines = reports.filter(({ type }) => type === 'log').length;
    this.#send(reports, () => {
      this.#lines -= lines;
      done?.();
    });
  }
}
