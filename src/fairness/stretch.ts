import { setImmediate } from 'node:timers/promises';

/** How long housekeeping works before the event loop turns, milliseconds. */
const stretchMs = 2;

/** Goes through all steps, in stretches. @throws what the steps throw */
export async function inStretches<R>(steps: Iterator<unknown, R>): Promise<R> {
  const stretch = new Stretch();
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    if (stretch.isOver) await stretch.rest();
  }
}

/** A stretch of work between two turns of the event loop: for looks at thousands of cameras, which nobody waits for. */
export class Stretch {
  #untilMs = performance.now() + stretchMs;

  /** True when it is time to rest. */
  get isOver(): boolean {
    return performance.now() >= this.#untilMs;
  }

  /** Lets all others have their turn, and begins the next stretch. */
  async rest(): Promise<void> {
    await setImmediate();
    this.#untilMs = performance.now() + stretchMs;
  }
}
