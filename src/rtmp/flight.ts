import { heardMs } from '../process/standstill.js';
import type { SendTimes } from './send-times.js';

/** Rates older than this count little: links change. */
const memoryMs = 3000;

/** What may be under way at least, behind what a target takes before it tells of it. */
const smallestSlackBytes = 32 * 1024;

/** If no news arrives for longer than this while bytes are held back for it, the absence proves nothing. */
const patienceMs = 3000;

/** The first news of a byte that was written so long ago say how fast the target is; later ones say it better. */
const oldMs = 200;

/** A target for which nothing had to wait for this long keeps up. */
const keptUpMs = 10_000;

/** The share of the budgets for bytes in flight; the rest is for bytes that wait in the stream's log. */
const share = 0.5;

export interface FlightBudget {
  /** Bytes that may wait for the target in all. */
  readonly queueMaxBytes: number;
  /** How old the oldest of them may become, milliseconds. */
  readonly queueMaxAgeMs: number;
}

/**
 * What is under way to a target: bytes that were written and are not known to have arrived, in the kernel's buffer, the
 * network's and the target's own. It is queue as much as what waits in the stream's log, only that nothing of it can be
 * left out any more. So as soon as the target, by its own news, is seen to take bytes more slowly than they come, no more
 * is written ahead of it than it takes in half of the budget of age.
 *
 * News are what the target acknowledges, or where it does not, what the kernel tells. Who keeps up is never held back:
 * only an interval at whose beginning all that it took had been written already tells how fast the target is. No time counts
 * in which this process stood still.
 */
export class Flight {
  readonly #times: SendTimes;
  #budget: FlightBudget;
  #arrived = 0;
  /** Bytes that lie before what the news say, as far as that was found out: not all count the same. */
  #uncounted = 0;
  /** What the target takes, at most, before it tells of it. */
  #stepBytes = 0;
  #hasNews = false;
  #newsMs = 0;
  #longestPauseMs = 0;
  /** How much had been written when the last news came. */
  #writtenAtNews = 0;
  #busyAtMs = 0;
  #busyBytes = 0;
  #busyMs = 0;
  #limitBytes = Number.POSITIVE_INFINITY;

  constructor(times: SendTimes, budget: FlightBudget) {
    this.#times = times;
    this.#budget = budget;
  }

  setBudget(budget: FlightBudget): void {
    this.#budget = budget;
    this.#reckon();
  }

  /** Bytes that the target takes in a second while some wait for it; null while it keeps up, or nothing is known. */
  get bytesPerSecond(): number | null {
    return this.#busyMs === 0 ? null : (this.#busyBytes / this.#busyMs) * 1000;
  }

  /** True when more was written than may be under way. */
  isOver(written: number): boolean {
    return written > this.limitPosition;
  }

  /** Up to where may be written; infinite while the target keeps up. */
  get limitPosition(): number {
    return this.#limitBytes + this.#arrived + this.#uncounted;
  }

  /** True when there is room again for more than a little. */
  hasRoom(written: number): boolean {
    return this.#under(written) <= this.#limitBytes * 0.75 || this.#limitBytes === Number.POSITIVE_INFINITY;
  }

  /** Bytes that certainly have not arrived. @param written all that were written so far */
  bytes(written: number): number {
    return this.#hasNews ? Math.max(0, Math.round(this.#under(written) - this.#stepBytes)) : 0;
  }

  /** Milliseconds since the oldest byte was written that certainly has not arrived; 0 when there is none. */
  ageMs(written: number, nowMs: number): number {
    if (this.bytes(written) === 0) return 0;
    const sinceMs = this.#times.after(this.#arrived + this.#uncounted + this.#stepBytes);
    return sinceMs === undefined ? 0 : Math.max(0, heardMs(sinceMs, nowMs));
  }

