import { TargetError } from '../errors.js';
import type { Dialer } from '../net/dialer.js';
import { chunkStreamOf } from '../relay/stream-format.js';
import { encodeMessage } from '../wire/chunk-writer.js';
import { OutgoingConnection } from './outgoing-connection.js';

const defaultChunkBytes = 65_536;

/** Publishes one stream to an RTMP server: for the command line, for tests and for benches. */
export class PublishClient {
  readonly #url: string;
  readonly #connectTimeoutMs: number;
  readonly #options: { readonly dialer?: Dialer; readonly flashVer?: string };
  #connection: OutgoingConnection | null = null;
  #streamId = 0;
  #drained: (() => void)[] = [];
  #settleClosed: (error: TargetError | null) => void = () => {};

  /** Resolves when the connection has ended: to the reason, or to null if we closed it. Never rejects. */
  readonly closed: Promise<TargetError | null>;

  /**
   * @param options.dialer trusted certificates for rtmps, and where it may go (default: the built-in rules)
   * @param options.flashVer what it calls itself
   */
  constructor({
    url,
    connectTimeoutMs,
    ...options
  }: {
    url: string;
    connectTimeoutMs: number;
    dialer?: Dialer;
    flashVer?: string;
  }) {
    this.#url = url;
    this.#connectTimeoutMs = connectTimeoutMs;
    this.#options = options;
    this.closed = new Promise((resolve) => {
      this.#settleClosed = resolve;
    });
  }

  /** Bytes that the kernel took, of all kinds. */
  get bytesSent(): number {
    return this.#connection?.bytesSent ?? 0;
  }

  /**
   * Connects, and resolves when the server has accepted the publish. @throws TargetError, InputError INVALID_ADDRESS
   */
  connect(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#connection = new OutgoingConnection(
        this.#url,
        {
          outChunkBytes: defaultChunkBytes,
          connectTimeoutMs: this.#connectTimeoutMs,
          maxMessageBytes: 1024 * 1024,
          maxCommandBytes: 64 * 1024,
          maxAmfDepth: 32,
          maxChunkStreams: 64,
        },
        {
          onPublished: (streamId) => {
            this.#streamId = streamId;
            resolve();
          },
          onDrain: () => this.#releaseWaiters(),
          onClosed: (error) => {
            this.#settleClosed(error);
            this.#releaseWaiters();
            reject(error ?? new TargetError('TARGET_CLOSED', 'the connection was closed before the publish'));
          },
        },
        this.#options,
      );
    });
  }

  /**
   * Sends one audio, video or data message. False: wait for `drain()` before the next.
   * @param type the RTMP message type, which is the FLV tag type too: 8 audio, 9 video, 18 data
   */
  write(type: number, timestampMs: number, payload: Buffer): boolean {
    if (this.#connection === null) throw new TargetError('TARGET_CLOSED', 'write was called before connect');
    const csid = chunkStreamOf(type);
    return this.#connection.write(
      encodeMessage(csid, type, timestampMs, this.#streamId, payload, this.#connection.outChunkBytes),
    );
  }

  /** Resolves when the socket takes more, or the connection has ended. */
  drain(): Promise<void> {
    return new Promise((resolve) => {
      this.#drained.push(resolve);
    });
  }

  /** Sends the rest, says goodbye and closes. */
  async close(): Promise<void> {
    this.#connection?.close();
    if (this.#connection !== null) await this.closed;
  }

  #releaseWaiters(): void {
    const waiters = this.#drained;
    this.#drained = [];
    for (const resolve of waiters) resolve();
  }
}
