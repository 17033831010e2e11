import { avcPictureSize, type PictureSize } from '../wire/avc.js';
import {
  audioCodecName,
  isReadableAudio,
  isReadableVideo,
  isVideoFrame,
  isVideoKeyFrame,
  needsVideoHeader,
  videoCodecName,
} from '../wire/flv.js';
import { MessageType } from '../wire/message.js';
import { isClearing, readableData } from './data-message.js';
import type { FlushScheduler } from './flush-scheduler.js';
import { FormatLog } from './format-log.js';
import {
  dataPayload,
  encodeHeaders,
  type Header,
  headerKey,
  mayNotRepeat,
  metadataValues,
  StreamHeaders,
} from './headers.js';
import { IngestMeter } from './ingest-meter.js';
import { type KeyFrame, readKeyFrame } from './key-frame.js';
import { KeyFrameWatch, passedMarkEveryMs, type WithoutKeyFrames } from './key-frame-watch.js';
import { LogCopy } from './log-copy.js';
import type { Mark, MediaLog } from './media-log.js';
import type { Outlet } from './outlet.js';
import { SlabPool } from './slab-pool.js';
import { isSameFormat, type StreamFormat } from './stream-format.js';
import { Timeline } from './timeline.js';
import { withVia } from './via.js';

/** The length field of a message (RTMP 1.0, section 5.3.1.2.1). */
const maxMessageBytes = 0xffffff;

/**
 * Messages of a GOP that are kept for those who join: two minutes of 60 frames a second with audio. A GOP of the same
 * bytes in tiny messages would take long to copy into another format.
 */
const maxGopMessages = 16_384;

/**
 * Formats of one stream: chunks for targets, chunks for players, FLV. Peers choose none of what tells them apart; the limit
 * says so, should that change.
 */
const maxFormats = 4;

/** A log that nobody reads is kept so long, at least: who plays and stops, again and again, is not to have it made anew. */
const emptyLogKeptMs = 10_000;

/** Audio alone begins anew, for those who join, so often. */
const audioMarkEveryMs = 2000;

export interface LiveStreamOptions {
  /** The format of most outlets; its log is always kept, since it holds the GOP. */
  readonly format: StreamFormat;
  /** Bytes of the current GOP that are kept for those who join. */
  readonly gopMaxBytes: number;
  readonly scheduler: FlushScheduler;
  /** Whether so many bytes more may be kept; asked before a GOP is copied. Undefined: always. */
  readonly mayKeep?: (bytes: number) => boolean;
  /** Shared by streams; undefined: one of its own. */
  readonly pool?: SlabPool;
  /** Called with each metadata message of the publisher. */
  readonly onMetadata?: (payload: Buffer) => void;
  /** Called with the first message of a publisher, of each kind, that was not passed on since it cannot be read. */
  /** What is done with video that has no key frames; undefined: it is passed on. */
  readonly withoutKeyFrames?: WithoutKeyFrames;
  /** Called when key frames have been missed for too long, and when they come again. */
  readonly onKeyFrames?: (missing: boolean) => void;
  readonly onUnreadable?: (kind: MessageKind, payloadBytes: number) => void;
}

/** What the messages of a stream are. */
export type MessageKind = 'audio' | 'video' | 'data';

/**
 * What one publisher sends, for all who want it: remembers metadata, sequence headers and the current GOP, encodes every
 * message once for each format in use, and lets the outlets read. Nothing is ever decoded or altered.
 */
export class LiveStream {
  readonly #options: LiveStreamOptions;
  readonly #pool: SlabPool;
  readonly #headers = new StreamHeaders();
  readonly #primary: FormatLog;
  readonly #logs: FormatLog[];
  #hasVideo = false;
  #sawKeyFrame = false;
  readonly #timeline = new Timeline();
  readonly #keyFrames: KeyFrameWatch;
  #meter = new IngestMeter();
  /** The aggregators that it came through, this one included; what targets are told. */
  via: readonly string[] = [];
  #videoCodec: string | null = null;
  #audioCodec: string | null = null;
  #pictureSize: PictureSize | null = null;
  #bytesIn = 0;
  readonly #unreadable: Record<MessageKind, number> = { audio: 0, video: 0, data: 0 };

  constructor(options: LiveStreamOptions, nowMs: number) {
    this.#options = options;
    this.#keyFrames = new KeyFrameWatch(options.withoutKeyFrames ?? 'pass');
    this.#pool = options.pool ?? new SlabPool();
    this.#primary = new FormatLog(this, options.format, this.#pool, nowMs);
    this.#logs = [this.#primary];
  }

