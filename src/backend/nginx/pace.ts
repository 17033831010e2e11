/** Reloads are not free: each that finds cameras live leaves a worker behind, and the master grows. */
const quietMs = 80;
const longestMs = 400;
/** More changes than this within the window are a flood, which waits longer and shares more. */
const floodChanges = 25;
const floodWindowMs = 10_000;
const floodQuietMs = 1_000;
const floodLongestMs = 5_000;

/** Brings changes that come close together to one run of a task; never two runs at once. */
export class Pace {
  readonly #task: () => Promise<void>;
  #timer: NodeJS.Timeout | undefined;
  #firstAtMs = 0;
  #running: Promise<void> | undefined;
  #again = false;
  readonly #recent: number[] = [];
  #closed = false;
  readonly #waiting: (() => void)[] = [];

  /** `task` must not reject. */
  constructor(task: () => Promise<void>) {
    this.#task = task;
  }

  /** True in a flood of changes: whoever waits for each of them would wait for ever. */
  get isFlood(): boolean {
    const sinceMs = performance.now() - floodWindowMs;
    while (this.#recent.length > 0 && (this.#recent[0] ?? 0) < sinceMs) this.#recent.shift();
    return this.#recent.length > floodChanges;
  }

  /** Something changed. */
  note(): void {
    const nowMs = performance.now();
    this.#recent.push(nowMs);
    if (this.#recent.length > floodChanges + 1) this.#recent.shift();
    this.#arm(nowMs);
  }

  /** Runs the task soon, without a change of its own. */
  nudge(): void {
    this.#arm(performance.now());
  }

  /** Runs the task now, with all that was noted; resolves when that run is over. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#closed) return;
    if (this.#running !== undefined) {
      this.#again = true;
      await this.#running;
      return;
    }
    this.#running = this.#loop().finally(() => {
      this.#running = undefined;
    });
    await this.#running;
  }

  /** Resolves when all that was noted until now has been run. */
  async settled(): Promise<void> {
    if (this.#timer === undefined && !this.#again) return this.#running;
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** No more runs; resolves when the one under way is over. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#again = false;
    await this.#running;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  async #loop(): Promise<void> {
    do {
      this.#again = false;
      const waiting = this.#waiting.splice(0);
      await this.#task();
      for (const resolve of waiting) resolve();
    } while (this.#again && !this.#closed);
  }

  #arm(nowMs: number): void {
    if (this.#closed) return;
    if (this.#timer === undefined) this.#firstAtMs = nowMs;
    const [quiet, longest] = this.isFlood ? [floodQuietMs, floodLongestMs] : [quietMs, longestMs];
    const waitMs = Math.max(0, Math.min(quiet, this.#firstAtMs + longest - nowMs));
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.flush(), waitMs);
  }
}
