import { ConflictError, messageOf } from '../errors.js';
import type { Logger } from '../log/log.js';
import type { AccessProblem } from './file-problem.js';
import { decodeTokens, encodeTokens, type StoredToken } from './token-file.js';
import { newToken, tokenConflict, tokenNotFound, tooManyTokens } from './token-rules.js';
import { TokenSet } from './token-set.js';
import type { TokenInput, Tokens, TokenView } from './tokens.js';

/** Small texts that all nodes of a cluster share; see `SharedTexts` of the cluster. */
export interface SharedTokens {
  readonly all: ReadonlyMap<string, string>;
  onChange(listener: () => void): void;
  /** @returns false: there is one of that name already */
  create(name: string, text: string): Promise<boolean>;
  /** @returns false: there is none */
  remove(name: string): Promise<boolean>;
}

/** The tokens of a cluster: made, taken and revoked at every node. */
export class SharedTokenStore implements Tokens {
  readonly #shared: SharedTokens;
  readonly #log: Logger;
  readonly #tokens = new TokenSet();

  constructor(shared: SharedTokens, log: Logger) {
    this.#shared = shared;
    this.#log = log;
    shared.onChange(() => this.#read());
    this.#read();
  }

  get problem(): AccessProblem | undefined {
    return undefined;
  }

  list(): TokenView[] {
    return this.#tokens.list();
  }

  get(name: string): TokenView {
    return this.#tokens.get(name);
  }

  async create(input: TokenInput): Promise<{ view: TokenView; token: string }> {
    const { stored, token } = newToken(input);
    const { name, scope, expiresAt } = stored;
    if (!this.#tokens.all.has(name)) tooManyTokens(this.#tokens.all.size);
    if (!(await this.#shared.create(name, encodeTokens(new Map([[name, stored]]))))) throw tokenConflict(name);
    if (!this.#tokens.hasId(stored.id)) {
      throw new ConflictError(
        'TOKEN_CONFLICT',
        `the token "${name}" was revoked while it was created; create it again`,
      );
    }
    this.#log.info('made a token', { token: name, scope, expiresAt: expiresAt ?? null });
    return { view: this.#tokens.view(stored), token };
  }

  async revoke(name: string): Promise<void> {
    if (!(await this.#shared.remove(name))) throw tokenNotFound(name);
    this.#log.info('revoked a token', { token: name });
  }

  verify(token: string, hash: Buffer): StoredToken | undefined {
    return this.#tokens.verify(token, hash);
  }

  isValid(id: string): boolean {
    return this.#tokens.isValid(id);
  }

  async refresh(): Promise<void> {}

  #read(): void {
    const tokens = new Map<string, StoredToken>();
    for (const [name, text] of this.#shared.all) {
      try {
        const stored = decodeTokens(`the token ${name} in etcd`, text).get(name);
        if (stored !== undefined) tokens.set(name, stored);
      } catch (error) {
        this.#log.error('a token in etcd is refused', { token: name, error: messageOf(error) });
      }
    }
    this.#tokens.replace(tokens);
  }
}
