import { setImmediate } from 'node:timers/promises';

/** How long housekeeping works before the event loop turns, milliseconds. */
const stretchMs = 2;

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
