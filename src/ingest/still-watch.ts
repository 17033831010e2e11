import * as zlib from 'node:zlib';

/** Key frames are looked at so seldom: a hash of all bytes of all of them is not needed. */
const lookMs = 2000;
/**
 * Encoders give the key frames of one picture a few forms in turn: two ids (`idr_pic_id`, H.264, 7.4.3), with as many
 * quantizers as their rate control swings between. So many of the last are remembered.
 */
const remembered = 8;
/** Behind the headers of FLV, whose composition time may change: one byte, packet type, three bytes; or a FourCC. */
const headerBytes = 5;
/** What skips a whole picture takes a few bytes; of more, something moves. */
const usualInterBytes = 256;
const interPart = 50;

/**
 * Finds that a picture does not change: a key frame that is bit for bit one of those before, and nearly nothing between them.
 * No sensor gives the same noise twice, so this is sure of a camera; what it misses is a frozen picture with something that
 * moves (a clock that is burnt in), or filled up to a constant bitrate.
 */
export class StillWatch {
  readonly #hashes = new Float64Array(remembered);
  #next = 0;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #sinceMs = 0;
  #repeats = 0;

  /**
   * A key frame came. @param nowMs a monotonic clock
   * @param meanBytes of the frames since the key frame before, of which the size alone counts; 0: there were none
   */
  noteKey(payload: Buffer, nowMs: number, meanBytes: number): void {
    // Of nearly all cameras something moves, and the bytes of the key frame need not be looked at.
    const moves = meanBytes > limitOf(payload);
    if (moves) this.#begin();
    if (nowMs - this.#lookedAtMs < lookMs) return;
    const before = this.#lookedAtMs;
    this.#lookedAtMs = nowMs;
    if (moves) return;
    const hash = hashOf(payload);
    if (this.#hashes.includes(hash)) {
      if (this.#repeats === 0) this.#sinceMs = before;
      this.#repeats++;
      return;
    }
    this.#hashes[this.#next] = hash;
    this.#next = (this.#next + 1) % remembered;
    this.#begin();
  }

  #begin(): void {
    this.#repeats = 0;
  }

  /** For how long the picture has not changed, as far as it was looked at; 0: it does change. @param nowMs a monotonic clock */
  stillForMs(nowMs: number): number {
    return this.#repeats < 3 ? 0 : nowMs - this.#sinceMs;
  }
}

function limitOf({ length }: Buffer): number {
  return Math.max(usualInterBytes, length / interPart);
}

/** Never 0: that is an empty place. */
function hashOf(payload: Buffer): number {
  return crc32(payload.subarray(headerBytes)) * 2 ** 20 + (payload.length % 2 ** 20) + 1;
}

/** Node.js has it since 20.15. */
const crc32: (data: Buffer) => number = zlib.crc32 ?? slowCrc32;

/** ISO 3309; one byte at a time, which a key frame in two seconds may cost. */
function slowCrc32(data: Buffer): number {
  let crc = -1;
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (0xedb88320 & -(crc & 1));
  }
  return ~crc >>> 0;
}
