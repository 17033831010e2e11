import { CodedError } from '../errors.js';
import type { Logger } from '../log/log.js';
import { heardMs, setHeardTimeout } from '../process/standstill.js';
import type { LiveStream } from '../relay/live-stream.js';
import { parseVia, viaOfMetadata } from '../relay/via.js';
import type { WithoutKeyFrames } from './key-frame-watch.js';
import type { Ingest, Source } from './source.js';
import { type IngestListener, type MessageKind, SourceIngest } from './source-ingest.js';

/** What the camera of a selector is told. Called in the middle of the work: it is quick and throws nothing. */
export interface SelectorListener {
  /** A source feeds the stream. @param returned the stream goes on: within the grace, or by taking over */
  onLive(ingest: SourceIngest, stream: LiveStream, returned: boolean): void;
  /** The source is gone. @param graceMs how long the stream waits for another one; 0: it is over */
  onStopped(ingest: SourceIngest, reason: string, graceMs: number): void;
  /** The stream is over. */
  onOver(): void;
  onUnreadable(ingest: SourceIngest, kind: MessageKind, payloadBytes: number): void;
  /** Key frames have been missed for too long, or are not missed any more. */
  onKeyFrames(missing: boolean): void;
}

export interface SelectorSettings {
  /** A source that was silent for longer gives way to any other. */
  readonly publishTakeoverMs: number;
  /** How long a stream waits for a source when the last one is gone. */
  readonly publishGraceMs: number;
  readonly withoutKeyFrames: WithoutKeyFrames;
  readonly maxBitrateKbps: number;
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
}

/**
 * The sources of one camera, and the decision which of them feeds its stream: one, for the time being.
 *
 *   gone --open--> live --source ends--> grace --open--> live (the same stream goes on)
 *     ^              | ^ open, when the source is silent     |
 *     |              '-'   or of a lower priority            |
 *     '--------------------- nobody came back ---------------'
 */
export class IngestSelector implements IngestListener {
  readonly #options: SelectorOptions;
  /** The source that feeds the stream, or in the grace the last one that did. */
  #ingest: SourceIngest | null = null;
  #isLive = false;
  #stream: LiveStream | null = null;
  #graceTimer: NodeJS.Timeout | null = null;
  #graceUntilMs = 0;
  #pastBytes = 0;

  constructor(options: SelectorOptions) {
    this.#options = options;
  }

  /** What feeds the stream; null when nothing does. */
  get live(): SourceIngest | null {
    return this.#isLive ? this.#ingest : null;
  }

  /** As `live`, but for the grace too: what fed it last. */
  get latest(): SourceIngest | null {
    return this.#ingest;
  }

  /** Null when the camera is gone; kept during the grace. */
  get stream(): LiveStream | null {
    return this.#stream;
  }

  /** Until when a source may return, milliseconds since 1970; null when none is waited for. */
  get graceUntilMs(): number | null {
    return this.#graceTimer === null ? null : this.#graceUntilMs;
  }

  /** Media bytes of all sources, ever. */
  get bytesIn(): number {
    return this.#pastBytes + (this.live?.bytesIn ?? 0);
  }

  /**
   * Lets a source in, which feeds the stream from its next key frame on.
   * @throws CodedError PUBLISH_ALREADY_LIVE while another one does that need not give way; PUBLISH_LOOP
   */
  open(source: Source): Ingest {
    const { nodeId, settings, newStream, listener } = this.#options;
    const via = parseVia(source.via);
    if (via.includes(nodeId)) throw this.#loopError(source);
    const known = this.live;
    if (known !== null && known.source.id === source.id) {
      known.use();
      return known;
    }
    this.#makeRoom(source);
    this.#stopWaiting();
    const returned = this.#stream !== null;
    const stream = this.#stream ?? newStream();
    const { withoutKeyFrames } = settings;
    const ingest = new SourceIngest({ source, via: [...via, nodeId], withoutKeyFrames, listener: this });
    this.#stream = stream;
    this.#ingest = ingest;
    this.#isLive = true;
    stream.follow(ingest);
    ingest.feed(stream);
    listener.onLive(ingest, stream, returned);
    return ingest;
  }

