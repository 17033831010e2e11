import { ReadShare } from '../fairness/read-share.js';
import type { MediaSocket, MediaSocketListener } from './media-socket.js';

/** What one direction passes on in a turn of the event loop: more than a camera sends in several. */
const shareBytes = 128 * 1024;

/**
 * Joins two connections: bytes from one go to the other, as fast as it takes them, until both are closed. Both must
 * read into their own memory (`streamSocket`), because the bytes are written without a copy. Who sends more than a share
 * of the turn waits in the line of all who do.
 * @param onClosed called once `one` is closed
 */
export function splice(one: MediaSocket, other: MediaSocket, onClosed: () => void): void {
  const there = new Half(one, other, onClosed);
  const back = new Half(other, one, () => {});
  there.back = back;
  back.back = there;
  one.listen(there);
  other.listen(back);
}

/** One direction. */
class Half implements MediaSocketListener {
  readonly #to: MediaSocket;
  readonly #onClosed: () => void;
  readonly #share: ReadShare;
  /** The other direction. */
  back: Half | null = null;
  #ended = false;

  constructor(from: MediaSocket, to: MediaSocket, onClosed: () => void) {
    this.#to = to;
    this.#onClosed = onClosed;
    this.#share = new ReadShare(from, shareBytes);
  }

  onData(data: Buffer): void {
    if (!this.#to.write(data)) this.#share.block();
    this.#share.took(data.length);
  }

  /** This end has room again, so the other may be read again. */
  onDrain(): void {
    this.back?.unblock();
  }

  unblock(): void {
    this.#share.unblock();
  }

  onEnd(): void {
    this.#ended = true;
    this.#to.end();
  }

  onError(): void {
    this.#to.destroy();
  }

  onClose(): void {
    this.#share.over();
    // After the bytes that are still on their way, if it was closed in order.
    if (this.#ended) this.#to.end();
    else this.#to.destroy();
    this.#onClosed();
  }
}
