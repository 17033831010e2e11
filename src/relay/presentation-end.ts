import { compositionTimeMs } from '../wire/composition-time.js';
import { isVideoFrame } from '../wire/flv.js';
import { MessageType } from '../wire/message.js';
import { LogCopy } from './log-copy.js';
import type { MediaLog } from './media-log.js';

/**
 * When the last picture of the current GOP is shown, by its timestamps: with B-frames later than the last one is decoded.
 * Null where no GOP is kept, or it has no picture. It reads the whole GOP, so it is for rare moments.
 */
export function presentationEndMs(log: MediaLog): number | null {
  if (log.marks.length === 0) return null;
  let shownMs: number | null = null;
  const look = (type: number, timestampMs: number, payload: Buffer): void => {
    if (type !== MessageType.Video || !isVideoFrame(payload)) return;
    const atMs = (timestampMs + compositionTimeMs(payload)) >>> 0;
    if (shownMs === null || ((atMs - shownMs) | 0) > 0) shownMs = atMs;
  };
  new LogCopy(log, look, () => {}).step(0, true);
  return shownMs;
}
