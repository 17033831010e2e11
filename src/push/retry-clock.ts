import { parseRtmpUrl } from '../address/rtmp-url.js';
import type { TargetError } from '../errors.js';
import { wallMsAt } from '../process/wall-clock.js';
import { Backoff } from './backoff.js';
import type { TargetWatch } from './target-watch.js';

/** A target that took media for this long and then closed is probed for its return, like one that refuses TCP. */
const watchedAfterMs = 1000;

/**
 * After this long without a failure, the pauses start again from the minimum. If the maximum pause is shorter, twice
 * that is enough.
 */
const wellAfterMs = 30_000;

/** A requested attempt comes at most this long after the last one. */
const askedMaxMs = 5000;

/** After the first early attempt that failed, the next early one comes after this time, or after the first pause. */
const hasteMs = 1000;

/** Why an attempt may be made before the pause is over. */
export type Haste = 'target listens again' | 'camera is back' | 'asked for';

/**
 * Plans the attempts of a push. The pause doubles with each failure of any kind, until the push was well for a while.
 * Some events cause an early attempt: the target listens again, the camera is back, a client asked. An early attempt is
 * made at once, but each one that fails doubles the time that must pass before the next. So a target that only seems to
 * be back, a flapping camera and a client that asks every second cause no more attempts than the pauses would. A target
 * that was well and restarts is reconnected at once.
 */
export class RetryClock {
  readonly #minMs: number;
  readonly #maxMs: number;
  readonly #backoff: Backoff;
  readonly #watch: TargetWatch;
  readonly #url: string;
  readonly #connect: () => void;
  #timer: NodeJS.Timeout | null = null;
  #unwatch: (() => void) | null = null;
  /** When the next attempt is due, on the monotonic clock. */
  #dueMs = 0;
  #lastTryMs = Number.NEGATIVE_INFINITY;
  #lastPauseMs = 0;
  #failures = 0;
  /** Early attempts that failed since the push was last well. */
  #vainHaste = 0;
  #hasty = false;

  /** @param options.connect called when an attempt is due */
  constructor(options: {
    minMs: number;
    maxMs: number;
    watch: TargetWatch;
    url: string;
    connect: () => void;
  }) {
    this.#minMs = options.minMs;
    this.#maxMs = options.maxMs;
    this.#backoff = new Backoff(options.minMs, options.maxMs);
    this.#watch = options.watch;
    this.#url = options.url;
    this.#connect = options.connect;
  }

  /** Failures since the push was last well. */
  get failures(): number {
    return this.#failures;
  }

  /** When the next attempt is due, milliseconds since 1970. */
  get nextTryAtMs(): number {
    return Math.round(wallMsAt(this.#dueMs));
  }

  /** An attempt begins. */
  began(): void {
    this.stop();
    this.#lastTryMs = performance.now();
  }

  /**
   * The attempt failed, or its connection ended. Plans the next one, and returns the pause, milliseconds.
   * @param flowedMs for how long media had flowed; 0 when it had not
   */
  failed({ code }: TargetError, flowedMs: number): number {
    this.wellFor(flowedMs);
    this.#countHaste();
    this.#failures++;
    const pauseMs = this.#backoff.pauseMs(code);
    this.#lastPauseMs = pauseMs;
    this.#plan(pauseMs);
    // Nothing listens there, or the server was just killed and may be back before the pause is over.
    if (code === 'TARGET_REFUSED' || (code === 'TARGET_CLOSED' && flowedMs > watchedAfterMs)) {
      const { host, port } = parseRtmpUrl(this.#url);
      this.#unwatch = this.#watch.watch(host, port, () => this.hurry('target listens again'));
    }
    return pauseMs;
  }

  /** We gave up the attempt before the target had accepted it. */
  abandoned(): void {
    this.#hasty = true;
    this.#countHaste();
  }

  /** Media has flowed for this long. True if the push is well now and was not at the last call. */
  wellFor(flowedMs: number): boolean {
    if (this.#failures + this.#vainHaste === 0) return false;
    if (flowedMs < Math.max(Math.min(wellAfterMs, 2 * this.#maxMs), this.#lastPauseMs)) return false;
    this.#backoff.reset();
    this.#failures = this.#vainHaste = this.#lastPauseMs = 0;
    this.#hasty = false;
    return true;
  }

  /** There is a reason for an early attempt. The first one is made at once, before this function returns. */
  hurry(why: Haste): void {
    const longestMs = why === 'asked for' ? Math.min(askedMaxMs, this.#maxMs) : this.#maxMs;
    const shareMs = this.#vainHaste === 0 ? 0 : Math.min(this.#minMs, hasteMs) * 2 ** Math.min(this.#vainHaste - 1, 30);
    const waitMs = Math.ceil(this.#lastTryMs + Math.min(longestMs, shareMs) - performance.now());
    this.#backoff.rewind(this.#vainHaste);
    if (waitMs <= 0) {
      this.#hasty = this.#failures + this.#vainHaste > 0; // the first try of all is in its time
      this.#connect();
    } else if (this.#timer === null || performance.now() + waitMs < this.#dueMs) {
      this.#hasty = true;
      this.#plan(waitMs);
    }
  }

  /** Cancels the plan. */
  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#unwatch?.();
    this.#unwatch = null;
  }

  #countHaste(): void {
    if (this.#hasty) this.#vainHaste++;
    this.#hasty = false;
  }

  #plan(pauseMs: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#dueMs = performance.now() + pauseMs;
    this.#timer = setTimeout(() => this.#connect(), pauseMs);
  }
}
