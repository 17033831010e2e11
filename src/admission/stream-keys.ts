import { createHmac, timingSafeEqual } from 'node:crypto';

/** A key that publishers of a camera may show, as who checks it has it: not the key itself. */
export interface PublishKeyRule {
  /** Of the key and the camera: `StreamKeys.tag`. */
  readonly tag: string;
  /** Milliseconds since 1970; undefined: for good. */
  readonly untilMs?: number;
}

/** Longest key or token that is looked at. */
export const maxKeyChars = 256;

/** As long as is needed that nobody guesses it: 192 bits. */
const keyChars = 32;

const maxTokenSeconds = 10 ** 11;

/**
 * Keys to publish and tokens to play, all made from one secret of this aggregator. A generated key is never stored: it
 * follows from the secret, the camera and an id that is no secret, so that it can be told again. Of a key that somebody
 * else gave, what is stored says nothing without the secret. A play token carries its end and is not stored at all.
 */
export class StreamKeys {
  readonly #secret: Buffer;

  /** @param secret 256 random bits, which nobody else knows */
  constructor(secret: Buffer) {
    this.#secret = secret;
  }

  /** The publish key of a camera that has this id. */
  generated(camera: string, id: string): string {
    return this.#mac('publish key', camera, id).toString('base64url').slice(0, keyChars);
  }

  /** What is stored and compared in place of a publish key. */
  tag(camera: string, key: string): string {
    return this.#mac('publish key tag', camera, key).toString('hex');
  }

  /** True when one of the rules is for this key now. Takes as long for a wrong key as for a right one. */
  isPublishKey(camera: string, key: string, rules: readonly PublishKeyRule[], nowMs: number): boolean {
    if (key === '' || key.length > maxKeyChars) return false;
    const tag = this.tag(camera, key);
    let isRight = false;
    for (const rule of rules) {
      const isCurrent = rule.untilMs === undefined || nowMs < rule.untilMs;
      if (isSame(tag, rule.tag) && isCurrent) isRight = true;
    }
    return isRight;
  }

  /** A token with which a camera can be played until then. @param expiresMs milliseconds since 1970, rounded up to seconds */
  playToken(camera: string, expiresMs: number): string {
    const seconds = Math.min(Math.ceil(expiresMs / 1000), maxTokenSeconds);
    return `${seconds}-${this.#mac('play token', camera, String(seconds)).toString('base64url').slice(0, keyChars)}`;
  }

  /** What a token is worth for a camera now. */
  judgePlayToken(camera: string, token: string, nowMs: number): 'good' | 'expired' | 'wrong' {
    const match = token.length > maxKeyChars ? null : /^([0-9]{1,12})-([A-Za-z0-9_-]{32})$/.exec(token);
    if (match === null) return 'wrong';
    const seconds = Number(match[1]);
    if (!isSame(this.playToken(camera, seconds * 1000), token)) return 'wrong';
    return nowMs < seconds * 1000 ? 'good' : 'expired';
  }

  /** Parts are told apart by their lengths: none can be moved into another. */
  #mac(purpose: string, ...parts: readonly string[]): Buffer {
    const hmac = createHmac('sha256', this.#secret).update(purpose);
    for (const part of parts) hmac.update(`\0${Buffer.byteLength(part)}\0${part}`);
    return hmac.digest();
  }
}

/** In a time that does not depend on where they differ. */
function isSame(left: string, right: string): boolean {
  const [one, other] = [Buffer.from(left), Buffer.from(right)];
  return one.length === other.length && timingSafeEqual(one, other);
}
