import { idOf, isSameHash } from './secret.js';
import type { StoredToken } from './token-file.js';
import { hasEnded, tokenNotFound, viewOfToken } from './token-rules.js';
import type { TokenView } from './tokens.js';

/** The tokens that are in force, wherever they are kept, and when each was last used here. */
export class TokenSet {
  #byName: ReadonlyMap<string, StoredToken> = new Map();
  #byId: ReadonlyMap<string, StoredToken> = new Map();
  readonly #lastUsed = new Map<string, string>();

  get all(): ReadonlyMap<string, StoredToken> {
    return this.#byName;
  }

  replace(tokens: ReadonlyMap<string, StoredToken>): void {
    this.#byName = tokens;
    this.#byId = new Map([...tokens.values()].map((stored) => [stored.id, stored]));
    for (const id of this.#lastUsed.keys()) if (!this.#byId.has(id)) this.#lastUsed.delete(id);
  }

  /** By name. */
  list(): TokenView[] {
    return [...this.#byName.values()]
      .sort((left, right) => (left.name < right.name ? -1 : 1))
      .map((stored) => this.view(stored));
  }

  /** @throws NotFoundError TOKEN_NOT_FOUND */
  get(name: string): TokenView {
    const stored = this.#byName.get(name);
    if (stored === undefined) throw tokenNotFound(name);
    return this.view(stored);
  }

  view(stored: StoredToken): TokenView {
    return viewOfToken(stored, this.#lastUsed.get(stored.id));
  }

  hasId(id: string): boolean {
    return this.#byId.has(id);
  }

  /** The token with this secret, when there is one and it has not ended. `hash` is that of the whole token. */
  verify(token: string, hash: Buffer): StoredToken | undefined {
    const id = idOf(token);
    const stored = id === undefined ? undefined : this.#byId.get(id);
    if (stored === undefined || !isSameHash(stored.hash, hash) || hasEnded(stored)) return undefined;
    this.#lastUsed.set(stored.id, new Date().toISOString());
    return stored;
  }

  /** True while the token with this id is valid. */
  isValid(id: string): boolean {
    const stored = this.#byId.get(id);
    return stored !== undefined && !hasEnded(stored);
  }
}
