/**
 * A connection as the path of media needs it: bytes in, bytes out, and how much of them waits. The one place where a
 * kind of socket shows is its making (`node-socket.ts`); all above knows this interface alone.
 */
export interface MediaSocket {
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
  /** Of a connection that this process holds itself. */
  readonly localPort?: number | undefined;
  /** Bytes received. */
  readonly bytesRead: number;
  /** Bytes that `write` took, those that wait included. */
  readonly bytesWritten: number;
  /** Bytes that `write` took and that the kernel has not. While there are any, the buffers written are read still. */
  readonly pendingBytes: number;
  /** A figure that changes when the kernel takes bytes, be it a part of a write, and then only. */
  readonly progress: number;
  readonly destroyed: boolean;
  /** What one read takes at most, where that is known: as many bytes say that more may lie ready. */
  readonly readBytes?: number;
  /** Reads more at once from now on: for who sends media. */
  readLargely?(): void;
  /**
   * Names who is told of everything: in the turn of the event loop in which the socket was made, and again where somebody
   * else takes it over.
   */
  listen(listener: MediaSocketListener): void;
  /** Nothing is read until `resume`. */
  pause(): void;
  resume(): void;
  /**
   * Takes bytes, which must not change until they are not pending any more. False: taken, but no more for now;
   * `onDrain` comes when nothing is pending.
   */
  write(data: Buffer): boolean;
  /** Ends it in order, behind everything that was written. */
  end(): void;
  /** Ends it at once. */
  destroy(): void;
  /**
   * After `pause`: gives this process's hold on it up, where another process holds it too and goes on with it. Returns
   * what was read and not told to the listener, who hears no more.
   */
  abandon(): Buffer;
}

/** Who has a socket. Nothing is called after `onClose`, which comes once and always. */
export interface MediaSocketListener {
  /** It is connected; not called for sockets that were accepted. */
  onConnected?(): void;
  /** Bytes came. `data` is valid only until the call returns: the next read, of any socket, goes to the same memory. */
  onData(data: Buffer): void;
  /** Nothing is pending, after `write` said false. */
  onDrain(): void;
  /** The peer has closed its side. */
  onEnd(): void;
  onError(error: Error & { readonly code?: string }): void;
  onClose(): void;
}
