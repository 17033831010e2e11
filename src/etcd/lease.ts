import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientDuplexStream } from '@grpc/grpc-js';
import { messageOf } from '../errors.js';
import type { Logger } from '../log/log.js';
import type { EtcdClient } from './client.js';
import { EtcdError } from './etcd-error.js';
import type { LeaseResponse } from './protocol.js';

const retryMs = 500;

/**
 * A lease of this process, kept alive. By this process's own clock it is over when no keepalive was answered for its time
 * to live, whatever etcd may think: what is done under it must stop then. A lease that is over is replaced by a new one,
 * under which keys are to be written anew.
 */
export class Lease {
  readonly #client: EtcdClient;
  readonly #ttlSeconds: number;
  readonly #onGranted: (id: string) => void;
  readonly #log: Logger;
  readonly #onRefused: (error: unknown) => void;
  #id: string | undefined;
  /** By the monotonic clock: the lease holds at least until then, if etcd kept its word. */
  #validUntilMs = 0;
  #stream: ClientDuplexStream<{ readonly ID: string }, LeaseResponse> | undefined;
  #askedMs = 0;
  #isClosed = false;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param ttlSeconds how long it lasts without this process
   * @param onGranted told of each new lease: its keys are to be written
   * @param onRefused told of each time that etcd gave none
   */
  constructor(
    client: EtcdClient,
    ttlSeconds: number,
    onGranted: (id: string) => void,
    log: Logger,
    onRefused: (error: unknown) => void = () => undefined,
  ) {
    this.#client = client;
    this.#ttlSeconds = ttlSeconds;
    this.#onGranted = onGranted;
    this.#log = log;
    this.#onRefused = onRefused;
    void this.#grant();
  }

  /** Its id; undefined while there is none that holds. */
  get id(): string | undefined {
    return performance.now() < this.#validUntilMs ? this.#id : undefined;
  }

  /** Ends the lease, and with it the keys under it; waits for etcd as long as `limitMs`. */
  async close(limitMs: number): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.#drop();
    const id = this.#id;
    if (id !== undefined && performance.now() < this.#validUntilMs) {
      await this.#client.leaseRevoke(id, limitMs).catch(() => undefined);
    }
  }

  async #grant(): Promise<void> {
    while (!this.#isClosed) {
      const askedMs = performance.now();
      try {
        const { ID: id, TTL: ttl } = await this.#client.leaseGrant(this.#ttlSeconds, 3000);
        if (this.#isClosed) {
          await this.#client.leaseRevoke(id, 1000).catch(() => undefined);
          return;
        }
        this.#id = id;
        this.#validUntilMs = askedMs + Number(ttl) * 1000;
        clearInterval(this.#timer);
        this.#timer = setInterval(() => this.#beat(), (this.#ttlSeconds * 1000) / 4).unref();
        this.#onGranted(id);
        return;
      } catch (error) {
        this.#log.debug('etcd gives no lease', { error: messageOf(error) });
        this.#onRefused(error);
        await sleep(retryMs, undefined, { ref: false });
      }
    }
  }

  #beat(): void {
    const id = this.#id;
    if (this.#isClosed || id === undefined) return;
    if (performance.now() >= this.#validUntilMs) {
      this.#lost('no keepalive was answered in time');
      return;
    }
    const stream = this.#stream;
    if (stream === undefined) {
      void this.#open();
      return;
    }
    // A keepalive without an answer: this member is stuck, the next one is asked while the lease still holds.
    if (this.#askedMs > 0) {
      this.#client.next(this.#client.endpoint);
      this.#drop();
      void this.#open();
      return;
    }
    this.#ask(stream, id);
  }

  #ask(stream: ClientDuplexStream<{ readonly ID: string }, LeaseResponse>, id: string): void {
    this.#askedMs = performance.now();
    stream.write({ ID: id });
  }

  async #open(): Promise<void> {
    try {
      const stream = await this.#client.leaseKeepAlive();
      if (this.#isClosed || this.#stream !== undefined) {
        stream.on('error', () => undefined);
        stream.cancel();
        return;
      }
      this.#stream = stream;
      stream.on('data', ({ ID, TTL }: LeaseResponse) => {
        if (stream !== this.#stream || ID !== this.#id) return;
        const askedMs = this.#askedMs;
        this.#askedMs = 0;
        if (Number(TTL) <= 0) this.#lost('etcd ended the lease');
        else if (askedMs > 0) this.#validUntilMs = askedMs + Number(TTL) * 1000;
      });
      const ended = (error?: Error) => {
        if (stream !== this.#stream) return;
        this.#log.debug('the keepalive of the lease ended', {
          error: error === undefined ? undefined : EtcdError.of(error, this.#client.endpoint).message,
        });
        this.#client.next(this.#client.endpoint);
        this.#drop();
      };
      stream.on('error', ended);
      stream.on('end', () => ended());
      if (this.#id !== undefined) this.#ask(stream, this.#id);
    } catch (error) {
      this.#log.debug('no keepalive', { error: messageOf(error) });
    }
  }

  #lost(reason: string): void {
    this.#log.warn('the etcd lease of this node has expired; a new one is requested', { reason });
    this.#id = undefined;
    this.#validUntilMs = 0;
    clearInterval(this.#timer);
    this.#drop();
    void this.#grant();
  }

  #drop(): void {
    const stream = this.#stream;
    this.#stream = undefined;
    this.#askedMs = 0;
    stream?.on('error', () => undefined);
    stream?.cancel();
  }
}
