import { readableData } from '../relay/data-message.js';
import { type Header, mayNotRepeat, metadataValues } from '../relay/headers.js';
import type { LiveStream } from '../relay/live-stream.js';
import { RateMeter } from '../relay/rate-meter.js';
import type { MessageRole, StreamFeed } from '../relay/stream-feed.js';
import { avcPictureSize, type PictureSize } from '../wire/avc.js';
import { isVideoFrame, isVideoKeyFrame } from '../wire/flv.js';
import { audioCodecName, needsVideoHeader, videoCodecName } from '../wire/flv-codecs.js';
import { isReadableAudio, isReadableVideo } from '../wire/flv-validity.js';
import { MessageType } from '../wire/message.js';
import { IngestMeter } from './ingest-meter.js';
import { KeyFrameWatch, type WithoutKeyFrames } from './key-frame-watch.js';
import { describeMetadata, type MetadataFacts, noFacts } from './metadata.js';
import type { Ingest, Source } from './source.js';
import { StreamHeaders } from './stream-headers.js';

/** What the messages of a source are. */
export type MessageKind = 'audio' | 'video' | 'data';

/** The stream as a source that feeds it sees it. */
export type FedStream = Pick<LiveStream, 'append' | 'keepsGop' | 'forgetGop'>;

/** Whoever is told of what a source sends. Called in the middle of the work on a message: it is quick and throws nothing. */
export interface IngestListener {
  /** A metadata message, as it may be passed on. */
  onMetadata(ingest: SourceIngest, payload: Buffer): void;
  /** The first message of each kind that is not passed on, since it cannot be read. */
  onUnreadable(ingest: SourceIngest, kind: MessageKind, payloadBytes: number): void;
  /** Key frames have been missed for too long, or come again. */
  onKeyFrames(ingest: SourceIngest, missing: boolean): void;
  /** The source ends it. */
  onEnded(ingest: SourceIngest, reason: string): void;
}

export interface SourceIngestOptions {
  readonly source: Source;
  /** The aggregators that it came through, this one included. */
  readonly via: readonly string[];
  /** What is done with video that has no key frames. */
  readonly withoutKeyFrames: WithoutKeyFrames;
  readonly listener: IngestListener;
}

/**
 * One source as a camera sees it: takes each message, judges it, remembers what a decoder needs, measures, and hands it to
 * the stream while it feeds one. All that is known of a source is here and not in the stream, so that another source can
 * be ready beside the one that feeds it.
 *
 *   standing by --feed--> feeding --feed(null)--> standing by;  any --release--> released: nothing is taken any more
 */
export class SourceIngest implements Ingest, StreamFeed {
  readonly source: Source;
  readonly via: readonly string[];
  /** Milliseconds since 1970. */
  readonly sinceMs = Date.now();
  /** The same on the monotonic clock. */
  readonly begunMs = performance.now();
  readonly meter = new IngestMeter();
  readonly #listener: IngestListener;
  readonly #headers = new StreamHeaders();
  readonly #keyFrames: KeyFrameWatch;
  readonly #bytes = new RateMeter();
  /** Frames, as if they were bytes. */
  readonly #frames = new RateMeter();
  readonly #unreadable: Record<MessageKind, number> = { audio: 0, video: 0, data: 0 };
  #stream: FedStream | null = null;
  /** A key frame came since it feeds this stream. */
  #isBegun = false;
  #hasVideo = false;
  #videoCodec: string | null = null;
  #audioCodec: string | null = null;
  #pictureSize: PictureSize | null = null;
  #facts: MetadataFacts = noFacts;
  #bytesIn = 0;
  /** How often the source was given it and has not ended it: some encoders publish once more on the same connection. */
  #uses = 1;
  #isReleased = false;

  constructor({ source, via, withoutKeyFrames, listener }: SourceIngestOptions) {
    this.source = source;
    this.via = via;
    this.#listener = listener;
    this.#keyFrames = new KeyFrameWatch(withoutKeyFrames);
  }

  get headers(): readonly Header[] {
    return this.#headers.current();
  }

  get startsAtVideo(): boolean {
    return this.#hasVideo && !this.#keyFrames.leavesAudioAlone;
  }

  get videoCodec(): string | null {
    return this.#videoCodec;
  }

  get audioCodec(): string | null {
    return this.#audioCodec;
  }

  /** From the sequence header; null where the codec is not H.264, or none came yet. */
  get pictureSize(): PictureSize | null {
    return this.#pictureSize;
  }

  /** What it says of its stream. */
  get facts(): MetadataFacts {
    return this.#facts;
  }

  /** True when key frames have been missed for too long. */
  get missesKeyFrames(): boolean {
    return this.#keyFrames.isMissing;
  }

  /** Payload bytes of audio, video and data received. */
  get bytesIn(): number {
    return this.#bytesIn;
  }

  /** Averaged over about 10 s. */
  get bitsPerSecond(): number {
    return this.#bytes.bitsPerSecond;
  }

  /** Video frames a second, averaged over about 10 s. */
  get framesPerSecond(): number {
    return this.#frames.bitsPerSecond / 8;
  }

  /** Messages that are not passed on, since targets close for them. */
  get unreadable(): Readonly<Record<MessageKind, number>> {
    return this.#unreadable;
  }

  /** Has it feed a stream, from its next key frame on; null: it stands by. */
  feed(stream: FedStream | null): void {
    this.#stream = stream;
    this.#isBegun = false;
  }

