import { CodedError } from '../errors.js';
import type { ProgressWatch } from '../net/progress-watch.js';
import { heardMs } from '../process/standstill.js';
import type { ConnectionRecord } from './connection-record.js';
import type { NetSettings } from './settings.js';

/** What an incoming connection does, and since when it has not. Times of a monotonic clock, milliseconds. */
export interface ConnectionActivity {
  readonly publishes: boolean;
  readonly plays: boolean;
  /** Since when it has neither published nor played. */
  readonly idleSinceMs: number;
  /** When it last proved to be a living publisher. */
  readonly lastMediaMs: number;
  /** What a viewer takes. */
  readonly progress: ProgressWatch;
  /** Where its conversation is, in words. */
  readonly phase: string;
  /** What of it was ignored. */
  readonly record: ConnectionRecord;
}

/** The deadline that an incoming connection exceeded (RTMP_TIMEOUT); null: none. Call about once a second. */
export function exceededDeadline(
  activity: ConnectionActivity,
  settings: NetSettings,
  nowMs: number,
): CodedError | null {
  const { handshakeTimeoutMs, idleTimeoutMs, stallTimeoutMs } = settings;
  const { publishes, plays, progress, record } = activity;
  if (!publishes && !plays) {
    if (heardMs(activity.idleSinceMs, nowMs) <= handshakeTimeoutMs) return null;
    return timeout(`neither publish nor play within ${handshakeTimeoutMs / 1000} s (${activity.phase})`);
  }
  if (publishes && heardMs(activity.lastMediaMs, nowMs) > idleTimeoutMs) {
    const ignored = record.ignoredMessages === 0 ? '' : `; ignored was ${record.ignoredText}`;
    return timeout(`the publisher sent nothing of use for ${idleTimeoutMs / 1000} s${ignored}`);
  }
  if (!plays || progress.silentMs(nowMs) <= stallTimeoutMs) return null;
  return timeout(`the viewer took no data for ${stallTimeoutMs / 1000} s`);
}

function timeout(text: string): CodedError {
  return new CodedError('RTMP_TIMEOUT', text);
}
