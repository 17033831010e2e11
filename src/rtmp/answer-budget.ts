import type { MediaSocket } from '../net/media-socket.js';

/** Room for thousands of answers. A peer that leaves so many unread does not need them. */
const maxUnreadBytes = 256 * 1024;

/**
 * Bounds what answers may take that a peer asks for and does not read: without it, who asks on and on would fill the
 * memory with them, since media has budgets and answers go out at once.
 */
export class AnswerBudget {
  readonly #socket: MediaSocket;
  /** Bytes of answers since the peer last had taken all that was written to it. */
  #unreadBytes = 0;

  constructor(socket: MediaSocket) {
    this.#socket = socket;
  }

  /** Call this when the socket has drained. */
  drained(): void {
    this.#unreadBytes = 0;
  }

  get unreadBytes(): number {
    return this.#unreadBytes;
  }

  /** Writes an answer. False: too many are unread, and the connection must be closed. */
  write(data: Buffer): boolean {
    if (this.#socket.pendingBytes === 0) this.#unreadBytes = 0;
    this.#unreadBytes += data.length;
    this.#socket.write(data);
    return this.#unreadBytes <= maxUnreadBytes || this.#socket.pendingBytes === 0;
  }
}
