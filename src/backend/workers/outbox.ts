import type { Report } from './protocol.js';

/** Lines of the log that may wait for a supervisor that does not read; what is more is counted and left out. */
const maxWaitingLines = 5000;

/** Messages given to the channel that have not left: more wait here, where they can be summed up. */
const maxUnsent = 16;
/** Places that may be gaps before they are taken away. */
const compactAbove = 1024;

/**
 * What a worker has to say, gathered for the length of one turn of the event loop: one message on the channel for all of
 * it, in order. While the supervisor does not read (it is stopped, or busy), what was said before and is not true any
 * more is left out: of figures, states and loads the newest is kept for each camera, push and worker, so that what waits
 * is bounded by what there is. Lines of the log are left out, and counted, when too many wait.
 */
export class Outbox {
  readonly #send: (reports: readonly Report[], sent: () => void) => void;
  /** In order; null: it was overtaken. */
  #waiting: (Report | null)[] = [];
  #isScheduled = false;
  /** Messages given to the channel that have not left. */
  #unsent = 0;
  /** Where reports wait that newer ones overtake, by what they are about. */
  readonly #places = new Map<string, number>();
  #compactAt = compactAbove;
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
    this.#put(report);
    if (this.#isScheduled || this.#unsent >= maxUnsent) return;
    this.#schedule();
  }

  /** Sends what waits. @param done called when it has left */
  flush(done?: () => void): void {
    this.#isScheduled = false;
    const reports = this.#waiting.filter((report) => report !== null);
    this.#waiting = [];
    this.#places.clear();
    if (this.#linesLeftOut > 0 && this.#lines < maxWaitingLines) {
      const fields = { lines: this.#linesLeftOut };
      reports.push({ type: 'log', level: 'warn', message: 'the log was too slow; lines were dropped', fields });
      this.#lines++;
      this.#linesLeftOut = 0;
    }
    const lines = reports.filter(({ type }) => type === 'log').length;
    this.#unsent++;
    this.#send(reports, () => {
      this.#lines -= lines;
      this.#unsent--;
      done?.();
      if (this.#waiting.length > 0 && !this.#isScheduled) this.#schedule();
    });
  }

  /** In the place behind all others; what it overtakes is taken away. */
  #put(report: Report): void {
    const key = this.#unsent < maxUnsent ? undefined : subjectOf(report);
    if (key !== undefined) {
      const before = this.#places.get(key);
      if (before !== undefined) this.#waiting[before] = null;
      this.#places.set(key, this.#waiting.length);
    }
    this.#waiting.push(report);
    if (this.#waiting.length > this.#compactAt) this.#compact();
  }

  /** Takes the gaps away. */
  #compact(): void {
    this.#waiting = this.#waiting.filter((report) => report !== null);
    this.#places.clear();
    for (const [place, report] of this.#waiting.entries()) {
      const key = report === null ? undefined : subjectOf(report);
      if (key !== undefined) this.#places.set(key, place);
    }
    this.#compactAt = Math.max(compactAbove, 2 * this.#waiting.length);
  }

  #schedule(): void {
    this.#isScheduled = true;
    setImmediate(() => this.flush());
  }
}

/** What a report is the newest word of; undefined: each has to arrive. */
function subjectOf(report: Report): string | undefined {
  switch (report.type) {
    case 'load':
      return 'load';
    case 'seen':
      return `seen ${report.camera.name}`;
    case 'push':
      return `push ${report.camera} ${report.push.id}`;
    case 'live':
    case 'stopped':
      return `live ${report.camera}`;
    case 'condition':
      return `condition ${report.camera} ${report.condition.code}`;
    default:
      return undefined;
  }
}
