import { type TurnLine, turnLine } from '../fairness/turn-line.js';
import type { MediaSocket } from '../net/media-socket.js';
import type { PeerMeter } from './peer-meter.js';

/** Units of work (see `PeerMeter`) of one connection in one turn. */
const shareUnits = {
  /** Who neither publishes nor plays yet, viewers, and targets: they have little to say. */
  others: 128,
  /** A publisher: more than comes in one read of a live stream, whatever its frames are. */
  publisher: 1024,
  /** A publisher while others wait: what a camera sends in a second. */
  crowdedPublisher: 256,
} as const;

/** Grants to one connection in a turn. Node.js tells of thousands of small records of TLS in one turn, each as a read. */
const grantsPerTurn = 8;

/** For so long a publisher counts as hasty after it did more than it was granted. */
const hastyMs = 1000;

/**
 * The share of one connection in the turns of the event loop. Its owner calls `begin` before and `end` behind each read;
 * a read that is too much for one turn is dealt with in several, while the socket is paused.
 */
export class TurnShare {
  readonly meter: PeerMeter;
  /** True for who sends media. */
  isPublisher = false;
  readonly #socket: MediaSocket;
  readonly #line: TurnLine;
  readonly #goOn: () => void;
  /** It was granted the share of a publisher: what it did before, such as asking to publish, makes nobody hasty. */
  #hadMuch = false;
  /** When the share of a publisher was last spent. */
  #spentMs = Number.NEGATIVE_INFINITY;
  /** The turn of the last read, and the grants in it. */
  #turn = -1;
  #grants = 0;
  #isWaiting = false;
  #isOver = false;

  /** @param goOn goes on with what was kept, and calls `end` or `wait` behind it */
  constructor(options: { socket: MediaSocket; meter: PeerMeter; goOn: () => void; line?: TurnLine }) {
    this.#socket = options.socket;
    this.meter = options.meter;
    this.#goOn = options.goOn;
    this.#line = options.line ?? turnLine;
  }

  /** Nothing is to be read, and what was kept is not to be released: its turn will come. */
  get isWaiting(): boolean {
    return this.#isWaiting;
  }

  /** Looks at what `begin` will need: `prefetch` in `RingReceiver`. */
  prefetch(): number {
    return this.#grants + this.meter.prefetch();
  }

  /**
   * A read begins. False: all of it is to be kept, since others wait already, or since it owes work of earlier turns.
   * @param nowMs a monotonic clock
   */
  begin(nowMs: number): boolean {
    if (this.#isWaiting) return false;
    const { turn } = this.#line;
    if (turn !== this.#turn) {
      this.#turn = turn;
      this.#grants = 0;
    }
    if (this.#grants++ < grantsPerTurn) this.#grant();
    return this.meter.hasLeft && (!this.#line.isCrowded || this.#goesFirst(nowMs));
  }

  /** A publisher that keeps to its share goes before those who wait; one that does not waits with them. */
  #goesFirst(nowMs: number): boolean {
    return this.isPublisher && nowMs - this.#spentMs > hastyMs;
  }

  /** A read ended. @param isAll false where a part was kept. @param bytes of the read; 0: what was kept before */
  end(isAll: boolean, bytes: number): void {
    if (this.#isWaiting) return;
    if (bytes > 0) this.meter.read(bytes);
    if (this.#hadMuch && !this.meter.hasLeft) this.#spentMs = performance.now();
    // More may lie ready than the buffer takes: Node would read on in this turn.
    const isFull = bytes > 0 && bytes >= (this.#socket.readBytes ?? Number.POSITIVE_INFINITY);
    if (!isAll || isFull || !this.meter.hasLeft) this.#wait();
  }

  #wait(): void {
    this.#isWaiting = true;
    this.#socket.pause();
    this.#line.join(this);
  }

  /** The connection is over: what it owes is forgotten. */
  over(): void {
    this.#isOver = true;
    this.isPublisher = false;
  }

  /** Called by the line. */
  goOn(): void {
    this.#grant();
    if (!this.meter.hasLeft && !this.#isOver) {
      this.#line.join(this);
      return;
    }
    this.#isWaiting = false;
    this.#goOn();
  }

  #grant(): void {
    this.#hadMuch = this.isPublisher;
    const many = this.#line.isCrowded ? shareUnits.crowdedPublisher : shareUnits.publisher;
    this.meter.grant(this.isPublisher ? many : shareUnits.others);
  }
}
