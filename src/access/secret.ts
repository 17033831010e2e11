import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** A token as its holder has it, and the part of it that is no secret. */
export interface NewSecret {
  readonly id: string;
  readonly token: string;
}

const idBytes = 6;
const secretBytes = 32;

/**
 * `mat_ID_SECRET`: the prefix lets scanners of source code find tokens that were committed, the id finds the stored hash
 * without comparing secrets, and the secret is 256 random bits.
 */
export function newSecret(): NewSecret {
  const id = randomBytes(idBytes).toString('hex');
  return { id, token: `mat_${id}_${randomBytes(secretBytes).toString('base64url')}` };
}

/** The id of a token of ours; undefined for anything else. */
export function idOf(token: string): string | undefined {
  return /^mat_([0-9a-f]{12})_[A-Za-z0-9_-]{43}$/.exec(token)?.[1];
}

/**
 * What is stored of a token. A plain SHA-256 is right here: slow hashes (scrypt, argon2) make up for passwords that can
 * be guessed, and nobody guesses 256 random bits; with them every call would cost a tenth of a second of processor.
 */
export function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

/** Compares in a time that does not depend on where they differ. */
export function isSameHash(left: Buffer, right: Buffer): boolean {
  return left.length === right.length && timingSafeEqual(left, right);
}
