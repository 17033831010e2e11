import { encodedLength, writeMessage } from '../wire/chunk-writer.js';
import { isAudioEnd, isVideoEnd } from '../wire/flv.js';
import { flvTagLength, writeFlvTag } from '../wire/flv-file.js';
import { ChunkStreamId, MessageType } from '../wire/message.js';
import { isPlain } from '../wire/tracks.js';
import type { Header } from './headers.js';
import { Slab } from './slab.js';
import type { SlabPool } from './slab-pool.js';
import { chunkStreamOf, type StreamFormat } from './stream-format.js';

/** The readers of a log, which decide what memory is still needed. */
export interface LogReaders {
  /** The position from which they may still read; infinite without readers. */
  readingFrom(): number;
  /** The position from which their sockets may still send; infinite if none does. */
  sendingFrom(): number;
}

/**
 * Approximate number of messages per slab. With fewer, too much space stays empty at the end of a slab. With more,
 * slabs keep more unneeded bytes at both ends of a GOP.
 */
const messagesPerSlab = 16;

/**
 * Slabs have one of three sizes (except for a larger message), so that streams can use each other's free slabs. At 2
 * Mbit/s and more it is nearly always the largest.
 */
const minSlabBytes = 16 * 1024;
const maxSlabBytes = 64 * 1024;

/** A message goes on in the next slab where at least so much is left of this one: headers are never divided (16 bytes). */
const minAcrossBytes = 1024;

/** The track of a mark where there is no video: any sound may be started at, whatever its track. */
export const audioTrack = -1;

/** A place in the log where a decoder of a track can start: the beginning of a key frame. */
export interface Mark {
  /** Of video, 0 to 255; or `audioTrack`. */
  readonly track: number;
  readonly slab: Slab;
  readonly offset: number;
  readonly position: number;
  /** Audio and video messages before it. */
  readonly frames: number;
  /** Messages of any kind before it. */
  readonly messages: number;
  /** The timestamp of the message that begins there. */
  readonly timestampMs: number;
  /** False if it is audio, or video without key frames. */
  readonly isKeyFrame: boolean;
  /**
   * The headers that a decoder needs before the key frame. They are not encoded yet, because most key frames get no
   * newcomer, and headers may be a thousand times their size.
   */
  readonly headers: readonly Header[];
  /** The log position behind the last header that was appended before the mark. */
  readonly headersPosition: number;
  /** When it arrived, on the monotonic clock. */
  readonly atMs: number;
}

/**
 * A live stream in the form that is sent, written once and read by all outlets of the same format.
 *
 *   slab -> slab -> slab (being filled)
 * ^ mark (key frame)      ^ outlet   ^ outlet
 *
 * A slab goes back to the pool once it is behind the mark and every outlet, and no socket sends from it. Every message
 * has a format 0 header (RTMP 1.0, section 5.3.1.2.1), so that any message can follow any other when an outlet leaves
 * some out.
 */
export class MediaLog {
  readonly format: StreamFormat;
  readonly #isFlv: boolean;
  readonly #chunkBytes: number;
  readonly #streamId: number;
  readonly #pool: SlabPool;
  readonly #readers: LogReaders;
  #head: Slab;
  /** The one before it, until all that was written up to there was flushed. */
  #left: Slab | null = null;
  /** The oldest slab that is not back in the pool. */
  #tail: Slab;
  /** The position behind it; says nothing while it is the one that is being filled. */
  #tailEnd = 0;
  /**
   * Slabs that begin before this position are never reused, because the socket of a former outlet may still send from
   * them.
   */
  #lostUntil = 0;
  /** The newest of each track, oldest first. A camera of one track has one. */
  readonly #marks: Mark[] = [];
  /** Of them, that of the lowest track. */
  #mark: Mark | null = null;
  /** The position of `mark`, where that is a key frame; else -1. */
  #keyFramePosition = -1;
  /** The position of the oldest mark, and the messages before it; -1: there is none. */
  #oldestPosition = -1;
  #oldestMessages = -1;
  /** The position of the last mark that was set. A message at a mark is not divided. */
  #markedPosition = -1;
  #headersPosition = 0;
  #isPlain = true;
  #messages = 0;
  /** The start of the GOP before the current one; the average message size is measured from there. */
  #recentFrom = { position: 0, messages: 0 };
  /** The first slab is still in use. */
  #hasFirst = true;

  constructor(format: StreamFormat, pool: SlabPool, readers: LogReaders, nowMs: number) {
    this.format = format;
    this.#isFlv = format.container === 'flv';
    this.#chunkBytes = format.chunkBytes;
    this.#streamId = format.streamId;
    this.#pool = pool;
    this.#readers = readers;
    this.#head = new Slab(pool.take(minSlabBytes), 0, 0, nowMs);
    this.#tail = this.#head;
  }

