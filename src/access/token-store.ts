import { ConfigError, messageOf, StateError } from '../errors.js';
import { SilentDisk } from '../files/silent-disk.js';
import { removeLeftovers } from '../files/write.js';
import type { Logger } from '../log/log.js';
import { type AccessProblem, FileProblem } from './file-problem.js';
import { damagedFile, type Manifest } from './manifest.js';
import { markOf, readPrivate, writePrivate } from './private-file.js';
import { decodeTokens, encodeTokens, type StoredToken } from './token-file.js';
import { newToken, tokenConflict, tokenNotFound, tooManyTokens } from './token-rules.js';
import { TokenSet } from './token-set.js';
import type { TokenInput, Tokens, TokenView } from './tokens.js';

/** The name of the file in the data folder. */
export const tokensFileName = 'tokens.json';

/** The tokens that people made: by name, hashed, in a file of their own. An edit of the file applies within seconds. */
export class TokenStore implements Tokens {
  readonly #path: string;
  readonly #log: Logger;
  readonly #manifest: Manifest | undefined;
  readonly #tokens = new TokenSet();
  #mark = '';
  /** Why the file cannot be used. No change is made then, because it would overwrite somebody's edit. */
  #broken: Error | undefined;
  readonly #problem: FileProblem;
  #writing: Promise<unknown> = Promise.resolve();
  /** A write that the disk has not answered yet: another one would race with it. */
  #silence: SilentDisk | undefined;
  readonly #limitMs: number | undefined;

  private constructor(path: string, log: Logger, manifest: Manifest | undefined, limitMs: number | undefined) {
    this.#limitMs = limitMs;
    this.#path = path;
    this.#problem = new FileProblem(path);
    this.#log = log;
    this.#manifest = manifest;
  }

  /**
   * @param manifest knows whether there were tokens before
   * @param limitMs how long a write may take; undefined: 10 s
   * @throws ConfigError ACCESS_UNREADABLE, also when there were and the file is gone
   */
  static async open(path: string, log: Logger, manifest?: Manifest, limitMs?: number): Promise<TokenStore> {
    const store = new TokenStore(path, log, manifest, limitMs);
    await removeLeftovers(path);
    await store.#read();
    return store;
  }

  /** Why the file cannot be used, or a restart could not use it. */
  get problem(): AccessProblem | undefined {
    return this.#problem.problem;
  }

  /** By name. */
  list(): TokenView[] {
    return this.#tokens.list();
  }

  /** @throws NotFoundError TOKEN_NOT_FOUND */
  get(name: string): TokenView {
    return this.#tokens.get(name);
  }

