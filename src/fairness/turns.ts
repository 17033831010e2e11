/**
 * Maximum time of one job within one turn of the event loop, milliseconds; well below the tolerable delay of a frame.
 */
const stretchMs = 4;

/**
 * Shares the event loop among long jobs. In each turn of the loop, one job works for a stretch, and owners take turns.
 * Of each owner, only the oldest job that is ready works. So an owner with many jobs gets them done one after the
 * other, and delays the others no more than an owner with one job.
 */
export class Turns {
  /** The jobs that are ready, oldest first, by owner, in the order of the owners' next turns. */
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
    // If immediates are running now, this one runs in the next turn, after the events that arrive meanwhile.
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
  /** The end of its stretch; none before its first turn. */
  #untilMs = Number.NEGATIVE_INFINITY;

  constructor(number: number, want: (job: Job) => void) {
    this.number = number;
    this.#want = want;
  }

  /** True when it must wait for its next turn. */
  get isOver(): boolean {
    return performance.now() >= this.#untilMs;
  }

  /** Resolves when it may work. */
  turn(): Promise<void> {
    return new Promise((resolve) => {
      this.#resume = resolve;
      this.#want(this);
    });
  }

  /** Called by `Turns`. */
  resume(): void {
    this.#untilMs = performance.now() + stretchMs;
    const resolve = this.#resume;
    this.#resume = null;
    resolve?.();
  }
}

/** Runs all steps of a job, a stretch in each of its turns. */
export async function inStretches<R>(steps: Iterator<unknown, R>, job: Job): Promise<R> {
  for (;;) {
    if (job.isOver) await job.turn();
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}
