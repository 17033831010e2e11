import { ConfigError, messageOf } from '../errors.js';
import type { Logger } from '../log/log.js';
import { type AccessProblem, FileProblem } from './file-problem.js';
import { damagedFile, type Manifest } from './manifest.js';
import { createPrivate, markOf, readPrivate } from './private-file.js';
import { hashOf, isSameHash, newSecret } from './secret.js';

/** The name of the file in the data folder. */
export const adminTokenFileName = 'admin-token';

const minLength = 32;
const maxLength = 512;

/**
 * The token that may do everything, in a file that its owner reads and may write anew: whoever can read the data folder
 * can change the state itself, so nothing is lost by keeping it readable there.
 */
export class AdminToken {
  readonly path: string;
  readonly #log: Logger;
  readonly #manifest: Manifest | undefined;
  readonly #problem: FileProblem;
  #mark = '';
  #hash: Buffer | undefined;

  private constructor(path: string, log: Logger, manifest: Manifest | undefined) {
    this.path = path;
    this.#problem = new FileProblem(path);
    this.#log = log;
    this.#manifest = manifest;
  }

  /**
   * Reads the file, or makes it: whoever removed it wants a new one, and whoever lost it finds that in the log.
   * @throws ConfigError ACCESS_UNREADABLE
   */
  static async open(path: string, log: Logger, manifest?: Manifest): Promise<AdminToken> {
    const token = new AdminToken(path, log, manifest);
    if (await createPrivate(path, `${newSecret().token}\n`)) {
      if (manifest?.judge(path, undefined) === 'missing')
        log.warn('the admin token was missing; a new one was created, and the old one is no longer valid', {
          file: path,
        });
      log.info('created an admin token; calls from other machines need it, or a token created with it', { file: path });
    }
    await token.#read();
    return token;
  }

  /** Short, and different for each token: ends what was granted by an earlier one. Empty: there is none. */
  get fingerprint(): string {
    return this.#hash === undefined ? '' : hashOf(this.#hash.toString('hex')).toString('hex').slice(0, 16);
  }

  /** Why there is no admin token, or a restart could not use its file. */
  get problem(): AccessProblem | undefined {
    return this.#problem.problem;
  }

  matches(hash: Buffer): boolean {
    return this.#hash !== undefined && isSameHash(this.#hash, hash);
  }

  /** Checks whether the file changed. Without a usable file there is no admin token: nobody knows who has it. */
  async refresh(): Promise<void> {
    if (this.#hash !== undefined && (await markOf(this.path)) === this.#mark) {
      await this.#problem.checkReadable();
      return;
    }
    const known = this.#problem.problem?.message;
    try {
      await this.#read();
      this.#log.info('reloaded the admin token from its file', { file: this.path });
    } catch (error) {
      this.#hash = undefined;
      this.#mark = await markOf(this.path);
      this.#problem.set(
        `${messageOf(error)}. There is no admin token until that is put right; a restart would make one where the file is gone`,
      );
      if (this.#problem.problem?.message === known) return;
      this.#log.error('there is no admin token any more', { file: this.path, error: messageOf(error) });
    }
  }

  async #read(): Promise<void> {
    const file = await readPrivate(this.path);
    if (file === undefined) throw new ConfigError('ACCESS_UNREADABLE', `${this.path} is gone`);
    const text = file.text.trim();
    if (text.length < minLength || text.length > maxLength || !/^[\x21-\x7e]+$/.test(text)) {
      const rule = `one line of ${minLength} to ${maxLength} visible ASCII characters, without spaces`;
      throw new ConfigError('ACCESS_UNREADABLE', `${this.path} holds no token: it must be ${rule}`);
    }
    if (file.isOpen) this.#log.warn('other users can read the admin token: chmod 600', { file: this.path });
    if (this.#manifest?.judge(this.path, file.note) === 'damaged') {
      throw new ConfigError('ACCESS_UNREADABLE', `${damagedFile(this.path)}; or remove it: a new one is then created`);
    }
    this.#problem.clear();
    this.#mark = file.mark;
    this.#hash = hashOf(text);
    await this.#manifest?.note(this.path, file.note);
  }
}