  /** Milliseconds that what is under way will take to arrive at most, as the target goes; 0 while it keeps up. */
  delayMs(written: number): number {
    const rate = this.bytesPerSecond;
    return rate === null || rate === 0 ? 0 : (Math.max(0, this.#under(written)) / rate) * 1000;
  }

  /**
   * Notes that all bytes up to `arrived` are there. @param stepBytes how many come at most before such news
   */
  news(arrived: number, written: number, stepBytes: number, nowMs: number): void {
    if (this.#hasNews && arrived <= this.#arrived) return;
    this.#stepBytes = stepBytes;
    const before = this.#hasNews ? this.#arrived : 0;
    const sinceMs = this.#hasNews ? this.#newsMs : this.#firstMs(nowMs);
    const wasBusy = this.#hasNews ? arrived <= this.#writtenAtNews : this.#isOld(arrived, nowMs);
    const elapsedMs = heardMs(sinceMs, nowMs);
    if (this.#hasNews) this.#longestPauseMs = Math.max(elapsedMs, this.#longestPauseMs * 0.9);
    const rate = this.bytesPerSecond;
    if (wasBusy) {
      this.#sample(arrived - before, elapsedMs);
      this.#busyAtMs = nowMs;
    } else if (rate !== null && ((arrived - before) * 1000) / Math.max(1, elapsedMs) > rate) {
      this.#sample(arrived - before, elapsedMs); // it takes more than was thought
    }
    if (heardMs(this.#busyAtMs, nowMs) > keptUpMs) this.keepsUp();
    this.#hasNews = true;
    this.#arrived = arrived;
    this.#newsMs = nowMs;
    this.#writtenAtNews = written;
    this.#uncounted = Math.max(0, Math.min(this.#uncounted, written - arrived));
    this.#reckon();
  }

  /** All bytes up to `position` are known to have been read, whatever the news say: those may count wrongly. */
  proven(position: number, written: number): void {
    if (!this.#hasNews || position <= this.#arrived + this.#uncounted) return;
    this.#uncounted = position - this.#arrived;
    if (this.#under(written) < smallestSlackBytes) this.keepsUp();
  }

  /**
   * Gives up waiting for news that do not come: what is under way counts as arrived. True when it did.
   * Call about once a second while bytes are held back.
   */
  doubt(written: number, nowMs: number): boolean {
    if (heardMs(this.#newsMs, nowMs) <= Math.max(patienceMs, 3 * this.#longestPauseMs)) return false;
    this.#newsMs = nowMs;
    this.#uncounted = Math.max(0, written - this.#arrived);
    return true;
  }

  /** The target keeps up: nothing is held back for it. */
  keepsUp(): void {
    this.#busyBytes = this.#busyMs = 0;
    this.#reckon();
  }

  #under(written: number): number {
    return written - this.#arrived - this.#uncounted;
  }

  #firstMs(nowMs: number): number {
    return this.#times.after(0) ?? nowMs;
  }

  /** True when a byte took so long that it may have waited, and not only travelled. */
  #isOld(position: number, nowMs: number): boolean {
    return heardMs(this.#times.upTo(position)?.timeMs ?? nowMs, nowMs) >= oldMs;
  }

  #sample(bytes: number, elapsedMs: number): void {
    const fading = Math.exp(-elapsedMs / memoryMs);
    this.#busyBytes = this.#busyBytes * fading + bytes;
    this.#busyMs = this.#busyMs * fading + elapsedMs;
  }

  #reckon(): void {
    const rate = this.bytesPerSecond;
    if (rate === null) {
      this.#limitBytes = Number.POSITIVE_INFINITY;
      return;
    }
    const { queueMaxBytes, queueMaxAgeMs } = this.#budget;
    const wanted = Math.min((rate * queueMaxAgeMs * share) / 1000, queueMaxBytes * share);
    this.#limitBytes = Math.max(wanted, this.#stepBytes + Math.max(smallestSlackBytes, this.#stepBytes / 4));
  }
}
