/**
 * A connection as the media path needs it: bytes in, bytes out, and how many wait. Only `node-socket.ts` knows the
 * kinds of sockets; the layers above know this interface alone.
 */
export interface MediaSocket {
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
  /** The remote address, if this process holds the connection itself. */
  readonly localPort?: number | undefined;
  /** Bytes received. */
  readonly bytesRead: number;
  /** Bytes that `write` took, including those that wait. */
  readonly bytesWritten: number;
  /** Bytes that `write` took and the kernel has not. While there are any, the written buffers are still in use. */
  readonly pendingBytes: number;
  /** A number that changes if and only if the kernel takes bytes, even a part of a write. */
  readonly progress: number;
  readonly destroyed: boolean;
  /** Maximum size of one read, if known. A read of this size means that more may be ready. */
  readonly readBytes?: number;
  /** Reads larger pieces from now on; for publishers. */
  readLargely?(): void;
  /**
   * Names who is told of everything: in the turn of the event loop in which the socket was made, and again where somebody
   * else takes it over.
   */
  listen(listener: MediaSocketListener): void;
  /** Stops reading until `resume`. */
  pause(): void;
  resume(): void;
  /**
   * Takes bytes, which must not change until they are not pending any more. False: taken, but no more for now;
   * `onDrain` comes when nothing is pending.
   */
  write(data: Buffer): boolean;
  /** Closes it in order, after everything that was written. */
  end(): void;
  /** Closes it at once. */
  destroy(): void;
  /**
   * After `pause`: gives this process's hold on it up, where another process holds it too and goes on with it. Returns
   * what was read and not told to the listener, who hears no more; null: what was read is not known for certain, and the
   * connection is to be closed, since whoever went on with it might miss bytes.
   */
  abandon(): Buffer | null;
}

/** The owner of a socket. `onClose` is always called, once, and is the last call. */
export interface MediaSocketListener {
  /** It is connected; not called for accepted sockets. */
  onConnected?(): void;
  /** Looks at what `onData` will need: `prefetch` in `RingReceiver`. */
  prefetch?(): number;
  /**
   * Bytes arrived. `data` is valid only until the call returns, because the next read of any socket uses the same
   * memory.
   */
  onData(data: Buffer): void;
  /** Nothing is pending, after `write` said false. */
  onDrain(): void;
  /** The peer has closed its side. */
  onEnd(): void;
  onError(error: Error & { readonly code?: string }): void;
  onClose(): void;
}
