/**
 * The clock of the machine may be set at any time: by hand, by NTP after a start without a battery, by a restored virtual
 * machine. So durations are measured by the monotonic clock (`performance.now()`), and the wall clock is for what is shown,
 * stored, or ends at an absolute time. Where only a wall time is known, `elapsedMs` says how long ago it was all the same.
 */

const lookEveryMs = 1000;
/** A clock that is set by less is only being adjusted. */
const jumpMs = 1000;
const maxRemembered = 32;

interface Setting {
  /** Since when the wall clock has been set so, on the monotonic clock. */
  readonly fromMs: number;
  /** Wall time minus monotonic time. */
  readonly offsetMs: number;
}

const startOffsetMs = Date.now() - performance.now();
const settings: Setting[] = [{ fromMs: performance.now(), offsetMs: startOffsetMs }];
setInterval(look, lookEveryMs).unref();

function look(): Setting {
  const nowMs = performance.now();
  const offsetMs = Date.now() - nowMs;
  const last = settings.at(-1)!;
  if (Math.abs(offsetMs - last.offsetMs) < jumpMs) return last;
  const setting = { fromMs: nowMs, offsetMs };
  settings.push(setting);
  if (settings.length > maxRemembered) settings.shift();
  return setting;
}

/** The wall time of a moment, as the clock is set now; the same for every call until it is set. @param monotonicMs of it */
export function wallMsAt(monotonicMs: number): number {
  return monotonicMs + look().offsetMs;
}

/** Milliseconds since 1970 by the clock as it was set when this process started: this never jumps. */
export function steadyMs(): number {
  return performance.now() + startOffsetMs;
}

/** The wall time of a steady time, as the clock is set now. */
export function wallMsOfSteady(steady: number): number {
  return steady + look().offsetMs - startOffsetMs;
}

/**
 * Milliseconds since a wall time that this process, or another one of this machine, noted: what was meant then, even if the
 * clock was set meanwhile. Never negative.
 */
export function elapsedMs(wallMs: number): number {
  look();
  const nowMs = performance.now();
  let untilMs = nowMs;
  for (let i = settings.length - 1; i > 0; i--) {
    const { fromMs, offsetMs } = settings[i]!;
    const atMs = wallMs - offsetMs;
    // A setting is seen a little after it was made.
    if (atMs > fromMs - 2 * lookEveryMs && atMs < untilMs + jumpMs) return Math.max(0, nowMs - atMs);
    untilMs = fromMs;
  }
  return Math.max(0, nowMs - (wallMs - settings[0]!.offsetMs));
}

/** ISO 8601, UTC. @param ms milliseconds since 1970 */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

/** The wall time of a moment as ISO 8601, UTC. @param atMs of it, on a monotonic clock @param nowMs now, on the same clock */
export function isoTimeOf(atMs: number, nowMs: number): string {
  return isoTime(Math.round(Date.now() - (nowMs - atMs)));
}
