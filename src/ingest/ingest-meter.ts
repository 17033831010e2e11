import { isoTimeOf } from '../process/wall-clock.js';
import { MessageType } from '../wire/message.js';

/** A larger step of timestamps is a jump. */
const jumpMs = 3000;

/** Of the usual step from frame to frame: a part of this many milliseconds, in whole numbers. */
const stepParts = 256;

/**
 * Running observations of the default tracks of a source: it is called for every frame. All in whole numbers, since V8 has an
 * object of its own for any other, and of each camera they are not in the processor's cache when it sends something.
 */
export class IngestMeter {
  keyFrames = 0;
  /** Timestamps that went backwards, or forward by three seconds more than the clock did. */
  timestampJumps = 0;
  /** When the last frame of any track came, on the monotonic clock, whole milliseconds; 0 before the first. */
  lastFrameMs = 0;
  /** The same of audio. */
  lastAudioAtMs = 0;
  audioFrames = 0;
  /** The last timestamp of audio; -1 before the first. */
  lastAudioTimestamp = -1;
  #audioStep = 0;
  /** As of audio. */
  lastVideoAtMs = 0;
  videoFrames = 0;
  lastVideoTimestamp = -1;
  #videoStep = 0;
  /** Sixteenfold. */
  #jitter = 0;
  lastKeyFrameAtMs = 0;
  /** Between the arrival of the last two key frames, milliseconds; 0 before the second. */
  keyFrameGapMs = 0;

  /** Deviation of the arrival of video from its timestamps, milliseconds, smoothed (RFC 3550, section 6.4.1). */
  get jitterMs(): number {
    return this.#jitter / 16;
  }

  /** The usual step of timestamps from one frame to the next of its kind, milliseconds, smoothed; 0 before the second. */
  get audioStepMs(): number {
    return this.#audioStep / stepParts;
  }

  get videoStepMs(): number {
    return this.#videoStep / stepParts;
  }

  /** By the names of `backend/observed.ts`. @param nowMs a monotonic clock */
  figures(nowMs: number) {
    return {
      timestampJumps: this.timestampJumps,
      jitterMs: Math.round(this.jitterMs * 10) / 10,
      lastFrameAt: this.lastFrameMs === 0 ? null : isoTimeOf(this.lastFrameMs, nowMs),
    };
  }

  /** Notes a frame of a default track. The timestamp is the publisher's. @param nowMs whole milliseconds */
  note(type: number, timestampMs: number, isKeyFrame: boolean, nowMs: number): void {
    this.lastFrameMs = nowMs;
    if (type === MessageType.Audio) {
      this.audioFrames++;
      if (this.lastAudioTimestamp >= 0) {
        const step = this.#look(timestampMs, this.lastAudioTimestamp, nowMs - this.lastAudioAtMs);
        this.#audioStep = smoothed(this.#audioStep, step);
      }
      this.lastAudioTimestamp = timestampMs;
      this.lastAudioAtMs = nowMs;
      return;
    }
    this.videoFrames++;
    if (this.lastVideoTimestamp >= 0) {
      const passedMs = nowMs - this.lastVideoAtMs;
      // A break is no interval of key frames.
      if (passedMs > jumpMs) this.lastKeyFrameAtMs = 0;
      const step = this.#look(timestampMs, this.lastVideoTimestamp, passedMs);
      this.#videoStep = smoothed(this.#videoStep, step);
      const deviation = Math.abs(passedMs - step);
      // As RFC 3550 has it in its appendix A.8.
      if (deviation < jumpMs) this.#jitter += deviation - ((this.#jitter + 8) >> 4);
    }
    this.lastVideoTimestamp = timestampMs;
    this.lastVideoAtMs = nowMs;
    if (!isKeyFrame) return;
    this.keyFrames++;
    if (this.lastKeyFrameAtMs > 0) this.keyFrameGapMs = nowMs - this.lastKeyFrameAtMs;
    this.lastKeyFrameAtMs = nowMs;
  }

  /** Another video track is the default one from now on: nothing that was measured of the one before is of it. */
  followVideo(nowMs: number): void {
    this.lastVideoTimestamp = -1;
    this.#videoStep = 0;
    this.lastKeyFrameAtMs = 0;
    this.keyFrameGapMs = 0;
    // Its frames are missed from now on.
    this.lastVideoAtMs = nowMs;
  }

  /** As `followVideo`. */
  followAudio(nowMs: number): void {
    this.lastAudioTimestamp = -1;
    this.#audioStep = 0;
    this.lastAudioAtMs = nowMs;
  }

  /** @param passedMs by the clock: a camera of one frame in five seconds does not jump */
  #look(timestampMs: number, last: number, passedMs: number): number {
    const step = (timestampMs - last) | 0;
    if (step < 0 || step - passedMs > jumpMs) this.timestampJumps++;
    return step;
  }
}

/** A jump says nothing of the usual step. @param usual in parts */
function smoothed(usual: number, stepMs: number): number {
  if (stepMs < 0 || stepMs > jumpMs) return usual;
  const step = stepMs * stepParts;
  // Of less than eight parts no eighth is left: from there it would never grow again.
  if (usual < 8) return step;
  // One long gap is no other rate; many are.
  return usual + ((Math.min(step, 2 * usual) - usual) >> 3);
}
