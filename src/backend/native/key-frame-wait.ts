import { isoTime } from '../../process/wall-clock.js';
import type { BackendProblem, PushState } from '../backend.js';

/** A wait up to this long is none that anybody has to do something about. */
const usualMs = 10_000;

/** Or this many of the camera's intervals. */
const intervals = 2;

/**
 * What a push says that could send, but has no key frame to start at; undefined when it does not wait for one.
 * @param intervalMs between the last two key frames of the camera; 0: not known
 */
export function keyFrameWait(
  { state, awaitedSinceMs }: { readonly state: PushState; readonly awaitedSinceMs: number | null },
  intervalMs: number,
  nowMs = Date.now(),
): { readonly reason: string; readonly condition?: BackendProblem } | undefined {
  if (awaitedSinceMs === null || (state !== 'connecting' && state !== 'active' && state !== 'stalled'))
    return undefined;
  const since = isoTime(awaitedSinceMs);
  const interval =
    intervalMs === 0
      ? 'how often the camera sends one is not known yet'
      : `the camera sends one every ${Math.round(intervalMs / 100) / 10} s`;
  const reason = `waiting for a key frame since ${since}; ${interval}`;
  if (nowMs - awaitedSinceMs <= Math.max(usualMs, intervals * intervalMs)) return { reason };
  const condition: BackendProblem = {
    code: 'PUSH_KEY_FRAME_AWAITED',
    message: `the push is connected, and waits for a key frame to start at; ${interval}`,
    since,
    label: 'no key frame',
    advice: 'Set the key frame (GOP, I-frame) interval of the camera to 1 to 4 s, or raise gop-max-bytes.',
  };
  return { reason, condition };
}
