import type { CameraEvidence } from '../../health/evidence.js';
import type { SourceIngest } from '../../ingest/source-ingest.js';
import { heardMs } from '../../process/standstill.js';

/** What there is to judge a source by. @param nowMs a monotonic clock, milliseconds */
export function evidenceOf(ingest: SourceIngest, nowMs: number): CameraEvidence {
  const { source, meter, facts } = ingest;
  const { lastVideoAtMs, lastAudioAtMs, lastKeyFrameAtMs, keyFrameGapMs } = meter;
  const ageOf = (atMs: number): number | null => (atMs === 0 ? null : Math.max(0, heardMs(atMs, nowMs)));
  return {
    session: `${source.id} ${ingest.sinceMs}`,
    liveForMs: Math.max(0, heardMs(ingest.begunMs, nowMs)),
    videoFrames: meter.videoFrames,
    audioFrames: meter.audioFrames,
    videoAgeMs: ageOf(lastVideoAtMs),
    audioAgeMs: ageOf(lastAudioAtMs),
    keyFrameAgeMs: ageOf(lastKeyFrameAtMs),
    keyFrameGapMs: keyFrameGapMs === 0 ? null : keyFrameGapMs,
    missesKeyFrames: ingest.missesKeyFrames,
    bitsPerSecond: ingest.bitsPerSecond,
    framesPerSecond: ingest.framesPerSecond,
    saidFrameRate: facts.frameRate,
    saysAudio: facts.hasAudio || ingest.audioCodec !== null,
    timestampJumps: meter.timestampJumps,
    videoLeadMs: leadOf(meter.lastVideoTimestamp, lastVideoAtMs),
    audioLeadMs: leadOf(meter.lastAudioTimestamp, lastAudioAtMs),
    videoCodec: ingest.videoCodec,
    audioCodec: ingest.audioCodec,
    stillForMs: source.kind === 'test-pattern' ? 0 : ingest.stillForMs(nowMs),
  };
}

function leadOf(timestampMs: number, atMs: number): number | null {
  return timestampMs < 0 ? null : (timestampMs - Math.round(atMs)) | 0;
}