  /**
   * Makes a token; its secret is told here and nowhere else.
   * @throws InputError INVALID_NAME or INVALID_REQUEST; ConflictError TOKEN_CONFLICT or LIMIT_REACHED; StateError
   */
  async create(input: TokenInput): Promise<{ view: TokenView; token: string }> {
    const { stored, token } = newToken(input);
    const { name, scope, expiresAt } = stored;
    await this.#change((tokens) => {
      if (tokens.has(name)) throw tokenConflict(name);
      tooManyTokens(tokens.size);
      return new Map(tokens).set(name, stored);
    });
    this.#log.info('made a token', { token: name, scope, expiresAt: expiresAt ?? null });
    return { view: this.#tokens.view(stored), token };
  }

  /** It is refused from now on. @throws NotFoundError TOKEN_NOT_FOUND; StateError STATE_WRITE_FAILED */
  async revoke(name: string): Promise<void> {
    await this.#change((tokens) => {
      if (!tokens.has(name)) throw tokenNotFound(name);
      const rest = new Map(tokens);
      rest.delete(name);
      return rest;
    });
    this.#log.info('revoked a token', { token: name });
  }

  /** The token with this secret, when there is one and it has not ended. `hash` is that of the whole token. */
  verify(token: string, hash: Buffer): StoredToken | undefined {
    return this.#tokens.verify(token, hash);
  }

  /** True while the token with this id is valid. */
  isValid(id: string): boolean {
    return this.#tokens.isValid(id);
  }

  /** Takes the file anew when somebody changed it. One that cannot be used leaves the tokens as they were. */
  async refresh(): Promise<void> {
    await this.#writing;
    if (this.#silence !== undefined) return;
    const mark = await markOf(this.#path);
    if (mark === this.#mark && this.#broken === undefined) {
      await this.#problem.checkReadable();
      return;
    }
    // An unusable file is tried each time: its owner may change, which no mark shows.
    const known = mark === this.#mark ? this.#broken?.message : undefined;
    try {
      await this.#read();
      this.#log.info('reloaded the tokens from their file', { file: this.#path, tokens: this.#tokens.all.size });
    } catch (error) {
      this.#mark = mark;
      this.#broken = error instanceof Error ? error : new Error(messageOf(error));
      if (known === messageOf(error)) return;
      this.#problem.set(
        `${messageOf(error)}. The tokens before it stay in force, none is made or revoked; a restart would fail`,
      );
      this.#log.error('the token file cannot be used; the previous tokens stay valid', { error: messageOf(error) });
    }
  }

  async #read(): Promise<void> {
    const file = await readPrivate(this.#path);
    const verdict = this.#manifest?.judge(this.#path, file?.note);
    if (verdict === 'missing') {
      const none = encodeTokens(new Map()).replaceAll(/\s+/g, '');
      const message = `${this.#path} is missing, although it existed before: without it every token is refused. Restore it from a backup; or, to start without tokens, write ${none} into it`;
      throw new ConfigError('ACCESS_UNREADABLE', message);
    }
    if (verdict === 'damaged') throw new ConfigError('ACCESS_UNREADABLE', damagedFile(this.#path));
    this.#take(file === undefined ? new Map() : decodeTokens(this.#path, file.text), file?.mark ?? '');
    if (file !== undefined) await this.#manifest?.note(this.#path, file.note);
  }

  async #noteWritten(): Promise<void> {
    // The next look finds what is wrong with it now.
    const written = await readPrivate(this.#path).catch(() => undefined);
    if (written?.mark === this.#mark) await this.#manifest?.note(this.#path, written.note);
  }

  #take(tokens: ReadonlyMap<string, StoredToken>, mark: string): void {
    this.#tokens.replace(tokens);
    this.#mark = mark;
    this.#broken = undefined;
    this.#problem.clear();
  }

  /** What the disk does with the write when it answers is found as an edit by hand is. */
  #fallSilent(silence: SilentDisk): void {
    this.#silence = silence;
    const message = `${silence.message}: existing tokens stay valid, but none can be created or revoked until it answers`;
    this.#problem.set(message, 'STATE_WRITE_FAILED');
    this.#log.error(message, { code: 'STATE_WRITE_FAILED' });
    void silence.settled.then(() => {
      this.#silence = undefined;
      this.#problem.clear();
      this.#log.info('the disk of the tokens answers again', { file: this.#path });
    });
  }

  /** One change after the other, each on disk before it counts. An edit by hand that came in between is taken along. */
  #change(change: (tokens: ReadonlyMap<string, StoredToken>) => ReadonlyMap<string, StoredToken>): Promise<void> {
    const done = this.#writing.then(async () => {
      if (this.#silence !== undefined) throw notWritten(`${this.#silence.message}; nothing was changed`, this.#silence);
      if ((await markOf(this.#path)) !== this.#mark) await this.#read();
      if (this.#broken !== undefined) throw this.#broken;
      const next = change(this.#tokens.all);
      try {
        await writePrivate(this.#path, encodeTokens(next), this.#limitMs);
      } catch (error) {
        if (error instanceof SilentDisk) this.#fallSilent(error);
        // What failed may have been the last step alone, behind which the new file is in place: a later look takes it.
        const isUnsure = error instanceof SilentDisk || (await markOf(this.#path)) !== this.#mark;
        const outcome = isUnsure ? 'the change may still be made: look before you ask again' : 'nothing was changed';
        throw notWritten(`${messageOf(error)}; ${outcome}`, error);
      }
      this.#take(next, await markOf(this.#path));
      await this.#noteWritten();
    });
    this.#writing = done.catch(() => undefined);
    return done;
  }
}

function notWritten(reason: string, cause: unknown): StateError {
  return new StateError('STATE_WRITE_FAILED', `the tokens could not be written: ${reason}`, { cause });
}
