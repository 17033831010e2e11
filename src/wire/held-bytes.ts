import { WireError } from '../errors.js';

/** What may come while the reader is held: a few reads of the network. */
const maxBytes = 2 << 20;

/** The bytes that came, in their order, while nothing was to be read. */
export class HeldBytes {
  #parts: Buffer[] = [];
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** @param isOwn whether `data` keeps its content; else it is copied @throws WireError RTMP_CHUNK above 2 MB of copies */
  keep(data: Buffer, isOwn: boolean): void {
    this.#bytes += data.length;
    if (!isOwn && this.#bytes > maxBytes) {
      throw new WireError('RTMP_CHUNK', `The peer sent more than ${maxBytes} bytes before it was answered.`);
    }
    this.#parts.push(isOwn ? data : Buffer.from(data));
  }

  /** All of them; nothing is held afterwards. */
  take(): Buffer {
    const all = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts);
    this.#parts = [];
    this.#bytes = 0;
    return all;
  }
}
