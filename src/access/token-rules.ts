import { ConflictError, InputError, NotFoundError } from '../errors.js';
import { hashOf, newSecret } from './secret.js';
import { type StoredToken, tokenNamePattern } from './token-file.js';
import type { TokenInput, TokenView } from './tokens.js';

/* What holds for tokens wherever they are kept. */

const maxTokens = 1000;

/** A new token with its secret, which is told once. @throws InputError INVALID_NAME or INVALID_REQUEST */
export function newToken({ name, scope, expiresAt }: TokenInput): { stored: StoredToken; token: string } {
  if (!tokenNamePattern.test(name)) {
    const rule = 'a name begins with a letter or digit and has at most 64 letters, digits, ".", "_" and "-"';
    throw new InputError('INVALID_NAME', `name: ${rule}`, { field: 'name' });
  }
  if (expiresAt !== undefined && !(Date.parse(expiresAt) > Date.now())) {
    throw new InputError('INVALID_REQUEST', `expiresAt: ${expiresAt} is not a time in the future`, {
      field: 'expiresAt',
    });
  }
  const { id, token } = newSecret();
  const createdAt = new Date().toISOString();
  return { stored: { name, id, scope, hash: hashOf(token), createdAt, expiresAt }, token };
}

/** @throws ConflictError LIMIT_REACHED when there can be no more */
export function tooManyTokens(count: number): void {
  if (count < maxTokens) return;
  throw new ConflictError('LIMIT_REACHED', `there are ${maxTokens} tokens, which is the limit; revoke some`);
}

export function tokenConflict(name: string): ConflictError {
  const message = `there is a token "${name}"; its secret was shown only once: revoke it, or use another name`;
  return new ConflictError('TOKEN_CONFLICT', message, { field: 'name' });
}

export function tokenNotFound(name: string): NotFoundError {
  const message = `there is no token ${JSON.stringify(name.slice(0, 80))}`;
  return new NotFoundError('TOKEN_NOT_FOUND', message, { field: 'name' });
}

export function hasEnded({ expiresAt }: StoredToken): boolean {
  return expiresAt !== undefined && Date.parse(expiresAt) <= Date.now();
}

/** @param lastUsedAt undefined: not since this aggregator runs */
export function viewOfToken({ name, id, scope, createdAt, expiresAt }: StoredToken, lastUsedAt?: string): TokenView {
  return { name, id, scope, createdAt, expiresAt: expiresAt ?? null, lastUsedAt: lastUsedAt ?? null };
}
