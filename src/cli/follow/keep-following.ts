import { setTimeout as wait } from 'node:timers/promises';
import { codeOf, messageOf } from '../../errors.js';
import type { CliIo } from '../io.js';
import { readerGone } from './reader-gone.js';

const firstPauseMs = 500;
const longestPauseMs = 3000;

/** Codes of failures that pass by themselves: nothing answers, or not yet. */
const passing = new Set<string>(['API_UNREACHABLE', 'NOT_RUNNING', 'LIMIT_REACHED', 'RATE_LIMITED']);

/**
 * Runs `follow` again and again, through restarts of the aggregator and failures of the network. What is lost, and found
 * again, is told on standard error, each once.
 * @param isFollowing false: a failure is not tried again
 * @param follow resolves when the connection ended; to true if there is nobody left to follow for. It calls `onOpen` when
 *   it is connected, and ends, however, when `gone` aborts: nobody reads the output any more
 * @throws what does not pass by waiting, and whatever fails before the first connection
 */
export async function keepFollowing(
  io: CliIo,
  isFollowing: boolean,
  follow: (onOpen: () => void, gone: AbortSignal) => Promise<boolean>,
): Promise<void> {
  const gone = isFollowing ? readerGone(io.out.fd) : new AbortController().signal;
  let wasOpen = false;
  let isLost = false;
  let pauseMs = firstPauseMs;
  for (;;) {
    let reason = 'the connection ended';
    try {
      const isDone = await follow(() => {
        if (isLost) io.err.write('connected again\n');
        wasOpen = true;
        isLost = false;
        pauseMs = firstPauseMs;
      }, gone);
      if (isDone) return;
    } catch (error) {
      if (gone.aborted) return;
      if (!isFollowing || !wasOpen || !passing.has(codeOf(error))) throw error;
      reason = messageOf(error).replace(/\.$/, '');
    }
    if (gone.aborted) return;
    if (!isLost) io.err.write(`connection lost (${reason}); reconnecting\n`);
    isLost = true;
    await wait(pauseMs, undefined, { signal: gone }).catch(() => undefined);
    if (gone.aborted) return;
    pauseMs = Math.min(longestPauseMs, pauseMs * 2);
  }
}
