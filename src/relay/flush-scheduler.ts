import type { Flushable } from './flushable.js';
import { Rides } from './rides.js';

export interface FlushWindows {
  /** 0 to 350 ms; 0 gathers within one turn only. */
  readonly windowMs?: number;
  /** How long audio may wait for the next video message of its stream, milliseconds; 0 has none wait. */
  readonly audioWindowMs?: number;
  /** Does the work of a round, which writes to many. */
  readonly gather?: (work: () => void) => void;
}

/**
 * So much earlier the audio window counts as over: what ends it is a timer, which may be one late, or the next read, and
 * either may have to wait for the turn that runs.
 */
const timerMarginMs = 3;

/** The shortest timer. What would be over within so long it ends with the rest. */
const minTimerMs = 1;

/** Reads that follow each other so closely on average end the waits of audio nearly on time, and the timer is needed less. */
const closeReadsMs = 2;

/**
 * How often the timer looks then, at most, and what would be over within how long it ends with the rest. Reads may cease, so
 * that it ends waits this much less late; more would end waits whose frame comes in time. Not for short waits.
 */
const lazyTimerMs = 3;
const lazyAheadMs = 2;

/** What so many need is fetched before the first of them is flushed. */
const nearItems = 8;

/** How long audio that rides with nothing waits for the next round, about. */
const soonMs = 4;

/**
 * Collects appended messages, so that each outlet gets them in one write. It always collects the messages of one turn
 * of the event loop. Under load, when rounds would follow each other within the window, it collects those since the
 * last round. A relay would otherwise spend its time on system calls for small writes.
 *
 *   quiet:  append -> end of the read, or of this turn   (no added delay)
 *   load:   append ... append ... -> last round + window (at most the window)
 *   ride:   append ... schedule -> with that             (at most the audio window, then with the next read, or a timer;
 *                                                         under load at most the longer of both windows)
 *   soon:   append ... next round of others -> with that (some milliseconds, where much is read)
 */
export class FlushScheduler {
  #windowMs: number;
  readonly #audioWindowMs: number;
  readonly #gather: (work: () => void) => void;
  #dirty: Flushable[] = [];
  #spare: Flushable[] = [];
  #scheduled = false;
  /** The round is to be made in this turn. */
  #isDue = false;
  /** What makes it at the end of the turn. */
  #immediate: NodeJS.Immediate | null = null;
  /** Somebody hands on what came, and calls `flushDue` behind that. */
  #isReading = false;
  /** Of what was prefetched: it says nothing. */
  #seen = 0;
  #lastRoundMs = Number.NEGATIVE_INFINITY;
  readonly #rides = new Rides();
  /** How long what rides may wait, milliseconds. */
  readonly rideMs: number;
  /** The last timer, and whether it has yet to fire. */
  #rideTimer: NodeJS.Timeout | null = null;
  #rideTimerMs = 0;
  #isRideTimed = false;
  /** When it was set, and the reads since then while something rode. */
  #rideTimerSetMs = 0;
  #reads = 0;
  /** Much was read when the timer last looked. */
  #isLazy = false;
  /** Since when the oldest waits for the next round; infinite when none does. */
  #soonSinceMs = Number.POSITIVE_INFINITY;

  constructor({ windowMs = 0, audioWindowMs = 0, gather = (work) => work() }: FlushWindows = {}) {
    this.#gather = gather;
    this.#windowMs = windowMs;
    this.#audioWindowMs = audioWindowMs;
    this.rideMs = Math.max(0, audioWindowMs - timerMarginMs);
  }

  /** As `FlushWindows.windowMs`. */
  set windowMs(ms: number) {
    this.#windowMs = ms;
  }

  /** Schedules a flush. @param nowMs a monotonic clock, milliseconds */
  schedule(item: Flushable, nowMs: number): void {
    item.rideNumber = 0;
    if (!item.isScheduled) {
      item.isScheduled = true;
      this.#dirty.push(item);
    }
    this.#scheduleRound(nowMs);
  }

