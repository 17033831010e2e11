import { messageOf, type TargetError } from '../errors.js';
import type { FlightRecorder } from '../events/flight-recorder.js';
import type { PushLife } from './push-life.js';
import type { PushTotals } from './push-totals.js';

/** A target that asks for another connection more often is not followed. */
const reconnectEveryMs = 10_000;
/** But after this, when the connection that it asked for was not made: it may ask again at the end of its drain. */
const reconnectAgainMs = 1000;

/**
 * The connection that a target asked for (Enhanced RTMP v2, "Reconnect Request"). It is made beside the present one, which
 * goes on until the other has begun at a key frame. If that fails, the present one just goes on.
 */
export class Succession {
  readonly #recorder: FlightRecorder;
  #successor: PushLife | null = null;
  #followedMs = Number.NEGATIVE_INFINITY;

  constructor(recorder: FlightRecorder) {
    this.#recorder = recorder;
  }

  /** The connection that is being made; null when there is none. */
  get successor(): PushLife | null {
    return this.#successor;
  }

  /** The target asks for another connection. @param connect begins to make it */
  follow(isElsewhere: boolean, connect: () => PushLife): void {
    const nowMs = performance.now();
    if (this.#successor !== null || nowMs - this.#followedMs < reconnectEveryMs) return;
    this.#followedMs = nowMs;
    this.#recorder.note('reconnect', isElsewhere ? 'asked for by the target, elsewhere' : 'asked for by the target');
    try {
      this.#successor = connect();
    } catch (error) {
      this.#recorder.note('reconnect', `not followed: ${messageOf(error)}`);
    }
  }

  /**
   * Call once a second. A successor that nobody answered takes over once it is proven: the present connection is known to be
   * well. One that takes nothing is ended.
   * @param stallTimeoutMs when it is ended
   * @returns true when it is to take over
   */
  look(nowMs: number, stallTimeoutMs: number): boolean {
    const life = this.#successor;
    if (life === null || life.outlet === null) return false;
    life.look(nowMs);
    if (life.isProven) return true;
    if (life.connection.silentMs(nowMs) > stallTimeoutMs) life.connection.destroy();
    return false;
  }

  /** It may send now, and takes over. */
  takesOver(): void {
    this.#successor = null;
    this.#recorder.note('reconnect', 'the new connection takes over');
  }

  /** The successor ended before it took over. @param error null when it was closed by us @param totals get its counts */
  failed(error: TargetError | null, totals: PushTotals): void {
    this.#successor?.bury(totals);
    this.#successor = null;
    this.#followedMs -= reconnectEveryMs - reconnectAgainMs;
    this.#recorder.note('reconnect', `failed: ${error?.message ?? 'it was closed'}`);
  }

  /** Hands the successor over to whoever asks, whatever becomes of it; null when there is none. */
  release(): PushLife | null {
    const successor = this.#successor;
    this.#successor = null;
    return successor;
  }
}
