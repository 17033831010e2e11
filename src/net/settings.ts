/** `auto`: with internals of Node's where this version has them as expected; `plain`: with its documented streams alone. */
export type SocketMode = 'auto' | 'plain';

/** What the socket may hold before an outlet waits; the kernel's own buffer comes behind it. */
export const socketHighWaterBytes = 64 * 1024;
