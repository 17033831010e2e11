import { readFileSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import tls from 'node:tls';
import { codeOf, messageOf } from '../errors.js';
import { type Logger, silentLogger } from '../log/log.js';
import { checkTrust, readTrust } from './trust.js';

/** The file is looked at when somebody connects, and no more often than this. */
const lookEveryMs = 1000;

/**
 * Certificates of a file that are trusted besides those that Node.js trusts by itself: its own list, those of
 * `NODE_EXTRA_CA_CERTS`, and those of the system where Node.js was told to use them.
 *
 * The file is read again when it changed. It is looked at beside a connection, not before it, so that a file system that
 * hangs holds up nothing: the connection after that one has the new certificates. A new file that cannot be used changes
 * nothing, and the log says so once.
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

  /** Somebody connects: has the file looked at, when that was not done just now. */
  used(): void {
    if (performance.now() - this.#lookedMs >= lookEveryMs) void this.reload();
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
    let mark = 'gone';
    try {
      const { ino, size, mtimeNs } = await stat(this.#file, { bigint: true });
      mark = `${ino} ${size} ${mtimeNs}`;
      if (mark === this.#mark) return;
      const bytes = checkTrust(await readFile(this.#file), this.#file, this.#flag);
      if (!bytes.equals(this.#bytes)) {
        this.#bytes = bytes;
        this.#version++;
        this.#log.info('took new certificates to trust', { file: this.#file });
      }
    } catch (error) {
      if (mark === this.#mark) return;
      const fields = { file: this.#file, code: codeOf(error) ?? 'TLS_CERTIFICATE', reason: messageOf(error) };
      this.#log.warn('the new certificates to trust cannot be used; those before stay', fields);
    }
    this.#mark = mark;
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
