import { MessageType } from '../wire/message.js';
import { isClearing } from './data-message.js';
import { FormatLog, type FormatLogOwner } from './format-log.js';
import { headerKey } from './headers.js';
import { LogCopy } from './log-copy.js';
import type { Mark, MediaLog } from './media-log.js';
import type { Outlet } from './outlet.js';
import type { SlabPool } from './slab-pool.js';
import { isSameFormat, type StreamFormat } from './stream-format.js';

/**
 * Messages of a GOP that are kept for those who join: two minutes of 60 frames a second with audio. A GOP of the same
 * bytes in tiny messages would take long to copy into another format.
 */
const maxGopMessages = 16_384;

/**
 * Formats of one stream: chunks for targets with each kind of sound, chunks for players, FLV. Peers choose none of what tells
 * them apart; the limit says so, should that change.
 */
const maxFormats = 8;

/**
 * Minimum time that a log without outlets is kept, so that a viewer that keeps playing and stopping does not cause new
 * copies.
 */
const emptyLogKeptMs = 10_000;

const none: readonly FormatLog[] = [];

/** What the logs need from their stream. */
export interface FormatLogsOwner extends FormatLogOwner {
  /** The payload of a data message as those of a format get it. */
  dataFor(format: StreamFormat, payload: Buffer): Buffer;
}

export interface FormatLogsOptions {
  readonly owner: FormatLogsOwner;
  /** The format of most outlets. Its log always exists, since it holds the GOP. */
  readonly format: StreamFormat;
  /** Maximum bytes of the current GOP that are kept for newcomers. */
  readonly gopMaxBytes: number;
  readonly pool: SlabPool;
  /** Whether this many more bytes may be kept; called before a GOP is copied. Undefined: always. */
  readonly mayKeep: ((bytes: number) => boolean) | undefined;
}

/**
 * The logs of a stream, one for each format that outlets want. The primary one always exists. Another one is made when the
 * first outlet of its format comes, gets the current GOP copied, and goes some time after its last outlet.
 */
export class FormatLogs {
  readonly primary: FormatLog;
  readonly #options: FormatLogsOptions;
  readonly #gopMaxBytes: number;
  /** Made anew at each change, as the next. */
  #all: readonly FormatLog[];
  #others: readonly FormatLog[] = none;

  constructor(options: FormatLogsOptions, nowMs: number) {
    this.#options = options;
    this.#gopMaxBytes = options.gopMaxBytes;
    this.primary = new FormatLog(options.owner, options.format, options.pool, nowMs);
    this.#all = [this.primary];
  }

  /** The primary one first. */
  get all(): readonly FormatLog[] {
    return this.#all;
  }

  /** All but the primary one; most streams have none. */
  get others(): readonly FormatLog[] {
    return this.#others;
  }

