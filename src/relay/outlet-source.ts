import type { Mark, MediaLog } from './media-log.js';
import type { ChosenTracks, DefaultTracks } from './track-choice.js';

/** What an outlet reads: the log in its format, and the headers for a start without a key frame. */
export interface OutletSource extends DefaultTracks {
  readonly log: MediaLog;
  /** True once a video frame was appended: from then on a decoder can start at key frames only. */
  readonly hasVideo: boolean;
  /** Video tracks whose frames are in the log. */
  readonly tracks: readonly number[];
  /**
   * Encoded headers for a start at the log's end.
   * @param chosen null: those of all tracks
   * @param timestampMs default: that of the newest message
   */
  headersNow(chosen: ChosenTracks | null, timestampMs?: number): Buffer;
  /** Encoded headers for a start at a mark. */
  headersOf(mark: Mark, chosen: ChosenTracks | null): Buffer;
}
