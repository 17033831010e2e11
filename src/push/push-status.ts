import type { DropReason } from '../relay/outlet.js';
import type { Outage } from './outage.js';
import type { PushFailure } from './push-failure.js';

export type PushPhase = 'idle' | 'connecting' | 'active' | 'stalled' | 'waiting' | 'disabled';

/** The observed state of a push. Times of events are milliseconds since 1970. */
export interface PushStatus {
  readonly phase: PushPhase;
  readonly sinceMs: number;
  /** Failures in a row. */
  readonly attempt: number;
  readonly lastFailure: PushFailure | null;
  /** What it is in the midst of; null while its camera is away. */
  readonly outage: Pick<Outage, 'sinceMs' | 'first' | 'last'> | null;
  /** Null unless `waiting`. */
  readonly nextRetryAtMs: number | null;
  readonly connects: number;
  readonly bytesOut: number;
  readonly framesOut: number;
  readonly bytesAcknowledged: number | null;
  readonly roundTripMs: number | null;
  readonly bitrateBps: number;
  readonly queueBytes: number;
  readonly queueAgeMs: number;
  readonly droppedFrames: Readonly<Record<DropReason, number>>;
  readonly lastKeyFrameAtMs: number | null;
  /** Since when it could send, but the camera has sent no key frame to start at; null when it does not wait for one. */
  readonly keyFrameAwaitedSinceMs: number | null;
}
