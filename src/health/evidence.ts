/**
 * What is counted of a camera while it is live, as the rules of its health need it: cheap figures, read about once a
 * second. Null: the media backend cannot tell. Ages do not count times in which this process stood still.
 */
export interface CameraEvidence {
  /** Another one for each publisher or other source that feeds the camera. */
  readonly session: string;
  /** How long this source has fed it, milliseconds. */
  readonly liveForMs: number;
  readonly videoFrames: number | null;
  readonly audioFrames: number | null;
  /** Since the last frame of each kind, milliseconds; null also when none came. */
  readonly videoAgeMs: number | null;
  readonly audioAgeMs: number | null;
  /** Since the last key frame; null also when none came. */
  readonly keyFrameAgeMs: number | null;
  /** Between the arrival of the last two key frames; null before the second. */
  readonly keyFrameGapMs: number | null;
  /** No key frames come at all: the condition NO_KEY_FRAME says so. */
  readonly missesKeyFrames: boolean;
  /** Averages over about 10 s. */
  readonly bitsPerSecond: number | null;
  readonly framesPerSecond: number | null;
  /** The frame rate that its metadata declares. */
  readonly saidFrameRate: number | null;
  /** Its metadata, or a header, declares sound. */
  readonly saysAudio: boolean;
  /** Timestamps that went backwards, or far ahead of the clock. */
  readonly timestampJumps: number | null;
  /**
   * How far the timestamp of the last frame of each kind is ahead of its arrival, milliseconds. Where it begins is of no
   * meaning: only changes and differences count, on the circle of 32 bits.
   */
  readonly videoLeadMs: number | null;
  readonly audioLeadMs: number | null;
  readonly videoCodec: string | null;
  readonly audioCodec: string | null;
  /** For how long its picture has been the same, bit for bit, milliseconds; 0: it changes. */
  readonly stillForMs?: number;
  /** All its pushes get another sound than the camera's. */
  readonly isSoundReplaced?: boolean;
  /** Targets that are not expected to take its codecs, in words, a few of them. */
  readonly targetTroubles?: readonly string[];
}

/** Beyond these limits a camera is in trouble. Zero: this is not looked at. */
export interface HealthLimits {
  /** Nothing came for so long, milliseconds. */
  readonly silentMs: number;
  /** No video came for so long, and it did before. */
  readonly noVideoMs: number;
  /** No audio came for so long, and it did before or was declared. */
  readonly noAudioMs: number;
  /** The picture has been the same, bit for bit, for so long. */
  readonly stillMs: number;
  /** The frame rate is below this part of what was declared or usual, percent. */
  readonly lowFrameRatePercent: number;
  /** Key frames are further apart. */
  readonly keyFrameGapMs: number;
  /** So many jumps of timestamps in a minute. */
  readonly timestampJumps: number;
  /** Timestamps advance faster or slower than the clock by so much, percent. */
  readonly driftPercent: number;
  /** Sound and picture are further apart. */
  readonly audioVideoMs: number;
  /** Fewer bits per second. */
  readonly minBps: number;
  /** More bits per second end the publisher: `max-bitrate-kbps`. */
  readonly maxBps: number;
  /** So many publishes within `flapWindowMs`. */
  readonly flaps: number;
  readonly flapWindowMs: number;
}

/** The limits when nobody says others. */
export const defaultHealthLimits: HealthLimits = {
  silentMs: 5_000,
  noVideoMs: 5_000,
  noAudioMs: 10_000,
  stillMs: 30_000,
  lowFrameRatePercent: 30,
  keyFrameGapMs: 10_000,
  timestampJumps: 3,
  driftPercent: 5,
  audioVideoMs: 2_000,
  minBps: 1_000,
  maxBps: 0,
  flaps: 5,
  flapWindowMs: 300_000,
};
