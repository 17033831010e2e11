/**
 * `auto`: the best that works, `uring` first; `uring`: by io_uring; `direct`: past the streams of Node.js, by internals of its own;
 * `plain`: by its documented streams only. Where one does not work, the next one is used.
 */
export type SocketMode = 'auto' | 'uring' | 'direct' | 'plain';

/** Maximum bytes in the socket before an outlet waits; the kernel's buffer is additional. */
export const socketHighWaterBytes = 64 * 1024;
