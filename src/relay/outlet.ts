import { MessageType } from '../wire/message.js';
import { type Behind, catchUpLine, stepBytes } from './catch-up.js';
import { type DropReason, DropTally } from './drop-tally.js';
import { writeRenumbered } from './logged-message.js';
import type { MediaLog } from './media-log.js';
import type { OutletOptions } from './outlet-options.js';
import { bytesIn, type OutletLimits, type OutletSink } from './outlet-sink.js';
import type { OutletSource } from './outlet-source.js';
import type { Slab } from './slab.js';
import type { StreamFormat } from './stream-format.js';
import { ChosenTracks } from './track-choice.js';
import { messageAt, partOf, TrackStart } from './track-start.js';

/**
 * One reader of a live stream: a place in the shared log. It begins at a key frame and writes as much as the sink
 * takes. If it exceeds its budget, it continues at a later key frame.
 *
 *   waiting --key frame--> following --sink full--> blocked --room--> following
 * ^------------------- over budget, no newer key frame yet ---------'
 *
 * While following, it writes at most one step per turn, and joins the queue if more is left.
 */
export class Outlet implements Behind {
  readonly format: StreamFormat;
  readonly #sink: OutletSink;
  #limits: OutletLimits;
  #source: OutletSource | null = null;
  /** Null while waiting for a key frame. */
  #slab: Slab | null = null;
  #offset = 0;
  /** The log position up to which bytes were written or dropped; it does not start at an earlier key frame. */
  #position = 0;
  /** Audio and video messages of the log that were written or dropped. */
  #frames = 0;
  /** The start of the bytes that the sink got since it was last empty. */
  #sendingFrom = 0;
  #fresh = true;
  /** Its start is one after a drop. */
  #isResumed = false;
  /** What it leaves out until all its tracks have started; null: nothing. */
  #start: TrackStart | null = null;
  /** The tracks that it gets; null: all. */
  readonly #chosen: ChosenTracks | null;
  readonly #takesDefault: boolean;
  #resumedMs = 0;
  #waitingMs = 0;
  #blocked = false;
  #isInLine = false;
  #held = false;
  #isRenumbered = false;
  #bytesOut = 0;
  #framesOut = 0;
  readonly #dropped = new DropTally();
  #lastKeyFrameMs = 0;
  #keyFramePosition = -1;

  constructor(options: OutletOptions) {
    this.#chosen = options.tracks === undefined ? null : new ChosenTracks(options.tracks);
    this.#takesDefault = this.#chosen?.isDefault === true;
    this.#sink = options.sink;
    this.format = options.format;
    this.#limits = options.limits;
  }

  /** Begins to read this stream, at its current GOP if there is one. Called by the stream. */
  begin(source: OutletSource, nowMs: number): void {
    this.#source = source;
    const { format } = source.log;
    this.#isRenumbered = format.container === undefined && format.streamId !== this.format.streamId;
    this.#slab = null;
    this.#start = null;
    this.#position = 0;
    this.#frames = 0;
    this.#sendingFrom = 0;
    this.#keyFramePosition = -1;
    this.#fresh = true;
    this.#waitingMs = nowMs;
    this.flush(nowMs);
  }

  /** Changes the budgets from now on. */
  setLimits(limits: OutletLimits): void {
    this.#limits = limits;
  }

