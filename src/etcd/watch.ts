import { performance } from 'node:perf_hooks';
import type { ClientDuplexStream } from '@grpc/grpc-js';
import { messageOf } from '../errors.js';
import type { Logger } from '../log/log.js';
import type { EtcdClient } from './client.js';
import { EtcdError } from './etcd-error.js';
import { prefixEnd, type WatchEvent, type WatchRequest, type WatchResponse } from './protocol.js';

/** A watch that said nothing for so long is asked for its progress. */
const quietMs = 2000;
/** And is given up when it is silent for this long then. */
const silentMs = 3000;
const retryMs = 300;

export interface WatchHandlers {
  /** All events of one revision or several, in order. `revision`: of the last of them. */
  events(events: readonly WatchEvent[], revision: number): void;
  /** The watch answers: now, at this revision of the cluster. */
  alive(clusterId: string, revision: number): void;
  /** It does not answer any more; another member is tried. Told for each attempt. */
  lost(reason: string): void;
  /** Events up to this revision are gone: read anew, then `resumeFrom`. */
  compacted(revision: number): void;
}

/**
 * Watches all keys of a prefix, from a revision on, without a gap: when the stream ends or is silent, it goes on at
 * another member with the revision that comes next. A watch that is silent is not trusted: it is asked for progress.
 */
export class PrefixWatch {
  readonly #client: EtcdClient;
  readonly #prefix: string;
  readonly #handlers: WatchHandlers;
  readonly #log: Logger;
  #next: number;
  #stream: ClientDuplexStream<WatchRequest, WatchResponse> | undefined;
  #heardMs = 0;
  #isAsked = false;
  #isClosed = false;
  #isOpening = false;
  readonly #timer: NodeJS.Timeout;

  /** @param revision the first revision that is told */
  constructor(client: EtcdClient, prefix: string, revision: number, handlers: WatchHandlers, log: Logger) {
    this.#client = client;
    this.#prefix = prefix;
    this.#next = revision;
    this.#handlers = handlers;
    this.#log = log;
    void this.#open();
    this.#timer = setInterval(() => this.#look(), 500).unref();
  }

  /** Ends the stream that is, and goes on at this revision. */
  resumeFrom(revision: number): void {
    this.#next = revision;
    this.#drop();
    void this.#open();
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.#drop();
  }

  async #open(): Promise<void> {
    // One that was resumed meanwhile is not opened a second time.
    if (this.#isClosed || this.#isOpening || this.#stream !== undefined) return;
    this.#isOpening = true;
    const endpoint = this.#client.endpoint;
    try {
      const stream = await this.#client.watch();
      if (this.#isClosed) {
        stream.cancel();
        return;
      }
      this.#stream = stream;
      this.#heardMs = performance.now();
      this.#isAsked = false;
      stream.on('data', (response: WatchResponse) => {
        if (stream === this.#stream) this.#take(response);
      });
      stream.on('error', (error) => this.#ended(stream, endpoint, EtcdError.of(error, endpoint).message));
      stream.on('end', () => this.#ended(stream, endpoint, `etcd at ${endpoint} ended the watch`));
      const key = Buffer.from(this.#prefix);
      stream.write({
        createRequest: { key, rangeEnd: prefixEnd(this.#prefix), startRevision: this.#next, progressNotify: true },
      });
    } catch (error) {
      this.#again(endpoint, messageOf(error));
    } finally {
      this.#isOpening = false;
    }
  }

  #take(response: WatchResponse): void {
    this.#heardMs = performance.now();
    this.#isAsked = false;
    const revision = Number(response.header.revision);
    if (response.canceled) {
      const compacted = Number(response.compactRevision);
      this.#drop();
      if (compacted > 0) this.#handlers.compacted(compacted);
      else this.#again(this.#client.endpoint, `etcd cancelled the watch: ${response.cancelReason}`);
      return;
    }
    if (response.events.length > 0) {
      // Of a progress report's revision etcd before 3.4.25 cannot be sure; that of an event is one.
      const last = Number(response.events.at(-1)!.kv.modRevision);
      this.#next = last + 1;
      this.#handlers.events(response.events, last);
    }
    this.#handlers.alive(response.header.clusterId, revision);
  }

  #look(): void {
    const stream = this.#stream;
    if (stream === undefined) return;
    const quietFor = performance.now() - this.#heardMs;
    if (quietFor > quietMs + silentMs) {
      const { endpoint } = this.#client;
      this.#ended(stream, endpoint, `etcd at ${endpoint} has not answered for ${Math.round(quietFor / 1000)} s`);
    } else if (quietFor > quietMs && !this.#isAsked) {
      this.#isAsked = true;
      stream.write({ progressRequest: {} });
    }
  }

  #ended(stream: ClientDuplexStream<WatchRequest, WatchResponse>, endpoint: string, reason: string): void {
    if (stream !== this.#stream) return;
    this.#drop();
    this.#again(endpoint, reason);
  }

  #again(endpoint: string, reason: string): void {
    if (this.#isClosed) return;
    this.#client.next(endpoint);
    this.#log.debug('the watch of the cluster ended', { reason, next: this.#client.endpoint });
    this.#handlers.lost(reason);
    setTimeout(() => void this.#open(), retryMs).unref();
  }

  #drop(): void {
    const stream = this.#stream;
    this.#stream = undefined;
    // Cancelling is an error of the stream too, which nobody waits for any more.
    stream?.on('error', () => undefined);
    stream?.cancel();
  }
}
