/**
 * The time by the server's clock, since all times that are shown are of that one: a browser whose clock is off shows right
 * durations. The header `Date` has seconds only, and an answer takes its time; so the estimate gets better with each one.
 */

/** Answers that took longer say too little. */
const maxTripMs = 5_000;

/** The server's clock is ahead of ours by something from `lowMs` to `highMs`. */
let lowMs = Number.NEGATIVE_INFINITY;
let highMs = Number.POSITIVE_INFINITY;

/** Milliseconds since 1970 by the server's clock; by our own before the first answer. */
export function serverNow(): number {
  return Date.now() + offsetMs();
}

/** By how much the server's clock is ahead of ours. */
export function offsetMs(): number {
  return Number.isFinite(lowMs) ? Math.round((lowMs + highMs) / 2) : 0;
}

/**
 * Takes what an answer says.
 * @param date its header `Date`
 * @param askedMs when it was asked for, and
 * @param answeredMs when its head came, by our clock
 */
export function noteServerDate(date: string | null, askedMs: number, answeredMs: number): void {
  const atMs = date === null ? Number.NaN : Date.parse(date);
  const tripMs = answeredMs - askedMs;
  if (Number.isNaN(atMs) || tripMs < 0 || tripMs > maxTripMs) return;
  // It was made between the two, within the second that it names.
  const low = atMs - answeredMs;
  const high = atMs + 1000 - askedMs;
  if (low > highMs || high < lowMs) {
    // One of the clocks was set.
    lowMs = low;
    highMs = high;
    return;
  }
  lowMs = Math.max(lowMs, low);
  highMs = Math.min(highMs, high);
}

/** Forgets what was learnt: for tests. */
export function forgetServerDates(): void {
  lowMs = Number.NEGATIVE_INFINITY;
  highMs = Number.POSITIVE_INFINITY;
}
