import { compositionTimeMs } from '../wire/composition-time.js';
import { trackOf } from '../wire/flv.js';
import { MessageType } from '../wire/message.js';
import { type Header, headerKey } from './headers.js';
import { LogCopy } from './log-copy.js';
import { type Mark, MediaLog } from './media-log.js';
import type { SlabPool } from './slab-pool.js';
import type { MessageRole, StreamFeed } from './stream-feed.js';

/** One chunk for any message, so that what is kept can be read again without a copy. */
const keptFormat = { chunkBytes: 0xffffff, streamId: 1, publishing: true };

/** As many messages as streams keep of a GOP: giving out tiny ones takes long. */
const maxMessages = 16_384;

/** From picture to picture, where nothing is known of it. */
const usualStepMs = 40;

/** Nobody reads it but `replay`, at once. */
const noReaders = { readingFrom: () => Number.POSITIVE_INFINITY, sendingFrom: () => Number.POSITIVE_INFINITY };

export interface StandbyGopOptions {
  /** Of whom the messages are. */
  readonly feed: StreamFeed;
  readonly pool: SlabPool;
  /** Of a longer GOP nothing is kept. */
  readonly maxBytes: number;
  /** A key frame was kept. Called in the middle of the work on it. */
  readonly onKeyFrame: () => void;
}

/** Takes what was kept. `payload` is valid only until it returns; `headers` are what a decoder needs before a key frame. */
export type TakeKept = (
  type: number,
  timestampMs: number,
  payload: Buffer,
  role: MessageRole,
  track: number,
  headers: readonly Header[] | undefined,
) => void;

/**
 * The current GOP of a source that feeds no stream: what a stream needs to go on with that source at once. It takes
 * messages as a stream does, copies each once into memory of the shared pool, and writes them nowhere. Of a source with
 * several video tracks it keeps the GOP of each.
 */
export class StandbyGop {
  readonly #options: StandbyGopOptions;
  readonly #log: MediaLog;
  #newestMs = 0;
  #newestAtMs = 0;
  #compositionMs = 0;
  /** Pictures since the key frame that begins it, that one included, and the time from it to the last. */
  #pictures = 0;
  #spanMs = 0;

  constructor(options: StandbyGopOptions, nowMs: number) {
    this.#options = options;
    this.#log = new MediaLog(keptFormat, options.pool, noReaders, nowMs);
  }

  /** Where it begins; null: nothing is kept. */
  get oldest(): Mark | null {
    return this.#log.marks[0] ?? null;
  }

  /** True while a stream could go on with this video track at once. */
  keeps(track: number): boolean {
    return this.#log.markOf(track) !== null;
  }

  get keptBytes(): number {
    const { oldest } = this;
    return oldest === null ? 0 : this.#log.position - oldest.position;
  }

  /** The highest timestamp of the frames that are kept, milliseconds. */
  get newestMs(): number {
    return this.#newestMs;
  }

  /** When that frame came, on the monotonic clock. */
  get newestAtMs(): number {
    return this.#newestAtMs;
  }

  /** From picture to picture, milliseconds, on average. */
  get stepMs(): number {
    return this.#pictures < 2 ? usualStepMs : Math.max(1, Math.round(this.#spanMs / (this.#pictures - 1)));
  }

  /** How much later than it is decoded the key frame that begins it is shown, milliseconds. */
  get compositionMs(): number {
    return this.#compositionMs;
  }

  /** Takes one message, as a stream does. What comes before the first key frame is not kept. */
  append(type: number, timestampMs: number, payload: Buffer, role: MessageRole, nowMs: number, track = 0): void {
    const log = this.#log;
    if (role === 'key-frame') {
      log.setMark(track, this.#options.feed.headers, timestampMs, nowMs);
      if (log.marks.length === 1) this.#begin(timestampMs, payload);
    }
    if (log.mark === null) return;
    log.append(type, timestampMs, payload, nowMs);
    if (role === 'key-frame' || role === 'frame') {
      if (((timestampMs - this.#newestMs) | 0) >= 0) {
        this.#newestMs = timestampMs;
        this.#newestAtMs = nowMs;
      }
      if (type === MessageType.Video) this.#notePicture(timestampMs);
    }
    const { maxBytes } = this.#options;
    log.trimMarks((mark) => log.position - mark.position > maxBytes || log.messages - mark.messages > maxMessages);
    log.reclaim();
    if (role === 'key-frame' && log.markOf(track) !== null) this.#options.onKeyFrame();
  }

  /** Nothing is kept of a track until its next key frame. */
  forgetTrack(track: number): void {
    this.#log.clearTrack(track);
    this.#log.reclaim();
  }

  /** Keeps nothing until the next key frame. */
  forgetGop(): void {
    this.#log.clearMark();
    this.#log.reclaim();
  }

  /** Gives out all that is kept, in order. */
  replay(take: TakeKept): void {
    if (this.oldest === null) return;
    const begun = new Set<number>();
    let mark: Mark | null = null;
    const append = (type: number, timestampMs: number, payload: Buffer): void => {
      const here = mark;
      mark = null;
      if (here !== null) {
        begun.add(here.track);
        take(type, timestampMs, payload, 'key-frame', here.track, here.headers);
      } else if (headerKey(type, payload) !== null) take(type, timestampMs, payload, 'header', 0, undefined);
      else if (type === MessageType.Audio) take(type, timestampMs, payload, 'frame', 0, undefined);
      else if (type === MessageType.DataAmf0) take(type, timestampMs, payload, 'data', 0, undefined);
      else {
        const track = trackOf(true, payload);
        // What came before its key frame belongs to a GOP that is not kept.
        if (begun.has(track)) take(type, timestampMs, payload, 'frame', track, undefined);
      }
    };
    const onMark = (at: Mark): void => {
      mark = at;
    };
    new LogCopy(this.#log, append, onMark).step(0, true);
  }

  #begin(timestampMs: number, payload: Buffer): void {
    this.#compositionMs = compositionTimeMs(payload);
    this.#newestMs = timestampMs;
    this.#pictures = 0;
  }

  #notePicture(timestampMs: number): void {
    this.#pictures++;
    this.#spanMs = (timestampMs - (this.oldest?.timestampMs ?? timestampMs)) | 0;
  }
}
