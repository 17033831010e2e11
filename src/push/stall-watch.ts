import { TargetError } from '../errors.js';
import type { OutgoingConnection } from '../rtmp/outgoing-connection.js';
import type { LifeDoubt } from './life-doubt.js';

/** A target that takes or acknowledges nothing for this long is called stalled. */
const stalledAfterMs = 3000;

/** What a connection shows of its target: it takes media, it has taken none for `stalledMs`, or it is to be given up. */
export type StallVerdict =
  | { readonly kind: 'flowing' }
  | { readonly kind: 'stalled'; readonly stalledMs: number }
  | { readonly kind: 'given-up'; readonly error: TargetError };

const flowing: StallVerdict = { kind: 'flowing' };

/**
 * Judges whether a target still takes media. It is given up when it takes no bytes, or when its program shows no sign of
 * life although it always did. Missing acknowledgements alone are not sufficient evidence.
 * @param doubt is told when the target is given up for lack of signs of life
 * @param stallTimeoutMs when a target is given up
 * @param nowMs a monotonic clock
 */
export function judgeStall(
  connection: OutgoingConnection,
  doubt: LifeDoubt,
  stallTimeoutMs: number,
  nowMs: number,
): StallVerdict {
  const silentMs = connection.silentMs(nowMs);
  if (silentMs > stallTimeoutMs) {
    return givenUp(`${connection.endpoint} took no data for ${Math.round(silentMs / 1000)} s`);
  }
  const lifelessMs = connection.lifelessMs(stallTimeoutMs * doubt.patience, nowMs);
  if (lifelessMs > 0) {
    doubt.gaveUp();
    return givenUp(
      `${connection.endpoint} has neither acknowledged nor answered anything for ${Math.round(lifelessMs / 1000)} s, though it did before`,
    );
  }
  const stalledMs = Math.max(silentMs, connection.overdueMs(nowMs), connection.lifelessMs(stalledAfterMs, nowMs));
  return stalledMs > stalledAfterMs ? { kind: 'stalled', stalledMs } : flowing;
}

function givenUp(text: string): StallVerdict {
  return { kind: 'given-up', error: new TargetError('TARGET_STALLED', text) };
}