  /** The source is given it once more. */
  use(): void {
    this.#uses++;
  }

  /** Another one feeds the stream, or the source is gone: nothing is taken any more. */
  release(): void {
    this.#isReleased = true;
    this.#stream = null;
  }

  end(reason: string): void {
    if (--this.#uses === 0) this.#listener.onEnded(this, reason);
  }

  /** Call about once a second. */
  tick(nowMs: number): void {
    this.#bytes.look(this.#bytesIn, nowMs);
    this.#frames.look(this.meter.videoFrames, nowMs);
  }

  /**
   * Takes one message. `payload` is copied where it is kept. What a strict reader of the specification would refuse is
   * counted and not passed on: it would have targets close, and be sent again at every reconnect.
   */
  write(type: number, timestampMs: number, payload: Buffer, nowMs: number): boolean {
    if (this.#isReleased) return false;
    this.#bytesIn += payload.length;
    if (type === MessageType.Video) {
      if (!isReadableVideo(payload)) return this.#leaveOut('video', payload);
      return this.#takeVideo(timestampMs, payload, nowMs) || this.#leaveOut('video', payload);
    }
    if (type === MessageType.Audio) {
      if (!isReadableAudio(payload)) return this.#leaveOut('audio', payload);
      return this.#takeAudio(timestampMs, payload, nowMs) || this.#leaveOut('audio', payload);
    }
    const data = type === MessageType.DataAmf0 ? readableData(payload) : null;
    if (data === null) return this.#leaveOut('data', payload);
    this.#takeData(timestampMs, data, nowMs);
    return true;
  }

  #leaveOut(kind: MessageKind, payload: Buffer): false {
    this.#unreadable[kind]++;
    if (this.#unreadable[kind] === 1) this.#listener.onUnreadable(this, kind, payload.length);
    return false;
  }

  /** False for a header that would take the place of a better one. */
  #takeVideo(timestampMs: number, payload: Buffer, nowMs: number): boolean {
    const verdict = this.#headers.remember(MessageType.Video, payload);
    if (verdict === 'broken') return false;
    if (verdict === 'repeated' && mayNotRepeat(MessageType.Video, payload)) return true;
    const isHeader = verdict !== 'none';
    let role: MessageRole = 'header';
    if (!isHeader) {
      const isKeyFrame = isVideoKeyFrame(payload);
      if (isKeyFrame) this.#noteKeyFrame(nowMs);
      else if (!this.#admitInterFrame(payload, nowMs)) return true;
      role = isKeyFrame ? 'key-frame' : this.#keyFrames.passes && isVideoFrame(payload) ? 'start' : 'frame';
      this.meter.note(MessageType.Video, timestampMs, isKeyFrame, nowMs);
    }
    if (isHeader || this.#videoCodec === null) {
      // By the header, or where a codec has none, by the first frame.
      this.#videoCodec = videoCodecName(payload) ?? this.#videoCodec;
      if (isHeader) this.#pictureSize = avcPictureSize(payload) ?? this.#pictureSize;
    }
    this.#stream?.append(MessageType.Video, timestampMs, payload, role, nowMs);
    return true;
  }

  /** As `#takeVideo`. */
  #takeAudio(timestampMs: number, payload: Buffer, nowMs: number): boolean {
    const verdict = this.#headers.remember(MessageType.Audio, payload);
    if (verdict === 'broken') return false;
    if (verdict === 'repeated' && mayNotRepeat(MessageType.Audio, payload)) return true;
    const isHeader = verdict !== 'none';
    if (!isHeader) this.meter.note(MessageType.Audio, timestampMs, false, nowMs);
    if (isHeader || this.#audioCodec === null) this.#audioCodec = audioCodecName(payload) ?? this.#audioCodec;
    // Where there is no video, a decoder can start anywhere.
    const role = isHeader ? 'header' : this.startsAtVideo ? 'frame' : 'start';
    this.#stream?.append(MessageType.Audio, timestampMs, payload, role, nowMs);
    return true;
  }

  #takeData(timestampMs: number, payload: Buffer, nowMs: number): void {
    const isMetadata = this.#headers.remember(MessageType.DataAmf0, payload) !== 'none';
    if (isMetadata) {
      this.#facts = describeMetadata(metadataValues(payload));
      this.#listener.onMetadata(this, payload);
    }
    this.#stream?.append(MessageType.DataAmf0, timestampMs, payload, isMetadata ? 'header' : 'data', nowMs);
  }

  #noteKeyFrame(nowMs: number): void {
    this.#hasVideo = true;
    this.#isBegun = true;
    if (this.#keyFrames.noteKeyFrame(nowMs)) this.#listener.onKeyFrames(this, false);
  }

  /**
   * Frames before the first key frame are left out, since no decoder could use them; unless none comes. Without the header
   * that their codec needs they are of no use to anybody.
   */
  #admitInterFrame(payload: Buffer, nowMs: number): boolean {
    if (!isVideoFrame(payload)) return true; // end of sequence: passed on as it is
    this.#hasVideo = true;
    const isKept = this.#stream?.keepsGop ?? false;
    if (this.#keyFrames.noteInterFrame(nowMs, isKept, this.meter.keyFrameIntervalMs)) {
      // Those of audio from before there was video.
      this.#stream?.forgetGop();
      this.#listener.onKeyFrames(this, true);
    }
    if (this.#isBegun) return true;
    return this.#keyFrames.passes && (this.#headers.hasVideo || !needsVideoHeader(payload));
  }
}
