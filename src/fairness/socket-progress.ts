import type { Socket } from 'node:net';

/**
 * A number that grows whenever the kernel takes bytes that were written to a socket. Node.js has the size of the rest
 * of a write in progress in an internal field. If that field is missing, only complete writes count.
 */
export function progressOf(socket: Socket | null): number {
  if (socket === null) return 0;
  const handle: unknown = Reflect.get(socket, '_handle');
  const queued: unknown = typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'writeQueueSize') : 0;
  return socket.bytesWritten - socket.writableLength - (typeof queued === 'number' ? queued : 0);
}
