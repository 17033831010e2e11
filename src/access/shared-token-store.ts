import { ConflictError, messageOf } from '../errors.js';
import type { Logger } from '../log/log.js';
import type { AccessProblem } from './file-problem.js';
import { idOf, isSameHash } from './secret.js';
import { decodeTokens, encodeTokens, type StoredToken } from './token-file.js';
import { hasEnded, newToken, tokenConflict, tokenNotFound, tooManyTokens, viewOfToken } from './token-rules.js';
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
  readonly #lastUsed = new Map<string, string>();
  #tokens: ReadonlyMap<string, StoredToken> = new Map();
  #byId: ReadonlyMap<string, StoredToken> = new Map();

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
    return [...this.#tokens.values()].sort((left, right) => (left.name < right.name ? -1 : 1)).map(this.#view);
  }

  get(name: string): TokenView {
    const stored = this.#tokens.get(name);
    if (stored === undefined) throw tokenNotFound(name);
    return this.#view(stored);
  }

  async create(input: TokenInput): Promise<{ view: TokenView; token: string }> {
    const { stored, token } = newToken(input);
    const { name, scope, expiresAt } = stored;
    if (!this.#tokens.has(name)) tooManyTokens(this.#tokens.size);
    if (!(await this.#shared.create(name, encodeTokens(new Map([[name, stored]]))))) throw tokenConflict(name);
    if (!this.#byId.has(stored.id)) {
      throw new ConflictError(
        'TOKEN_CONFLICT',
        `the token "${name}" was revoked while it was created; create it again`,
      );
    }
    this.#log.info('made a token', { token: name, scope, expiresAt: expiresAt ?? null });
    return { view: this.#view(stored), token };
  }

  async revoke(name: string): Promise<void> {
    if (!(await this.#shared.remove(name))) throw tokenNotFound(name);
    this.#log.info('revoked a token', { token: name });
  }

  verify(token: string, hash: Buffer): StoredToken | undefined {
    const id = idOf(token);
    const stored = id === undefined ? undefined : this.#byId.get(id);
    if (stored === undefined || !isSameHash(stored.hash, hash) || hasEnded(stored)) return undefined;
    this.#lastUsed.set(stored.id, new Date().toISOString());
    return stored;
  }

  isValid(id: string): boolean {
    const stored = this.#byId.get(id);
    return stored !== undefined && !hasEnded(stored);
  }

  async refresh(): Promise<void> {}

  readonly #view = (stored: StoredToken): TokenView => viewOfToken(stored, this.#lastUsed.get(stored.id));

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
    this.#tokens = tokens;
    this.#byId = new Map([...tokens.values()].map((stored) => [stored.id, stored]));
    for (const id of this.#lastUsed.keys()) if (!this.#byId.has(id)) this.#lastUsed.delete(id);
  }
}
