import { kernelCalls } from '../../net/uring/kernel-calls.js';

/** How often it is looked, milliseconds. */
const lookMs = 250;

/**
 * Aborts when nobody reads any more what a command writes: `events -f | head -1`. Node.js tells that only after the next
 * write, and the next event may come in an hour. Never where the kernel cannot be asked (without koffi, or not on Linux): the
 * next write ends the command there.
 * @param fd where it writes; undefined: not to a descriptor of this process
 */
export function readerGone(fd: number | undefined): AbortSignal {
  const gone = new AbortController();
  const calls = fd === undefined ? '' : kernelCalls();
  if (fd === undefined || typeof calls === 'string') return gone.signal;
  const timer = setInterval(() => {
    if (calls.trouble(fd) === 0) return;
    clearInterval(timer);
    gone.abort();
  }, lookMs);
  timer.unref();
  return gone.signal;
}
