import { createHash, createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto';
import { ConfigError, messageOf } from '../errors.js';
import { readRegular } from '../files/read.js';

/** What a key of the cluster is for. A key of one purpose tells nothing of the others (RFC 5869). */
export type SecretPurpose = 'rtmp' | 'api' | 'node' | 'seal' | 'etag' | 'stream-secret' | 'seal-file' | 'seal-nonce';

/** How far the clocks of two nodes may be apart, and how long a signature may be on its way. */
export const signatureWindowMs = 30_000;
/** Of more signatures than that in one window, somebody tries something. */
const maxSeen = 100_000;
const maxSecrets = 4;

/** Why a signature is not taken. */
export type SignatureRefusal = 'malformed' | 'other-secret' | 'wrong' | 'too-old' | 'too-new' | 'replayed';

/** One secret, and the keys that follow from it. */
class OneSecret {
  /** 8 hexadecimal digits that say which secret it is, and nothing of it. */
  readonly id: string;
  readonly #secret: Buffer;
  readonly #keys = new Map<SecretPurpose, Buffer>();

  constructor(secret: Buffer) {
    this.#secret = secret;
    this.id = createHash('sha256').update('media-aggregator secret id ').update(secret).digest('hex').slice(0, 8);
  }

  key(purpose: SecretPurpose): Buffer {
    const known = this.#keys.get(purpose);
    if (known !== undefined) return known;
    const key = Buffer.from(hkdfSync('sha256', this.#secret, 'media-aggregator cluster', purpose, 32));
    this.#keys.set(purpose, key);
    return key;
  }
}

/**
 * The secret that all nodes of a cluster share. While it is changed there are several: the first signs and seals, and what
 * the others signed and sealed is taken as well.
 */
export class ClusterSecret {
  readonly #secrets: readonly [OneSecret, ...OneSecret[]];
  /** By signature: when its window is over. Those of the last window were taken, and are not taken again. */
  readonly #seen = new Map<string, number>();

  private constructor(secrets: readonly [OneSecret, ...OneSecret[]]) {
    this.#secrets = secrets;
  }

  /** @param text a secret a line, 64 to 128 hexadecimal digits @throws Error that says what is wrong, and not with which text */
  static fromText(text: string): ClusterSecret {
    const lines = text.split(/\r?\n/).map((line) => line.trim());
    const [first, ...others] = lines
      .filter((line) => line !== '')
      .map((line, index) => new OneSecret(secretOf(line, index)));
    if (first === undefined) throw new Error('it is empty');
    if (others.length >= maxSecrets)
      throw new Error(`it holds ${others.length + 1} secrets, and ${maxSecrets} are allowed`);
    return new ClusterSecret([first, ...others]);
  }

  /** Says which secret signs and seals; tells nothing of it. */
  get id(): string {
    return this.#secrets[0].id;
  }

  /** Those of all that are taken, the one that signs and seals first. */
  get ids(): readonly string[] {
    return this.#secrets.map(({ id }) => id);
  }

  /** The key for a purpose, 32 bytes, the same at every node. @param id of which secret; undefined for one that is not here */
  keyFor(purpose: SecretPurpose, id: string): Buffer | undefined;
  keyFor(purpose: SecretPurpose): Buffer;
  keyFor(purpose: SecretPurpose, id = this.id): Buffer | undefined {
    return this.#secrets.find((secret) => secret.id === id)?.key(purpose);
  }

  /**
   * Signs fields in their order: `ID.TIME.NONCE.MAC`, 74 ASCII characters of those that need no quoting in a URL.
   * @param nowMs milliseconds since 1970
   */
  sign(purpose: SecretPurpose, fields: readonly string[], nowMs = Date.now()): string {
    const head = `${this.id}.${nowMs.toString(36)}.${randomBytes(9).toString('base64url')}`;
    return `${head}.${macOf(this.#secrets[0].key(purpose), head, fields).toString('base64url')}`;
  }

  /**
   * Whether somebody with the cluster's secret signed these fields within the last 30 s. Each signature is taken once.
   * @returns undefined: it is good; else why it is not
   */
  verify(
    purpose: SecretPurpose,
    fields: readonly string[],
    signature: string,
    nowMs = Date.now(),
  ): SignatureRefusal | undefined {
    const parts = /^(([0-9a-f]{8})\.([0-9a-z]{1,10})\.[A-Za-z0-9_-]{12})\.([A-Za-z0-9_-]{43})$/.exec(signature);
    const [, head, id, time, mac] = parts ?? [];
    if (head === undefined || id === undefined || time === undefined || mac === undefined) return 'malformed';
    const key = this.keyFor(purpose, id);
    if (key === undefined) return 'other-secret';
    if (!timingSafeEqual(macOf(key, head, fields), Buffer.from(mac, 'base64url'))) return 'wrong';
    const ageMs = nowMs - Number.parseInt(time, 36);
    if (ageMs > signatureWindowMs) return 'too-old';
    if (ageMs < -signatureWindowMs) return 'too-new';
    return this.#takeOnce(`${purpose} ${head}`, nowMs);
  }

  #takeOnce(signature: string, nowMs: number): 'replayed' | undefined {
    if (this.#seen.has(signature)) return 'replayed';
    // The oldest come first, so that this ends at the first that still counts.
    for (const [old, untilMs] of this.#seen) {
      if (untilMs > nowMs && this.#seen.size < maxSeen) break;
      this.#seen.delete(old);
    }
    this.#seen.set(signature, nowMs + 2 * signatureWindowMs);
    return undefined;
  }
}

/** The secret of the cluster's file. @throws ConfigError as `readSecretFile` */
export function readClusterSecret(path: string): Promise<ClusterSecret> {
  return readSecretFile('cluster-secret-file', path);
}

/**
 * The secret of a file, and the former ones behind it.
 * @param field the setting that names the file
 * @throws ConfigError CONFIG_INVALID_VALUE for a file that is not there, may be read by everybody, or holds no secret
 */
export async function readSecretFile(field: 'cluster-secret-file' | 'seal-key', path: string): Promise<ClusterSecret> {
  const wrong = (what: string, cause?: unknown): ConfigError =>
    new ConfigError('CONFIG_INVALID_VALUE', `${field} ${path} ${what}.`, { field, cause });
  const make = `make it with "openssl rand -hex 32"${field === 'seal-key' ? '' : ', once for all nodes'}`;
  let found: Awaited<ReturnType<typeof readRegular>>;
  try {
    found = await readRegular(path, 4096);
  } catch (error) {
    throw wrong(`cannot be read: ${messageOf(error)}`, error);
  }
  if (found === undefined) throw wrong(`is not there; ${make}`);
  if ((found.mode & 0o007) !== 0) {
    const mode = found.mode.toString(8).padStart(4, '0');
    throw wrong(
      `may be read or written by every user (mode ${mode}); ${field === 'seal-key' ? 'whoever has it can open the state' : 'whoever has it can act as a node'}: chmod 600 it`,
    );
  }
  try {
    return ClusterSecret.fromText(found.bytes.toString());
  } catch (error) {
    throw wrong(`holds no secret: ${messageOf(error)}; ${make}`);
  }
}

function secretOf(line: string, index: number): Buffer {
  const text = line.toLowerCase();
  const which = index === 0 ? 'the secret' : `secret ${index + 1}`;
  if (!/^[0-9a-f]*$/.test(text)) throw new Error(`${which} has characters that are no hexadecimal digits`);
  if (text.length < 64 || text.length > 128 || text.length % 2 !== 0) {
    throw new Error(`${which} has ${text.length} hexadecimal digits, and must have 64 to 128, an even number`);
  }
  if (/^(..)\1*$/.test(text)) throw new Error(`${which} is the same byte over and over`);
  return Buffer.from(text, 'hex');
}

/** JSON tells where one field ends and the next begins. */
function macOf(key: Buffer, head: string, fields: readonly string[]): Buffer {
  return createHmac('sha256', key)
    .update(JSON.stringify([head, ...fields]))
    .digest();
}
