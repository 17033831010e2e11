/** A small generator (sfc32) that gives the same numbers for the same seed and index everywhere. */
export class Random {
  #a: number;
  #b: number;
  #c = 0x9e3779b9;
  #counter = 1;

  constructor(seed: number, index: number) {
    this.#a = seed | 0;
    this.#b = index | 0;
    for (let i = 0; i < 12; i++) this.next();
  }

  /** An unsigned 32-bit number. */
  next(): number {
    const t = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (this.#c << 21) | (this.#c >>> 11);
    this.#c = (this.#c + t) | 0;
    return t >>> 0;
  }

  /** 0 to `below` - 1. */
  int(below: number): number {
    return below <= 1 ? 0 : this.next() % below;
  }

  /** `from` to `to`, both included. */
  range(from: number, to: number): number {
    return from + this.int(to - from + 1);
  }

  /** True once in `times`. */
  oneIn(times: number): boolean {
    return this.int(times) === 0;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.int(items.length)]!;
  }

  bytes(length: number): Buffer {
    const data = Buffer.allocUnsafe(length);
    for (let i = 0; i < length; i++) data[i] = this.next();
    return data;
  }
}