  /** Call about once a second: measures, and ends what sends too much. */
  tick(nowMs: number): void {
    const { live } = this;
    if (live === null) return;
    live.tick(nowMs);
    const { camera, settings } = this.#options;
    const { maxBitrateKbps } = settings;
    const kbps = Math.round(live.bitsPerSecond / 1000);
    if (kbps <= maxBitrateKbps) return;
    live.source.close(
      new CodedError('RTMP_LIMIT', `camera ${camera} sends ${kbps} kbit/s; max-bitrate-kbps is ${maxBitrateKbps}`),
    );
  }

  /** Ends what feeds the stream, if anything does. */
  close(reason: CodedError): void {
    this.live?.source.close(reason);
  }

  /** Waits for no source any more: without one the stream is over. */
  finish(): void {
    this.#stopWaiting();
    if (this.#stream === null) return;
    const { live } = this;
    if (live !== null) this.#retire(live);
    this.#stream = null;
    this.#ingest = null;
    this.#options.listener.onOver();
  }

  onMetadata({ source }: SourceIngest, payload: Buffer): void {
    // Servers in between pass on the metadata, if nothing else.
    if (!viaOfMetadata(payload).includes(this.#options.nodeId)) return;
    // Not now: its bytes are being read.
    setImmediate(() => source.close(this.#loopError(source)));
  }

  onUnreadable(ingest: SourceIngest, kind: MessageKind, payloadBytes: number): void {
    this.#options.listener.onUnreadable(ingest, kind, payloadBytes);
  }

  onKeyFrames(_ingest: SourceIngest, missing: boolean): void {
    this.#options.listener.onKeyFrames(missing);
  }

  onEnded(ingest: SourceIngest, reason: string): void {
    // One that gave way is of no concern: the stream goes on.
    if (this.live !== ingest) return;
    this.#retire(ingest);
    const { listener, settings } = this.#options;
    const { publishGraceMs } = settings;
    listener.onStopped(ingest, reason, publishGraceMs);
    if (publishGraceMs === 0) {
      this.finish();
      return;
    }
    this.#graceUntilMs = Date.now() + publishGraceMs;
    this.#graceTimer = setHeardTimeout(() => this.finish(), publishGraceMs);
  }

  /** Nothing of it is taken any more. */
  #retire(ingest: SourceIngest): void {
    this.#isLive = false;
    this.#pastBytes += ingest.bytesIn;
    ingest.release();
  }

  #stopWaiting(): void {
    if (this.#graceTimer !== null) clearTimeout(this.#graceTimer);
    this.#graceTimer = null;
  }

  /**
   * Ends the source that feeds the stream when it is silent (its connection is half open, or its encoder froze), or when it
   * is of a lower priority.
   */
  #makeRoom(newcomer: Source): void {
    const { live } = this;
    if (live === null) return;
    const { source } = live;
    const { camera, log, settings, listener } = this.#options;
    const { publishTakeoverMs } = settings;
    const silentMs = heardMs(source.lastMediaMs);
    const isOutranked = source.priority < newcomer.priority;
    if (silentMs <= publishTakeoverMs && !isOutranked) {
      throw new CodedError(
        'PUBLISH_ALREADY_LIVE',
        `camera ${camera} is live from ${source.remote}; a new publisher is let in when that one has been ` +
          `silent for ${publishTakeoverMs / 1000} s`,
      );
    }
    const seconds = Math.round(silentMs / 100) / 10;
    const what = source.kind === 'test-pattern' ? 'a test pattern' : 'a silent publisher';
    log.info(`${what} gives way`, { remote: source.remote, to: newcomer.remote, seconds });
    // Before it is closed: the stream goes on, its end is nobody's concern.
    this.#retire(live);
    if (live.missesKeyFrames) listener.onKeyFrames(false);
    const why = isOutranked ? 'a test pattern' : `silent for ${seconds} s`;
    source.close(new CodedError('PUBLISH_ALREADY_LIVE', `${why}, so ${newcomer.remote} takes over`));
  }

  #loopError(source: Source): CodedError {
    return new CodedError(
      'PUBLISH_LOOP',
      `what ${source.remote} publishes as camera ${this.#options.camera} came from this aggregator: a ring of pushes`,
    );
  }
}
