import {
  type ChannelCredentials,
  Client,
  type ClientDuplexStream,
  credentials,
  logVerbosity,
  Metadata,
  setLogVerbosity,
  status,
} from '@grpc/grpc-js';
import { messageOf } from '../errors.js';
import { EtcdError } from './etcd-error.js';
import {
  type LeaseResponse,
  type MemberStatus,
  type Method,
  methods,
  type RangeRequest,
  type RangeResponse,
  type TxnRequest,
  type TxnResponse,
  type WatchRequest,
  type WatchResponse,
} from './protocol.js';

/** Which etcd, and as whom. */
export interface EtcdAccess {
  /** HOST:PORT of the members, one at least. */
  readonly endpoints: readonly string[];
  /** PEM texts. Undefined: no TLS. */
  readonly tls?: {
    readonly ca?: Buffer | undefined;
    readonly cert?: Buffer | undefined;
    readonly key?: Buffer | undefined;
  };
  readonly user?: { readonly name: string; readonly password: string };
}

/** A stuck member answers no ping; etcd refuses clients that ping more often than every 5 s. */
const pingMs = 6000;
const pingTimeoutMs = 2000;
/** All of a state that is read in one page, or told in one piece by a watch. */
const maxMessageBytes = 64 * 1024 * 1024;

const channelOptions = {
  'grpc.keepalive_time_ms': pingMs,
  'grpc.keepalive_timeout_ms': pingTimeoutMs,
  'grpc.keepalive_permit_without_calls': 1,
  'grpc.max_receive_message_length': maxMessageBytes,
  'grpc.initial_reconnect_backoff_ms': 200,
  'grpc.max_reconnect_backoff_ms': 2000,
  // What other programs set for HTTP is nothing for the connections of a cluster.
  'grpc.enable_http_proxy': 0,
  'grpc.service_config_disable_resolution': 1,
};

/**
 * Talks to the members of one etcd cluster, to one at a time: the next one is taken when the current one does not answer.
 * Every call has a deadline.
 */
export class EtcdClient {
  readonly endpoints: readonly string[];
  readonly #clients: readonly Client[];
  readonly #user: EtcdAccess['user'];
  #current = 0;
  #token: string | undefined;

  constructor({ endpoints, tls, user }: EtcdAccess) {
    // It writes lines of its own to stderr, which are none of the log's.
    setLogVerbosity(logVerbosity.NONE);
    const secured: ChannelCredentials =
      tls === undefined ? credentials.createInsecure() : credentials.createSsl(tls.ca, tls.key, tls.cert);
    this.endpoints = endpoints;
    this.#clients = endpoints.map((endpoint) => new Client(endpoint, secured, channelOptions));
    this.#user = user;
  }

  /** The member that is asked now: HOST:PORT. */
  get endpoint(): string {
    return this.endpoints[this.#current]!;
  }

  /** Reads keys, as a majority has them. Other members are asked until the deadline. @throws EtcdError */
  range(request: RangeRequest, deadlineMs: number): Promise<RangeResponse> {
    return this.#asking(methods.range, request, deadlineMs);
  }

  /**
   * One transaction. It is sent once: other members are asked only where it surely was not sent.
   * @throws EtcdError whose `isUncertain` tells whether it may have been carried out
   */
  txn(request: TxnRequest, deadlineMs: number): Promise<TxnResponse> {
    return this.#asking(
      methods.txn,
      request,
      deadlineMs,
      ({ isUnanswered, isUncertain }) => isUnanswered && !isUncertain,
    );
  }

  /**
   * Whether a transaction that writes this key would be carried out: one that is as expensive, and changes nothing. etcd refuses who
   * may not write, and all when it is full, before it compares.
   * @throws EtcdError
   */
  async tryWrite(key: Buffer, deadlineMs: number): Promise<void> {
    const compare = [{ result: 'LESS', target: 'CREATE', key, createRevision: 0 } as const];
    await this.txn({ compare, success: [{ requestPut: { key, value: Buffer.from('{}') } }], failure: [] }, deadlineMs);
  }

  /** What one member says of itself: the one that is asked now, or the next one that answers. @throws EtcdError */
  status(deadlineMs: number): Promise<MemberStatus> {
    return this.#asking(methods.status, {}, deadlineMs);
  }

  /** A lease that lasts this long without being kept alive, seconds. @throws EtcdError */
  leaseGrant(ttlSeconds: number, deadlineMs: number): Promise<LeaseResponse> {
    return this.#asking(methods.leaseGrant, { TTL: ttlSeconds }, deadlineMs);
  }

