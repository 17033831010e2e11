import type { Socket } from 'node:net';
import { addressKey, isLoopbackAddress } from '../address/plain-address.js';

export interface ConnectionLimits {
  /** From other machines, in all. What is left of the server's own limit is for this machine. */
  readonly fromElsewhere: number;
  /** From one of them: an IPv4 address, or a network of IPv6. */
  readonly fromOne: number;
}

/**
 * Limits connections of the API, so that neither one address takes all of them, nor other machines those for this one.
 */
export class ConnectionShares {
  readonly #limits: ConnectionLimits;
  readonly #open = new Map<string, number>();
  /** A connection that a WebSocket was asked on, and not granted, is announced anew. */
  readonly #known = new WeakSet<Socket>();
  #elsewhere = 0;

  constructor(limits: ConnectionLimits) {
    this.#limits = limits;
  }

  /** For `connection` of a server: ends a connection that is one too many. */
  readonly admit = (socket: Socket): void => {
    const { remoteAddress } = socket;
    if (remoteAddress === undefined || isLoopbackAddress(remoteAddress) || this.#known.has(socket)) return;
    const key = addressKey(remoteAddress);
    const ofIt = this.#open.get(key) ?? 0;
    if (this.#elsewhere >= this.#limits.fromElsewhere || ofIt >= this.#limits.fromOne) {
      socket.destroy();
      return;
    }
    this.#known.add(socket);
    this.#elsewhere++;
    this.#open.set(key, ofIt + 1);
    socket.once('close', () => this.#leave(key));
  };

  #leave(key: string): void {
    this.#elsewhere--;
    const left = (this.#open.get(key) ?? 1) - 1;
    if (left > 0) this.#open.set(key, left);
    else this.#open.delete(key);
  }
}
