/** How long one job works before the event loop turns, milliseconds: well below what a frame may be late. */
const stretchMs = 4;

/**
 * Shares the event loop among jobs that take longer than a moment: in each turn of the loop one of them works for a
 * stretch, owners by turns. Of one owner only the oldest job that can go on works: who asks for many things at once gets
 * them one after the other, and costs the others no more than who asks for one.
 */
export class Turns {
  /** By owner, in the order of their next turn: its jobs that want one, the oldest first. */
  readonly #wanting = new Map<string, Job[]>();
  #isScheduled = false;
  #jobs = 0;

  /** Begins a job. @param owner who it is done for */
  begin(owner: string): Job {
    return new Job(this.#jobs++, (job) => this.#want(owner, job));
  }

  #want(owner: string, job: Job): void {
    const jobs = this.#wanting.get(owner);
    if (jobs === undefined) this.#wanting.set(owner, [job]);
    else {
      const at = jobs.findIndex(({ number }) => number > job.number);
      jobs.splice(at < 0 ? jobs.length : at, 0, job);
    }
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled || this.#wanting.size === 0) return;
    this.#isScheduled = true;
    // Scheduled while immediates run, it comes in the next turn of the loop: what arrived meanwhile goes first.
    setImmediate(() => {
      this.#isScheduled = false;
      for (const [owner, jobs] of this.#wanting) {
        const job = jobs.shift();
        this.#wanting.delete(owner);
        if (jobs.length > 0) this.#wanting.set(owner, jobs);
        this.#schedule();
        job?.resume();
        return;
      }
    });
  }
}

/** A job that is done in stretches. */
export class Job {
  readonly number: number;
  readonly #want: (job: Job) => void;
  #resume: (() => void) | null = null;
  /** Until its first turn it has none. */
  #untilMs = Number.NEGATIVE_INFINITY;

  constructor(number: number, want: (job: Job) => void) {
    this.number = number;
    this.#want = want;
  }

  /** True when it is to wait for its next turn before it goes on. */
  get isOver(): boolean {
    return performance.now() >= this.#untilMs;
  }

  /** Resolves when it may work for a stretch. */
  turn(): Promise<void> {
    return new Promise((resolve) => {
      this.#resume = resolve;
      this.#want(this);
    });
  }

  /** For `Turns`. */
  resume(): void {
    this.#untilMs = performance.now() + stretchMs;
    const resolve = this.#resume;
    this.#resume = null;
    resolve?.();
  }
}

/** Does all of a job for which nobody else waits, in stretches. */
export async function inStretches<R>(steps: Iterator<unknown, R>, job: Job): Promise<R> {
  for (;;) {
    if (job.isOver) await job.turn();
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}
