import type { Logger } from '../log/log.js';

/** A part of the program that is to be closed. */
export interface Closer {
  readonly part: string;
  /** How long the parts after it wait for this one; undefined: it keeps to a deadline by itself. */
  readonly limitMs?: number;
  close(): Promise<void>;
}

/** Closes one after the other; what cannot be closed, or takes too long, is logged and does not hold up the rest. */
export async function closeAll(closers: readonly Closer[], log: Logger): Promise<void> {
  for (const { part, close, limitMs } of closers) {
    try {
      if ((await within(close(), limitMs)) === 'late') {
        log.warn('takes too long to close; the stop continues without it', { part, limitMs });
      }
    } catch (error) {
      log.error('could not be closed', { part, error });
    }
  }
}

async function within(closed: Promise<void>, limitMs: number | undefined): Promise<'done' | 'late'> {
  const done = closed.then(() => 'done' as const);
  if (limitMs === undefined) {
    return done;
  }
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), limitMs);
  });
  return Promise.race([done, late]).finally(() => clearTimeout(timer));
}
