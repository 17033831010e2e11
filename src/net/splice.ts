import type { MediaSocket, MediaSocketListener } from './media-socket.js';

/**
 * Joins two connections: what comes from one goes to the other, as fast as that takes it, until both are over. For
 * sockets that read into memory of their own (`streamSocket`): what they read is written on without a copy.
 * @param onClosed called once, when `one` is closed
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

  /** Of this end: the other may send to it again. */
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
    // Behind what is on its way still, where it was an end in order.
    if (this.#ended) this.#to.end();
    else this.#to.destroy();
    this.#onClosed();
  }
}
