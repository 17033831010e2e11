import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  errors,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';
import { CodedError, ConfigError, messageOf } from '../errors.js';
import { parseJson } from '../json/strict-json.js';
import { readPrivate } from './private-file.js';
import { type Scope, scopes } from './scopes.js';

export interface JwtSettings {
  /** Where the identity provider has its keys: one of the two. */
  readonly jwksUrl?: string | undefined;
  readonly jwksFile?: string | undefined;
  /** What `iss` must be. */
  readonly issuer: string;
  /** What `aud` must be, or hold. */
  readonly audience: string;
  /** Where the scopes are: a claim, or a path of claims with dots (`realm_access.roles`). */
  readonly scopeClaim: string;
}

export interface JwtCaller {
  readonly name: string | null;
  readonly scope: Scope;
  /** Milliseconds since 1970. */
  readonly expiresMs: number;
}

/** Why a token lets nobody in, as the end of a sentence. */
export interface JwtRefusal {
  readonly refusal: string;
}

/**
 * Signatures by a private key only. With a shared secret (HS256) anyone who knows the provider's public key could sign,
 * and `none` signs nothing (RFC 8725 section 3.1).
 */
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];

/** How far the clocks of the provider and this machine may differ. */
const clockToleranceS = 30;
const fetchTimeoutMs = 5000;
/** After a failure the provider is not asked for this long, whatever tokens arrive. */
const failurePauseMs = 5000;
const maxJwksBytes = 1 << 20;
const maxTokenLength = 8192;

/** Judges tokens of an identity provider. */
export class JwtVerifier {
  readonly #settings: JwtSettings;
  readonly #keys: () => Promise<JWTVerifyGetKey>;

  private constructor(settings: JwtSettings, keys: () => Promise<JWTVerifyGetKey>) {
    this.#settings = settings;
    this.#keys = keys;
  }

  /**
   * A file of keys is read now, and again when it changed; a URL is asked when the first token comes.
   * @throws ConfigError IDENTITY_PROVIDER when the file cannot be used
   */
  static async open(settings: JwtSettings): Promise<JwtVerifier> {
    const { jwksUrl, jwksFile } = settings;
    if (jwksFile !== undefined) {
      const read = fileKeys(jwksFile);
      await read();
      return new JwtVerifier(settings, read);
    }
    if (jwksUrl === undefined) throw new Error('neither a URL nor a file of keys');
    const options = { timeoutDuration: fetchTimeoutMs, [customFetch]: boundedFetch() };
    const remote = createRemoteJWKSet(new URL(jwksUrl), options);
    return new JwtVerifier(settings, async () => remote);
  }

  /**
   * Who the token is for, or why it lets nobody in. What is wrong with its claims is told to none but those who have a
   * signature of the provider.
   * @throws CodedError IDENTITY_PROVIDER when the keys cannot be had
   */
  async verify(token: string): Promise<JwtCaller | JwtRefusal> {
    if (token.length > maxTokenLength) return { refusal: `the token has more than ${maxTokenLength} characters` };
    const { issuer, audience, scopeClaim } = this.#settings;
    const keys = await this.#keys();
    let payload: JWTPayload;
    try {
      const options = { algorithms, issuer, audience, clockTolerance: clockToleranceS, requiredClaims: ['exp'] };
      ({ payload } = await jwtVerify(token, saying(keys), options));
    } catch (error) {
      if (error instanceof CodedError) throw error;
      return { refusal: refusalOf(error) };
    }
    const odd = oddClaim(payload);
    if (odd !== undefined) return { refusal: `its claim "${odd.claim}" must be ${odd.rule}` };
    const scope = strongestOf(claimAt(payload, scopeClaim));
    if (scope === undefined) return { refusal: `its claim "${scopeClaim}" names no scope: read, operate or admin` };
    return { name: nameOf(payload), scope, expiresMs: (Number(payload.exp) + clockToleranceS) * 1000 };
  }
}

/** The keys, so that a failure to have them is not taken for a token that is not valid. */
function saying(keys: JWTVerifyGetKey): JWTVerifyGetKey {
  return async (header, token) => {
    try {
      return await keys(header, token);
    } catch (error) {
      const { JOSENotSupported, JWKSMultipleMatchingKeys, JWKSNoMatchingKey } = errors;
      const isOfToken = [JOSENotSupported, JWKSMultipleMatchingKeys, JWKSNoMatchingKey].some(
        (kind) => error instanceof kind,
      );
      if (isOfToken) throw error;
      const message = `the keys of the identity provider cannot be loaded: ${messageOf(error)}`;
      throw new CodedError('IDENTITY_PROVIDER', message, { cause: error });
    }
  };
}

/** The first claims are looked at by `jose`, once the signature is known to be right. */
function refusalOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'it has expired';
  if (error instanceof errors.JWTClaimValidationFailed) {
    const what = error.reason === 'missing' ? 'is missing' : 'is not as it must be';
    return `its claim "${shownClaim(error.claim)}" ${what}`;
  }
  return 'its form or its signature is not right';
}

