import type { MediaSocket } from '../net/media-socket.js';
import type { PeerMeter } from './peer-meter.js';

/** How long those who wait are served in one turn of the event loop, in all. */
const turnMs = 4;

/** Who waits for a turn. */
interface Waiting {
  /** Its turn has come. */
  goOn(): void;
}

/**
 * The line of those whose share of a turn is spent. Each is served once a turn at most, in the order in which they came,
 * for a few milliseconds in all; what lies between two turns (sockets, timers, calls of the API) is not held up by how
 * many they are.
 *
 *   read -- share spent --> paused, at the end of the line -- a later turn --> goes on with what was kept
 */
export class TurnLine {
  #line: Waiting[] = [];
  #served = 0;
  #scheduled = false;

  /** True while anybody waits. */
  get isCrowded(): boolean {
    return this.#line.length > this.#served;
  }

  /** Takes the place at the end. */
  join(waiting: Waiting): void {
    this.#line.push(waiting);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#turn);
  }

  readonly #turn = (): void => {
    this.#scheduled = false;
    this.serve();
  };

  /** Serves those who wait now, for a few milliseconds: called by itself in each turn while anybody does. */
  serve(): void {
    const endMs = performance.now() + turnMs;
    // Who comes to the end of the line now is served in a later turn.
    const until = this.#line.length;
    while (this.#served < until) {
      this.#line[this.#served++]?.goOn();
      if (performance.now() >= endMs) break;
    }
    if (this.#served > 64 && this.#served * 2 > this.#line.length) {
      this.#line = this.#line.slice(this.#served);
      this.#served = 0;
    }
    if (this.isCrowded) this.#schedule();
    else {
      this.#line = [];
      this.#served = 0;
    }
  }
}

/** The turns of this process's event loop: there is one. */
export const turnLine = new TurnLine();

/** Units of work (see `PeerMeter`) of one connection in one turn. */
export const shareUnits = {
  /** Who neither publishes nor plays yet, viewers, and targets: they have little to say. */
  others: 128,
  /** A publisher: more than comes in one read of a live stream, whatever its frames are. */
  publisher: 1024,
  /** A publisher while others wait: what a camera sends in a second. */
  crowdedPublisher: 256,
} as const;

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

  /** A read begins. False: all of it is to be kept, since others wait already, or since it owes work of earlier turns. */
  begin(): boolean {
    if (this.#isWaiting) return false;
    this.#grant();
    return this.meter.hasLeft && (!this.#line.isCrowded || this.#goesFirst());
  }

  /** A publisher that keeps to its share goes before those who wait; one that does not waits with them. */
  #goesFirst(): boolean {
    return this.isPublisher && performance.now() - this.#spentMs > hastyMs;
  }

  /** A read ended. @param isAll false where a part was kept. @param bytes of the read; 0: what was kept before */
  end(isAll: boolean, bytes: number): void {
    if (this.#isWaiting) return;
    this.meter.read(bytes);
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
