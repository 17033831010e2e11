import { cameraIn, cameraInApplication } from '../address/stream-place.js';
import { WireError } from '../errors.js';
import { ReadShare } from '../fairness/read-share.js';
import type { MediaSocket, MediaSocketListener } from '../net/media-socket.js';
import { describeSocketError } from '../net/socket-error.js';
import { heardMs } from '../process/standstill.js';
import { ChunkReader } from '../wire/chunk-reader.js';
import { ServerHandshake } from '../wire/handshake.js';
import { HeldBytes } from '../wire/held-bytes.js';
import { MessageType } from '../wire/message.js';
import type { Beginning } from './beginning.js';
import { parseCommand } from './command.js';
import { connectArguments, connectInfoOf } from './connect.js';
import { PeerMeter } from './peer-meter.js';
import type { StreamRequest } from './server-handler.js';
import { ServerSession } from './server-session.js';
import { type LimitSettings, sessionLimits } from './settings.js';

/** Messages before `connect`: a client has three or four. */
const maxMessages = 64;

/** Work of one read (see `PeerMeter`), where a session answers: several times what a client says until it names its camera. */
const unitsPerRead = 512;

/** What is read in a turn of the event loop. */
const shareBytes = 32 * 1024;

/** Told to nobody: who serves it reads the same again, a share in each turn. */
function tooMuch(): WireError {
  return new WireError('RTMP_FLOOD', 'more messages before the camera is named than any client sends');
}

/**
 * A connection that has not yet named its camera. Only its handshake is answered. Its whole state is therefore the bytes
 * after the handshake. `stay` gives them to the connection that serves it in this process, `leave` to another process that
 * holds the same socket.
 *
 * If `connect` has no application, only `publish` or `play` names the camera, and a client sends those only after answers
 * to its commands. A session gives these answers. The connection that serves the client later reads the same bytes again,
 * and does not repeat the answers (`isAnswered`).
 *
 *   handshake --> listening --connect--> paused --> stay, or leave
 *        |            '--connect without a name--> answered --publish, play--> paused
 *        '---- anything else: onOver, then `stay`, which tells the peer why
 */
export class PendingConnection implements MediaSocketListener {
  readonly socket: MediaSocket;
  readonly #limits: LimitSettings;
  /** Its age when this process received it, measured by the process that accepted it. */
  readonly #ageBeforeMs: number;
  readonly #cameMs = performance.now();
  readonly #outChunkBytes: number;
  readonly #onNamed: (camera: string) => void;
  readonly #onOver: () => void;
  /** Null once it is complete. */
  #handshake: ServerHandshake | null = new ServerHandshake();
  readonly #reader: ChunkReader;
  /** All that came after the handshake; `onData` limits it. */
  readonly #kept = new HeldBytes(Number.POSITIVE_INFINITY);
  /** The camera that it has named; empty: a name that cannot be a camera; null: none yet. */
  #camera: string | null = null;
  /** Answers its commands if its application names no camera. */
  #session: ServerSession | null = null;
  #isNameless = false;
  #messages = 0;
  readonly #meter = new PeerMeter();
  readonly #share: ReadShare;
  #isOver = false;
  #ended: string | undefined;

