import { ConfigError } from '../errors.js';
import { parseJson } from '../json/strict-json.js';
import { isScope, type Scope } from './scopes.js';

/** A token as it is stored: never its secret. */
export interface StoredToken {
  readonly name: string;
  /** 12 hex digits, a part of the token itself. */
  readonly id: string;
  readonly scope: Scope;
  readonly hash: Buffer;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
  /** ISO 8601, UTC; undefined: it does not end by itself. */
  readonly expiresAt?: string | undefined;
}

/** The same rule as for the names of cameras. */
export const tokenNamePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

const timePattern = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?Z$/;

/** The text of `tokens.json`, in an order that does not depend on how it came about. */
export function encodeTokens(tokens: ReadonlyMap<string, StoredToken>): string {
  const sorted = [...tokens.values()].sort((left, right) => (left.name < right.name ? -1 : 1));
  const entries = sorted.map(({ name, id, scope, hash, createdAt, expiresAt }) => [
    name,
    { id, scope, sha256: hash.toString('hex'), createdAt, ...(expiresAt === undefined ? {} : { expiresAt }) },
  ]);
  return `${JSON.stringify({ version: 1, tokens: Object.fromEntries(entries) }, null, 2)}\n`;
}

/** @throws ConfigError ACCESS_UNREADABLE, which names file and entry */
export function decodeTokens(path: string, text: string): Map<string, StoredToken> {
  const wrong = (what: string) => new ConfigError('ACCESS_UNREADABLE', `${path} cannot be used: ${what}`);
  let content: unknown;
  try {
    content = parseJson(text, { maxDepth: 4 });
  } catch (error) {
    throw wrong(error instanceof Error ? error.message : 'it is no JSON');
  }
  const { version, tokens } = asRecord(content);
  if (version !== 1 || !isRecord(tokens)) throw wrong('it must hold "version": 1 and "tokens"');
  const result = new Map<string, StoredToken>();
  const ids = new Set<string>();
  for (const [name, value] of Object.entries(tokens)) {
    const { id, scope, sha256, createdAt, expiresAt } = asRecord(value);
    const isFine =
      tokenNamePattern.test(name) &&
      isScope(scope) &&
      isText(id, /^[0-9a-f]{12}$/) &&
      isText(sha256, /^[0-9a-f]{64}$/) &&
      isText(createdAt, timePattern) &&
      (expiresAt === undefined || isText(expiresAt, timePattern));
    // Whatever is wrong with one entry: it must not be taken for a token that allows more, or holds longer.
    if (!isFine || ids.has(id)) throw wrong(`the entry ${JSON.stringify(name.slice(0, 80))} is none of ours`);
    ids.add(id);
    result.set(name, { name, id, scope, hash: Buffer.from(sha256, 'hex'), createdAt, expiresAt });
  }
  return result;
}

function isText(value: unknown, pattern: RegExp): value is string {
  return typeof value === 'string' && pattern.test(value);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function asRecord(value: unknown): Record<string, unknown> {
  return isRecord(value) ? value : {};
}
