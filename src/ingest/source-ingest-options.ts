import type { LiveStream } from '../relay/live-stream.js';
import type { WithoutKeyFrames } from './key-frame-watch.js';
import type { Source } from './source.js';

/** What the messages of a source are. */
export type MessageKind = 'audio' | 'video' | 'data';

/** The stream as a source that feeds it sees it. */
export type FedStream = Pick<LiveStream, 'append' | 'keeps' | 'forgetTrack'> &
  Partial<Pick<LiveStream, 'prefetchAppend'>>;

/**
 * Whoever is told of what a source sends. Called in the middle of the work on a message: it is quick and throws
 * nothing. `Of`: what takes the messages of the source.
 */
export interface IngestListener<Of> {
  /** A metadata message, as it may be passed on. */
  onMetadata(ingest: Of, payload: Buffer): void;
  /** The first message of each kind that is not passed on, since it cannot be read. */
  onUnreadable(ingest: Of, kind: MessageKind, payloadBytes: number): void;
  /** Key frames have been missed for too long, or come again. */
  onKeyFrames(ingest: Of, missing: boolean): void;
  /** The source ends it. */
  onEnded(ingest: Of, reason: string): void;
}

export interface SourceIngestOptions<Of> {
  readonly source: Source;
  /** The name of the camera's ingest that it came in by; default: the only one. */
  readonly name?: string;
  /** The aggregators that it came through, this one included. */
  readonly via: readonly string[];
  /** What is done with video that has no key frames. */
  readonly withoutKeyFrames: WithoutKeyFrames;
  readonly listener: IngestListener<Of>;
}