  /** Writes nothing until `release`. Media until then is not kept for it. */
  hold(): void {
    this.#held = true;
    if (this.#source !== null && this.#slab !== null) this.#leaveOut(this.#source.log, this.#dropped.reason);
  }

  /** Continues at the next key frame. Nothing is made up for, and nothing is repeated. */
  release(nowMs: number): void {
    // Peers may ask for it unheld: the position must stay that of the place in the slab.
    if (!this.#held) return;
    this.#held = false;
    if (this.#source !== null) this.#position = Math.max(this.#position, this.#source.log.position);
    this.flush(nowMs);
  }

  /** Leaves the stream. Bytes in the sink are still sent. */
  finish(): void {
    this.#dropped.add(this.#beingLeftOut());
    this.#source = null;
    this.#slab = null;
  }

  get bytesOut(): number {
    return this.#bytesOut;
  }

  /** Audio and video messages handed to the sink. */
  get framesOut(): number {
    return this.#framesOut;
  }

  /** Audio and video messages dropped, by the exceeded budget. */
  get droppedFrames(): Readonly<Record<DropReason, number>> {
    return this.#dropped.framesWith(this.#beingLeftOut());
  }

  /** How often it exceeded its budget. */
  get drops(): number {
    return this.#dropped.times;
  }

  /** Why it last dropped messages. */
  get dropReason(): DropReason {
    return this.#dropped.reason;
  }

  /** When the newest key frame that it sent had arrived, on the monotonic clock; 0 before the first one. */
  get lastKeyFrameMs(): number {
    return this.#lastKeyFrameMs;
  }

  /** Bytes that wait in the log, in the sink, or in flight. */
  get queueBytes(): number {
    return this.#waitingBytes + bytesIn(this.#sink);
  }

  /** Of them, those in the log. */
  get #waitingBytes(): number {
    const log = this.#source?.log;
    return log === undefined || this.#slab === null ? 0 : log.position - this.#position;
  }

  /** Age of the oldest byte that waits or is in flight, milliseconds, to about 100 ms. */
  queueAgeMs(nowMs: number): number {
    return Math.max(this.#logAgeMs(nowMs), this.#sink.flightAgeMs?.(nowMs) ?? 0);
  }

  #logAgeMs(nowMs: number): number {
    if (this.#slab === null || this.hasCaughtUp) return 0;
    return Math.max(0, nowMs - Math.max(this.#slab.appendedMs(this.#offset), this.#resumedMs));
  }

  /** True if it has written the whole stream up to now, or waits for a key frame. */
  get hasCaughtUp(): boolean {
    return this.#waitingBytes === 0;
  }

  /** True if the kernel has taken the whole stream up to now. */
  get drained(): boolean {
    return this.hasCaughtUp && this.#sink.pendingBytes === 0;
  }

  /** The sink has room again. */
  resume(nowMs: number): void {
    this.#blocked = false;
    // A socket that took one piece takes the next at once, so several like it could block the event loop.
    if (this.#waitingBytes > stepBytes) this.#join();
    else this.flush(nowMs);
  }

  /** Called by the line. */
  catchUp(nowMs: number): void {
    this.#isInLine = false;
    this.flush(nowMs);
    if (!this.#isInLine && !this.#blocked) this.#sink.caughtUp?.();
  }

  #join(): void {
    if (this.#isInLine) return;
    this.#isInLine = true;
    catchUpLine.join(this);
  }

  /** Leaves out what waits in the log, since queues take too much in all. False when nothing waits there. */
  shed(): boolean {
    if (this.#source === null || this.hasCaughtUp) return false;
    this.#leaveOut(this.#source.log, 'total');
    return true;
  }

  /** Since when it has a stream, is held by nobody and waits for a key frame, on the monotonic clock; null when it does not. */
  get waitingSinceMs(): number | null {
    return this.#source === null || this.#slab !== null || this.#held || this.#blocked ? null : this.#waitingMs;
  }

  /** The log position that it has read up to; null while it waits for a key frame. */
  get position(): number | null {
    return this.#slab === null ? null : this.#position;
  }

  /** The log position from which on its sink may still send; infinite when that holds nothing. */
  get sendingFrom(): number {
    return this.#sink.pendingBytes === 0 ? Number.POSITIVE_INFINITY : this.#sendingFrom;
  }

  /** As that of `Flushable`. */
  prefetch(): number {
    return this.#offset + (this.#keyFramePosition & 1);
  }

  /** Writes what is new. Called after appends, at most once a turn. */
  flush(nowMs: number): void {
    const source = this.#source;
    if (source === null || this.#held) return;
    if (this.#slab !== null && (this.#blocked || this.#isInLine)) {
      const reason = this.#exceeded(nowMs);
      if (reason !== null) this.#leaveOut(source.log, reason);
    }
    if (this.#blocked || this.#isInLine) return;
    if (this.#slab === null && !this.#begin(source, nowMs)) return;
    if (this.#start === null && this.#getsAll(source.log)) this.#follow(source.log);
    else this.#followInPart(source);
  }

  #follow(log: MediaLog): void {
    let slab = this.#slab;
    const until = this.#position + stepBytes;
    while (slab !== null) {
      if (this.#offset < slab.end) {
        const view = slab.viewFrom(this.#offset);
        const lead = this.#offset === 0 ? slab.lead : 0;
        if (this.#sink.pendingBytes === 0) this.#sendingFrom = this.#position;
        this.#offset = slab.end;
        this.#position = slab.base + slab.end;
        this.#framesOut += slab.frames - this.#frames;
        this.#frames = slab.frames;
        if (log.keyFramePosition !== this.#keyFramePosition) this.#noteKeyFrame(log);
        if (!this.#write(view, lead, slab.goesOn)) break;
      } else {
        if (slab.next === null) return;
        if (this.#position >= until) {
          this.#join();
          break;
        }
        this.#offset -= slab.end;
        slab = slab.next;
        this.#slab = slab;
      }
    }
    this.#finishMessage();
  }

  /**
   * Where the last message of a slab goes on in the next one, the rest follows at once, with room or without: between the two
   * nothing may be written nor left out.
   */
  #finishMessage(): void {
    const next = this.#slab?.next;
    if (!next?.lead || this.#position !== next.base) return;
    this.#offset += next.lead;
    this.#position += next.lead;
    this.#write(next.data.subarray(0, next.lead), next.lead);
  }

  #noteKeyFrame({ mark }: MediaLog): void {
    if (!mark?.isKeyFrame || mark.position >= this.#position) return;
    this.#keyFramePosition = mark.position;
    this.#lastKeyFrameMs = mark.atMs;
  }

  /** True when there is nothing in the log that it does not get as it is. */
  #getsAll(log: MediaLog): boolean {
    return this.#chosen === null || (log.isPlain && this.#takesDefault);
  }

  /** As `#follow`, message by message: some are left out, or go out without their wrapping. */
  #followInPart(source: OutletSource): void {
    const { log } = source;
    const until = this.#position + stepBytes;
    for (let slab = this.#slab; slab !== null; ) {
      if (this.#offset >= slab.end) {
        if (slab.next === null) return;
        this.#offset -= slab.end;
        slab = slab.next;
        this.#slab = slab;
        continue;
      }
      if (this.#start?.isOver(this.#position, this.#wanted())) this.#start = null;
      if (this.#start === null && this.#getsAll(log)) {
        this.#follow(log);
        return;
      }
      if (this.#position >= until) {
        this.#join();
        return;
      }
      const message = messageAt(log, slab, this.#offset);
      const isStarted = this.#start?.takes(log, message, this.#position) ?? true;
      if (isStarted && this.#chosen?.handsOver(message, source)) {
        if (!this.#write(source.headersNow(this.#chosen, message.timestampMs))) return;
      }
      const out = isStarted ? partOf(log, slab, this.#offset, message, this.#chosen) : null;
      if (out !== null && this.#sink.pendingBytes === 0) this.#sendingFrom = this.#position;
      this.#offset = message.end;
      this.#position = slab.base + message.end;
      if (message.type === MessageType.Audio || message.type === MessageType.Video) {
        this.#frames++;
        if (out !== null) this.#framesOut++;
        else if (!isStarted && this.#isResumed) this.#dropped.add(1);
      }
      if (out === null) continue;
      if (log.keyFramePosition !== this.#keyFramePosition) this.#noteKeyFrame(log);
      if (!this.#write(out)) return;
    }
  }

  /** The video tracks that it waits for. */
  #wanted(): readonly number[] {
    const tracks = this.#source?.tracks ?? [];
    return this.#chosen?.wanted(tracks) ?? tracks;
  }

  #begin(source: OutletSource, nowMs: number): boolean {
    const { log } = source;
    const oldest = Math.max(this.#position, log.position - this.#limits.queueMaxBytes);
    this.#chosen?.settle(source);
    const wanted = this.#wanted();
    for (const mark of log.marks) {
      if (mark.position < oldest || (wanted.length > 0 && mark.track >= 0 && !wanted.includes(mark.track))) continue;
      this.#start = TrackStart.at(log, mark.position, oldest, wanted);
      // Headers are sent at the beginning, and again where some were among what was left out.
      const isHeaded = this.#fresh || mark.headersPosition > this.#position;
      const headers = isHeaded ? source.headersOf(mark, this.#chosen) : null;
      return this.#startAt(mark.slab, mark.offset, mark.frames, headers, nowMs);
    }
    // Audio alone, or nothing yet: every place is a good one.
    if (log.mark === null && !source.hasVideo) {
      const headers = this.#fresh || log.headersPosition > this.#position ? source.headersNow(this.#chosen) : null;
      this.#start = TrackStart.at(log, log.position, log.position, wanted);
      return this.#startAt(log.head, log.head.end, log.head.frames, headers, nowMs);
    }
    return false;
  }

  #startAt(slab: Slab, offset: number, frames: number, headers: Buffer | null, nowMs: number): boolean {
    this.#slab = slab;
    this.#offset = offset;
    this.#position = slab.base + offset;
    this.#isResumed = !this.#fresh;
    if (this.#isResumed) this.#dropped.add(frames - this.#frames);
    this.#frames = frames;
    this.#fresh = false;
    this.#resumedMs = nowMs;
    return headers === null || headers.length === 0 || this.#write(headers);
  }

  #exceeded(nowMs: number): DropReason | null {
    if (this.hasCaughtUp) return null;
    if (this.queueBytes > this.#limits.queueMaxBytes) return 'bytes';
    // What is under way arrives first, and cannot be left out any more.
    const ageMs = this.#logAgeMs(nowMs) + (this.#sink.flightDelayMs ?? 0);
    return ageMs > this.#limits.queueMaxAgeMs ? 'age' : null;
  }

  /** Leaves out everything up to the newest key frame, or up to the next one where that is behind already. */
  #leaveOut(log: MediaLog, reason: DropReason): void {
    this.#dropped.exceeded(reason);
    this.#slab = null;
    this.#start = null;
    this.#waitingMs = performance.now();
    // A key frame ahead will do, but not the one where it stands: only one that is newer. `#position` stays where writing
    // stopped as nearly as that allows, so that headers in between are noticed (see `#headersFor`).
    for (const { position } of log.marks) if (position === this.#position) this.#position = position + 1;
  }

  /** Messages that went by since it began to leave out, while that lasts. */
  #beingLeftOut(): number {
    const log = this.#source?.log;
    return log === undefined || this.#slab !== null || this.#fresh ? 0 : log.head.frames - this.#frames;
  }

  /** @param lead bytes at the beginning that are the rest of a message @param goesOn the last message is not whole */
  #write(data: Buffer, lead = 0, goesOn = false): boolean {
    this.#bytesOut += data.length;
    const sink = this.#sink;
    const more = this.#isRenumbered ? writeRenumbered(data, lead, goesOn, this.format, sink) : sink.write(data, goesOn);
    if (!more) this.#blocked = true;
    return more;
  }
}
