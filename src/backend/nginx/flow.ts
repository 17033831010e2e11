import type { CameraEvidence } from '../../health/evidence.js';
import { elapsedMs } from '../../process/wall-clock.js';
import type { LiveCamera } from './workers.js';

/** When a camera's bytes, and bits of each kind, last came; 0: never. On the monotonic clock. */
interface Seen {
  readonly publisher: string;
  bytes: number;
  bytesAtMs: number;
  audioAtMs: number;
  videoAtMs: number;
}

/**
 * What comes of each camera, from one look at the statistics to the next. The module counts bytes, and averages of audio
 * and of video over about ten seconds: so what stops is seen that much later than with the native backend.
 */
export class Flow {
  readonly #seen = new Map<string, Seen>();

  /** Looks at the cameras of the newest worker. */
  look(cameras: Iterable<LiveCamera>, nowMs: number): void {
    const names = new Set<string>();
    for (const { name, publisher, stream } of cameras) {
      names.add(name);
      let seen = this.#seen.get(name);
      if (seen?.publisher !== publisher.id) {
        seen = { publisher: publisher.id, bytes: 0, bytesAtMs: 0, audioAtMs: 0, videoAtMs: 0 };
        this.#seen.set(name, seen);
      }
      if (stream.bytesIn !== seen.bytes) {
        seen.bytes = stream.bytesIn;
        seen.bytesAtMs = nowMs;
      }
      if ((stream.audioBps ?? 0) > 0) seen.audioAtMs = nowMs;
      if ((stream.videoBps ?? 0) > 0) seen.videoAtMs = nowMs;
    }
    for (const name of this.#seen.keys()) if (!names.has(name)) this.#seen.delete(name);
  }

  /** Null before the first look. */
  evidenceOf(
    { name, publisher, stream }: LiveCamera,
    bitsPerSecond: number | null,
    nowMs: number,
  ): CameraEvidence | null {
    const seen = this.#seen.get(name);
    if (seen === undefined || seen.publisher !== publisher.id) return null;
    const ageOf = (atMs: number): number | null => (atMs === 0 ? null : Math.max(0, nowMs - atMs));
    const isSilent = nowMs - seen.bytesAtMs > silentMs;
    // The averages outlive what they are of. Bytes that come are of either kind: only silence says more than they do.
    const kindAge = (atMs: number): number | null => (isSilent && atMs > 0 ? ageOf(seen.bytesAtMs) : ageOf(atMs));
    const [videoAgeMs, audioAgeMs] = [kindAge(seen.videoAtMs), kindAge(seen.audioAtMs)];
    const isKnown = videoAgeMs !== null || audioAgeMs !== null;
    return {
      session: publisher.id,
      liveForMs: elapsedMs(publisher.sinceMs),
      videoFrames: null,
      audioFrames: null,
      videoAgeMs: isKnown ? videoAgeMs : ageOf(seen.bytesAtMs),
      audioAgeMs,
      keyFrameAgeMs: null,
      keyFrameGapMs: null,
      missesKeyFrames: false,
      bitsPerSecond,
      framesPerSecond: null,
      saidFrameRate: null,
      saysAudio: stream.audioCodec !== '',
      timestampJumps: null,
      videoLeadMs: null,
      audioLeadMs: null,
      videoCodec: null,
      audioCodec: null,
    };
  }
}

/** Bytes that did not come for so long are no pause between two looks. */
const silentMs = 2_500;