const isText = (value: unknown): boolean => typeof value === 'string';
const isTextOrTexts = (value: unknown): boolean => isText(value) || (Array.isArray(value) && value.every(isText));
/** Seconds that a date can have: until the year 9999. */
const isTime = (value: unknown): boolean => typeof value === 'number' && value >= 0 && value <= 253_402_300_799;
const text = { is: isText, rule: 'a text' };
const time = { is: isTime, rule: 'a time in seconds since 1970' };

/** RFC 7519 section 4.1: the types of registered claims. Other claims are not read here. */
const claimRules: Readonly<Record<string, { is(value: unknown): boolean; rule: string }>> = {
  ...{ iss: text, sub: text, jti: text, preferred_username: text },
  ...{ exp: time, nbf: time, iat: time },
  aud: { is: isTextOrTexts, rule: 'a text or a list of texts' },
};

function oddClaim(payload: JWTPayload): { claim: string; rule: string } | undefined {
  for (const [claim, { is, rule }] of Object.entries(claimRules)) {
    if (Object.hasOwn(payload, claim) && !is(payload[claim])) return { claim, rule };
  }
  return undefined;
}

function shownClaim(claim: string): string {
  return claim.replace(/[^A-Za-z0-9_.:/-]/g, '?').slice(0, 40);
}

/** Controls, and what turns or hides text, are shown to people nowhere; so they are in no name. */
function nameOf({ sub, preferred_username: user }: JWTPayload): string | null {
  const name = typeof user === 'string' ? user : typeof sub === 'string' ? sub : undefined;
  return name === undefined
    ? null
    : [...name.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, '?')].slice(0, 100).join('');
}

function claimAt(payload: JWTPayload, path: string): unknown {
  // A claim may have dots in its own name: `https://example.org/scope`.
  if (Object.hasOwn(payload, path)) return payload[path];
  let value: unknown = payload;
  for (const part of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = Reflect.get(value, part);
  }
  return value;
}

/** Of a text with spaces (RFC 8693 section 4.2) or a list: the strongest of `read` or `media-aggregator:read` and so on. */
function strongestOf(claim: unknown): Scope | undefined {
  if (!isTextOrTexts(claim)) return undefined;
  const words: unknown[] = typeof claim === 'string' ? claim.split(' ') : Array.isArray(claim) ? claim : [];
  return scopes.findLast((scope) => words.includes(scope) || words.includes(`media-aggregator:${scope}`));
}

function fileKeys(path: string): () => Promise<JWTVerifyGetKey> {
  let mark: string | undefined;
  let keys: JWTVerifyGetKey | undefined;
  let checkedAtMs = Number.NEGATIVE_INFINITY;
  return async () => {
    // A flood of tokens must not cause a flood of reads.
    if (keys !== undefined && performance.now() - checkedAtMs < 2000) return keys;
    checkedAtMs = performance.now();
    try {
      const file = await readPrivate(path);
      if (file === undefined) throw new Error('there is no such file');
      if (keys === undefined || file.mark !== mark) {
        keys = createLocalJWKSet(asJwks(parseJson(file.text, { maxDepth: 8 })));
        mark = file.mark;
      }
      return keys;
    } catch (error) {
      if (keys !== undefined) return keys;
      const message = `${path} is not a key file (JWKS): ${messageOf(error)}`;
      throw new ConfigError('IDENTITY_PROVIDER', message, { cause: error, field: '--jwt-jwks-file' });
    }
  };
}

function asJwks(value: unknown): Parameters<typeof createLocalJWKSet>[0] {
  if (typeof value !== 'object' || value === null || !('keys' in value) || !Array.isArray(value.keys)) {
    throw new Error('it must hold {"keys": [...]}');
  }
  return { keys: value.keys };
}

/** Asks for the keys, takes no more than a file of keys can have, and leaves a provider that fails alone for a while. */
function boundedFetch(): (url: string, options: RequestInit) => Promise<Response> {
  let failedAtMs = Number.NEGATIVE_INFINITY;
  let failure = '';
  return async (url, options) => {
    if (performance.now() - failedAtMs < failurePauseMs) throw new Error(failure);
    try {
      const response = await fetch(url, options);
      const text = response.status === 200 ? await boundedText(response) : '';
      if (response.status !== 200) throw new Error(`${new URL(url).origin} answers ${response.status}`);
      return new Response(text, { status: 200, headers: { 'content-type': 'application/json' } });
    } catch (error) {
      failedAtMs = performance.now();
      const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : '';
      failure = `${messageOf(error)}${cause}`;
      throw new Error(failure, { cause: error });
    }
  };
}

async function boundedText(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  const reader = response.body?.getReader();
  for (;;) {
    const part = await reader?.read();
    if (part === undefined || part.done) return Buffer.concat(parts).toString('utf8');
    bytes += part.value.byteLength;
    if (bytes > maxJwksBytes) {
      await reader?.cancel();
      throw new Error(`the keys take more than ${maxJwksBytes} bytes`);
    }
    parts.push(part.value);
  }
}
