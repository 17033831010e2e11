import type { ErrorCode } from '../errors.js';
import type { CameraEvidence, HealthLimits } from './evidence.js';

/** Publishes that are remembered of a camera; the setting allows no more. */
const maxPublishes = 100;
/** Jumps of timestamps that are remembered. */
const maxJumps = 100;
/** Before this, the rate of a new source says little. */
const settledMs = 12_000;
/** Drift is judged from one window to the next. */
const driftWindowMs = 10_000;
/** A burst at the beginning (the GOP that another server kept) is no drift. */
const driftFromMs = 15_000;
/** A dip of the frame rate that passed by itself is expected again for so long. */
const dipKeptMs = 600_000;
/** The share of a new rate in what is usual. */
const usualGain = 0.02;

/** Why a publisher was refused, or ended. */
export interface Refusal {
  readonly atMs: number;
  readonly code: ErrorCode;
  readonly message: string;
}

/**
 * What the rules remember of one camera from look to look. It has no clock: times are those of the looks, on a
 * monotonic clock, milliseconds.
 */
export class CameraMemory {
  /** When publishers were let in, oldest first. */
  readonly publishes: number[] = [];
  /** Those that were refused in the last minute or so, by their code. */
  readonly refusals: Refusal[] = [];
  /** Why the last source ended, when that has a code. */
  ended: Refusal | null = null;
  /** Of an earlier source of this camera. */
  hadVideo = false;
  hadAudio = false;
  /** Frames per second as they usually are; 0: not known yet. */
  usualFps = 0;
  /** Below this the frame rate is too low; 0: not known yet. */
  lowFps = 0;
  /** When timestamps jumped, as far as it was seen. */
  readonly jumps: number[] = [];
  /** Windows in a row in which timestamps went too fast (above 0) or too slow. */
  driftWindows = 0;
  /** Windows in a row in which they went as the clock does. */
  steadyWindows = 0;
  /** Of the last window, percent. */
  driftPercent = 0;
  #session = '';
  #jumpsSeen = 0;
  #dipMin = 0;
  #dipLow = 0;
  #dipAtMs = 0;
  #drift: { readonly atMs: number; readonly leadMs: number; readonly jumps: number } | null = null;
  #sawVideo = false;
  #sawAudio = false;

  /** A publisher was let in. */
  published(nowMs: number): void {
    this.publishes.push(nowMs);
    if (this.publishes.length > maxPublishes) this.publishes.shift();
  }

  refused(refusal: Refusal): void {
    this.refusals.push(refusal);
    if (this.refusals.length > 20) this.refusals.shift();
  }

  /** A publisher was let in: who was refused before is not any more, unless another one holds the camera. */
  forgetRefusals(): void {
    for (let i = this.refusals.length - 1; i >= 0; i--) {
      if (this.refusals[i]!.code !== 'PUBLISH_ALREADY_LIVE') this.refusals.splice(i, 1);
    }
  }

  /** Takes in what is seen now, before it is judged. */
  take(seen: CameraEvidence, limits: HealthLimits, nowMs: number): void {
    if (seen.session !== this.#session) this.#begin(seen);
    const { videoFrames, audioFrames, videoAgeMs, audioAgeMs } = seen;
    if ((videoFrames ?? 0) > 0 || videoAgeMs !== null) this.#sawVideo = true;
    if ((audioFrames ?? 0) > 0 || audioAgeMs !== null) this.#sawAudio = true;
    this.#takeJumps(seen.timestampJumps ?? 0, nowMs);
    this.#takeRate(seen, limits, nowMs);
    this.#takeDrift(seen, limits, nowMs);
  }

  /** What lies behind is forgotten: 0 of publishes and refusals that are older. */
  forgetBefore(publishMs: number, refusalMs: number): void {
    while (this.publishes.length > 0 && this.publishes[0]! < publishMs) this.publishes.shift();
    while (this.refusals.length > 0 && this.refusals[0]!.atMs < refusalMs) this.refusals.shift();
    if (this.ended !== null && this.ended.atMs < refusalMs) this.ended = null;
  }

  #begin({ session, timestampJumps }: CameraEvidence): void {
    this.#session = session;
    this.hadVideo ||= this.#sawVideo;
    this.hadAudio ||= this.#sawAudio;
    this.usualFps = this.lowFps = 0;
    this.jumps.length = 0;
    this.#jumpsSeen = timestampJumps ?? 0;
    this.#dipMin = this.#dipLow = 0;
    this.#drift = null;
    this.driftWindows = this.steadyWindows = 0;
  }

