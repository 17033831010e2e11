import { messageOf } from '../../errors.js';
import type { Logger } from '../../log/log.js';
import { rotateLog } from './files.js';
import type { Observer } from './observer.js';
import { residentBytes } from './processes.js';

const everyMs = 1_000;
/** Looking takes at most this share of the time. With thousands of connections it happens less often than every second. */
const timeShare = 0.1;
const rotateEveryLooks = 60;

/** Looks at nginx about once a second, and rotates its error log now and then. */
export class Looking {
  readonly #observer: Observer;
  readonly #errorLog: string;
  readonly #log: Logger;
  readonly #isBusy: () => boolean;
  readonly #onLooked: () => Promise<void>;
  #timer: NodeJS.Timeout | undefined;
  #current: Promise<void> | undefined;
  #looks = 0;
  #oldWorkers = 0;
  #oldWorkerBytes: number | null = null;
  #stopped = false;

  /**
   * @param options.errorLog path of the error log of nginx
   * @param options.isBusy true: leave out the next look, another part looks when it is done
   * @param options.onLooked called after each look
   */
  constructor(options: {
    observer: Observer;
    errorLog: string;
    log: Logger;
    isBusy: () => boolean;
    onLooked: () => Promise<void>;
  }) {
    this.#observer = options.observer;
    this.#errorLog = options.errorLog;
    this.#log = options.log;
    this.#isBusy = options.isBusy;
    this.#onLooked = options.onLooked;
  }

  /** Memory of workers that a reload left behind, bytes; null: not looked at yet. */
  get oldWorkerBytes(): number | null {
    return this.#oldWorkerBytes;
  }

  /** Looks as soon as possible, and every second from then on. */
  soon(): void {
    this.#plan(0);
  }

  /** Looks now, or after the look that is under way. */
  async now(): Promise<void> {
    while (this.#current !== undefined) await this.#current;
    this.#current = this.#look().finally(() => {
      this.#current = undefined;
    });
    await this.#current;
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #plan(waitMs: number): void {
    clearTimeout(this.#timer);
    if (!this.#stopped) this.#timer = setTimeout(() => void this.#lookAndPlan(), waitMs).unref();
  }

  async #lookAndPlan(): Promise<void> {
    const startedAtMs = performance.now();
    if (!this.#isBusy()) await this.now();
    this.#looks++;
    if (this.#looks % rotateEveryLooks === 0) {
      await rotateLog(this.#errorLog).catch((error: unknown) =>
        this.#log.warn('the nginx log cannot be rotated', { error: messageOf(error) }),
      );
    }
    const tookMs = performance.now() - startedAtMs;
    this.#plan(Math.max(everyMs - tookMs, tookMs / timeShare));
  }

  async #look(): Promise<void> {
    await this.#observer.look();
    const { oldWorkers } = this.#observer;
    const bytes = await Promise.all(oldWorkers.map(({ pid }) => residentBytes(pid)));
    this.#oldWorkerBytes = bytes.reduce((sum: number, each) => sum + (each ?? 0), 0);
    if (oldWorkers.length > this.#oldWorkers) {
      this.#log.warn('an old nginx worker keeps running after a reload, until its last camera leaves', {
        oldWorkers: oldWorkers.length,
        oldWorkerBytes: this.#oldWorkerBytes,
      });
    }
    this.#oldWorkers = oldWorkers.length;
    await this.#onLooked();
  }
}
