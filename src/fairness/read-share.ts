import { type TurnLine, turnLine } from './turn-line.js';

/** A read counts as so many bytes more: of TLS there may be thousands of a byte each in one packet. */
const readCostBytes = 1024;

/** What is read from: a socket. */
interface Pausable {
  pause(): void;
  resume(): void;
}

/**
 * Has a connection read no more than a share of bytes in a turn of the event loop. Who sends more is paused, and waits in
 * the line of all who do; what it sent beyond its share, it owes.
 */
export class ReadShare {
  readonly #socket: Pausable;
  readonly #shareBytes: number;
  readonly #line: TurnLine;
  #leftBytes: number;
  /** The turn of the last read. */
  #turn = -1;
  #isWaiting = false;
  #isBlocked = false;
  #isOver = false;

  constructor(socket: Pausable, shareBytes: number, line: TurnLine = turnLine) {
    this.#socket = socket;
    this.#shareBytes = shareBytes;
    this.#leftBytes = shareBytes;
    this.#line = line;
  }

  /** So many bytes were read. */
  took(bytes: number): void {
    if (this.#isOver) return;
    const { turn } = this.#line;
    if (!this.#isWaiting && turn !== this.#turn) this.#leftBytes = this.#shareBytes;
    this.#turn = turn;
    this.#leftBytes -= bytes + readCostBytes;
    if (this.#leftBytes > 0 || this.#isWaiting) return;
    this.#isWaiting = true;
    this.#socket.pause();
    this.#line.join(this);
  }

  /** Nothing is to be read for another reason, whatever the share. */
  block(): void {
    this.#isBlocked = true;
    this.#socket.pause();
  }

  /** That reason is gone. */
  unblock(): void {
    this.#isBlocked = false;
    if (!this.#isWaiting) this.#socket.resume();
  }

  /** Whether the socket is read is nobody's business here any more. */
  over(): void {
    this.#isOver = true;
  }

  /** Called by the line. */
  goOn(): void {
    if (this.#isOver) return;
    this.#leftBytes = Math.min(this.#shareBytes, this.#leftBytes + this.#shareBytes);
    if (this.#leftBytes <= 0) {
      this.#line.join(this);
      return;
    }
    this.#isWaiting = false;
    this.#turn = this.#line.turn;
    if (!this.#isBlocked) this.#socket.resume();
  }
}
