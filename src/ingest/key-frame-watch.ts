/** How long a new publisher may take to send its first key frame. Most encoders send one at once or within seconds. */
const firstWaitMs = 5000;

/** How long an encoder that has sent key frames may take to the next one, if the last one is no longer kept. */
const nextWaitMs = 30_000;

/** Or this many times its usual key frame interval. */
const intervals = 3;

/** What happens to video without key frames. */
export type WithoutKeyFrames = 'drop' | 'pass';

/**
 * Notices a stream in which nobody can start at a key frame: it never had one, or (an encoder with intra refresh, which
 * renews its picture piece by piece) it had one at its beginning, and that is not kept any more. Called for every frame.
 */
export class KeyFrameWatch {
  readonly #mode: WithoutKeyFrames;
  /** Since when a key frame is expected, on the monotonic clock; null: from the next frame on. */
  #sinceMs: number | null = null;
  #hasSeen = false;
  #isMissing = false;

  constructor(mode: WithoutKeyFrames) {
    this.#mode = mode;
  }

  /** True if a key frame has been missing for too long. */
  get isMissing(): boolean {
    return this.#isMissing;
  }

  /** True if frames are forwarded although no key frame came before them. */
  get passes(): boolean {
    return this.#isMissing && this.#mode === 'pass';
  }

  /** True if video is dropped, and audio is handled as in a stream without video. */
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
