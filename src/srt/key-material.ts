import { createDecipheriv, pbkdf2 } from 'node:crypto';
import { promisify } from 'node:util';

const derive = promisify(pbkdf2);
/** Rounds of PBKDF2 that the specification names (section 6.1.4); how strong a passphrase is depends on its own length. */
const rounds = 2048;
const fixedBytes = 16;
const saltBytes = 16;
/** What wrapping adds (RFC 3394). */
const integrityBytes = 8;
const integrityValue = 'a6a6a6a6a6a6a6a6';
const Cipher = { AesCtr: 2 } as const;

/** `unsupported`: AES-GCM, which is an experiment of libsrt, or what cannot be read. */
export type KeyProblem = 'wrong-secret' | 'unsupported';

/** Stream keys that a caller sent (section 3.2.2). */
export interface KeyMaterial {
  readonly salt: Buffer;
  readonly even: Buffer | null;
  readonly odd: Buffer | null;
}

/** Unwraps the keys of a caller; on a thread of the pool, since it takes milliseconds. */
export async function unwrapKeys(message: Buffer, passphrase: string): Promise<KeyMaterial | KeyProblem> {
  if (message.length < fixedBytes + saltBytes + integrityBytes) return 'unsupported';
  const isKnown =
    message[0] === 0x12 &&
    message.readUInt16BE(1) === 0x2029 &&
    message[8] === Cipher.AesCtr &&
    message[14] === saltBytes / 4;
  const which = (message[3] ?? 0) & 3;
  const keyBytes = (message[15] ?? 0) * 4;
  const keys = which === 3 ? 2 : 1;
  const wrapped = message.subarray(fixedBytes + saltBytes);
  if (!isKnown || which === 0 || ![16, 24, 32].includes(keyBytes)) return 'unsupported';
  if (wrapped.length !== integrityBytes + keys * keyBytes) return 'unsupported';
  const salt = Buffer.from(message.subarray(fixedBytes, fixedBytes + saltBytes));
  const wrappingKey = await derive(passphrase, salt.subarray(8), rounds, keyBytes, 'sha1');
  let plain: Buffer;
  try {
    const iv = Buffer.from(integrityValue, 'hex');
    const decipher = createDecipheriv(`id-aes${keyBytes * 8}-wrap`, wrappingKey, iv);
    plain = Buffer.concat([decipher.update(wrapped), decipher.final()]);
  } catch {
    return 'wrong-secret';
  }
  const [first, second] = [plain.subarray(0, keyBytes), plain.subarray(keyBytes)];
  return {
    salt,
    even: (which & 1) === 0 ? null : first,
    odd: (which & 2) === 0 ? null : which === 3 ? second : first,
  };
}

/** Decrypts a payload (section 6.2.2). @param sequence of its packet */
export function decrypt(payload: Buffer, key: Buffer, salt: Buffer, sequence: number): Buffer {
  const iv = Buffer.alloc(16);
  salt.copy(iv, 0, 0, 14);
  iv.writeUInt32BE((iv.readUInt32BE(10) ^ sequence) >>> 0, 10);
  return createDecipheriv(`aes-${key.length * 8}-ctr`, key, iv).update(payload);
}
