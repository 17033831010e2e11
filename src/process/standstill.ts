/**
 * Times in which this process could not run: it was stopped (SIGSTOP, Ctrl-Z, a frozen container), its machine was
 * suspended, or its event loop was held up. Messages of peers were not read meanwhile, so no deadline for a peer may
 * count such a time. Deadlines use a monotonic clock, so that setting the machine's clock does not change them.
 */

const lookEveryMs = 100;
/** A check later than this means that the process was held up. */
const heldUpMs = 400;
/** Maximum number of remembered standstills; the oldest are forgotten, and then count as normal time. */
const maxRemembered = 64;

interface Standstill {
  readonly fromMs: number;
  readonly toMs: number;
}

const remembered: Standstill[] = [];
let lookedAtMs = performance.now();
// This check runs even if nothing asks, and does not keep the process alive.
setInterval(look, lookEveryMs).unref();

function look(): void {
  const nowMs = performance.now();
  if (nowMs - lookedAtMs > heldUpMs) {
    remembered.push({ fromMs: lookedAtMs, toMs: nowMs });
    if (remembered.length > maxRemembered) remembered.shift();
  }
  lookedAtMs = nowMs;
}

/**
 * Milliseconds from `sinceMs` to `nowMs`, without the times in which this process stood still.
 * @param sinceMs by `performance.now()`, as `nowMs`
 */
export function heardMs(sinceMs: number, nowMs: number = performance.now()): number {
  look();
  let ms = nowMs - sinceMs;
  for (let i = remembered.length - 1; i >= 0; i--) {
    const { fromMs, toMs } = remembered[i]!;
    if (toMs <= sinceMs) break;
    ms -= Math.max(0, Math.min(toMs, nowMs) - Math.max(fromMs, sinceMs));
  }
  return ms;
}

/**
 * Like `setTimeout`, for the deadline of a peer. If the process stood still meanwhile, the peer gets the whole time
 * again. The result works with `clearTimeout`, `refresh` and `unref`.
 */
export function setHeardTimeout(onTimeout: () => void, ms: number): NodeJS.Timeout {
  const timer = setTimeout(() => {
    const nowMs = performance.now();
    // One millisecond of tolerance for rounding.
    if (heardMs(nowMs - ms, nowMs) < ms - 1) timer.refresh();
    else onTimeout();
  }, ms);
  return timer;
}
