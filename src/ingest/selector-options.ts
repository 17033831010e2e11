import type { Logger } from '../log/log.js';
import type { LiveStream } from '../relay/live-stream.js';
import type { SlabPool } from '../relay/slab-pool.js';
import type { WithoutKeyFrames } from './key-frame-watch.js';
import type { SourceIngest } from './source-ingest.js';
import type { MessageKind } from './source-ingest-options.js';
import type { TagSource } from './tag-source.js';
import type { WatchTimer } from './watch-timer.js';

/** What the camera of a selector is told. Called in the middle of the work: it is quick and throws nothing. */
export interface SelectorListener {
  /** A source feeds the stream. @param returned the stream goes on: within the grace, or by taking over */
  onLive(ingest: SourceIngest, stream: LiveStream, returned: boolean): void;
  /** The source is gone. @param graceMs how long the stream waits for another one; 0: it is over */
  onStopped(ingest: SourceIngest, reason: string, graceMs: number): void;
  /** The stream is over. */
  onOver(stream: LiveStream, latest: SourceIngest | null): void;
  onUnreadable(ingest: SourceIngest, kind: MessageKind, payloadBytes: number): void;
  /** Key frames have been missed for too long, or are not missed any more. */
  onKeyFrames(missing: boolean): void;
  /** A source came in by one of the camera's ingests, or is gone. @param reason why it is gone; null: it came */
  onIngest(ingest: SourceIngest, reason: string | null): void;
  /** The stream goes on with another one, which stood by, or with a slate. */
  onSwitched(from: SourceIngest, to: SourceIngest, reason: string): void;
  /** The slate cannot be shown. @param reason in words */
  onSlateFailed(reason: string): void;
}

export interface SelectorSettings {
  /** A source that was silent for longer gives way to any other. */
  readonly publishTakeoverMs: number;
  /** How long a stream waits for a source when the last one is gone. */
  readonly publishGraceMs: number;
  /** How long frames or pictures of the live ingest may be missed before another one takes its place. */
  readonly standbyAfterMs: number;
  readonly withoutKeyFrames: WithoutKeyFrames;
  readonly maxBitrateKbps: number;
  /** Most bytes of a GOP that are kept of an ingest that stands by. */
  readonly gopMaxBytes: number;
}

export interface SelectorOptions {
  readonly camera: string;
  /** This aggregator among those that a stream came through. */
  readonly nodeId: string;
  readonly settings: SelectorSettings;
  readonly log: Logger;
  /** Makes the stream that is fed until it is over. */
  readonly newStream: () => LiveStream;
  readonly listener: SelectorListener;
  readonly pool: SlabPool;
  /** Opens the clip of a slate. @throws (rejects) CodedError FLV_INVALID */
  readonly openSlate: (file: string) => Promise<TagSource>;
  /** Has it looked at often; default: those of this process. */
  readonly watchTimer?: Pick<WatchTimer, 'want'>;
  /** A monotonic clock, milliseconds; default: that of this process. */
  readonly now?: () => number;
}