  #scheduleRound(nowMs: number): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    // All streams wait for one round: whatever the caller takes for now, it waits for no more than the window.
    const waitMs = Math.min(this.#windowMs, this.#lastRoundMs + this.#windowMs - nowMs);
    // Timers are often a millisecond late.
    if (waitMs >= 1) {
      setTimeout(this.#round, waitMs - 0.5);
      return;
    }
    this.#isDue = true;
    if (!this.#isReading) this.#immediate = setImmediate(this.#round);
  }

  /** As `schedule`, for what may wait for the next `schedule` of the same item, the audio window at most. */
  ride(item: Flushable, nowMs: number): void {
    if (this.#audioWindowMs === 0) {
      this.schedule(item, nowMs);
      return;
    }
    if (item.rideNumber !== 0 || item.isScheduled) return;
    this.#rides.add(item, nowMs);
    // One timer for all: most have found something to ride with by then.
    if (!this.#isRideTimed) this.#setRideTimer(this.rideMs, nowMs);
  }

  /**
   * As `schedule`, for what has nothing to ride with but part of the audio window left: where much is read, the next round,
   * of whichever items, is near, and a round of its own is spared.
   */
  scheduleSoon(item: Flushable, nowMs: number): void {
    if (!this.#isRideTimed || !this.#isLazy || item.rideNumber !== 0) {
      this.schedule(item, nowMs);
      return;
    }
    if (item.isScheduled) return;
    item.isScheduled = true;
    this.#dirty.push(item);
    if (this.#soonSinceMs === Number.POSITIVE_INFINITY) this.#soonSinceMs = nowMs;
  }

  /** Something is read. What it has to be flushed need not wait for the end of the turn: `flushDue` follows. */
  beginReading(): void {
    this.#isReading = true;
  }

  /** All that came at once is appended: what is due in this turn is flushed now. */
  flushDue(): void {
    if (this.#isRideTimed) {
      this.#reads++;
      const nowMs = performance.now();
      this.#endRides(nowMs);
      if (nowMs - this.#soonSinceMs >= soonMs) this.#scheduleRound(nowMs);
    }
    this.#flushNow();
  }

  #flushNow(): void {
    this.#isReading = false;
    if (!this.#isDue) return;
    if (this.#immediate !== null) clearImmediate(this.#immediate);
    this.#round();
  }

  /** Schedules what has waited for the audio window, or will have in so many milliseconds. */
  #endRides(nowMs: number, aheadMs = 0): void {
    while (this.#rides.oldestMs <= nowMs + aheadMs - this.rideMs) this.schedule(this.#rides.take(), nowMs);
  }

  #setRideTimer(delayMs: number, nowMs: number): void {
    // In whole milliseconds: Node.js has a list of its own for each length of time. It fires up to one early or late.
    const ms = Math.max(minTimerMs, Math.floor(delayMs));
    // Where much is read it is always as long: to set the one that has fired again costs 6 µs in place of 8 for a new one.
    if (this.#rideTimer !== null && ms === this.#rideTimerMs) this.#rideTimer.refresh();
    else this.#rideTimer = setTimeout(this.#onRideOver, ms);
    this.#rideTimerMs = ms;
    this.#isRideTimed = true;
    this.#rideTimerSetMs = nowMs;
    this.#reads = 0;
  }

  readonly #onRideOver = (): void => {
    this.#isRideTimed = false;
    const nowMs = performance.now();
    this.beginReading();
    const mayBeLazy = this.rideMs >= 2 * lazyTimerMs;
    this.#isLazy = mayBeLazy && nowMs - this.#rideTimerSetMs < this.#reads * closeReadsMs;
    // Should reads cease now, the timer looks again in time for the rest.
    this.#endRides(nowMs, this.#isLazy ? lazyAheadMs : minTimerMs);
    if (this.#soonSinceMs < Number.POSITIVE_INFINITY) this.#scheduleRound(nowMs);
    const { oldestMs } = this.#rides;
    if (oldestMs < Number.POSITIVE_INFINITY) {
      const leftMs = oldestMs + this.rideMs - nowMs;
      this.#setRideTimer(this.#isLazy ? Math.max(lazyTimerMs, leftMs) : leftMs, nowMs);
    }
    this.#flushNow();
  };

  readonly #round = (): void => this.#gather(this.#flushAll);

  readonly #flushAll = (): void => {
    const nowMs = performance.now();
    // Who would have waited for the audio window before the next round would wait for the rest of that round's window too.
    if (this.#windowMs > 0) this.#endRides(nowMs, this.#windowMs);
    const items = this.#dirty;
    this.#dirty = this.#spare;
    this.#spare = items;
    this.#scheduled = this.#isDue = false;
    this.#immediate = null;
    this.#lastRoundMs = nowMs;
    this.#soonSinceMs = Number.POSITIVE_INFINITY;
    let at = 0;
    let seen = 0;
    for (let i = 0; i < items.length && i < nearItems; i++) seen += items[i]!.prefetch();
    try {
      while (at < items.length) {
        if (at + nearItems < items.length) seen += items[at + nearItems]!.prefetch();
        const item = items[at++]!;
        // What it appends to itself from now on is for another round.
        item.isScheduled = false;
        item.flush(nowMs);
      }
    } finally {
      // Where one threw, the others are flushed in a later turn.
      while (at < items.length) {
        const item = items[at++]!;
        item.isScheduled = false;
        this.schedule(item, nowMs);
      }
      items.length = 0;
      this.#seen = (this.#seen + seen) & 0xffff;
    }
  };
}
