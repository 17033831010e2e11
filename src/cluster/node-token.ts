import { createHmac, timingSafeEqual } from 'node:crypto';
import type { ClusterSecret } from './secret.js';

/** What one node may ask of another. */
export type NodeScope = 'read' | 'operate' | 'admin';

/** How long such a token is good: a call, and what clocks differ by. */
export const nodeTokenMs = 60_000;
/** Clocks of two nodes may differ by that. */
export const skewMs = 30_000;
const prefix = 'man.';
const scopes: ReadonlySet<unknown> = new Set<NodeScope>(['read', 'operate', 'admin']);

/** Who asks whom, and for what. */
export interface NodeToken {
  readonly from: string;
  readonly to: string;
  readonly scope: NodeScope;
  /** Milliseconds since 1970. */
  readonly expiresMs: number;
}

/** True for what looks like a token of a node, so that it is tried as nothing else. */
export function isNodeToken(token: string): boolean {
  return token.startsWith(prefix);
}

/**
 * The tokens with which the nodes of a cluster ask each other's API: `man.ID.PAYLOAD.MAC`, short-lived, for one node, and for
 * no more than a scope.
 */
export class NodeTokens {
  readonly #secret: ClusterSecret;
  /** Nodes of another prefix in the same etcd are another cluster, whatever their secret. */
  readonly #cluster: string;
  readonly #self: string;

  /** @param cluster what tells this cluster from others with the same secret: its prefix @param self the id of this node */
  constructor(secret: ClusterSecret, cluster: string, self: string) {
    this.#secret = secret;
    this.#cluster = cluster;
    this.#self = self;
  }

  /** A token of this node for another one. */
  issue(to: string, scope: NodeScope, nowMs = Date.now()): string {
    const payload = Buffer.from(JSON.stringify([this.#self, to, scope, nowMs + nodeTokenMs])).toString('base64url');
    const { id } = this.#secret;
    return `${prefix}${id}.${payload}.${this.#mac(this.#secret.keyFor('api'), payload).toString('base64url')}`;
  }

  /** What a token for this node says; else why it is not taken. */
  verify(token: string, nowMs = Date.now()): NodeToken | { readonly refusal: string } {
    const [, id, payload, mac] = /^man\.([0-9a-f]{8})\.([A-Za-z0-9_-]{1,400})\.([A-Za-z0-9_-]{43})$/.exec(token) ?? [];
    if (id === undefined || payload === undefined || mac === undefined) return { refusal: 'it is no token of a node' };
    const key = this.#secret.keyFor('api', id);
    if (key === undefined) return { refusal: 'it is of a node with another cluster secret' };
    if (!timingSafeEqual(this.#mac(key, payload), Buffer.from(mac, 'base64url'))) {
      return { refusal: 'it was not signed by a node of this cluster' };
    }
    // Signed by us: only a node of another version writes another shape.
    const content: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString());
    const [from, to, scope, expiresMs]: unknown[] = Array.isArray(content) ? content : [];
    if (typeof from !== 'string' || typeof to !== 'string' || typeof expiresMs !== 'number' || !isNodeScope(scope)) {
      return { refusal: 'it is of a node of another version' };
    }
    if (to !== this.#self) return { refusal: `it is for another node, ${to}` };
    if (expiresMs <= nowMs - skewMs)
      return { refusal: 'it has expired; if that lasts, compare the clocks of the nodes' };
    if (expiresMs > nowMs + nodeTokenMs + skewMs)
      return { refusal: 'it begins later than now; compare the clocks of the nodes' };
    return { from, to, scope, expiresMs };
  }

  #mac(key: Buffer, payload: string): Buffer {
    return createHmac('sha256', key)
      .update(JSON.stringify([this.#cluster, payload]))
      .digest();
  }
}

function isNodeScope(scope: unknown): scope is NodeScope {
  return scopes.has(scope);
}
