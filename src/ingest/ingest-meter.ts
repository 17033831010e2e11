import { isoTimeOf } from '../process/wall-clock.js';
import { MessageType } from '../wire/message.js';

/** A larger step of timestamps is a jump. */
const jumpMs = 3000;

/** The smoothing of jitter (RFC 3550, section 6.4.1). */
const jitterGain = 1 / 16;

/** The smoothing of the usual step from frame to frame. */
const stepGain = 1 / 8;

/** Running observations of the default tracks of a source. Plain arithmetic: it is called for every frame. */
export class IngestMeter {
  videoFrames = 0;
  audioFrames = 0;
  keyFrames = 0;
  /** Timestamps that went backwards, or forward by three seconds more than the clock did. */
  timestampJumps = 0;
  /** Deviation of arrival from timestamps, milliseconds, smoothed (RFC 3550, section 6.4.1). */
  jitterMs = 0;
  /** When the last frame of any track came, on the monotonic clock; 0 before the first. */
  lastFrameMs = 0;
  /** The same of audio, of video, and of key frames. */
  lastAudioAtMs = 0;
  lastVideoAtMs = 0;
  lastKeyFrameAtMs = 0;
  /** Between the arrival of the last two key frames, milliseconds; 0 before the second. */
  keyFrameGapMs = 0;
  /** The usual step of timestamps from one frame to the next of its kind, milliseconds, smoothed; 0 before the second. */
  audioStepMs = 0;
  videoStepMs = 0;
  /** The last timestamp of each kind; -1 before the first. */
  lastAudioTimestamp = -1;
  lastVideoTimestamp = -1;

  /** By the names of `backend/observed.ts`. @param nowMs a monotonic clock */
  figures(nowMs: number) {
    return {
      timestampJumps: this.timestampJumps,
      jitterMs: Math.round(this.jitterMs * 10) / 10,
      lastFrameAt: this.lastFrameMs === 0 ? null : isoTimeOf(this.lastFrameMs, nowMs),
    };
  }

  /** Notes a frame of a default track. The timestamp is the publisher's. */
  note(type: number, timestampMs: number, isKeyFrame: boolean, nowMs: number): void {
    this.lastFrameMs = nowMs;
    if (type === MessageType.Audio) {
      this.audioFrames++;
      if (this.lastAudioTimestamp >= 0) {
        const step = this.#look(timestampMs, this.lastAudioTimestamp, nowMs - this.lastAudioAtMs);
        this.audioStepMs = smoothed(this.audioStepMs, step);
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
      this.videoStepMs = smoothed(this.videoStepMs, step);
      const deviation = Math.abs(passedMs - step);
      if (deviation < jumpMs) this.jitterMs += (deviation - this.jitterMs) * jitterGain;
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
    this.videoStepMs = 0;
    this.lastKeyFrameAtMs = 0;
    this.keyFrameGapMs = 0;
    // Its frames are missed from now on.
    this.lastVideoAtMs = nowMs;
  }

  /** As `followVideo`. */
  followAudio(nowMs: number): void {
    this.lastAudioTimestamp = -1;
    this.audioStepMs = 0;
    this.lastAudioAtMs = nowMs;
  }

  /** @param passedMs by the clock: a camera of one frame in five seconds does not jump */
  #look(timestampMs: number, last: number, passedMs: number): number {
    const step = (timestampMs - last) | 0;
    if (step < 0 || step - passedMs > jumpMs) this.timestampJumps++;
    return step;
  }
}

/** A jump says nothing of the usual step. */
function smoothed(usualMs: number, stepMs: number): number {
  if (stepMs < 0 || stepMs > jumpMs) return usualMs;
  if (usualMs === 0) return stepMs;
  // One long gap is no other rate; many are.
  return usualMs + (Math.min(stepMs, 2 * usualMs) - usualMs) * stepGain;
}
