/** Reads bits from the front; behind the end all are 0, and `isExhausted` says so. */
export class BitReader {
  readonly #data: Buffer;
  #at = 0;

  constructor(data: Buffer) {
    this.#data = data;
  }

  get isExhausted(): boolean {
    return this.#at > this.#data.length * 8;
  }

  /** @param count 1 to 31 */
  read(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i++, this.#at++) {
      const byte = this.#data[this.#at >> 3] ?? 0;
      value = (value << 1) | ((byte >> (7 - (this.#at & 7))) & 1);
    }
    return value >>> 0;
  }

  /** An Exp-Golomb code, `ue(v)` (9.1); at most 2^31 - 2. */
  readUnsigned(): number {
    let zeros = 0;
    while (this.read(1) === 0) if (++zeros > 30) return 0;
    return zeros === 0 ? 0 : 2 ** zeros - 1 + this.read(zeros);
  }

  /** `se(v)` (9.1.1). */
  readSigned(): number {
    const code = this.readUnsigned();
    return code % 2 === 1 ? (code + 1) / 2 : -code / 2;
  }
}

/** Takes out the bytes 3 that keep start codes from appearing in the data (7.4.1). */
export function withoutEmulationPrevention(data: Buffer): Buffer {
  const clean = Buffer.alloc(data.length);
  let length = 0;
  let zeros = 0;
  for (const byte of data) {
    if (zeros >= 2 && byte === 3) {
      zeros = 0;
      continue;
    }
    zeros = byte === 0 ? zeros + 1 : 0;
    clean[length++] = byte;
  }
  return clean.subarray(0, length);
}