  get hasVideo(): boolean {
    return this.#hasVideo;
  }

  /** True when who joins begins with video; false where it is audio that is sent on. */
  get startsAtVideo(): boolean {
    return this.#hasVideo && !this.#keyFrames.leavesAudioAlone;
  }

  /** True when key frames have been missed for too long. */
  get missesKeyFrames(): boolean {
    return this.#keyFrames.isMissing;
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

  /** Payload bytes of audio, video and data received. */
  get bytesIn(): number {
    return this.#bytesIn;
  }

  /** Messages of the current publisher that were not passed on, since targets close for them. */
  get unreadable(): Readonly<Record<MessageKind, number>> {
    return this.#unreadable;
  }

  /** What is observed of the current publisher. */
  get meter(): Readonly<IngestMeter> {
    return this.#meter;
  }

  /** The encoded values of the last metadata; null before any came. */
  get metadata(): Buffer | null {
    const payload = this.#headers.metadata;
    return payload === null ? null : metadataValues(payload);
  }

  /**
   * Another publisher begins, the same camera's or one that takes over: outlets go on, with timestamps that keep going
   * up, and with new headers and a key frame before anything else of its video.
   */
  restart(): void {
    this.#headers.clear();
    this.#timeline.restart();
    this.#meter = new IngestMeter();
    this.#hasVideo = false;
    this.#sawKeyFrame = false;
    if (this.#keyFrames.isMissing) this.#options.onKeyFrames?.(false);
    this.#keyFrames.restart();
    this.#videoCodec = null;
    this.#audioCodec = null;
    this.#pictureSize = null;
    this.#unreadable.audio = this.#unreadable.video = this.#unreadable.data = 0;
    for (const entry of this.#logs) {
      this.#copyOn(entry, performance.now(), true);
      entry.log.clearMark();
    }
  }

  /**
   * Takes one message of the publisher. `payload` is copied. What a strict reader of the specification would refuse is
   * counted and not passed on: it would have targets close, and be sent again at every reconnect.
   * @param nowMs a monotonic clock, milliseconds
   * @returns false for what could not be used
   */
  publish(type: number, timestampMs: number, payload: Buffer, nowMs: number): boolean {
    this.#bytesIn += payload.length;
    if (
      type === MessageType.Video ? !isReadableVideo(payload) : type === MessageType.Audio && !isReadableAudio(payload)
    ) {
      return this.#leaveOut(type === MessageType.Video ? 'video' : 'audio', payload);
    }
    if (type === MessageType.Video || type === MessageType.Audio) {
      if (this.#append(type, timestampMs, payload, nowMs)) return true;
      return this.#leaveOut(type === MessageType.Video ? 'video' : 'audio', payload);
    }
    const data = type === MessageType.DataAmf0 ? readableData(payload) : null;
    if (data === null) return this.#leaveOut('data', payload);
    return this.#append(type, timestampMs, data, nowMs);
  }

  #leaveOut(kind: MessageKind, payload: Buffer): false {
    this.#unreadable[kind]++;
    if (this.#unreadable[kind] === 1) this.#options.onUnreadable?.(kind, payload.length);
    return false;
  }

  /** False for a header that would take the place of a better one. */
  #append(type: number, timestampMs: number, payload: Buffer, nowMs: number): boolean {
    const verdict = this.#headers.remember(type, payload);
    if (verdict === 'broken') return false;
    if (verdict === 'repeated' && mayNotRepeat(type, payload)) return true;
    const isHeader = verdict !== 'none';
    const isFrame = !isHeader && type !== MessageType.DataAmf0;
    const isKeyFrame = isFrame && type === MessageType.Video && isVideoKeyFrame(payload);
    if (isFrame && type === MessageType.Video && !isKeyFrame && !this.#admitInterFrame(payload, nowMs)) {
      return true;
    }
    const out = this.#timeline.map(timestampMs, isFrame, nowMs);
    if (isFrame) this.#meter.note(type, timestampMs, isKeyFrame, nowMs);
    if (isKeyFrame) this.#beginGop(out, nowMs);
    else if (isFrame) this.#beginWithoutKeyFrame(type, payload, out, nowMs);
    this.#noteCodec(type, isHeader, payload);
    if (isHeader && type === MessageType.DataAmf0) this.#options.onMetadata?.(payload);
    const isForServers = type === MessageType.DataAmf0 && isClearing(payload);
    for (const { log, copy } of this.#logs) {
      if (copy !== null) continue; // which will come to it
      if (isForServers && !log.format.publishing) continue;
      const data = type === MessageType.DataAmf0 ? this.#dataFor(log.format, payload) : payload;
      log.append(type, out, data, nowMs);
      if (isHeader) log.noteHeader();
      if (log.mark !== null && this.#isTooLong(log, log.mark)) log.clearMark();
    }
    this.#options.scheduler.schedule(this, nowMs);
    return true;
  }

  /** Lets an outlet follow from the current GOP on, or from the next key frame where there is none. */
  attach(outlet: Outlet, nowMs: number): void {
    const entry = this.#logFor(outlet.format, nowMs);
    entry.outlets.add(outlet);
    entry.emptySinceMs = null;
    outlet.begin(entry, nowMs);
  }

  detach(outlet: Outlet): void {
    outlet.finish();
    for (const entry of this.#logs) {
      if (!entry.outlets.delete(outlet)) continue;
      if (outlet.isSending) entry.log.lose();
      if (entry.outlets.size === 0) entry.emptySinceMs = performance.now();
      return;
    }
  }

  /** Lets go of logs that nobody has read for a while. */
  #dropEmpty(afterMs: number): void {
    if (this.#logs.length === 1) return;
    const beforeMs = performance.now() - afterMs;
    for (let i = this.#logs.length - 1; i > 0; i--) {
      const entry = this.#logs[i]!;
      if (entry.emptySinceMs === null || entry.emptySinceMs > beforeMs) continue;
      if (entry.copy !== null) this.#primary.copies.delete(entry.copy);
      this.#logs.splice(i, 1);
    }
  }

  /** When the newest key frame came, on the monotonic clock; null when there is none, or it is not kept. */
  get keyFrameAtMs(): number | null {
    const { mark } = this.#primary.log;
    return this.#hasVideo && mark?.isKeyFrame ? mark.atMs : null;
  }

  /** A copy of the newest key frame; null as `keyFrameAtMs`, and where no header says how to decode it. */
  keyFrame(): KeyFrame | null {
    return this.keyFrameAtMs === null ? null : readKeyFrame(this.#primary.log);
  }

  /** Bytes that are kept for newcomers and for outlets that are behind. */
  get keptBytes(): number {
    let bytes = 0;
    for (const entry of this.#logs) bytes += entry.keptBytes;
    return bytes;
  }

  /**
   * Gives back memory, since streams take too much in all: first what waits for slow outlets, and, where none is slow,
   * the GOP; whoever joins then waits for the next key frame.
   */
  shed(): void {
    let shed = false;
    this.#dropEmpty(0);
    for (const { outlets } of this.#logs) for (const outlet of outlets) shed = outlet.shed() || shed;
    if (!shed) for (const { log } of this.#logs) log.clearMark();
  }

  /** Writes what is new to all outlets. */
  flush(nowMs: number): void {
    for (const { log, outlets } of this.#logs) {
      for (const outlet of outlets) outlet.flush(nowMs);
      log.reclaim();
    }
  }

  encodeHeaders(
    format: StreamFormat,
    headers: readonly Header[] = this.#headers.current(),
    timestampMs: number = this.#timeline.lastMs,
  ): Buffer {
    return encodeHeaders(headers, format, timestampMs, (payload) => this.#dataFor(format, payload));
  }

  #dataFor(format: StreamFormat, payload: Buffer): Buffer {
    const data = format.publishing ? withVia(payload, this.via) : dataPayload(payload, false);
    return data.length > maxMessageBytes ? payload : data;
  }

  #beginGop(timestampMs: number, nowMs: number): void {
    this.#hasVideo = true;
    this.#sawKeyFrame = true;
    if (this.#keyFrames.noteKeyFrame(nowMs)) this.#options.onKeyFrames?.(false);
    this.#dropEmpty(emptyLogKeptMs);
    for (const { log, copy } of this.#logs) {
      if (copy === null) log.setMark(this.#headers.current(), timestampMs, nowMs);
    }
  }

  /**
   * Where there is no video, a decoder can start anywhere: newcomers get the last moments, and nobody misses the first.
   * Where video has no key frames, a decoder has to make do with any of its frames.
   */
  #beginWithoutKeyFrame(type: number, payload: Buffer, timestampMs: number, nowMs: number): void {
    const isAudio = type === MessageType.Audio && !this.startsAtVideo;
    if (!isAudio && !(type === MessageType.Video && this.#keyFrames.passes && isVideoFrame(payload))) return;
    const everyMs = isAudio ? audioMarkEveryMs : passedMarkEveryMs;
    for (const { log, copy } of this.#logs) {
      if (copy !== null || (log.mark !== null && nowMs - log.mark.atMs < everyMs)) continue;
      log.setMark(this.#headers.current(), timestampMs, nowMs, false);
    }
  }

  #isTooLong(log: MediaLog, mark: Mark): boolean {
    return log.position - mark.position > this.#options.gopMaxBytes || log.messages - mark.messages > maxGopMessages;
  }

  /**
   * Frames before the first key frame are left out, since no decoder could use them; unless none comes. Without the header
   * that their codec needs they are of no use to anybody.
   */
  #admitInterFrame(payload: Buffer, nowMs: number): boolean {
    if (!isVideoFrame(payload)) return true; // end of sequence: passed on as it is
    this.#hasVideo = true;
    const isKept = this.#primary.log.mark !== null;
    if (this.#keyFrames.noteInterFrame(nowMs, isKept, this.#meter.keyFrameIntervalMs)) {
      // Marks of audio from before there was video.
      for (const { log } of this.#logs) log.clearMark();
      this.#options.onKeyFrames?.(true);
    }
    if (this.#sawKeyFrame) return true;
    return this.#keyFrames.passes && (this.#headers.hasVideo || !needsVideoHeader(payload));
  }

  /** Codecs are named by the headers, or where a codec has none, by the first frame. */
  #noteCodec(type: number, isHeader: boolean, payload: Buffer): void {
    if (type === MessageType.Video && (isHeader || this.#videoCodec === null)) {
      this.#videoCodec = videoCodecName(payload) ?? this.#videoCodec;
      if (isHeader) this.#pictureSize = avcPictureSize(payload) ?? this.#pictureSize;
    } else if (type === MessageType.Audio && (isHeader || this.#audioCodec === null)) {
      this.#audioCodec = audioCodecName(payload) ?? this.#audioCodec;
    }
  }

  #logFor(format: StreamFormat, nowMs: number): FormatLog {
    for (const entry of this.#logs) {
      if (isSameFormat(entry.log.format, format)) return entry;
    }
    if (this.#logs.length >= maxFormats) throw new RangeError(`a stream has more than ${maxFormats} formats`);
    // As the primary log has it: who wants another message stream id shares this log all the same.
    const entry = new FormatLog(this, { ...format, streamId: this.#primary.log.format.streamId }, this.#pool, nowMs);
    this.#logs.push(entry);
    this.#beginCopy(entry, nowMs);
    return entry;
  }

  /** Has the current GOP of the primary log copied into a new one, where there is room; else that begins at the next one. */
  #beginCopy(entry: FormatLog, nowMs: number): void {
    const { log } = this.#primary;
    const { mark } = log;
    if (mark === null) return;
    if (!(this.#options.mayKeep?.(log.position - mark.position) ?? true)) return;
    const append = (type: number, timestampMs: number, payload: Buffer, atMs: number): void => {
      if (type === MessageType.DataAmf0 && isClearing(payload) && !entry.log.format.publishing) return;
      const data = type === MessageType.DataAmf0 ? this.#dataFor(entry.log.format, payload) : payload;
      entry.log.append(type, timestampMs, data, atMs);
      if (headerKey(type, payload) !== null) entry.log.noteHeader();
    };
    const onMark = (): void => {
      const from = log.mark;
      if (from !== null) entry.log.setMark(from.headers, from.timestampMs, from.atMs, from.isKeyFrame);
    };
    entry.copy = new LogCopy(log, append, onMark);
    this.#primary.copies.add(entry.copy);
    this.#copyOn(entry, nowMs);
  }

  /** One step of a copy, and the next in a later turn. @param isLast all of it at once */
  #copyOn(entry: FormatLog, nowMs: number, isLast = false): void {
    const { copy, log } = entry;
    if (copy === null || !this.#logs.includes(entry)) return;
    const isDone = copy.step(nowMs, isLast);
    if (log.mark !== null && this.#isTooLong(log, log.mark)) log.clearMark();
    if (isDone) {
      entry.copy = null;
      this.#primary.copies.delete(copy);
    }
    for (const outlet of entry.outlets) outlet.flush(nowMs);
    if (!isDone) setImmediate(() => this.#copyOn(entry, performance.now()));
  }
}
