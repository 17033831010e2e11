import type { AccessProblem } from './file-problem.js';
import type { Scope } from './scopes.js';
import type { StoredToken } from './token-file.js';

/** A token as it is shown. */
export interface TokenView {
  readonly name: string;
  readonly id: string;
  readonly scope: Scope;
  readonly createdAt: string;
  readonly expiresAt: string | null;
  /** Since the start of this aggregator; null: not yet. */
  readonly lastUsedAt: string | null;
}

export interface TokenInput {
  readonly name: string;
  readonly scope: Scope;
  /** ISO 8601, UTC, in the future; undefined: it does not end by itself. */
  readonly expiresAt?: string | undefined;
}

/** The tokens that people made, wherever they are kept. */
export interface Tokens {
  /** Why they cannot be used, or a restart could not use them. */
  readonly problem: AccessProblem | undefined;
  /** By name. */
  list(): TokenView[];
  /** @throws NotFoundError TOKEN_NOT_FOUND */
  get(name: string): TokenView;
  /**
   * Makes a token; its secret is told here and nowhere else.
   * @throws InputError INVALID_NAME or INVALID_REQUEST; ConflictError TOKEN_CONFLICT or LIMIT_REACHED; StateError
   */
  create(input: TokenInput): Promise<{ view: TokenView; token: string }>;
  /** It is refused from now on. @throws NotFoundError TOKEN_NOT_FOUND; StateError */
  revoke(name: string): Promise<void>;
  /** The token with this secret, when there is one and it has not ended. `hash` is that of the whole token. */
  verify(token: string, hash: Buffer): StoredToken | undefined;
  /** True while the token with this id is valid. */
  isValid(id: string): boolean;
  /** Takes anew what somebody changed. */
  refresh(): Promise<void>;
}
