import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import type { ClusterSecret, SecretPurpose } from './secret.js';

const prefix = 'sealed:';
const nonceBytes = 12;
const tagBytes = 16;

/**
 * Seals texts with a secret, so that who reads etcd, or a file, reads no secret of the nodes: AES-256-GCM,
 * `sealed:ID:BASE64URL`. A sealed text holds only at the place that it was sealed for, so that nobody can move it.
 */
export class Sealer {
  readonly #secret: ClusterSecret;
  /** What the secrets stand in, for messages. */
  readonly #setting: string;
  readonly #purpose: SecretPurpose;
  readonly #isSteady: boolean;

  constructor(secret: ClusterSecret, { isOfFiles = false } = {}) {
    this.#secret = secret;
    this.#setting = isOfFiles ? 'seal-key' : 'cluster-secret-file';
    this.#purpose = isOfFiles ? 'seal-file' : 'seal';
    this.#isSteady = isOfFiles;
  }

  /**
   * For files of one node. The same text at the same place is sealed to the same, so that a file that is written anew has only
   * the lines changed that were: the nonce is a MAC of both, as in AES-SIV. It tells that a text is as it was before.
   */
  static forFiles(key: ClusterSecret): Sealer {
    return new Sealer(key, { isOfFiles: true });
  }

  /** Says which secret seals, and nothing of it. */
  get keyId(): string {
    return this.#secret.id;
  }

  /** @param place where it stands: the key in etcd, and the field */
  seal(text: string, place: string): string {
    const { id } = this.#secret;
    const nonce = this.#isSteady ? this.#steadyNonce(text, place) : randomBytes(nonceBytes);
    const cipher = createCipheriv('aes-256-gcm', this.#secret.keyFor(this.#purpose), nonce).setAAD(Buffer.from(place));
    const sealed = [nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()];
    return `${prefix}${id}:${Buffer.concat(sealed).toString('base64url')}`;
  }

  #steadyNonce(text: string, place: string): Buffer {
    const mac = createHmac('sha256', this.#secret.keyFor('seal-nonce')).update(JSON.stringify([place, text]));
    return mac.digest().subarray(0, nonceBytes);
  }

  /** The text; one that is not sealed, as somebody wrote it by hand, is given back. @throws Error that says why not */
  open(text: string, place: string): string {
    return text.startsWith(prefix) ? this.openSealed(text, place) : text;
  }

  /** As `open`, of a text that must be sealed. @throws Error that says why not */
  openSealed(text: string, place: string): string {
    const [, id = '', body = ''] = /^sealed:([0-9a-f]{8}):([A-Za-z0-9_-]+)$/.exec(text) ?? [];
    const bytes = Buffer.from(body, 'base64url');
    if (bytes.length < nonceBytes + tagBytes) throw new Error('is not sealed as this version seals');
    const key = this.#secret.keyFor(this.#purpose, id);
    if (key === undefined) {
      throw new Error(`is sealed with a secret (${id}) that is not in the ${this.#setting} of this node`);
    }
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, nonceBytes), { authTagLength: tagBytes });
    decipher.setAAD(Buffer.from(place)).setAuthTag(bytes.subarray(-tagBytes));
    try {
      return decipher.update(bytes.subarray(nonceBytes, -tagBytes), undefined, 'utf8') + decipher.final('utf8');
    } catch {
      throw new Error('was changed, or was sealed for another place');
    }
  }

  /** True for a text that a former secret sealed, or none. */
  isStale(text: string): boolean {
    return !text.startsWith(`${prefix}${this.#secret.id}:`);
  }
}
