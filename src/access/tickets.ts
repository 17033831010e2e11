import { createHmac, randomBytes } from 'node:crypto';
import { isScope, type Scope } from './scopes.js';
import { isSameHash } from './secret.js';

/** What a ticket says; it is signed, and no secret. */
export interface Ticket {
  /** Who asked for it: a kind, and what ends it. See `Access`. */
  readonly parent: string;
  readonly name: string | null;
  readonly scope: Scope;
  /** Milliseconds since 1970, for show: the clock may be set meanwhile. */
  readonly expiresMs: number;
  /** When it ends, on the monotonic clock. */
  readonly endsMs: number;
}

const prefix = 'mas.';

/** Signs tickets by a key that ends with the process, so that none of them has to be remembered. */
export class Tickets {
  readonly #key = randomBytes(32);

  issue(ticket: Ticket): string {
    const { parent, name, scope, expiresMs, endsMs } = ticket;
    const payload = Buffer.from(JSON.stringify([parent, name, scope, expiresMs, endsMs])).toString('base64url');
    return `${prefix}${payload}.${this.#sign(payload).toString('base64url')}`;
  }

  /** What the ticket says; undefined when it is none of this process, or has expired. */
  verify(token: string): Ticket | undefined {
    const [, payload, mac] = /^mas\.([A-Za-z0-9_-]{1,700})\.([A-Za-z0-9_-]{43})$/.exec(token) ?? [];
    if (payload === undefined || mac === undefined) return undefined;
    if (!isSameHash(this.#sign(payload), Buffer.from(mac, 'base64url'))) return undefined;
    const content: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString());
    if (!Array.isArray(content)) return undefined;
    const [parent, name, scope, expiresMs, endsMs]: unknown[] = content;
    if (typeof parent !== 'string' || !isScope(scope) || typeof expiresMs !== 'number') return undefined;
    if (typeof endsMs !== 'number' || endsMs <= performance.now()) return undefined;
    return { parent, name: typeof name === 'string' ? name : null, scope, expiresMs, endsMs };
  }

  #sign(payload: string): Buffer {
    return createHmac('sha256', this.#key).update(payload).digest();
  }
}

/** True for what looks like a ticket, so that it is tried as nothing else. */
export function isTicket(token: string): boolean {
  return token.startsWith(prefix);
}
