import { WireError } from '../errors.js';
import type { MediaSocket } from '../net/media-socket.js';
import type { PeerMeter } from './peer-meter.js';
import type { ServerSession } from './server-session.js';
import { TurnShare } from './turn-share.js';
import type { UnfinishedShare } from './unfinished-budget.js';

/**
 * Reads an incoming connection at the pace that its share of the event loop allows, and not at all while somebody decides
 * about it. What is not read yet stays in the socket, or in the reader of chunks.
 *
 *   reading --share spent--> waiting --its turn--> reading
 *      |----- decide() ----> deciding --decided()--> reading
 *      '------ over() -----> over: what still comes is thrown away, or left in the socket
 */
export class PacedReading {
  readonly #socket: MediaSocket;
  readonly #session: ServerSession;
  readonly #turn: TurnShare;
  readonly #unfinished: UnfinishedShare | undefined;
  readonly #onParts: () => void;
  readonly #onFailed: (error: unknown) => void;
  /** In whole milliseconds, for the fields that keep it: V8 has an object of its own for any other number. */
  #turnMs = Math.floor(performance.now());
  /** Bytes of incomplete messages, as far as they were counted. */
  #partialBytes = 0;
  #isDeciding = false;
  #isOver = false;
  /** Nothing more is read, not even to throw it away. */
  #isDeaf = false;

  constructor(options: {
    socket: MediaSocket;
    session: ServerSession;
    meter: PeerMeter;
    /** Counts the incomplete messages. */
    unfinished: UnfinishedShare | undefined;
    /** The session has taken what was read, and has a part of a message, or had one before. */
    onParts: () => void;
    /** The session could not take it. It is to be followed by `over`. */
    onFailed: (error: unknown) => void;
  }) {
    this.#socket = options.socket;
    this.#session = options.session;
    this.#unfinished = options.unfinished;
    this.#onParts = options.onParts;
    this.#onFailed = options.onFailed;
    this.#turn = new TurnShare({ socket: options.socket, meter: options.meter, goOn: () => this.#readOn() });
  }

  /** Whether it sends media. */
  set isPublisher(is: boolean) {
    this.#turn.isPublisher = is;
  }

  /** Nothing is to be read now. */
  get isPaused(): boolean {
    return this.#isDeciding || this.#turn.isWaiting;
  }

  /**
   * When its turn began (a monotonic clock, whole milliseconds), which may be long after the bytes came that are dealt with
   * in it.
   */
  get turnMs(): number {
    return this.#turnMs;
  }

  /** Bytes came. */
  read(data: Buffer): void {
    if (this.#isOver) {
      // Until its last words are out: what it sends is thrown away, one read a turn; nothing of who broke the protocol.
      if (this.#isDeaf) this.#socket.pause();
      else this.#turn.end(false, 0);
      return;
    }
    const { channel } = this.#session;
    this.#turnMs = Math.floor(performance.now());
    if (!this.#turn.begin(this.#turnMs)) channel.hold();
    try {
      this.#session.receive(data);
      this.#taken();
    } catch (error) {
      this.#failed(error);
      return;
    }
    if (!this.#isOver && !this.#isDeciding) this.#turn.end(!channel.isHeld, data.length);
  }

  /** Looks at what `read` will need: `prefetch` in `RingReceiver`. */
  prefetch(): number {
    return this.#partialBytes + this.#turn.prefetch() + this.#session.prefetch();
  }

  /** Reads nothing more, until `decided`. */
  decide(): void {
    this.#isDeciding = true;
    this.#socket.pause();
    this.#session.channel.hold();
  }

  /** Goes on after `decide`. @param act follows the decision, before anything more is read; not called when it is over */
  decided(act: () => void): void {
    if (this.#isOver) return;
    this.#isDeciding = false;
    this.#turnMs = Math.floor(performance.now());
    act();
    this.#readOn();
  }

  /** The connection ends. */
  over(): void {
    this.#isOver = true;
    this.#unfinished?.close();
    this.#session.channel.close();
    this.#turn.over();
  }

  /** Goes on with what was kept, and then with reading: its turn has come, or what it asked for is decided. */
  #readOn(): void {
    if (this.#isOver) {
      if (!this.#isDeaf) this.#socket.resume();
      return;
    }
    if (this.isPaused) return;
    const { channel } = this.#session;
    this.#turnMs = Math.floor(performance.now());
    try {
      // What was kept may ask for something that is to be decided again.
      channel.release();
      this.#taken();
    } catch (error) {
      this.#failed(error);
      return;
    }
    if (this.#isOver || this.#isDeciding) return;
    this.#turn.end(!channel.isHeld, 0);
    if (!this.#turn.isWaiting) this.#socket.resume();
  }

  #taken(): void {
    const { partialBytes } = this.#session.channel;
    // Most reads end with whole messages, and behind others.
    if (partialBytes === 0 && this.#partialBytes === 0) return;
    this.#partialBytes = partialBytes;
    this.#unfinished?.set(partialBytes);
    this.#onParts();
  }

  #failed(error: unknown): void {
    if (error instanceof WireError) this.#isDeaf = true;
    this.#onFailed(error);
  }
}
