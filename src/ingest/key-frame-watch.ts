/** So long a new publisher may take to its first key frame; encoders that have any send one at once, or within some seconds. */
const firstWaitMs = 5000;

/** So long an encoder that had key frames may take to the next, where newcomers cannot start at the last one any more. */
const nextWaitMs = 30_000;

/** Or so many times what its key frames were apart. */
const intervals = 3;

/** What is done with video without key frames. */
export type WithoutKeyFrames = 'drop' | 'pass';

/**
 * Notices a stream in which nobody can start at a key frame: it never had one, or (an encoder with intra refresh, which
 * renews its picture piece by piece) it had one at its beginning, and that is not kept any more. Called for every frame.
 */
export class KeyFrameWatch {
  readonly #mode: WithoutKeyFrames;
  /** Since when one is waited for, on the monotonic clock; null: since the next frame. */
  #sinceMs: number | null = null;
  #hasSeen = false;
  #isMissing = false;

  constructor(mode: WithoutKeyFrames) {
    this.#mode = mode;
  }

  /** True once it was waited for a key frame for too long. */
  get isMissing(): boolean {
    return this.#isMissing;
  }

  /** True when frames are sent on without a key frame before them. */
  get passes(): boolean {
    return this.#isMissing && this.#mode === 'pass';
  }

  /** True when no video is sent on, and audio is as if there were none. */
  get leavesAudioAlone(): boolean {
    return this.#isMissing && this.#mode === 'drop' && !this.#hasSeen;
  }

  /** @returns true when it had been missed */
  noteKeyFrame(nowMs: number): boolean {
    const wasMissing = this.#isMissing;
    this.#sinceMs = nowMs;
    this.#hasSeen = true;
    this.#isMissing = false;
    return wasMissing;
  }

  /**
   * @param isKept whether newcomers can start at the last key frame
   * @param intervalMs between the last two key frames; 0 when unknown
   * @returns true when from now on it is missed
   */
  noteInterFrame(nowMs: number, isKept: boolean, intervalMs: number): boolean {
    this.#sinceMs ??= nowMs;
    if (this.#isMissing || (this.#hasSeen && isKept)) return false;
    const waitMs = this.#hasSeen ? Math.max(nextWaitMs, intervals * intervalMs) : firstWaitMs;
    if (nowMs - this.#sinceMs < waitMs) return false;
    this.#isMissing = true;
    return true;
  }
}