  #takeJumps(count: number, nowMs: number): void {
    for (let more = Math.min(maxJumps, count - this.#jumpsSeen); more > 0; more--) this.jumps.push(nowMs);
    this.#jumpsSeen = count;
    while (this.jumps.length > maxJumps || (this.jumps.length > 0 && this.jumps[0]! < nowMs - 60_000)) {
      this.jumps.shift();
    }
  }

  /**
   * Learns what is usual. A rate that dips and recovers by itself is that of an encoder which sends what changes, and is
   * expected for a while.
   */
  #takeRate(seen: CameraEvidence, limits: HealthLimits, nowMs: number): void {
    const { framesPerSecond: fps, videoAgeMs, liveForMs, saidFrameRate } = seen;
    if (fps === null || videoAgeMs === null || liveForMs < settledMs) return;
    const part = limits.lowFrameRatePercent / 100;
    if (this.usualFps === 0) {
      // What has stopped already tells nothing of what is usual.
      if (fps === 0 || videoAgeMs > 1000 + 2000 / fps) return;
      this.usualFps = fps;
    }
    let low = Math.max(this.usualFps, saidFrameRate ?? 0) * part;
    if (this.#dipLow > 0 && nowMs - this.#dipAtMs > dipKeptMs) this.#dipLow = 0;
    if (this.#dipLow > 0) low = Math.min(low, this.#dipLow * 0.7);
    this.lowFps = low;
    if (fps < low) {
      this.#dipMin = this.#dipMin === 0 ? fps : Math.min(this.#dipMin, fps);
      return;
    }
    this.usualFps += (fps - this.usualFps) * usualGain;
    if (this.#dipMin > 0 && fps > low * 1.25) {
      this.#dipLow = this.#dipLow === 0 ? this.#dipMin : Math.min(this.#dipLow, this.#dipMin);
      this.#dipAtMs = nowMs;
      this.#dipMin = 0;
    }
  }

  /** A dip that was long enough to be told of is no habit. */
  forgetDip(): void {
    this.#dipMin = 0;
  }

  #takeDrift(seen: CameraEvidence, { driftPercent }: HealthLimits, nowMs: number): void {
    const leadMs = seen.videoLeadMs ?? seen.audioLeadMs;
    const ageMs = seen.videoLeadMs === null ? seen.audioAgeMs : seen.videoAgeMs;
    const isUnclear = this.jumps.length > 0 || seen.liveForMs < driftFromMs;
    if (leadMs === null || ageMs === null || ageMs > driftWindowMs || isUnclear) {
      this.#drift = null;
      return;
    }
    const atMs = nowMs - ageMs;
    const jumps = seen.timestampJumps ?? 0;
    const before = this.#drift;
    if (before !== null && before.jumps === jumps && atMs - before.atMs < driftWindowMs) return;
    this.#drift = { atMs, leadMs, jumps };
    if (before === null || before.jumps !== jumps) return;
    const percent = (((leadMs - before.leadMs) | 0) * 100) / (atMs - before.atMs);
    this.driftPercent = percent;
    const way = Math.sign(percent);
    if (Math.abs(percent) >= driftPercent) {
      this.driftWindows = Math.sign(this.driftWindows) === way ? this.driftWindows + way : way;
      this.steadyWindows = 0;
    } else {
      this.driftWindows = 0;
      this.steadyWindows = Math.abs(percent) < driftPercent / 2 ? this.steadyWindows + 1 : 0;
    }
  }
}
