import type { KernelCalls, Mapping } from './kernel-calls.js';
import { RingError } from './ring-error.js';

const registerBufferRing = 22;

/** Buffers that the kernel gets at first. Memory that it never wrote to is none: the system gives it page by page. */
const firstCount = 16;

/**
 * Buffers that the kernel reads into, whichever socket has something: it takes one for each read, and gets it back when it
 * was dealt with. It goes round all that it has, so it gets few, which stay in the processor's cache, and twice as many when it
 * used half of them before it got any back.
 */
export class ReadBuffers {
  /** What receives name it by. */
  readonly group = 1;
  readonly #ring: Uint32Array;
  readonly #numbers: Uint16Array;
  readonly #memory: ArrayBuffer;
  readonly #views: Buffer[] = [];
  readonly #address: number;
  readonly #bytes: number;
  readonly #mask: number;
  readonly #mappings: readonly Mapping[];
  #tail = 0;
  /** Buffers that are the kernel's or a reader's: the first ones. */
  #count = 0;
  /** What was given back and not announced. */
  #unannounced = 0;

  /**
   * @param count how many it may come to: a power of two, at most 32768. @param bytes of each
   * @throws RingError when the kernel refuses
   */
  constructor(calls: KernelCalls, ringFd: number, count: number, bytes: number) {
    this.#bytes = bytes;
    this.#mask = count - 1;
    const ring = calls.map(16 * count, -1, 0);
    let memory: Mapping;
    try {
      memory = calls.map(count * bytes, -1, 0);
    } catch (error) {
      ring.unmap();
      throw error;
    }
    this.#mappings = [ring, memory];
    this.#ring = new Uint32Array(ring.memory);
    this.#numbers = new Uint16Array(ring.memory);
    this.#address = memory.address;
    this.#memory = memory.memory;
    const registration = Buffer.alloc(40);
    registration.writeBigUInt64LE(BigInt(ring.address), 0);
    registration.writeUInt32LE(count, 8);
    registration.writeUInt16LE(this.group, 12);
    const result = calls.register(ringFd, registerBufferRing, registration, 1);
    if (result < 0) {
      for (const mapping of this.#mappings) mapping.unmap();
      throw new RingError('IORING_REGISTER_PBUF_RING', result);
    }
    this.#add(Math.min(firstCount, count));
    this.#tell();
  }

  #add(count: number): void {
    for (let i = 0; i < count; i++) {
      this.#views.push(Buffer.from(this.#memory, this.#count * this.#bytes, this.#bytes));
      this.give(this.#count++);
    }
  }

  /** True where there is a buffer of this number. */
  has(number: number): boolean {
    return number < this.#count;
  }

  /** The first bytes of a buffer that there is, until it is given back. */
  view(number: number, bytes: number): Buffer {
    return this.#views[number]!.subarray(0, bytes);
  }

  /** Gives a buffer back: the kernel may write to it as soon as that is announced. */
  give(number: number): void {
    const at = (this.#tail & this.#mask) << 2;
    const address = this.#address + number * this.#bytes;
    this.#ring[at] = address >>> 0;
    this.#ring[at + 1] = Math.floor(address / 2 ** 32);
    this.#ring[at + 2] = this.#bytes;
    this.#numbers[2 * at + 6] = number;
    this.#tail = (this.#tail + 1) & 0xffff;
    this.#unannounced++;
  }

  /** Tells the kernel of those that were given back, and of more where it ran short of them, or nearly. */
  announce(): void {
    if (this.#unannounced === 0) return;
    if (2 * this.#unannounced >= this.#count && this.#count <= this.#mask)
      this.#add(Math.min(this.#count, this.#mask + 1 - this.#count));
    this.#tell();
  }

  #tell(): void {
    this.#unannounced = 0;
    // The place of the tail is in the first entry, behind its number.
    Atomics.store(this.#numbers, 7, this.#tail);
  }

  /** After the ring is closed: the memory is given back to the system. */
  close(): void {
    for (const mapping of this.#mappings) mapping.unmap();
  }
}