  constructor(options: {
    socket: MediaSocket;
    limits: LimitSettings;
    /** Milliseconds since it was accepted. */
    ageMs: number;
    /** Chunk size of the answers, the same as in the connection that serves it later. */
    outChunkBytes: number;
    /** It has named its camera and waits. Called at most once. @param camera empty if the name cannot be a camera's */
    onNamed: (camera: string) => void;
    /** It violates the protocol, sends too much, or is gone; it may have named its camera before. Called at most once. */
    onOver: () => void;
  }) {
    const { socket, limits } = options;
    this.socket = socket;
    this.#limits = limits;
    this.#ageBeforeMs = options.ageMs;
    this.#outChunkBytes = options.outChunkBytes;
    this.#onNamed = options.onNamed;
    this.#onOver = options.onOver;
    // As strict as the session that reads the same bytes later.
    this.#reader = new ChunkReader((type, _timestampMs, _streamId, payload) => this.#message(type, payload), {
      maxChunkStreams: limits.maxChunkStreams,
      maxMessageBytes: limits.maxCommandBytes,
      maxPartialBytes: 2 * limits.maxCommandBytes,
    });
    this.#share = new ReadShare(socket, shareBytes);
    socket.listen(this);
  }

  /** Milliseconds since it was accepted. */
  get ageMs(): number {
    return this.#ageBeforeMs + heardMs(this.#cameMs);
  }

  /** True if it has named its camera and waits. */
  get isWaiting(): boolean {
    return this.#camera !== null;
  }

  /** True if its commands before the one that named the camera have been answered. */
  get isAnswered(): boolean {
    return this.#session !== null;
  }

  /** Hands it to the connection that serves it in this process. That takes over the socket, which may be paused. */
  stay(): Beginning {
    const bytes = this.#kept.all();
    const ended = this.#ended === undefined ? {} : { ended: this.#ended };
    const { isAnswered } = this;
    return { handshake: this.#handshake, bytes, ageMs: this.ageMs, bytesBefore: 0, isAnswered, ...ended };
  }

  /**
   * Hands it to another process that holds the same socket. This process closes its handle, and sends nothing. Call it only
   * after `onNamed` and before `onOver`. Returns all bytes received after the handshake;
   * null as `MediaSocket.abandon`.
   */
  leave(): Buffer | null {
    const rest = this.socket.abandon();
    return rest === null ? null : Buffer.concat([this.#kept.all(), rest]);
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
      this.#share.over();
      this.socket.pause();
      this.#onNamed(this.#camera);
    } else if (this.#kept.bytes > 2 * this.#limits.maxCommandBytes) {
      this.#over();
    } else {
      this.#share.took(data.length);
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
        this.#keep(data); // for the connection that reads it again and says what is wrong
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
      this.#receive(this.#session, rest);
      return;
    }
    this.#reader.feed(rest);
    if (!this.#isNameless) return;
    this.#session = this.#converse();
    this.#receive(this.#session, this.#kept.all());
  }

  /** Who says more at a time than a client's beginning has is left to who shares out turns. @throws WireError */
  #receive(session: ServerSession, data: Buffer): void {
    this.#meter.grant(unitsPerRead);
    session.receive(data);
    if (session.channel.isHeld && this.#camera === null) throw tooMuch();
  }

  /** Answers the commands of a client that has not named its camera. */
  #converse(): ServerSession {
    const session: ServerSession = new ServerSession({
      handler: {
        onConnect: () => session.acceptConnect(),
        onPublish: (request) => this.#named(session, request),
        onPlay: (request) => this.#named(session, request),
        // No stream has begun, so nothing can arrive or end. The connection that reads this again reports what is ignored.
        onMedia() {},
        onUnpublish() {},
        onStop() {},
        onPause() {},
      },
      write: (data) => this.socket.write(data),
      limits: sessionLimits(this.#limits),
      outChunkBytes: this.#outChunkBytes,
      meter: this.#meter,
      handshake: null,
    });
    return session;
  }

  #named(session: ServerSession, request: StreamRequest): void {
    session.channel.hold(); // the bytes after it are for the connection that serves the client
    this.#camera = cameraIn(request) ?? '';
  }

  #keep(data: Buffer): void {
    this.#kept.keep(data, false);
  }

  #message(type: number, payload: Buffer): void {
    if (this.#camera !== null || this.#isNameless) return;
    this.#messages++;
    if (this.#messages > maxMessages) throw tooMuch();
    if (type !== MessageType.CommandAmf0 && type !== MessageType.CommandAmf3) return;
    const command = parseCommand(type, payload, this.#limits);
    // The session that reads this again reports what cannot be parsed.
    if (typeof command === 'string' || command.name !== 'connect') return;
    const camera = cameraInApplication(connectInfoOf(connectArguments(command.args)).app);
    if (camera === '') this.#isNameless = true;
    else this.#camera = camera ?? '';
  }

  #over(ended?: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#share.over();
    this.#ended = ended;
    this.#onOver();
  }
}
