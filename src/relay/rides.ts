import type { Flushable } from './flushable.js';

/** Numbers are small integers of V8, and a wait is over long before its number comes again. */
const maxRideNumber = 0x3fffffff;

/** Places of the queue that were taken and are still in memory. */
const maxTaken = 256;

/** What waits for something to ride with, the oldest first: a queue, from which nothing is taken in the middle. */
export class Rides {
  readonly #items: Flushable[] = [];
  readonly #numbers: number[] = [];
  #from = 0;
  #number = 0;

  add(item: Flushable, nowMs: number): void {
    this.#number = this.#number === maxRideNumber ? 1 : this.#number + 1;
    item.rideNumber = this.#number;
    item.rideSinceMs = nowMs;
    this.#items.push(item);
    this.#numbers.push(this.#number);
  }

  /** Since when the oldest waits; infinite when none does. */
  get oldestMs(): number {
    while (this.#from < this.#items.length) {
      const item = this.#items[this.#from]!;
      if (item.rideNumber === this.#numbers[this.#from]) return item.rideSinceMs;
      this.#drop();
    }
    return Number.POSITIVE_INFINITY;
  }

  /** Ends the wait of the oldest, of which there is one. */
  take(): Flushable {
    const item = this.#items[this.#from]!;
    item.rideNumber = 0;
    this.#drop();
    return item;
  }

  #drop(): void {
    this.#from++;
    if (this.#from < this.#items.length && this.#from < maxTaken) return;
    this.#items.splice(0, this.#from);
    this.#numbers.splice(0, this.#from);
    this.#from = 0;
  }
}
