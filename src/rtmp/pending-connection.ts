import { cameraIn, cameraInApplication } from '../address/stream-place.js';
import { WireError } from '../errors.js';
import type { MediaSocket, MediaSocketListener } from '../net/media-socket.js';
import { heardMs } from '../process/standstill.js';
import { ChunkReader } from '../wire/chunk-reader.js';
import { ServerHandshake } from '../wire/handshake.js';
import { MessageType } from '../wire/message.js';
import { parseCommand } from './command.js';
import { connectArguments, connectInfoOf } from './connect.js';
import { type Beginning, describeSocketError } from './server-connection.js';
import type { StreamRequest } from './server-handler.js';
import { ServerSession } from './server-session.js';
import { type LimitSettings, sessionLimits } from './settings.js';

/**
 * A connection that has not said yet which camera it wants. It is answered the handshake and nothing more, so that what it
 * is so far is no more than the bytes behind that: `stay` gives them to the connection that serves it here, `leave` to
 * another process that has the same socket.
 *
 * Where `connect` has no application, the camera is named only by `publish` or `play`, and a client says those only when it
 * was answered. So a session answers until then; whoever serves the connection reads the same again, and says nothing before
 * that point, since it was said (`isAnswered`).
 *
 *   handshake --> listening --connect--> paused --> stay, or leave
 *        |            '--connect without a name--> answered --publish, play--> paused
 *        '---- anything else: onOver, to stay and be told why
 */
export class Visitor implements MediaSocketListener {
  readonly socket: MediaSocket;
  readonly #limits: LimitSettings;
  /** Its age when it came here, as it was counted elsewhere. */
  readonly #ageBeforeMs: number;
  readonly #cameMs = performance.now();
  readonly #outChunkBytes: number;
  readonly #onNamed: (camera: string) => void;
  readonly #onOver: () => void;
  /** Null once it is complete. */
  #handshake: ServerHandshake | null = new ServerHandshake();
  readonly #reader: ChunkReader;
  readonly #kept: Buffer[] = [];
  #keptBytes = 0;
  /** What it wants, once it said so; empty: nothing that can be a camera. */
  #camera: string | null = null;
  /** Answers it where its application names no camera. */
  #session: ServerSession | null = null;
  #isNameless = false;
  #isOver = false;
  #ended: string | undefined;

  constructor(options: {
    socket: MediaSocket;
    limits: LimitSettings;
    /** Milliseconds since it was accepted. */
    ageMs: number;
    /** The chunk size that is answered with, as whoever serves it does. */
    outChunkBytes: number;
    /** It names its camera, and waits. Called at most once. @param camera empty when it can be none */
    onNamed: (camera: string) => void;
    /** It breaks the protocol, sends too much, or is gone; it may have named its camera before. Called at most once. */
    onOver: () => void;
  }) {
    const { socket, limits } = options;
    this.socket = socket;
    this.#limits = limits;
    this.#ageBeforeMs = options.ageMs;
    this.#outChunkBytes = options.outChunkBytes;
    this.#onNamed = options.onNamed;
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
    return this.#ageBeforeMs + heardMs(this.#cameMs);
  }

  /** True when it has named its camera, and waits. */
  get isWaiting(): boolean {
    return this.#camera !== null;
  }

  /** True when all that it said before it named its camera has been answered. */
  get isAnswered(): boolean {
    return this.#session !== null;
  }

  /** It is served here: whoever does it takes over the socket, which may be paused. */
  stay(): Beginning {
    const bytes = Buffer.concat(this.#kept);
    const ended = this.#ended === undefined ? {} : { ended: this.#ended };
    const { isAnswered } = this;
    return { handshake: this.#handshake, bytes, ageMs: this.ageMs, bytesBefore: 0, isAnswered, ...ended };
  }

  /**
   * It is served by another process, which has the socket too: this one's is closed, and no word of it goes out. Only
   * after `onNamed`, before `onOver`. Returns all that came behind the handshake.
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
    if (this.#camera !== null) {
      this.socket.pause();
      this.#onNamed(this.#camera);
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
    if (this.#session !== null) {
      this.#session.receive(rest);
      return;
    }
    this.#reader.feed(rest);
    if (!this.#isNameless) return;
    this.#session = this.#converse();
    this.#session.receive(Buffer.concat(this.#kept));
  }

  /** Answers what a client says before it names its camera. */
  #converse(): ServerSession {
    const session: ServerSession = new ServerSession({
      handler: {
        onConnect: () => session.acceptConnect(),
        onPublish: (request) => this.#named(session, request),
        onPlay: (request) => this.#named(session, request),
        // There is nothing of it yet that could come or end; what is ignored is told by whoever reads it again.
        onMedia() {},
        onUnpublish() {},
        onStop() {},
        onPause() {},
      },
      write: (data) => this.socket.write(data),
      limits: sessionLimits(this.#limits),
      outChunkBytes: this.#outChunkBytes,
      handshake: null,
    });
    return session;
  }

  #named(session: ServerSession, request: StreamRequest): void {
    session.channel.hold(); // what comes behind it is not for us
    this.#camera = cameraIn(request) ?? '';
  }

  #keep(data: Buffer): void {
    this.#kept.push(Buffer.from(data)); // which is memory of the next read
    this.#keptBytes += data.length;
  }

  #message(type: number, payload: Buffer): void {
    const isDone = this.#camera !== null || this.#isNameless;
    if (isDone || (type !== MessageType.CommandAmf0 && type !== MessageType.CommandAmf3)) return;
    const command = parseCommand(type, payload, this.#limits);
    // What cannot be read is told by the session that reads the same again.
    if (typeof command === 'string' || command.name !== 'connect') return;
    const camera = cameraInApplication(connectInfoOf(connectArguments(command.args)).app);
    if (camera === '') this.#isNameless = true;
    else this.#camera = camera ?? '';
  }

  #over(ended?: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#ended = ended;
    this.#onOver();
  }
}
