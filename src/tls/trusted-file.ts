import { readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import tls from 'node:tls';
import { ConfigError, messageOf } from '../errors.js';
import { isErrno } from '../files/errno.js';
import { readRegular } from '../files/read.js';
import { type Logger, silentLogger } from '../log/log.js';
import type { CertificateProblem } from './certificate.js';
import { checkTrust, maxTrustBytes, readTrust } from './trust.js';

/** The file is looked at when somebody connects, and no more often than this. */
const lookEveryMs = 1000;
/** Where nobody connects, so that what is wrong is known before somebody does. */
const idleLookEveryMs = 5000;

/**
 * Certificates of a file that are trusted besides those that Node.js trusts by itself: its own list, those of
 * `NODE_EXTRA_CA_CERTS`, and those of the system where Node.js was told to use them.
 *
 * The file is read again when it changed. It is looked at beside a connection, not before it, so that a file system that
 * hangs holds up nothing: the connection after that one has the new certificates. A new file that cannot be used changes
 * nothing, the log says so once, and it is a problem until it is mended.
 */
export class TrustedFile {
  readonly #file: string;
  readonly #flag: string;
  readonly #log: Logger;
  readonly #base: readonly string[];
  #bytes: Buffer;
  #version = 0;
  #mark: string | undefined;
  #lookedMs = performance.now();
  #looking: Promise<void> | undefined;
  #problem: CertificateProblem | null = null;

  /**
   * @param flag what the setting is called, for messages
   * @param extraFile what Node.js was told by `NODE_EXTRA_CA_CERTS`
   * @throws ConfigError TLS_CERTIFICATE when the file cannot be used
   */
  constructor(
    file: string,
    flag: string,
    log: Logger = silentLogger,
    extraFile: string | undefined = process.env.NODE_EXTRA_CA_CERTS,
  ) {
    this.#file = file;
    this.#flag = flag;
    this.#log = log;
    this.#bytes = readTrust(file, flag);
    this.#base = trustedByNode(extraFile);
  }

  /** All that is trusted, in PEM, as `tls.createSecureContext` takes it. */
  get certificates(): (string | Buffer)[] {
    return [...this.#base, this.#bytes];
  }

  /** Another one each time when `certificates` are others. */
  get version(): number {
    return this.#version;
  }

  /** What is wrong with the file; null: it can be used, or could when it was last looked at. */
  get problem(): CertificateProblem | null {
    return this.#problem;
  }

  /** Somebody connects: has the file looked at, when that was not done just now. */
  used(): void {
    if (performance.now() - this.#lookedMs >= lookEveryMs) void this.reload();
  }

  /** Call about once a second: has the file looked at every few seconds, whether somebody connects or not. */
  lookNowAndThen(): void {
    if (performance.now() - this.#lookedMs >= idleLookEveryMs) void this.reload();
  }

  /** Looks whether the file changed, and takes what is new. Resolves when that is done; never rejects. */
  reload(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
      this.#lookedMs = performance.now();
    });
    return this.#looking;
  }

  async #look(): Promise<void> {
    let mark: string | undefined;
    try {
      mark = await this.#markNow();
      if (mark === this.#mark) return;
      const found = await readRegular(this.#file, maxTrustBytes);
      if (found === undefined) throw new Error('there is no such file');
      const bytes = checkTrust(found.bytes, this.#file, this.#flag);
      if (!bytes.equals(this.#bytes)) {
        this.#bytes = bytes;
        this.#version++;
        this.#log.info('loaded new trusted certificates', { file: this.#file });
      } else if (this.#problem !== null) {
        this.#log.info('the trusted certificates can be read again', { file: this.#file });
      }
      this.#problem = null;
      this.#mark = mark;
    } catch (error) {
      this.#complain(error);
      // What cannot be read may be readable the next time, without having changed.
      if (error instanceof ConfigError) this.#mark = mark;
    }
  }

  /** Another one when the file, its owner or its mode changed. */
  async #markNow(): Promise<string> {
    const { ino, size, mtimeNs, ctimeNs } = await stat(this.#file, { bigint: true });
    return `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
  }

  #complain(error: unknown): void {
    const isOfFile = error instanceof ConfigError; // which names the file itself
    const said = isErrno(error, 'ENOENT') ? 'there is no such file' : messageOf(error);
    const reason = isOfFile ? said : `${this.#file} (${this.#flag}) cannot be read: ${said}.`;
    const message = `${reason} The previous trusted certificates stay in use; a restart would fail. Correct the file: it is checked every few seconds`;
    // Each new file is told of; one that cannot be read, once.
    if (!isOfFile && this.#problem?.message === message) return;
    const since = this.#problem?.since ?? new Date().toISOString();
    this.#problem = { code: 'TLS_CERTIFICATE', message, since };
    this.#log.warn('the new trusted certificates cannot be used; the previous ones stay in use', {
      file: this.#file,
      code: 'TLS_CERTIFICATE',
      reason,
    });
  }
}

/** What Node.js trusts without being told: newer versions say it, for older ones it is put together. */
function trustedByNode(extraFile: string | undefined): readonly string[] {
  const says: unknown = Reflect.get(tls, 'getCACertificates');
  const found: unknown = typeof says === 'function' ? Reflect.apply(says, tls, ['default']) : undefined;
  const own = Array.isArray(found) ? found.filter((each) => typeof each === 'string') : tls.rootCertificates;
  if (extraFile === undefined || extraFile === '') return own;
  try {
    return [...own, readFileSync(extraFile, 'latin1')];
  } catch {
    return own; // Node.js goes on without it too, and has warned
  }
}
