import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import { messageOf } from '../errors.js';
import type { Logger } from '../log/log.js';

export interface WatchOptions {
  readonly log: Logger;
  /** How often `onPoll` is called, which finds what events missed (network file systems, exhausted watches). */
  readonly pollMs: number;
  /** Something happened to the file, perhaps. */
  readonly onEvent: () => void;
  readonly onPoll: () => Promise<void>;
}

/**
 * One save causes a burst of events. The file is looked at after the burst, and at the latest after this time if events
 * keep coming.
 */
const quietMs = 50;
const longestMs = 500;

/**
 * Watches the folder of a file, since a watch of the file itself would end when it is replaced by a rename. Does not
 * keep the process alive. Returns a function that ends it.
 */
export function watchFolder(path: string, options: WatchOptions): () => void {
  const name = basename(path);
  let quiet: NodeJS.Timeout | undefined;
  let firstAt = 0;
  let watcher: FSWatcher | undefined;
  let polling = false;

  const fire = () => {
    quiet = undefined;
    options.onEvent();
  };
  const onChange = (_: string, changed: string | null) => {
    if (changed !== null && changed !== name) return;
    const now = performance.now();
    if (quiet === undefined) firstAt = now;
    else if (now - firstAt + quietMs > longestMs) return;
    clearTimeout(quiet);
    quiet = setTimeout(fire, quietMs).unref();
  };
  const giveUp = (error: unknown) => {
    watcher?.close();
    watcher = undefined;
    options.log.warn('the data folder cannot be watched; edits are found by polling', {
      folder: dirname(path),
      error: messageOf(error),
    });
  };
  try {
    watcher = watch(dirname(path), { persistent: false }, onChange);
    watcher.on('error', giveUp);
  } catch (error) {
    giveUp(error);
  }

  const poll = setInterval(() => {
    if (polling) return;
    polling = true;
    options
      .onPoll()
      .catch((error: unknown) => options.log.debug('polling the state file failed', { error: messageOf(error) }))
      .finally(() => {
        polling = false;
      });
  }, options.pollMs).unref();

  return () => {
    clearInterval(poll);
    clearTimeout(quiet);
    watcher?.close();
  };
}
