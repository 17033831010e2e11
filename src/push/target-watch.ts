import type { Socket } from 'node:net';
import { Dialer } from '../net/dialer.js';

interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly waiters: Set<() => void>;
  timer: NodeJS.Timeout;
}

/**
 * Notices that a target which refused connections listens again, long before the backoff of its pushes ends. It probes
 * each host and port with a bare TCP connection, however many pushes go there. A refusal costs the target's host one
 * packet, so probes can be frequent, while real attempts keep their exponential pauses.
 */
export class TargetWatch {
  readonly #endpoints = new Map<string, Endpoint>();
  readonly #everyMs: number;
  readonly #dialer: Dialer;

  /** @param everyMs pause between two probes of one endpoint, milliseconds */
  constructor(everyMs = 400, dialer = new Dialer()) {
    this.#everyMs = everyMs;
    this.#dialer = dialer;
  }

  /** Calls `onOpen` once, when the endpoint accepts TCP. Returns a function that cancels this. */
  watch(host: string, port: number, onOpen: () => void): () => void {
    const key = `${host} ${port}`;
    let endpoint = this.#endpoints.get(key);
    if (endpoint === undefined) {
      endpoint = { host, port, waiters: new Set(), timer: this.#later(key) };
      this.#endpoints.set(key, endpoint);
    }
    const { waiters } = endpoint;
    waiters.add(onOpen);
    return () => {
      waiters.delete(onOpen);
      if (waiters.size === 0) this.#forget(key, endpoint);
    };
  }

  #later(key: string): NodeJS.Timeout {
    return setTimeout(() => this.#knock(key), this.#everyMs * (0.75 + Math.random() / 2));
  }

  #forget(key: string, endpoint: Endpoint): void {
    if (this.#endpoints.get(key) !== endpoint) return;
    clearTimeout(endpoint.timer);
    this.#endpoints.delete(key);
  }

  #knock(key: string): void {
    const endpoint = this.#endpoints.get(key);
    if (endpoint === undefined) return;
    const patienceMs = Math.max(1000, this.#everyMs);
    let socket: Socket | null = null;
    const again = (): void => {
      socket?.destroy();
      if (this.#endpoints.get(key) === endpoint) endpoint.timer = this.#later(key);
    };
    try {
      socket = this.#dialer.knock(endpoint.host, endpoint.port, patienceMs);
    } catch {
      again(); // not allowed any more: its pushes find that out themselves
      return;
    }
    socket.setTimeout(patienceMs, again);
    socket.on('error', again);
    socket.on('connect', () => {
      socket?.destroy();
      this.#forget(key, endpoint);
      for (const onOpen of endpoint.waiters) onOpen();
    });
  }
}
