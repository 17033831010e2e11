import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import { messageOf } from '../../errors.js';
import type { Logger } from '../../log/log.js';

/** Finds what events miss: network file systems, exhausted watches. */
const pollMs = 2_000;

/**
 * Calls back when something may have happened to a file, and now and then without a reason. Watches the folder, since a
 * file that is replaced by rename would be lost from sight itself. Returns the way to end it.
 */
export function watchFile(path: string, log: Logger, onChange: () => void): () => void {
  const name = basename(path);
  let watcher: FSWatcher | undefined;
  const giveUp = (error: unknown): void => {
    watcher?.close();
    watcher = undefined;
    log.warn('the folder of nginx.conf cannot be watched; edits are found by polling', { error: messageOf(error) });
  };
  try {
    watcher = watch(dirname(path), { persistent: false }, (_, changed) => {
      if (changed === null || changed === name) onChange();
    });
    watcher.on('error', giveUp);
  } catch (error) {
    giveUp(error);
  }
  const poll = setInterval(onChange, pollMs).unref();
  return () => {
    clearInterval(poll);
    watcher?.close();
  };
}
