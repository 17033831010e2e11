/**
 * `auto`: uses internals of Node.js if this version has them as expected; `plain`: uses only its documented streams.
 */
export type SocketMode = 'auto' | 'plain';

/** Maximum bytes in the socket before an outlet waits; the kernel's buffer is additional. */
export const socketHighWaterBytes = 64 * 1024;
