import type { WithoutKeyFrames } from '../../src/ingest/key-frame-watch.js';
import type { Source } from '../../src/ingest/source.js';
import { SourceIngest } from '../../src/ingest/source-ingest.js';
import type { IngestListener } from '../../src/ingest/source-ingest-options.js';
import { LiveStream, type LiveStreamOptions } from '../../src/relay/live-stream.js';

export interface FedStreamOptions extends LiveStreamOptions {
  /** Default: pass. */
  readonly withoutKeyFrames?: WithoutKeyFrames;
  readonly onKeyFrames?: (missing: boolean) => void;
}

let sources = 0;

/** A source that does nothing by itself. */
export function idleSource(facts: Partial<Source> = {}): Source {
  return {
    ...{
      id: `source ${++sources}`,
      kind: 'publisher',
      remote: '192.0.2.1:5000',
      encoder: 'test',
      via: '',
      priority: 1,
    },
    ...{ lastMediaMs: performance.now(), ignoredMessages: 0, close() {} },
    ...facts,
  };
}

/** A stream with one source after the other, as a camera's: what is published goes the way of every message. */
export class FedStream extends LiveStream {
  readonly #options: FedStreamOptions;
  #ingest: SourceIngest;

  constructor(options: FedStreamOptions, nowMs: number, via: readonly string[] = []) {
    super(options, nowMs);
    this.#options = options;
    this.#ingest = this.#next(via);
  }

  /** What feeds it. */
  get ingest(): SourceIngest {
    return this.#ingest;
  }

  publish(type: number, timestampMs: number, payload: Buffer, nowMs: number): boolean {
    return this.#ingest.write(type, timestampMs, payload, nowMs);
  }

  /** Another source begins. */
  restart(): void {
    this.#ingest.release();
    this.#ingest = this.#next(this.via);
  }

  #next(via: readonly string[]): SourceIngest {
    const { withoutKeyFrames = 'pass', onKeyFrames } = this.#options;
    const listener: IngestListener<SourceIngest> = {
      onKeyFrames: (_ingest, missing) => onKeyFrames?.(missing),
      onMetadata() {},
      onUnreadable() {},
      onEnded() {},
    };
    const ingest = new SourceIngest({ source: idleSource(), via, withoutKeyFrames, listener });
    this.follow(ingest);
    ingest.feed(this);
    return ingest;
  }
}
