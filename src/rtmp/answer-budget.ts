import type { MediaSocket } from '../net/media-socket.js';

/** Room for thousands of answers. A peer that leaves so many unread does not need them. */
const maxUnreadBytes = 256 * 1024;

/**
 * Limits the memory of answers that a peer causes and does not read. Media has budgets, but answers are written at
 * once: without this limit a peer could fill the memory with requests.
 */
export class AnswerBudget {
  readonly #socket: MediaSocket;
  /** Bytes of answers since the socket was last empty. */
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
