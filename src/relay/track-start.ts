import { isVideoFrame, isVideoKeyFrame, trackOf } from '../wire/flv.js';
import { MessageType } from '../wire/message.js';
import { type LoggedMessage, readInSlab, readLoggedTag } from './logged-message.js';
import { audioTrack, type Mark, type MediaLog } from './media-log.js';
import type { Slab } from './slab.js';
import { encodeIn } from './stream-format.js';
import type { ChosenTracks } from './track-choice.js';

/**
 * What an outlet leaves out of the log at its start, track by track: frames of a video track before the place where a decoder
 * of it can start, and sound before the first place of the lowest one. Headers and data are never left out.
 *
 *      first mark                          here the outlet reads what all others read
 *   -----|-------------------|-------------------|---------------->
 *   track 1: key frame ......................................
 *   track 0                  key frame and sound .............
 *   track 2                                      key frame ..
 *
 * It exists for a moment, and only where there are several video tracks, or one that fell silent.
 */
export class TrackStart {
  /** By track: the log position from which its frames are taken; infinite: not known yet. */
  readonly #from: Map<number, number>;
  readonly #soundFrom: number;

  private constructor(from: Map<number, number>, soundFrom: number) {
    this.#from = from;
    this.#soundFrom = soundFrom;
  }

  /**
   * @param position where the outlet starts
   * @param oldest what it may start at; marks before it are of no use
   * @param tracks the video tracks whose frames are in the log
   * @returns null when there is nothing to leave out, which is usual
   */
  static at(log: MediaLog, position: number, oldest: number, tracks: readonly number[]): TrackStart | null {
    let isNeeded = false;
    for (const track of tracks) {
      const mark = log.markOf(track);
      if (mark === null || mark.position < oldest || mark.position > position) isNeeded = true;
    }
    if (!isNeeded) return null;
    const from = new Map<number, number>();
    let lowest: Mark | null = null;
    for (const track of tracks) {
      const mark = log.markOf(track);
      const isAhead = mark !== null && mark.position >= oldest;
      from.set(track, isAhead ? mark.position : Number.POSITIVE_INFINITY);
      if (isAhead && (lowest === null || track < lowest.track)) lowest = mark;
    }
    return new TrackStart(from, lowest?.position ?? log.markOf(audioTrack)?.position ?? position);
  }

  /** Whether the outlet gets the message at this position. */
  takes(log: MediaLog, { type, payload }: LoggedMessage, position: number): boolean {
    if (type === MessageType.Audio) return position >= this.#soundFrom;
    if (type !== MessageType.Video || !isVideoFrame(payload)) return true;
    const track = trackOf(true, payload);
    const from = this.#from.get(track);
    if (from === undefined || position >= from) return true;
    // Its next key frame; or where it has none, the next place to start at.
    if (Number.isFinite(from) || !(isVideoKeyFrame(payload) || log.markOf(track)?.position === position)) return false;
    this.#from.set(track, position);
    return true;
  }

  /** True when nothing behind this position will be left out. */
  isOver(position: number, tracks: readonly number[]): boolean {
    if (position < this.#soundFrom) return false;
    for (const track of tracks) if ((this.#from.get(track) ?? 0) > position) return false;
    return true;
  }
}

/** The message at an offset of a slab. Its end is counted from there also where it lies in the next one. */
export function messageAt({ format }: MediaLog, slab: Slab, offset: number): LoggedMessage {
  if (format.container === 'flv') return readLoggedTag(slab.data, offset);
  return readInSlab(slab, offset, format.chunkBytes);
}

/** A message at an offset of a slab as an outlet gets it that chose these tracks (null: all); null: it is of another one. */
export function partOf(
  { format }: MediaLog,
  slab: Slab,
  offset: number,
  { type, timestampMs, payload, end }: LoggedMessage,
  chosen: ChosenTracks | null,
): Buffer | null {
  const part = chosen === null ? payload : chosen.select(type, payload);
  if (part === null) return null;
  return part === payload ? slab.slice(offset, end) : encodeIn(format, type, timestampMs, part);
}
