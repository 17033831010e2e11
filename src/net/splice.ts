import type { MediaSocket, MediaSocketListener } from './media-socket.js';

/**
 * Joins two connections: bytes from one go to the other, as fast as it takes them, until both are closed. Both must
 * read into their own memory (`streamSocket`), because the bytes are written without a copy.
 * @param onClosed called once `one` is closed
 */
export function splice(one: MediaSocket, other: MediaSocket, onClosed: () => void): void {
  one.listen(new Half(one, other, onClosed));
  other.listen(new Half(other, one, () => {}));
}

/** One direction. */
class Half implements MediaSocketListener {
  readonly #from: MediaSocket;
  readonly #to: MediaSocket;
  readonly #onClosed: () => void;
  #ended = false;

  constructor(from: MediaSocket, to: MediaSocket, onClosed: () => void) {
    this.#from = from;
    this.#to = to;
    this.#onClosed = onClosed;
  }

  onData(data: Buffer): void {
    if (!this.#to.write(data)) this.#from.pause();
  }

  /** This end has room again, so the other may be read again. */
  onDrain(): void {
    this.#to.resume();
  }

  onEnd(): void {
    this.#ended = true;
    this.#to.end();
  }

  onError(): void {
    this.#to.destroy();
  }

  onClose(): void {
    // After the bytes that are still on their way, if it was closed in order.
    if (this.#ended) this.#to.end();
    else this.#to.destroy();
    this.#onClosed();
  }
}