  #set(others: readonly FormatLog[]): void {
    this.#all = [this.primary, ...others];
    this.#others = others.length === 0 ? none : others;
  }

  /** Bytes that are kept for newcomers and for outlets that are behind. */
  get keptBytes(): number {
    let bytes = 0;
    for (const entry of this.#all) bytes += entry.keptBytes;
    return bytes;
  }

  /** Lets an outlet read the log of its format, which is made where there is none yet. */
  attach(outlet: Outlet, nowMs: number): void {
    const entry = this.#logFor(outlet.format, nowMs);
    entry.outlets = [...entry.outlets, outlet];
    entry.emptySinceMs = null;
    outlet.begin(entry, nowMs);
  }

  detach(outlet: Outlet): void {
    outlet.finish();
    for (const entry of this.#all) {
      const index = entry.outlets.indexOf(outlet);
      if (index < 0) continue;
      entry.outlets = entry.outlets.toSpliced(index, 1);
      if (Number.isFinite(outlet.sendingFrom)) entry.log.lose();
      if (entry.outlets.length === 0) entry.emptySinceMs = performance.now();
      return;
    }
  }

  /** Drops logs that have had no outlet for a while. @param afterMs how long */
  dropEmpty(afterMs: number = emptyLogKeptMs): void {
    if (this.#others.length === 0) return;
    const beforeMs = performance.now() - afterMs;
    const isOver = ({ emptySinceMs }: FormatLog): boolean => emptySinceMs !== null && emptySinceMs <= beforeMs;
    if (!this.#others.some(isOver)) return;
    const over = this.#others.filter(isOver);
    this.#set(this.#others.filter((entry) => !isOver(entry)));
    for (const { copy, sound } of over) {
      if (copy !== null) this.primary.copies.delete(copy);
      sound?.close();
    }
  }

  /** Has what waits for its sound put into the logs. @param isOver nothing more will come */
  settle(isOver: boolean): void {
    const nowMs = performance.now();
    for (const entry of this.#all) {
      // Who joined a moment ago gets all of it, too.
      if (isOver) this.#copyOn(entry, nowMs, true);
      if (isOver) entry.sound?.close();
      else entry.sound?.settle();
    }
  }

  /** Completes all copies that are being made, and forgets where newcomers could start. */
  restart(nowMs: number): void {
    for (const entry of this.#all) {
      this.#copyOn(entry, nowMs, true);
      entry.sound?.restart();
      entry.log.clearMark();
    }
  }

  /** Forgets marks of a log that are too far behind; most have none to forget. */
  trim(log: MediaLog): void {
    const gopMaxBytes = this.#gopMaxBytes;
    if (log.exceeds(gopMaxBytes, maxGopMessages)) log.trimMarks((mark) => isTooLong(log, mark, gopMaxBytes));
  }

  #logFor(format: StreamFormat, nowMs: number): FormatLog {
    for (const entry of this.#all) {
      if (isSameFormat(entry.log.format, format)) return entry;
    }
    if (this.#all.length >= maxFormats) throw new RangeError(`a stream has more than ${maxFormats} formats`);
    // With the message stream id of the primary log. Outlets with another id share this log.
    const { owner, pool } = this.#options;
    const entry = new FormatLog(owner, { ...format, streamId: this.primary.log.format.streamId }, pool, nowMs);
    this.#set([...this.#others, entry]);
    this.#beginCopy(entry, nowMs);
    return entry;
  }

  /** Has the current GOP of the primary log copied into a new one, where there is room; else that begins at the next one. */
  #beginCopy(entry: FormatLog, nowMs: number): void {
    const { owner, mayKeep } = this.#options;
    const { log } = this.primary;
    const oldest = log.marks[0];
    if (oldest === undefined) return;
    if (!(mayKeep?.(log.position - oldest.position) ?? true)) return;
    const append = (type: number, timestampMs: number, payload: Buffer, atMs: number): void => {
      if (entry.sound !== null) {
        entry.sound.copy(type, timestampMs, payload, atMs);
        if (headerKey(type, payload) !== null) entry.log.noteHeader();
        return;
      }
      if (type === MessageType.DataAmf0 && isClearing(payload) && !entry.log.format.publishing) return;
      const data = type === MessageType.DataAmf0 ? owner.dataFor(entry.log.format, payload) : payload;
      entry.log.append(type, timestampMs, data, atMs);
      if (headerKey(type, payload) !== null) entry.log.noteHeader();
    };
    const onMark = ({ track, headers, timestampMs, atMs, isKeyFrame }: Mark): void => {
      entry.log.setMark(track, headers, timestampMs, atMs, isKeyFrame);
    };
    entry.copy = new LogCopy(log, append, onMark);
    this.primary.copies.add(entry.copy);
    this.#copyOn(entry, nowMs);
  }

  /** One step of a copy, and the next in a later turn. @param isLast all of it at once */
  #copyOn(entry: FormatLog, nowMs: number, isLast = false): void {
    const { copy, log } = entry;
    if (copy === null || !this.#all.includes(entry)) return;
    const isDone = copy.step(nowMs, isLast);
    this.trim(log);
    if (isDone) {
      entry.copy = null;
      this.primary.copies.delete(copy);
    }
    for (const outlet of entry.outlets) outlet.flush(nowMs);
    if (!isDone) setImmediate(() => this.#copyOn(entry, performance.now()));
  }
}

function isTooLong(log: MediaLog, mark: Mark, gopMaxBytes: number): boolean {
  return log.position - mark.position > gopMaxBytes || log.messages - mark.messages > maxGopMessages;
}
