import type { Socket } from 'node:net';

/**
 * A number that grows whenever the kernel has taken something of what was written to a socket. Of a write under way Node
 * keeps the rest for its own idle timeout, and tells nobody; where it does not have it, only whole writes count.
 */
export function progressOf(socket: Socket | null): number {
  if (socket === null) return 0;
  const handle: unknown = Reflect.get(socket, '_handle');
  const queued: unknown = typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'writeQueueSize') : 0;
  return socket.bytesWritten - socket.writableLength - (typeof queued === 'number' ? queued : 0);
}