  /**
   * True while nothing in it is wrapped for several tracks, has prefixes or configurations of Enhanced RTMP v2, or ends a
   * track, in whose place another one may come.
   */
  get isPlain(): boolean {
    return this.#isPlain;
  }

  /** The slab that is being filled. */
  get head(): Slab {
    return this.#head;
  }

  /** Bytes ever appended. */
  get position(): number {
    return this.#head.base + this.#head.end;
  }

  /** Messages ever appended. */
  get messages(): number {
    return this.#messages;
  }

  /**
   * The newest key frame of the lowest track that has one, which is the default track; null before the first one, or if the
   * GOP exceeds its budget.
   */
  get mark(): Mark | null {
    return this.#mark;
  }

  /** The position of `mark`, where that is a key frame; -1: there is none. Outlets ask after each write. */
  get keyFramePosition(): number {
    return this.#keyFramePosition;
  }

  /** The newest key frame of each track, oldest first. Changed in place. */
  get marks(): readonly Mark[] {
    return this.#marks;
  }

  /** True when more bytes, or more messages, came since the oldest mark. */
  exceeds(bytes: number, messages: number): boolean {
    if (this.#oldestPosition < 0) return false;
    return this.position - this.#oldestPosition > bytes || this.#messages - this.#oldestMessages > messages;
  }

  /** The newest mark of a track; null when there is none. */
  markOf(track: number): Mark | null {
    if (this.#mark?.track === track) return this.#mark;
    for (const mark of this.#marks) if (mark.track === track) return mark;
    return null;
  }

  /** The position behind the last appended header. */
  get headersPosition(): number {
    return this.#headersPosition;
  }

  /** As that of `Flushable`. */
  prefetch(): number {
    const head = this.#head;
    return this.#messages + head.end + head.data.length + (this.#mark?.track ?? 0);
  }

  /** Appends one message. The payload is copied: the one copy that all outlets share. */
  append(type: number, timestampMs: number, payload: Buffer, nowMs: number): void {
    const csid = chunkStreamOf(type);
    const bytes = this.#isFlv
      ? flvTagLength(payload.length)
      : encodedLength(payload.length, timestampMs, csid, this.#chunkBytes);
    this.#messages++;
    const head = this.#head;
    const room = head.data.length - head.end;
    if (bytes <= room) {
      this.#count(head, csid, type, payload, nowMs);
      head.end = this.#write(head.data, head.end, csid, type, timestampMs, payload);
    } else if (room >= minAcrossBytes && !this.#isFlv && this.#markedPosition !== this.position) {
      this.#count(head, csid, type, payload, nowMs);
      const data = this.#take(bytes);
      const end = this.#write(data, 0, csid, type, timestampMs, payload);
      head.end += data.copy(head.data, head.end, 0, room);
      data.copyWithin(0, room, end);
      this.#begin(data, end - room, nowMs);
    } else {
      const data = this.#take(bytes);
      const slab = this.#begin(data, 0, nowMs);
      this.#count(slab, csid, type, payload, nowMs);
      slab.end = this.#write(data, 0, csid, type, timestampMs, payload);
    }
  }

  #count(slab: Slab, csid: number, type: number, payload: Buffer, nowMs: number): void {
    slab.stamp(nowMs);
    if (csid === ChunkStreamId.Data) return;
    slab.frames++;
    const isVideo = type === MessageType.Video;
    const isEnd = isVideo ? isVideoEnd : isAudioEnd;
    if (this.#isPlain && (!isPlain(isVideo, payload) || isEnd(payload))) this.#isPlain = false;
  }

  /** @returns where the message ends in `data` */
  #write(data: Buffer, at: number, csid: number, type: number, timestampMs: number, payload: Buffer): number {
    if (this.#isFlv) return writeFlvTag(data, at, type, timestampMs, payload);
    return writeMessage(data, at, csid, type, timestampMs, this.#streamId, payload, this.#chunkBytes);
  }

  /** Notes that the last appended message is a header. */
  noteHeader(): void {
    this.#headersPosition = this.position;
  }

  /** Notes that the next message is a key frame of a track, or another place to start at. */
  setMark(track: number, headers: readonly Header[], timestampMs: number, nowMs: number, isKeyFrame = true): void {
    const slab = this.#head;
    const { position, messages } = this.#mark ?? this;
    this.#recentFrom = { position, messages };
    this.#markedPosition = this.position;
    const mark: Mark = {
      track,
      slab,
      offset: slab.end,
      position: this.position,
      frames: slab.frames,
      messages: this.#messages,
      timestampMs,
      isKeyFrame,
      headers,
      headersPosition: this.#headersPosition,
      atMs: nowMs,
    };
    const marks = this.#marks;
    if (marks.length === 1 && marks[0]!.track === track) {
      marks[0] = mark;
      this.#chooseMark();
      return;
    }
    // Where there is video again, nobody starts at sound any more, and the other way round.
    for (let i = marks.length - 1; i >= 0; i--) {
      const other = marks[i]!.track;
      if (other === track || other === audioTrack || track === audioTrack) marks.splice(i, 1);
    }
    marks.push(mark);
    this.#chooseMark();
  }

  /** Forgets the GOP. Newcomers then wait for the next key frame. */
  clearMark(): void {
    this.#marks.length = 0;
    this.#chooseMark();
  }

  /** Forgets what there is of one track. */
  clearTrack(track: number): void {
    const index = this.#marks.findIndex((mark) => mark.track === track);
    if (index < 0) return;
    this.#marks.splice(index, 1);
    this.#chooseMark();
  }

  /** Forgets the oldest marks as long as they have to go. */
  trimMarks(isTooOld: (mark: Mark) => boolean): void {
    const marks = this.#marks;
    if (marks.length === 0 || !isTooOld(marks[0]!)) return;
    do marks.shift();
    while (marks.length > 0 && isTooOld(marks[0]!));
    this.#chooseMark();
  }

  #chooseMark(): void {
    let lowest: Mark | null = null;
    for (const mark of this.#marks) if (lowest === null || mark.track < lowest.track) lowest = mark;
    this.#mark = lowest;
    this.#keyFramePosition = lowest?.isKeyFrame ? lowest.position : -1;
    const oldest = this.#marks[0];
    this.#oldestPosition = oldest?.position ?? -1;
    this.#oldestMessages = oldest?.messages ?? -1;
  }

  /**
   * Returns unneeded slabs to the pool. Call it after all outlets have read, since a new key frame frees a whole GOP.
   */
  reclaim(): void {
    if (this.#left !== null) {
      this.#left.forgetView();
      this.#left = null;
    }
    if (this.#tail === this.#head) return;
    // Behind the oldest mark, or without one. Numbers, and not what they are of: this is asked for every message.
    if (this.#oldestPosition < 0 || this.#tailEnd <= this.#oldestPosition) this.#reclaim(true);
  }

  /** An outlet leaves whose socket may still send from the current slabs. Their memory is not reused. */
  lose(): void {
    this.#lostUntil = this.position;
  }

  /**
   * @param isPatient keeps slabs that sockets still send from until the next call, instead of leaving them to the
   *   garbage collector
   */
  #reclaim(isPatient: boolean): void {
    const readingFrom = Math.min(this.#marks[0]?.position ?? Number.POSITIVE_INFINITY, this.#readers.readingFrom());
    const sendingFrom = this.#readers.sendingFrom();
    let tail = this.#tail;
    while (tail.next !== null && tail.base + tail.end <= readingFrom) {
      const isSent = tail.base + tail.end <= sendingFrom;
      if (!isSent && isPatient) break;
      // The first slab was made before the bitrate was known, so its size may not fit.
      if (isSent && !this.#hasFirst && tail.base >= this.#lostUntil) this.#pool.give(tail.data);
      this.#hasFirst = false;
      tail = tail.next;
    }
    this.#tail = tail;
    this.#tailEnd = tail.base + tail.end;
  }

  /** Memory for the next slab. @param bytes of the message that it is needed for */
  #take(bytes: number): Buffer {
    const messages = this.#messages - 1 - this.#recentFrom.messages;
    const usualBytes =
      messages === 0 ? minSlabBytes : slabBytesFor((this.position - this.#recentFrom.position) / messages);
    return this.#pool.take(Math.max(bytes, usualBytes));
  }

  /** Begins the next slab. @param lead bytes of the last message that are in it */
  #begin(data: Buffer, lead: number, nowMs: number): Slab {
    const old = this.#head;
    const slab = new Slab(data, this.position, old.frames, nowMs);
    slab.lead = lead;
    slab.end = lead;
    old.next = slab;
    this.#left = old;
    this.#head = slab;
    this.#reclaim(false);
    return slab;
  }
}

function slabBytesFor(messageBytes: number): number {
  let bytes = minSlabBytes;
  while (bytes < maxSlabBytes && bytes < messagesPerSlab * messageBytes) bytes *= 2;
  return bytes;
}
