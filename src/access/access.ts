import { resolve } from 'node:path';
import { addressKey } from '../address/plain-address.js';
import { CodedError, messageOf } from '../errors.js';
import type { Logger } from '../log/log.js';
import { AdminToken, adminTokenFileName } from './admin-token.js';
import { type BrowserFacts, type BrowserRules, ownNamesOf, suspicionOf } from './browser.js';
import type { AccessProblem } from './file-problem.js';
import { type JwtRefusal, type JwtSettings, JwtVerifier } from './jwt.js';
import type { Manifest } from './manifest.js';
import { Networks } from './networks.js';
import { type RateLimit, RateLimiter } from './rate-limit.js';
import { type Scope, weakerScope } from './scopes.js';
import { hashOf } from './secret.js';
import { SharedTokenStore, type SharedTokens } from './shared-token-store.js';
import { isTicket, Tickets } from './tickets.js';
import { TokenStore, tokensFileName } from './token-store.js';
import type { Tokens } from './tokens.js';

export interface AccessSettings {
  readonly dataDir: string;
  readonly apiAuth: 'auto' | 'on' | 'off';
  /** Networks that need no token for the calls of the content manager. */
  readonly apiAllow?: readonly string[];
  readonly apiCorsOrigin?: readonly string[];
  readonly adminTokenFile?: string;
  readonly advertiseHost?: string;
  /** Further names that the API is called by. */
  readonly apiNames?: readonly string[];
  readonly jwtJwksUrl?: string;
  readonly jwtJwksFile?: string;
  readonly jwtIssuer?: string;
  readonly jwtAudience?: string;
  readonly jwtScopeClaim: string;
}

/**
 * How a call came in, as far as that is proved:
 * - `own-socket`: by the socket in the data folder, which only those can open who may read the folder's secrets;
 * - `own-user`: over loopback, from a program of the user that the aggregator runs as;
 * - `other-user`: over loopback, from a program of another user, or from one that the system does not show;
 * - `loopback`: over loopback; it was not asked whose program it is, since nothing depends on it;
 * - `network`: from another machine.
 */
export type CallWay = 'own-socket' | 'own-user' | 'other-user' | 'loopback' | 'network';

/** What a call tells of who makes it. */
export interface CallFacts extends BrowserFacts {
  readonly way: CallWay;
  /** That of the connection; empty where it has none. */
  readonly address: string;
  /** A header shows that a proxy is in between: the address is not the caller's. */
  readonly isProxied: boolean;
  /** What stands behind `Bearer`, or in `?token=`. */
  readonly token: string | undefined;
  /** True for the calls that `apiAllow` is about. */
  readonly takesAllowed: boolean;
}

/** Who makes a call, and what it may. */
export interface Caller {
  readonly kind: 'local' | 'allowed' | 'open' | 'admin-token' | 'token' | 'jwt' | 'ticket' | 'play-token' | 'node';
  readonly name: string | null;
  readonly scope: Scope;
  /** Milliseconds since 1970; undefined: it does not end by itself. */
  readonly expiresMs?: number;
  /** The same on the monotonic clock, where it does not end at an absolute time: this counts. */
  readonly endsMs?: number;
  /** What a ticket of this caller depends on. */
  readonly parent: string;
}

export interface IssuedTicket {
  readonly token: string;
  readonly scope: Scope;
  readonly expiresMs: number;
}

/** What the access to a node of a cluster has in common with the others. */
export interface SharedAccess {
  readonly peers: PeerTokens;
  readonly tokens: SharedTokens;
}

/** The short-lived tokens by which the nodes of a cluster ask each other. */
export interface PeerTokens {
  /** True for what looks like one, so that it is tried as nothing else. */
  isOne(token: string): boolean;
  verify(token: string): { from: string; scope: Scope; expiresMs: number } | { readonly refusal: string };
}

/** Wrong tokens: so many at once from one address, and then one for every few seconds. */
const failureLimit: RateLimit = { perSecond: 0.2, burst: 20 };
const local = { kind: 'local', name: null, parent: 'local' } as const;
const ticketMs = 3_600_000;
const refreshMs = 2000;
/** Hashes of recently accepted tokens, so that their holders are not limited because of others at the same address. */
const maxGoodHashes = 1000;

