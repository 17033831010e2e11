import { setImmediate } from 'node:timers/promises';

/** Maximum time of background work within one turn of the event loop, milliseconds. */
const stretchMs = 2;

/** Runs all steps, a stretch in each turn of the event loop. @throws what the steps throw */
export async function inStretches<R>(steps: Iterator<unknown, R>): Promise<R> {
  const stretch = new Stretch();
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    if (stretch.isOver) await stretch.rest();
  }
}

/**
 * What is done at once, as steps. Steps that are asked for often come from a function like this one, which is made once: V8 makes
 * a hidden class for each generator function, in the old part of its heap, and that keeps the function and all that it sees from
 * being forgotten until the next collection of everything.
 */
// biome-ignore lint/correctness/useYield: it is made in one step
export function* inOneStep<A extends unknown[], R>(work: (...given: A) => R, ...given: A): Generator<never, R> {
  return work(...given);
}

/**
 * Divides background work, such as a look at thousands of cameras, into short stretches between turns of the event
 * loop.
 */
export class Stretch {
  #untilMs = performance.now() + stretchMs;

  /** True when the stretch is over. */
  get isOver(): boolean {
    return performance.now() >= this.#untilMs;
  }

  /** Waits for the next turn of the event loop, and begins the next stretch. */
  async rest(): Promise<void> {
    await setImmediate();
    this.#untilMs = performance.now() + stretchMs;
  }
}
