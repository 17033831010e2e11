/** What can be flushed: a live stream. It belongs to one scheduler, which keeps here what it needs to know of it. */
export abstract class Flushable {
  /** The next round flushes it. */
  isScheduled = false;
  /** The number of its wait for something to ride with; 0: it does not wait. */
  rideNumber = 0;
  /** Since when it waits, where it does. */
  rideSinceMs = 0;

  /** Looks at what `flush` will need, so that the processor fetches it; the number says nothing. */
  prefetch(): number {
    return 0;
  }

  abstract flush(nowMs: number): void;
}