/** Decides who may call the API, and with which scope. */
export class Access {
  readonly tokens: Tokens;
  readonly #settings: AccessSettings;
  readonly #log: Logger;
  readonly #admin: AdminToken | undefined;
  readonly #jwt: JwtVerifier | undefined;
  readonly #peers: PeerTokens | undefined;
  readonly #rules: BrowserRules;
  readonly #allowed: Networks;
  readonly #tickets = new Tickets();
  readonly #failures = new RateLimiter(failureLimit);
  readonly #hints = new RateLimiter({ perSecond: 1 / 600, burst: 1 });
  readonly #good = new Set<string>();
  readonly #timer: NodeJS.Timeout;

  private constructor(
    settings: AccessSettings,
    log: Logger,
    parts: {
      tokens: Tokens;
      admin: AdminToken | undefined;
      jwt: JwtVerifier | undefined;
      peers: PeerTokens | undefined;
    },
  ) {
    this.#settings = settings;
    this.#log = log;
    this.tokens = parts.tokens;
    this.#admin = parts.admin;
    this.#jwt = parts.jwt;
    this.#peers = parts.peers;
    const { advertiseHost, apiNames = [], apiCorsOrigin = [], apiAllow = [] } = settings;
    this.#rules = {
      ownNames: ownNamesOf(advertiseHost, ...apiNames),
      origins: new Set(apiCorsOrigin.map((origin) => origin.toLowerCase())),
    };
    this.#allowed = new Networks(apiAllow);
    this.#timer = setInterval(() => void this.#refresh(), refreshMs).unref();
  }

  /**
   * Reads tokens and keys; makes the admin token at the first start.
   * @param manifest knows which files there were before
   * @param shared what the nodes of a cluster have in common: its tokens, and how they show who they are
   * @throws ConfigError ACCESS_UNREADABLE or IDENTITY_PROVIDER
   */
  static async open(
    settings: AccessSettings,
    log: Logger,
    manifest?: Manifest,
    shared?: SharedAccess,
  ): Promise<Access> {
    const { apiAuth, dataDir, adminTokenFile = resolve(dataDir, adminTokenFileName) } = settings;
    const admin = apiAuth === 'off' ? undefined : await AdminToken.open(resolve(adminTokenFile), log, manifest);
    const tokens =
      shared === undefined
        ? await TokenStore.open(resolve(dataDir, tokensFileName), log, manifest)
        : new SharedTokenStore(shared.tokens, log);
    const jwtSettings = jwtSettingsOf(settings);
    const jwt = jwtSettings === undefined ? undefined : await JwtVerifier.open(jwtSettings);
    if (apiAuth === 'off')
      log.warn('the API requires no token: anyone who can reach it may do everything (api-auth off)');
    return new Access(settings, log, { tokens, admin, jwt, peers: shared?.peers });
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** The file of the admin token, absolute; undefined: nobody is asked for one. */
  get adminTokenFile(): string | undefined {
    return this.#admin?.path;
  }

  /** Origins of pages that may use the API, lower case. */
  get origins(): ReadonlySet<string> {
    return this.#rules.origins;
  }

  /** True for calls that are counted: not those of this machine, nor of other nodes, which count their own callers. */
  isCounted({ way, isProxied, token }: Pick<CallFacts, 'way' | 'isProxied' | 'token'>): boolean {
    if (!isProxied && way !== 'network' && way !== 'other-user') return false;
    return token === undefined || this.#peers?.isOne(token) !== true || 'refusal' in this.#peers.verify(token);
  }

  /**
   * Who makes the call. A token that is sent must be valid, even where none is required.
   * @throws CodedError UNAUTHENTICATED, CROSS_SITE or IDENTITY_PROVIDER; RateLimitedError
   */
  async identify(call: CallFacts): Promise<Caller> {
    const { apiAuth } = this.#settings;
    if (apiAuth === 'off') return this.#unsuspected(call, { kind: 'open', name: null, scope: 'admin', parent: 'open' });
    if (call.token !== undefined) return this.#byToken(call, call.token);
    if (!call.isProxied) {
      // Who may open the socket may read the admin token too, and needs none whatever api-auth says. No browser can.
      if (call.way === 'own-socket') return { ...local, scope: 'admin' };
      // A silent proxy of the same user cannot be told from its user. So scopes above `operate` are never granted over
      // TCP without a token.
      if (apiAuth === 'auto' && call.way === 'own-user') {
        return this.#unsuspected(call, { ...local, scope: 'operate' });
      }
    }
    if (call.takesAllowed && !call.isProxied && this.#allowed.has(call.address)) {
      return this.#unsuspected(call, { kind: 'allowed', name: call.address, scope: 'operate', parent: 'allowed' });
    }
    this.#hint(call);
    const hint =
      apiAuth === 'auto' && call.way === 'other-user'
        ? '. On this machine, programs of the user that the aggregator runs as need none'
        : '';
    const message =
      'the call needs a token: send the header "authorization: Bearer TOKEN"; ' +
      `"media-aggregator token create NAME" makes one where the aggregator runs${hint}`;
    throw new CodedError('UNAUTHENTICATED', message);
  }

  /** False once what a caller showed has ended, was revoked or was replaced. */
  isStillValid({ parent, expiresMs, endsMs }: Caller): boolean {
    const isOver =
      endsMs === undefined ? expiresMs !== undefined && expiresMs <= Date.now() : endsMs <= performance.now();
    return !isOver && this.#isParentValid(parent);
  }

  /** A ticket for addresses of this caller: it reads only, and holds for an hour at most. */
  issueTicket(caller: Caller): IssuedTicket {
    const scope = weakerScope(caller.scope, 'read');
    const nowMs = Date.now();
    const callerLeftMs =
      caller.endsMs === undefined
        ? (caller.expiresMs ?? Number.POSITIVE_INFINITY) - nowMs
        : caller.endsMs - performance.now();
    const leftMs = Math.min(ticketMs, callerLeftMs);
    const [expiresMs, endsMs] = [nowMs + leftMs, performance.now() + leftMs];
    const token = this.#tickets.issue({ parent: caller.parent, name: caller.name, scope, expiresMs, endsMs });
    return { token, scope, expiresMs };
  }

  #unsuspected(call: CallFacts, caller: Caller): Caller {
    // With `off` and `api-allow`, callers come from other machines; pages of other sites are refused even so.
    const suspicion = suspicionOf(call, this.#rules, caller.kind === 'local' ? 'local' : 'network');
    if (suspicion === undefined) return caller;
    const wayOut = caller.kind === 'open' ? '' : '. With a token it is let in';
    throw new CodedError('CROSS_SITE', `the call is refused: ${suspicion}${wayOut}`);
  }

  async #byToken(call: CallFacts, token: string): Promise<Caller> {
    const key = addressKey(call.address);
    const hash = hashOf(token);
    // Each is a new one, and none can be guessed: nodes are not kept out for what others at their address tried.
    const node = this.#peers?.isOne(token) === true ? this.#byPeer(token, this.#peers) : undefined;
    if (node !== undefined && !('refusal' in node)) return node;
    const waitMs = this.#failures.peek(key);
    // Not even checked, unless it was accepted recently: guessing must not continue behind the answer 429.
    if (waitMs > 0 && !this.#good.has(hash.toString('hex'))) throw new RateLimitedError(waitMs);
    const caller = node ?? (await this.#holderOf(token, hash));
    if (caller === undefined || 'refusal' in caller) {
      this.#failures.take(key);
      if (this.#hints.take(`wrong ${key}`) === 0) {
        const why = caller === undefined ? {} : { reason: caller.refusal };
        this.#log.warn('a call has a token that is not valid', { address: call.address, ...why });
      }
      const why = caller?.refusal ?? 'it is unknown, was revoked, or has expired';
      throw new CodedError('UNAUTHENTICATED', `the token is not valid: ${why}`);
    }
    this.#rememberGood(hash.toString('hex'));
    return caller;
  }

  async #holderOf(token: string, hash: Buffer): Promise<Caller | JwtRefusal | undefined> {
    if (isTicket(token)) return this.#byTicket(token);
    if (this.#admin?.matches(hash) === true) {
      const parent = `admin ${this.#admin.fingerprint}`;
      return { kind: 'admin-token', name: 'admin-token', scope: 'admin', parent };
    }
    const stored = this.tokens.verify(token, hash);
    if (stored !== undefined) {
      const { name, scope, id, expiresAt } = stored;
      const end = expiresAt === undefined ? {} : { expiresMs: Date.parse(expiresAt) };
      return { kind: 'token', name, scope, ...end, parent: `token ${id}` };
    }
    if (this.#jwt === undefined || token.split('.').length !== 3) return undefined;
    const jwt = await this.#jwt.verify(token);
    return 'refusal' in jwt ? jwt : { kind: 'jwt', ...jwt, parent: 'jwt' };
  }

  #byPeer(token: string, peers: PeerTokens): Caller | JwtRefusal {
    const found = peers.verify(token);
    if ('refusal' in found) return found;
    const { from, scope, expiresMs } = found;
    return { kind: 'node', name: from, scope, expiresMs, parent: 'node' };
  }

  #byTicket(token: string): Caller | undefined {
    const ticket = this.#tickets.verify(token);
    if (ticket === undefined || !this.#isParentValid(ticket.parent)) return undefined;
    const { name, scope, expiresMs, endsMs, parent } = ticket;
    return { kind: 'ticket', name, scope, expiresMs, endsMs, parent };
  }

  #isParentValid(parent: string): boolean {
    const [kind, id = ''] = parent.split(' ');
    if (kind === 'token') return this.tokens.isValid(id);
    if (kind === 'admin') return id !== '' && id === this.#admin?.fingerprint;
    return true;
  }

  #rememberGood(hash: string): void {
    this.#good.delete(hash);
    this.#good.add(hash);
    if (this.#good.size <= maxGoodHashes) return;
    const [oldest] = this.#good;
    if (oldest !== undefined) this.#good.delete(oldest);
  }

  /** Logs now and then for each address what would let it in. The caller itself is told less. */
  #hint({ address, way, isProxied, takesAllowed }: CallFacts): void {
    if (this.#hints.take(`none ${takesAllowed} ${addressKey(address)}`) > 0) return;
    const ofAnother = way === 'other-user' ? '; it came from a program of another user of this machine' : '';
    const proxied = isProxied ? '; it came through a proxy' : ofAnother;
    // Not for this machine's own address: whoever a silent proxy speaks for would come by it.
    const allow = takesAllowed && way === 'network' && !isProxied ? `, or start with --api-allow ${address}` : '';
    this.#log.warn(
      `refused a call without a token${proxied}; create one with "media-aggregator token create"${allow}`,
      {
        address,
      },
    );
  }

  /** What is wrong with the files of the tokens. */
  get problems(): readonly AccessProblem[] {
    return [this.#admin?.problem, this.tokens.problem].filter((problem) => problem !== undefined);
  }

  async #refresh(): Promise<void> {
    try {
      await this.#admin?.refresh();
      await this.tokens.refresh();
    } catch (error) {
      this.#log.warn('the token files cannot be checked for changes', { error: messageOf(error) });
    }
  }
}

/** Too much came from one address. */
export class RateLimitedError extends CodedError {
  readonly retryAfterMs: number;

  /** @param message what came too much, and what to do; without it, that it was too much */
  constructor(
    retryAfterMs: number,
    message = 'too many calls came from this address; wait as long as "retry-after" says',
  ) {
    super('RATE_LIMITED', message);
    this.retryAfterMs = retryAfterMs;
  }
}

function jwtSettingsOf(settings: AccessSettings): JwtSettings | undefined {
  const { jwtJwksUrl, jwtJwksFile, jwtIssuer, jwtAudience, jwtScopeClaim } = settings;
  if (jwtIssuer === undefined || jwtAudience === undefined) return undefined;
  if (jwtJwksUrl === undefined && jwtJwksFile === undefined) return undefined;
  return {
    jwksUrl: jwtJwksUrl,
    jwksFile: jwtJwksFile,
    issuer: jwtIssuer,
    audience: jwtAudience,
    scopeClaim: jwtScopeClaim,
  };
}
