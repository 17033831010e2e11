import type { Header } from './headers.js';
import type { LogCopy } from './log-copy.js';
import { type LogReaders, type Mark, MediaLog } from './media-log.js';
import type { Outlet } from './outlet.js';
import type { OutletSource } from './outlet-source.js';
import type { SlabPool } from './slab-pool.js';
import type { Sound } from './sound.js';
import type { StreamFormat } from './stream-format.js';
import type { ChosenTracks } from './track-choice.js';

/** What a log needs from its stream. */
export interface FormatLogOwner {
  /** Whether newcomers begin with video, if there is any. */
  readonly startsAtVideo: boolean;
  /** Video tracks whose frames are in the log. A list is never changed; another one comes for it. */
  readonly tracks: readonly number[];
  readonly defaultVideo: number | null;
  readonly defaultAudio: number | null;
  encodeHeaders(
    format: StreamFormat,
    headers?: readonly Header[],
    timestampMs?: number,
    chosen?: ChosenTracks | null,
  ): Buffer;
  /** What makes a log whose sound is not the camera's; null where its format has that. */
  soundFor(entry: FormatLog): Sound | null;
}

/** A stream's log in one format, and the outlets that read it. */
export class FormatLog implements OutletSource, LogReaders {
  readonly log: MediaLog;
  /** Made anew at each change. */
  outlets: readonly Outlet[] = [];
  /** Fills this log from another one until it has caught up; null: it gets each message as it comes. */
  copy: LogCopy | null = null;
  /** Copies that are made from this log. */
  readonly copies = new Set<LogCopy>();
  /** Since when it has no outlet, on the monotonic clock; null while it has one. */
  emptySinceMs: number | null = null;
  readonly #owner: FormatLogOwner;
  /** Null: it has the sound of the camera. */
  readonly sound: Sound | null;

  constructor(owner: FormatLogOwner, format: StreamFormat, pool: SlabPool, nowMs: number) {
    this.#owner = owner;
    this.log = new MediaLog(format, pool, this, nowMs);
    this.sound = owner.soundFor(this);
  }

  readingFrom(): number {
    let from = Number.POSITIVE_INFINITY;
    for (const { position } of this.outlets) if (position !== null && position < from) from = position;
    for (const { position } of this.copies) if (position < from) from = position;
    return from;
  }

  sendingFrom(): number {
    let from = Number.POSITIVE_INFINITY;
    for (const { sendingFrom } of this.outlets) if (sendingFrom < from) from = sendingFrom;
    return from;
  }

  /** Bytes kept for newcomers and for outlets that are behind. */
  get keptBytes(): number {
    const { log } = this;
    const from = Math.min(log.marks[0]?.position ?? log.position, this.readingFrom());
    return log.position - from + (this.sound?.keptBytes ?? 0);
  }

  get hasVideo(): boolean {
    return this.#owner.startsAtVideo;
  }

  get tracks(): readonly number[] {
    return this.#owner.tracks;
  }

  get defaultVideo(): number | null {
    return this.#owner.defaultVideo;
  }

  get defaultAudio(): number | null {
    // Sound that is not the camera's is of one track.
    return this.sound === null ? this.#owner.defaultAudio : 0;
  }

  headersNow(chosen: ChosenTracks | null, timestampMs?: number): Buffer {
    return this.#owner.encodeHeaders(this.log.format, undefined, timestampMs, chosen);
  }

  headersOf(mark: Mark, chosen: ChosenTracks | null): Buffer {
    return this.#owner.encodeHeaders(this.log.format, mark.headers, mark.timestampMs, chosen);
  }
}
