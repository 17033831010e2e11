import { heardMs } from '../process/standstill.js';
import type { SourceIngest } from './source-ingest.js';

/**
 * How a source that is connected does:
 *
 * - `starting`: it has sent no frame yet.
 * - `ready`: frames come as they should.
 * - `stalled`: none came for too long.
 * - `no-picture`: sound comes, and no picture any more.
 */
export type IngestHealth = 'starting' | 'ready' | 'stalled' | 'no-picture';

/** Of what is sent seldom, so many are missed before it counts as missing. */
const missedSteps = 3;

/**
 * @param afterMs how long frames may be missed; longer where they come seldom: a camera of one frame a second is well
 * @param nowMs a monotonic clock
 */
export function healthOf({ meter, source }: SourceIngest, afterMs: number, nowMs: number): IngestHealth {
  const { videoStepMs, audioStepMs, lastFrameMs, lastVideoAtMs, videoFrames } = meter;
  const steps = [videoStepMs, audioStepMs].filter((step) => step > 0);
  const usualMs = steps.length === 0 ? 0 : Math.min(...steps);
  // A part of a large frame is a sign of life too.
  const silentMs = heardMs(Math.max(lastFrameMs, source.lastMediaMs), nowMs);
  if (silentMs > Math.max(afterMs, missedSteps * usualMs)) return 'stalled';
  if (lastFrameMs === 0) return 'starting';
  const hasPicture = videoFrames === 0 || heardMs(lastVideoAtMs, nowMs) <= Math.max(afterMs, missedSteps * videoStepMs);
  return hasPicture ? 'ready' : 'no-picture';
}
