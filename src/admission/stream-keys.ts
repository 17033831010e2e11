import { createHmac, timingSafeEqual } from 'node:crypto';

/** A publish key of a camera in the form that is stored and checked; not the key itself. */
export interface PublishKeyRule {
  /** `StreamKeys.tag` of the camera and the key. */
  readonly tag: string;
  /** End of its validity, milliseconds since 1970; undefined: never. */
  readonly untilMs?: number;
}

/** Maximum length of a key or token that is checked. */
const maxKeyChars = 256;

/** 192 bits in base64url, which nobody can guess. */
const keyChars = 32;

const maxTokenSeconds = 10 ** 11;

/**
 * Publish keys and play tokens, all derived from one secret of this aggregator. A generated key is not stored. It follows
 * from the secret, the camera and a public id, so it can be shown again. Of a key that the user chose, only a tag is stored,
 * which is useless without the secret. A play token contains the end of its validity, and is not stored.
 */
export class StreamKeys {
  readonly #secret: Buffer;

  /** @param secret 256 random bits */
  constructor(secret: Buffer) {
    this.#secret = secret;
  }

  /** The publish key that has this id, of a camera or of one of its ingests. @param ingest undefined: the camera's own */
  generated(camera: string, id: string, ingest?: string): string {
    const parts = ingest === undefined ? [camera, id] : [camera, id, ingest];
    return this.#mac('publish key', ...parts)
      .toString('base64url')
      .slice(0, keyChars);
  }

  /** What is stored and compared in place of a publish key. */
  tag(camera: string, key: string): string {
    return this.#mac('publish key tag', camera, key).toString('hex');
  }

  /** True if one of the rules is valid now and has this key. Takes the same time for wrong and right keys. */
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

  /** A token to play a camera. @param expiresMs end of its validity, milliseconds since 1970, rounded up to seconds */
  playToken(camera: string, expiresMs: number): string {
    const seconds = Math.min(Math.ceil(expiresMs / 1000), maxTokenSeconds);
    return `${seconds}-${this.#mac('play token', camera, String(seconds)).toString('base64url').slice(0, keyChars)}`;
  }

  /** Checks a token for a camera. */
  judgePlayToken(camera: string, token: string, nowMs: number): 'good' | 'expired' | 'wrong' {
    const match = token.length > maxKeyChars ? null : /^([0-9]{1,12})-([A-Za-z0-9_-]{32})$/.exec(token);
    if (match === null) return 'wrong';
    const seconds = Number(match[1]);
    if (!isSame(this.playToken(camera, seconds * 1000), token)) return 'wrong';
    return nowMs < seconds * 1000 ? 'good' : 'expired';
  }

  /** Each part is preceded by its length, so that no two lists of parts give the same input. */
  #mac(purpose: string, ...parts: readonly string[]): Buffer {
    const hmac = createHmac('sha256', this.#secret).update(purpose);
    for (const part of parts) hmac.update(`\0${Buffer.byteLength(part)}\0${part}`);
    return hmac.digest();
  }
}

/** Compares in constant time. */
function isSame(left: string, right: string): boolean {
  const [one, other] = [Buffer.from(left), Buffer.from(right)];
  return one.length === other.length && timingSafeEqual(one, other);
}
