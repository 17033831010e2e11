import { randomBytes } from 'node:crypto';

/** A key that nobody knows, and that is another one in each process. */
export function randomKey(): [number, number] {
  const bytes = randomBytes(8);
  return [bytes.readInt32LE(0), bytes.readInt32LE(4)];
}

/**
 * A hash of texts, of 32 bits. Who does not know the key can choose no texts that fall together. It is HalfSipHash-1-3 (Aumasson
 * and Bernstein, "SipHash: a fast short-input PRF"), over two characters at a time. Another key gives other numbers, so it
 * is for tables in memory.
 */
export function keyedHash(key0: number, key1: number): (text: string) => number {
  return (text) => {
    const { length } = text;
    let v0 = key0;
    let v1 = key1;
    let v2 = key0 ^ 0x6c796765;
    let v3 = key1 ^ 0x74656462;
    // One round for every two characters, one for the length, and three behind these.
    for (let at = 0; at < length + 8; at += 2) {
      let word = 0;
      if (at < length) word = text.charCodeAt(at) | (text.charCodeAt(at + 1) << 16);
      else if (at < length + 2) word = length;
      else if (at < length + 4) v2 ^= 0xff;
      v3 ^= word;
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
      v0 ^= word;
    }
    return v1 ^ v3;
  };
}