  /** Ends a lease, and the keys under it. @throws EtcdError */
  async leaseRevoke(id: string, deadlineMs: number): Promise<void> {
    await this.#asking(methods.leaseRevoke, { ID: id }, deadlineMs);
  }

  /** How long a lease lasts if nobody keeps it alive, whole seconds; negative: it is over. @throws EtcdError */
  async leaseTimeToLive(id: string, deadlineMs: number): Promise<number> {
    return Number((await this.#asking(methods.leaseTimeToLive, { ID: id }, deadlineMs)).TTL);
  }

  /** A stream of watches. @throws EtcdError when it cannot be opened for want of a token */
  async watch(): Promise<ClientDuplexStream<WatchRequest, WatchResponse>> {
    const metadata = await this.#metadata(performance.now() + 5000);
    // A member that lost its cluster ends the watch then, instead of being silent.
    metadata.set('hasleader', 'true');
    return this.#stream(methods.watch, metadata);
  }

  /** A stream that keeps leases alive. @throws EtcdError when it cannot be opened for want of a token */
  async leaseKeepAlive(): Promise<ClientDuplexStream<{ readonly ID: string }, LeaseResponse>> {
    const metadata = await this.#metadata(performance.now() + 5000);
    metadata.set('hasleader', 'true');
    return this.#stream(methods.leaseKeepAlive, metadata);
  }

  /** Takes the next member, unless somebody else did already. */
  next(failed: string): void {
    if (this.endpoint === failed) this.#current = (this.#current + 1) % this.endpoints.length;
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }

  #stream<Request, Response>(
    { path, requestSerialize, responseDeserialize }: Method<Request, Response>,
    metadata: Metadata,
  ): ClientDuplexStream<Request, Response> {
    return this.#clients[this.#current]!.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata);
  }

  /** Asks one member after the other until the deadline. @param isWorthAnother whether a failed call may be made again */
  async #asking<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    deadlineMs: number,
    isWorthAnother: (error: EtcdError) => boolean = ({ isUnanswered }) => isUnanswered,
  ): Promise<Response> {
    const until = performance.now() + deadlineMs;
    // A member that accepts and is silent must not take all the time there is.
    const shareMs = Math.max(1000, deadlineMs / this.endpoints.length);
    /** By member: the last failure that says more than that the time was over, as it is when a connection is tried anew. */
    const telling = new Map<string, EtcdError>();
    for (let attempt = 1; ; attempt += 1) {
      const endpoint = this.endpoint;
      try {
        return await this.#once(method, request, Math.min(until, performance.now() + shareMs));
      } catch (error) {
        if (!(error instanceof EtcdError)) throw error;
        if (error.status !== status.DEADLINE_EXCEEDED) telling.set(endpoint, error);
        if (!isWorthAnother(error)) throw error.saying(telling.get(endpoint));
        this.next(endpoint);
        const leftMs = until - performance.now();
        if (leftMs < 50) throw error.saying(telling.get(endpoint));
        // After a round in vain: members that refuse at once are not asked in a loop.
        if (attempt % this.endpoints.length === 0)
          await new Promise((resolve) => setTimeout(resolve, Math.min(200, leftMs)));
      }
    }
  }

  async #once<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    until: number,
    isRetry = false,
  ): Promise<Response> {
    const metadata = await this.#metadata(until);
    try {
      return await this.#send(method, request, metadata, until);
    } catch (error) {
      // A token ends when it was not used for a while, and with the member that gave it. Nothing was carried out.
      if (
        !isRetry &&
        error instanceof EtcdError &&
        error.status === status.UNAUTHENTICATED &&
        this.#user !== undefined
      ) {
        this.#token = undefined;
        return await this.#once(method, request, until, true);
      }
      throw error;
    }
  }

  async #metadata(until: number): Promise<Metadata> {
    const metadata = new Metadata();
    if (this.#user === undefined) return metadata;
    this.#token ??= (await this.#send(methods.authenticate, this.#user, new Metadata(), until)).token;
    metadata.set('token', this.#token);
    return metadata;
  }

  #send<Request, Response>(
    { path, requestSerialize, responseDeserialize }: Method<Request, Response>,
    request: Request,
    metadata: Metadata,
    until: number,
  ): Promise<Response> {
    const { endpoint } = this;
    const client = this.#clients[this.#current]!;
    const leftMs = Math.max(1, until - performance.now());
    return new Promise((resolve, reject) => {
      client.makeUnaryRequest<Request, Response>(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        metadata,
        { deadline: new Date(Date.now() + leftMs) },
        (error, response) => {
          if (error === null && response !== undefined) resolve(response);
          else reject(EtcdError.of(error ?? new Error(messageOf(error)), endpoint));
        },
      );
    });
  }
}
