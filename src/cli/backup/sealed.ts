import { createCipheriv, createDecipheriv, randomBytes, type ScryptOptions, scrypt } from 'node:crypto';
import { StateError } from '../../errors.js';

/*
 * A backup that only who knows its passphrase can read: AES-256-GCM with a key that scrypt makes of the passphrase. The
 * first line is a header, which is authenticated too; the second is the content in base64.
 *
 *   {"mediaAggregatorSealedBackup":1,"scrypt":{"N":131072,"r":8,"p":1,"salt":"..."},"nonce":"..."}
 *   BASE64 of what was sealed, and of the 16 bytes of the tag behind it
 */

const version = 1;
/** 128 MB and about half a second: what OWASP asks of scrypt. */
const cost = { N: 2 ** 17, r: 8, p: 1 } as const;
/** Nobody who sends a file decides what it costs to open it: these are all costs that are borne. */
const knownCosts: readonly number[] = [2 ** 15, 2 ** 16, 2 ** 17];
const maxHeaderChars = 1024;
const tagBytes = 16;
const algorithm = 'aes-256-gcm';

/** A passphrase that is shorter is no seal. */
export const minPassphraseChars = 12;

/** True for a file that `seal` made, whatever is in it. */
export function isSealed(text: string): boolean {
  return /^\s*\{\s*"mediaAggregatorSealedBackup"\s*:/.test(text.slice(0, maxHeaderChars));
}

/** The content, sealed with a passphrase. */
export async function seal(content: string, passphrase: string): Promise<string> {
  const salt = randomBytes(16);
  const nonce = randomBytes(12);
  const scryptFacts = { ...cost, salt: salt.toString('base64') };
  const header = JSON.stringify({
    mediaAggregatorSealedBackup: version,
    scrypt: scryptFacts,
    nonce: nonce.toString('base64'),
  });
  const cipher = createCipheriv(algorithm, await keyOf(passphrase, salt, cost.N), nonce, { authTagLength: tagBytes });
  cipher.setAAD(Buffer.from(header));
  const sealed = Buffer.concat([cipher.update(content, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  return `${header}\n${sealed.toString('base64')}\n`;
}

/**
 * What was sealed.
 * @throws StateError BACKUP_SEALED for another passphrase, a changed file, or one of a version that is not known
 */
export async function unseal(text: string, passphrase: string): Promise<string> {
  const end = text.indexOf('\n');
  const header = text.slice(0, end < 0 ? text.length : end).trimEnd();
  if (end < 0 || header.length > maxHeaderChars) throw refused('its first line is no header of a sealed backup');
  const { n, salt, nonce } = parseHeader(header);
  const body = text.slice(end + 1).trimEnd();
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(body)) throw refused('its second line is no base64: the file is damaged');
  const sealed = Buffer.from(body, 'base64');
  if (sealed.length < tagBytes) throw refused('it is cut off');
  const decipher = createDecipheriv(algorithm, await keyOf(passphrase, salt, n), nonce, { authTagLength: tagBytes });
  decipher.setAAD(Buffer.from(header));
  decipher.setAuthTag(sealed.subarray(sealed.length - tagBytes));
  try {
    const content = Buffer.concat([decipher.update(sealed.subarray(0, sealed.length - tagBytes)), decipher.final()]);
    return new TextDecoder('utf-8', { fatal: true }).decode(content);
  } catch (error) {
    throw refused('the passphrase is wrong, or the file was changed or cut', error);
  }
}

function parseHeader(header: string): { n: number; salt: Buffer; nonce: Buffer } {
  let value: unknown;
  try {
    value = JSON.parse(header);
  } catch (error) {
    throw refused('its first line is no header of a sealed backup', error);
  }
  const { mediaAggregatorSealedBackup: made, scrypt: facts, nonce } = record(value);
  if (typeof made === 'number' && made > version) {
    throw refused(`it is of version ${made}, which a newer media-aggregator wrote`);
  }
  const { N, r, p, salt } = record(facts);
  const isKnown = made === version && knownCosts.some((one) => one === N) && r === cost.r && p === cost.p;
  const [saltBytes, nonceBytes] = [bytesOf(salt), bytesOf(nonce)];
  if (!isKnown || saltBytes?.length !== 16 || nonceBytes?.length !== 12) {
    throw refused('its first line asks for another way of sealing than is known here');
  }
  return { n: Number(N), salt: saltBytes, nonce: nonceBytes };
}

function bytesOf(text: unknown): Buffer | undefined {
  return typeof text === 'string' && text.length <= 64 ? Buffer.from(text, 'base64') : undefined;
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function keyOf(passphrase: string, salt: Buffer, n: number): Promise<Buffer> {
  const options: ScryptOptions = { N: n, r: cost.r, p: cost.p, maxmem: 160 * 1024 * 1024 };
  return new Promise((resolve, reject) =>
    scrypt(passphrase.normalize('NFC'), salt, 32, options, (error, key) =>
      error === null ? resolve(key) : reject(error),
    ),
  );
}

function refused(why: string, cause?: unknown): StateError {
  return new StateError('BACKUP_SEALED', `the backup cannot be opened: ${why}`, { cause });
}
