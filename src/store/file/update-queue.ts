import { inStretches } from '../../fairness/stretch.js';
import type { DesiredState } from '../../model/model.js';
import { setHeardTimeout } from '../../process/standstill.js';
import type { Changed } from '../store.js';
import { type Waiting, writeFailed } from './batch.js';

/** A change waits no longer than this for a disk that does not answer. */
const usualLimitMs = 10_000;

/** The changes that wait for their commit, with a time limit: a disk may never answer, but a caller must be. */
export class UpdateQueue {
  readonly #waiting: Waiting[] = [];
  readonly #silence: string;
  readonly #limitMs: number;
  readonly #onSilent: (silence: string) => void;
  #isSilent = false;
  /** When the last steps ended that need no disk: until then, waiting says nothing of it. */
  #computedAtMs = Number.NEGATIVE_INFINITY;

  /**
   * @param options.file what is written, for messages
   * @param options.limitMs how long a change waits; undefined: 10 s
   * @param options.onSilent called when the disk did not answer a change in time
   */
  constructor(options: {
    file: string;
    limitMs: number | undefined;
    onSilent: (silence: string) => void;
  }) {
    this.#limitMs = options.limitMs ?? usualLimitMs;
    this.#silence = `the disk of ${options.file} has not answered for ${this.#limitMs / 1000} s`;
    this.#onSilent = options.onSilent;
  }

  get areWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  /** True from a change that the disk did not answer in time until it answers again. */
  get isSilent(): boolean {
    return this.#isSilent;
  }

  /** Queues a change. Resolves with its commit. @throws StateError STATE_WRITE_FAILED, also in time when nobody answers */
  add<R>(change: (state: DesiredState) => Generator<unknown, Changed<R>>): Promise<Changed<R>> {
    if (this.#isSilent) return Promise.reject(writeFailed(`${this.#silence}; nothing was changed`));
    return new Promise((resolve, reject) => {
      let outcome: Changed<R> | undefined;
      const waiting: Waiting = {
        run: (before) =>
          noted(change(before), (made) => {
            outcome = made;
          }),
        resolve: (state) => {
          clearTimeout(timer);
          if (outcome !== undefined) resolve({ state, result: outcome.result });
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      };
      let timer: NodeJS.Timeout;
      const watch = (delayMs: number): void => {
        timer = setHeardTimeout(() => {
          const leftMs = this.#computedAtMs + this.#limitMs - performance.now();
          if (leftMs > 0) watch(Math.min(leftMs, this.#limitMs));
          else this.#late(waiting);
        }, delayMs);
        timer.unref();
      };
      watch(this.#limitMs);
      this.#waiting.push(waiting);
    });
  }

  /** Takes all waiting changes out of the queue, in their order. */
  take(): Waiting[] {
    return this.#waiting.splice(0);
  }

  /** Runs steps that need no disk, in stretches: a change of ten thousand cameras must not hold up a frame. */
  async compute<R>(steps: Generator<unknown, R>): Promise<R> {
    this.#computedAtMs = Number.POSITIVE_INFINITY;
    try {
      return await inStretches(steps);
    } finally {
      this.#computedAtMs = performance.now();
    }
  }

  /** The disk answered, well or not. */
  answered(): void {
    this.#isSilent = false;
  }

  /** The disk does not answer. It is unknown whether a change that was sent to it will still be made. */
  #late(waiting: Waiting): void {
    this.#isSilent = true;
    this.#onSilent(this.#silence);
    const at = this.#waiting.indexOf(waiting);
    if (at >= 0) this.#waiting.splice(at, 1);
    const outcome = at >= 0 ? 'nothing was changed' : 'the change may still be made: look before you ask again';
    waiting.reject(writeFailed(`${this.#silence}; ${outcome}`));
  }
}

/** Steps that tell what they made. Not a function of each change: see `inOneStep`. */
function* noted<R>(
  steps: Generator<unknown, Changed<R>>,
  note: (made: Changed<R>) => void,
): Generator<unknown, DesiredState> {
  const made = yield* steps;
  note(made);
  return made.state;
}
