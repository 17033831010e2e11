/** The largest payload of a chunk until a side announces another (RTMP 1.0, section 5.4.1). */
export const defaultChunkBytes = 128;

/** The largest length of a message, whose field has three bytes (RTMP 1.0, section 5.3.1.2.1). */
export const maxMessageLength = 0xffffff;

/** `onManyChunks` is called after this many chunks that do not complete a message. */
export const manyChunks = 256;

export interface ChunkReaderLimits {
  /** The largest message, in bytes; the length field allows 16,777,215. */
  maxMessageBytes: number;
  /** How many chunk stream ids a peer may use. */
  maxChunkStreams: number;
  /** Bytes received of unfinished messages, over all chunk streams. The buffers for small ones take up to twice as much. */
  maxPartialBytes: number;
  /**
   * Called with each message larger than `maxMessageBytes`, which is then skipped. Without it, such a message ends the
   * connection.
   */
  onTooLarge?: (type: number, bytes: number) => void;
}

/**
 * Called with each message. `payload` is valid only until the call returns: it is a view into the fed data, or into
 * a buffer that the reader uses again.
 */
export type OnMessage = (type: number, timestampMs: number, streamId: number, payload: Buffer) => void;

/** Who gets messages. An object, since a function of each connection would be two more, and touched for each message. */
export interface MessageTaker {
  readonly onMessage: OnMessage;
}
