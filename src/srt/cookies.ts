import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** A cookie is good for one to two of these. */
const periodMs = 30_000;

/**
 * Cookies of handshakes (draft-sharabayko-srt, section 4.3.1.1): who shows one gets packets at the address that it names,
 * and nothing had to be remembered for that.
 */
export class Cookies {
  readonly #secret = randomBytes(32);

  /** @param nowMs a monotonic clock */
  make(address: string, port: number, nowMs: number): number {
    return this.#of(address, port, Math.floor(nowMs / periodMs));
  }

  isRight(cookie: number, address: string, port: number, nowMs: number): boolean {
    const period = Math.floor(nowMs / periodMs);
    return [period, period - 1].some((each) => isSame(cookie, this.#of(address, port, each)));
  }

  #of(address: string, port: number, period: number): number {
    const text = `${address} ${port} ${period}`;
    // Zero is what a caller has that was given none.
    return createHmac('sha256', this.#secret).update(text).digest().readUInt32BE(0) || 1;
  }
}

function isSame(left: number, right: number): boolean {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeUInt32BE(left >>> 0, 0);
  bytes.writeUInt32BE(right, 4);
  return timingSafeEqual(bytes.subarray(0, 4), bytes.subarray(4));
}
