/**
 * The sound that is sent in place of a camera's: AAC LC (ISO/IEC 14496-3) of 48,000 samples a second, in stereo. Silence and
 * what is transcoded have the same form, so that one header is right for both.
 */
export const sampleRate = 48_000;
const samplesPerFrame = 1024;

/** Sound format 10 (AAC), and the bits that FLV prescribes for it (Adobe Flash Video File Format 10.1, E.4.2.1). */
const aacFlags = 0xaf;

/** The sequence header: object type 2, index 3 of the sample rates, two channels (14496-3, 1.6.2.1). */
export const aacHeader = Buffer.from([aacFlags, 0, 0x11, 0x90]);

/** A frame without any sound: a channel pair of which both have no sections. */
export const silentFrame = Buffer.from([aacFlags, 1, 0x21, 0x00, 0x49, 0x90, 0x02, 0x19, 0x00, 0x23, 0x80]);

/** Times that jump by more are followed at once; nothing is made up for. */
const followMs = 1000;

/** The clock of silence: when its frames are due, by the times of what they accompany. */
export class SilenceClock {
  /** The time of its first frame. */
  #fromMs = 0;
  #frames = 0;
  #isRunning = false;

  /**
   * The time of the next frame where that is due; -1 where it is not. Call until it is not.
   * @param timestampMs the time of what is sent with it, of 32 bits
   */
  next(timestampMs: number): number {
    const dueMs = (this.#fromMs + Math.round((this.#frames * samplesPerFrame * 1000) / sampleRate)) >>> 0;
    // On the circle of 32 bits.
    const behindMs = (timestampMs - dueMs) | 0;
    if (!this.#isRunning || behindMs > followMs || behindMs < -followMs) {
      this.#isRunning = true;
      this.#fromMs = timestampMs;
      this.#frames = 1;
      return timestampMs;
    }
    if (behindMs < 0) return -1;
    this.#frames++;
    return dueMs;
  }
}
