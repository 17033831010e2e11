/**
 * Time in which this process did nothing: it was stopped (SIGSTOP, Ctrl-Z, a frozen container), its machine was
 * suspended, or its event loop was held up. Who sent something meanwhile was not heard, and no deadline may count such
 * time against him. Deadlines go by a monotonic clock, so that one who sets the machine's clock changes none.
 */

const lookEveryMs = 100;
/** A look that comes later than this was held up, and not merely late. */
const heldUpMs = 400;
/** Of standstills so many are remembered; the oldest are forgotten, and count as time again. */
const maxRemembered = 64;

interface Standstill {
  readonly fromMs: number;
  readonly toMs: number;
}

const remembered: Standstill[] = [];
let lookedAtMs = performance.now();
// It notices also where nobody asks, and keeps no process alive.
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
 * Milliseconds from `sinceMs` to `nowMs` without those in which this process stood still.
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
 * As `setTimeout`, for a deadline by which a peer has to be heard: where the process stood still within it, the peer gets
 * the whole time anew. For `clearTimeout`, and with `refresh` and `unref`, as any other.
 */
export function setHeardTimeout(onTimeout: () => void, ms: number): NodeJS.Timeout {
  const timer = setTimeout(() => {
    const nowMs = performance.now();
    // A millisecond is left to rounding.
    if (heardMs(nowMs - ms, nowMs) < ms - 1) timer.refresh();
    else onTimeout();
  }, ms);
  return timer;
}
