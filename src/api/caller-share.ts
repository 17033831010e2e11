import type { FastifyRequest } from 'fastify';
import type { Caller } from '../access/access.js';
import { addressKey } from '../address/plain-address.js';

/** Callers that cannot be told apart. */
const nameless: ReadonlySet<Caller['kind']> = new Set(['local', 'allowed', 'open', 'play-token']);

/**
 * What shares of a caller are counted by: its address (IPv6: its network of 64 bits) and the token that it showed. So
 * callers who come through one proxy are told apart where they have tokens of their own, and nobody gets more by making
 * tickets, which count as the token that they come from.
 */
export function shareOf({ caller, raw }: Pick<FastifyRequest, 'caller' | 'raw'>): string {
  const address = addressKey(raw.socket.remoteAddress ?? '');
  if (caller === null || nameless.has(caller.kind)) return address;
  return `${address} ${caller.parent} ${caller.name ?? ''}`;
}
