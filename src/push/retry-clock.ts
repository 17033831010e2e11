import { parseRtmpUrl } from '../address/rtmp-url.js';
import type { TargetError } from '../errors.js';
import { Backoff } from './backoff.js';
import type { TargetWatch } from './target-watch.js';

/** A target that took media for this long and then closed is watched for its return, as one that refuses TCP is. */
const watchedAfterMs = 1000;

/** A push that was well for this long begins its pauses anew; where its pauses are shorter, twice the longest will do. */
const wellAfterMs = 30_000;

/** Who asks for a try waits for no longer than this since the last one. */
const askedMaxMs = 5000;

/** After the first try that was too early, the next one comes no sooner than this after it, or than the first pause. */
const hasteMs = 1000;

/** Why a try may be made before the pause is over. */
export type Haste = 'target listens again' | 'camera is back' | 'asked for';

/**
 * When a push tries again. After a failure the pause doubles, in whatever way it failed, until the push was well for a
 * while. There are reasons to try earlier: the target listens again, the camera is back, somebody asked. Such a try is
 * made at once; but each of them that failed since the push was last well makes the next one wait twice as long after
 * the try before it. So a target that only seems to be back, a camera that flaps and a client that asks every second
 * cost no more tries than the pauses do, and one that was well and restarts is back at once.
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
  #nextTryAtMs = 0;
  #lastTryMs = Number.NEGATIVE_INFINITY;
  #lastPauseMs = 0;
  #failures = 0;
  /** Tries before their time that failed since the push was last well. */
  #vainHaste = 0;
  #hasty = false;

  /** @param options.connect called when a try is due */
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

  /** When the next try is due, milliseconds since 1970. */
  get nextTryAtMs(): number {
    return this.#nextTryAtMs;
  }

  /** A try begins. */
  began(): void {
    this.stop();
    this.#lastTryMs = performance.now();
  }

  /**
   * The try failed, or what came of it ended: plans the next one, and returns the pause, milliseconds.
   * @param flowedMs for how long media had flowed; 0 when it had not
   */
  failed({ code }: TargetError, flowedMs: number): number {
    this.wellFor(flowedMs);
    this.#countHaste();
    this.#failures++;
    const pauseMs = this.#backoff.pauseMs(code);
    this.#lastPauseMs = pauseMs;
    this.#plan(pauseMs);
    // Nothing listens there, or what listened was just killed and may be back before the pause is over.
    if (code === 'TARGET_REFUSED' || (code === 'TARGET_CLOSED' && flowedMs > watchedAfterMs)) {
      const { host, port } = parseRtmpUrl(this.#url);
      this.#unwatch = this.#watch.watch(host, port, () => this.hurry('target listens again'));
    }
    return pauseMs;
  }

  /** The try was given up by us before the target had accepted it. */
  abandoned(): void {
    this.#hasty = true;
    this.#countHaste();
  }

  /** Media flows for so long by now. True when the push is well, and was not when this was last called. */
  wellFor(flowedMs: number): boolean {
    if (this.#failures + this.#vainHaste === 0) return false;
    if (flowedMs < Math.max(Math.min(wellAfterMs, 2 * this.#maxMs), this.#lastPauseMs)) return false;
    this.#backoff.reset();
    this.#failures = this.#vainHaste = this.#lastPauseMs = 0;
    this.#hasty = false;
    return true;
  }

  /** There is a reason to try earlier: at once when it is the first, which makes the try before this returns. */
  hurry(why: Haste): void {
    const longestMs = why === 'asked for' ? Math.min(askedMaxMs, this.#maxMs) : this.#maxMs;
    const shareMs = this.#vainHaste === 0 ? 0 : Math.min(this.#minMs, hasteMs) * 2 ** Math.min(this.#vainHaste - 1, 30);
    const waitMs = Math.ceil(this.#lastTryMs + Math.min(longestMs, shareMs) - performance.now());
    this.#backoff.rewind(this.#vainHaste);
    if (waitMs <= 0) {
      this.#hasty = this.#failures + this.#vainHaste > 0; // the first try of all is in its time
      this.#connect();
    } else if (this.#timer === null || Date.now() + waitMs < this.#nextTryAtMs) {
      this.#hasty = true;
      this.#plan(waitMs);
    }
  }

  /** Plans nothing any more. */
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
    this.#nextTryAtMs = Date.now() + pauseMs;
    this.#timer = setTimeout(() => this.#connect(), pauseMs);
  }
}
