import { WireError } from '../errors.js';
import type { MediaSocket, MediaSocketListener } from '../net/media-socket.js';
import { ChunkReader } from '../wire/chunk-reader.js';
import { ServerHandshake } from '../wire/handshake.js';
import { MessageType } from '../wire/message.js';
import { objectArgument, parseCommand, stringOf } from './command.js';
import { type Beginning, describeSocketError } from './server-connection.js';
import type { LimitSettings } from './settings.js';

/**
 * A connection that has not said yet which application it wants. It is answered the handshake and nothing more, so that
 * what it is so far is no more than the bytes behind that: `stay` gives them to the connection that serves it here,
 * `leave` to another process that has the same socket.
 *
 *   handshake --> listening --connect--> paused --> stay, or leave
 *        '------------'---- anything else: onOver, to stay and be told why
 */
export class Visitor implements MediaSocketListener {
  readonly socket: MediaSocket;
  readonly #limits: LimitSettings;
  readonly #openedMs: number;
  readonly #onConnect: (app: string) => void;
  readonly #onOver: () => void;
  /** Null once it is complete. */
  #handshake: ServerHandshake | null = new ServerHandshake();
  readonly #reader: ChunkReader;
  readonly #kept: Buffer[] = [];
  #keptBytes = 0;
  #app: string | null = null;
  #isOver = false;
  #ended: string | undefined;

  constructor(options: {
    socket: MediaSocket;
    limits: LimitSettings;
    /** Milliseconds since it was accepted. */
    ageMs: number;
    /** It names its application, and waits. Called at most once. */
    onConnect: (app: string) => void;
    /** It breaks the protocol, sends too much, or is gone; it may have named its application before. Called at most once. */
    onOver: () => void;
  }) {
    const { socket, limits } = options;
    this.socket = socket;
    this.#limits = limits;
    this.#openedMs = performance.now() - options.ageMs;
    this.#onConnect = options.onConnect;
    this.#onOver = options.onOver;
    // As strict as the session that will read the same again.
    this.#reader = new ChunkReader((type, _timestampMs, _streamId, payload) => this.#message(type, payload), {
      maxChunkStreams: limits.maxChunkStreams,
      maxMessageBytes: limits.maxCommandBytes,
      maxPartialBytes: 2 * limits.maxCommandBytes,
    });
    socket.listen(this);
  }

  /** Milliseconds since it was accepted. */
  get ageMs(): number {
    return performance.now() - this.#openedMs;
  }

  /** True when it has named its application, and waits. */
  get isWaiting(): boolean {
    return this.#app !== null;
  }

  /** It is served here: whoever does it takes over the socket, which may be paused. */
  stay(): Beginning {
    const bytes = Buffer.concat(this.#kept);
    const ended = this.#ended === undefined ? {} : { ended: this.#ended };
    return { handshake: this.#handshake, bytes, ageMs: this.ageMs, bytesBefore: 0, ...ended };
  }

  /**
   * It is served by another process, which has the socket too: this one's is closed, and no word of it goes out. Only
   * after `onConnect`, before `onOver`. Returns all that came behind the handshake.
   */
  leave(): Buffer {
    return Buffer.concat([...this.#kept, this.socket.abandon()]);
  }

  onData(data: Buffer): void {
    if (this.#isOver) return;
    try {
      this.#take(data);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#over();
      return;
    }
    if (this.#app !== null) {
      this.socket.pause();
      this.#onConnect(this.#app);
    } else if (this.#keptBytes > 2 * this.#limits.maxCommandBytes) {
      this.#over();
    }
  }

  onDrain(): void {}

  onError(error: Error): void {
    this.#over(describeSocketError(error));
  }

  onEnd(): void {
    this.#over('the peer closed the connection');
  }

  onClose(): void {
    this.#over('the connection was lost');
  }

  #take(data: Buffer): void {
    let rest = data;
    if (this.#handshake !== null) {
      let result: ReturnType<ServerHandshake['receive']>;
      try {
        result = this.#handshake.receive(data);
      } catch (error) {
        this.#keep(data); // to be read again by who says what is wrong with it
        throw error;
      }
      if (result.reply !== null) this.socket.write(result.reply);
      if (!result.done) return;
      this.#handshake = null;
      rest = result.rest;
    }
    if (rest.length === 0) return;
    this.#keep(rest);
    this.#reader.feed(rest);
  }

  #keep(data: Buffer): void {
    this.#kept.push(Buffer.from(data)); // which is memory of the next read
    this.#keptBytes += data.length;
  }

  #message(type: number, payload: Buffer): void {
    if (this.#app !== null || (type !== MessageType.CommandAmf0 && type !== MessageType.CommandAmf3)) return;
    const command = parseCommand(type, payload, this.#limits);
    // What cannot be read is told by the session that reads the same again.
    if (typeof command === 'string' || command.name !== 'connect') return;
    this.#app = stringOf(objectArgument(command.args, 0).app);
  }

  #over(ended?: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#ended = ended;
    this.#onOver();
  }
}
