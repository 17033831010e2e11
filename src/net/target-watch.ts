import { connect } from 'node:net';

interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly waiters: Set<() => void>;
  timer: NodeJS.Timeout;
}

/**
 * Notices that a target which refused connections listens again, long before the backoff of its pushes ends: one knock
 * (a bare TCP connect) for each host and port, however many pushes go there. A refusal costs the target's host one
 * packet, so this can be often, while real attempts keep their exponential pace.
 */
export class TargetWatch {
  readonly #endpoints = new Map<string, Endpoint>();
  readonly #everyMs: number;

  /** @param everyMs pause between two knocks at one endpoint, milliseconds */
  constructor(everyMs = 400) {
    this.#everyMs = everyMs;
  }

  /** Calls `onOpen` once, when the endpoint accepts TCP. Returns the way to call it off. */
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
    const socket = connect({ host: endpoint.host, port: endpoint.port });
    const again = (): void => {
      socket.destroy();
      if (this.#endpoints.get(key) === endpoint) endpoint.timer = this.#later(key);
    };
    socket.setTimeout(Math.max(1000, this.#everyMs), again);
    socket.on('error', again);
    socket.on('connect', () => {
      socket.destroy();
      this.#forget(key, endpoint);
      for (const onOpen of endpoint.waiters) onOpen();
    });
  }
}
