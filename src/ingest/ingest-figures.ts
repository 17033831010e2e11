import { isoTime } from '../process/wall-clock.js';
import type { PictureSize } from '../wire/avc.js';
import type { IngestMeter } from './ingest-meter.js';
import type { MetadataFacts } from './metadata.js';
import type { Source } from './source.js';
import type { trackFigures } from './track-figures.js';

/** What of an ingest is shown. */
export interface MeasuredIngest {
  readonly source: Pick<Source, 'remote' | 'encoder' | 'ignoredMessages' | 'srt'>;
  /** Milliseconds since 1970. */
  readonly sinceMs: number;
  /** What it says of its stream. */
  readonly facts: MetadataFacts;
  readonly meter: IngestMeter;
  readonly videoCodec: string | null;
  readonly audioCodec: string | null;
  readonly pictureSize: PictureSize | null;
  readonly bytesIn: number;
  readonly bitsPerSecond: number;
  readonly framesPerSecond: number;
  readonly keyFrameIntervalMs: number;
}

/**
 * What is measured of an ingest, by the names of `backend/observed.ts`. The type follows from what is returned here.
 * @param tracks its tracks, as they are shown @param nowMs a monotonic clock
 */
export function ingestFigures(ingest: MeasuredIngest, tracks: ReturnType<typeof trackFigures>, nowMs: number) {
  const { facts, source, pictureSize } = ingest;
  const { remote, encoder, ignoredMessages } = source;
  return {
    liveSince: isoTime(ingest.sinceMs),
    publisher: remote,
    encoder: facts.encoder ?? (encoder || null),
    videoCodec: ingest.videoCodec,
    audioCodec: ingest.audioCodec,
    tracks,
    width: pictureSize?.width ?? facts.width,
    height: pictureSize?.height ?? facts.height,
    bytesIn: ingest.bytesIn,
    bitrateInBps: ingest.bitsPerSecond,
    frameRate: Math.round(ingest.framesPerSecond * 10) / 10,
    keyFrameIntervalMs: ingest.keyFrameIntervalMs || null,
    ignoredMessages,
    ...ingest.meter.figures(nowMs),
    ...(source.srt == null ? {} : { srt: source.srt }),
  };
}
