import { setTimeout as delay } from 'node:timers/promises';

export function sleep(ms: number): Promise<void> {
  return delay(ms);
}

export interface WaitOptions {
  /** What is waited for, in words, for the error. */
  what: string;
  /** A wait that ends in time costs nothing, so it is for a machine that is busy with other tests. */
  timeoutMs?: number;
  intervalMs?: number;
}

/** Polls until `probe` gives something other than undefined or false. An error that it throws counts as "not yet". */
export async function waitFor<T>(
  probe: () => Promise<T | undefined | false> | T | undefined | false,
  { what, timeoutMs = 30_000, intervalMs = 20 }: WaitOptions,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  let lastError: unknown;
  for (;;) {
    try {
      const value = await probe();
      if (value !== undefined && value !== false) return value;
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    if (Date.now() >= deadline) throw new Error(`waited ${timeoutMs} ms in vain for ${what}`, { cause: lastError });
    await delay(intervalMs);
  }
}

/** The promise's value, or an error that says what did not come in time. */
export async function within<T>(promise: Promise<T>, timeoutMs: number, what: string): Promise<T> {
  const timer = new AbortController();
  const timeout = delay(timeoutMs, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`waited ${timeoutMs} ms in vain for ${what}`);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    timer.abort();
    timeout.catch(() => undefined);
  }
}

/** Prints a measured figure, in the form that reports are collected by. */
export function figure(name: string, value: number, unit: string): void {
  console.log(`figure: ${name}: ${Number.isInteger(value) ? value : value.toFixed(1)} ${unit}`);
}
