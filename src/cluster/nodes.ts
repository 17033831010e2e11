import { connect } from 'node:net';
import { StateError } from '../errors.js';
import type { EtcdClient } from '../etcd/client.js';
import { EtcdError } from '../etcd/etcd-error.js';
import { Lease } from '../etcd/lease.js';
import { prefixEnd, type WatchEvent } from '../etcd/protocol.js';
import { PrefixWatch } from '../etcd/watch.js';
import type { Logger } from '../log/log.js';
import { type ClusterNode, NodeRecords, type UnsignedNode } from './node-record.js';
import type { ClusterSecret } from './secret.js';

const callMs = 3000;
/** How long a node with the id of this one may take to accept a connection. */
const probeMs = 1000;
/** How soon this node's own entry is put right; two nodes of one name shall not busy etcd with it. */
const repairMs = 2000;
/** Of more nodes than that something is wrong with the prefix. */
const maxNodes = 5000;

export interface NodesOptions {
  readonly client: EtcdClient;
  /** Ends with "/". */
  readonly prefix: string;
  readonly self: UnsignedNode;
  /** By which nodes prove that they belong to the cluster. */
  readonly secret: ClusterSecret;
  /** Milliseconds without a sign of life after which a node is gone. */
  readonly leaseMs: number;
  readonly log: Logger;
}

/**
 * The nodes of the cluster that live: each writes its key under a lease, and all watch them. A node that dies is gone from
 * the list when its lease is over.
 */
export class ClusterNodes {
  readonly #options: NodesOptions;
  readonly #prefix: string;
  readonly #records: NodeRecords;
  readonly #nodes = new Map<string, ClusterNode>();
  readonly #listeners = new Set<() => void>();
  readonly #leaseListeners = new Set<() => void>();
  #self: ClusterNode;
  /** `all`, until the next change. */
  #sorted: readonly ClusterNode[] | undefined;
  #lease: Lease | undefined;
  #watch: PrefixWatch | undefined;
  #clusterId = '';
  #revision = 0;
  #isReading = false;
  #isClosed = false;
  /** The lease under which this node's key was written last. */
  #writtenUnder: string | undefined;
  #writing: Promise<void> | undefined;
  #isChanged = false;
  #repair: NodeJS.Timeout | undefined;
  /** What etcd said last of this node. */
  #seenText: string | undefined;

  constructor(options: NodesOptions) {
    this.#options = options;
    this.#prefix = `${options.prefix}nodes/`;
    this.#records = new NodeRecords(options.secret, options.prefix);
    this.#self = this.#records.signed(options.self);
    this.#nodes.set(options.self.id, this.#self);
  }

  /**
   * Joins the others; without etcd, as soon as it answers.
   * @param isAway true when etcd is known not to answer: it is not waited for
   * @throws StateError NODE_ID_TAKEN when another node that lives has this id
   */
  async start(isAway: boolean): Promise<void> {
    try {
      if (!isAway) await this.#refuseTaken();
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
    }
    const { client, leaseMs, log } = this.#options;
    this.#lease = new Lease(client, Math.ceil(leaseMs / 1000), (id) => void this.#granted(id), log);
    if (isAway) void this.#readAgain();
    else await this.#read().catch(() => void this.#readAgain());
  }

  get self(): ClusterNode {
    return this.#self;
  }

  /** All that live, this one among them, by id. */
  get all(): readonly ClusterNode[] {
    this.#sorted ??= [...this.#nodes.values()].sort((left, right) => (left.id < right.id ? -1 : 1));
    return this.#sorted;
  }

  /** The lease of this node, under which it may claim things; undefined while there is none. */
  get leaseId(): string | undefined {
    const id = this.#lease?.id;
    return id === this.#writtenUnder ? id : undefined;
  }

  /** Called after each change of the list. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** Called after each new lease: what was under the one before is gone. */
  onLease(listener: () => void): void {
    this.#leaseListeners.add(listener);
  }

  /** Tells the others what changed of this node. */
  async tell(change: Partial<Omit<ClusterNode, 'id'>>): Promise<void> {
    const next = this.#records.signed({ ...this.#self, ...change });
    if (JSON.stringify(next) === JSON.stringify(this.#self)) return;
    this.#self = next;
    this.#nodes.set(next.id, next);
    this.#sorted = undefined;
    const id = this.#lease?.id;
    if (id !== undefined) await this.#write(id);
  }

  /** Leaves: the others see it at once. */
  async close(limitMs: number): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#repair);
    this.#watch?.close();
    await this.#lease?.close(limitMs);
  }

  get #key(): Buffer {
    return Buffer.from(`${this.#prefix}${this.#self.id}`);
  }

  async #refuseTaken(): Promise<void> {
    const { kvs } = await this.#options.client.range({ key: this.#key }, callMs);
    const found = kvs[0];
    const other = found === undefined ? undefined : this.#nodeIn(this.#self.id, found.value);
    if (found === undefined || other === undefined) return;
    const { self } = this.#options;
    const isSamePlace = other.rtmp === self.rtmp && other.api === self.api;
    // One folder has one process: the other life is over, unless the folder was copied with its machine.
    const isSameFolder = self.folder !== undefined && other.folder === self.folder;
    if (isSameFolder && (isSamePlace || !(await isListening(other.api)))) await this.#endLifeBefore(found.lease);
    else if (!isSamePlace) throw this.#taken(other);
  }

  /** What this node claimed in its life before is free at once, for it and for others, and not only when its lease is over. */
  async #endLifeBefore(lease: string): Promise<void> {
    if (lease === '0') return;
    const { client, log } = this.#options;
    await client.leaseRevoke(lease, callMs);
    log.info('this node did not end in order: what it had claimed is free again', { node: this.#self.id });
  }

  #taken(other: ClusterNode): StateError {
    const message = `the node ${other.id} at ${other.api} has this id, or had it until a few seconds ago; set --node-id to another name for this one`;
    return new StateError('NODE_ID_TAKEN', message);
  }

  async #granted(lease: string): Promise<void> {
    await this.#write(lease);
    if (this.#writtenUnder === lease) for (const listener of this.#leaseListeners) listener();
  }

  /** One write after the other: of two at once, etcd may keep the older one. */
  async #write(lease: string): Promise<void> {
    this.#isChanged = true;
    while (this.#isChanged && !this.#isClosed && this.#lease?.id === lease) {
      this.#writing ??= this.#writeOnce(lease).finally(() => {
        this.#writing = undefined;
      });
      await this.#writing;
    }
  }

  /** Writes what this node tells now. */
  async #writeOnce(lease: string): Promise<void> {
    this.#isChanged = false;
    const value = Buffer.from(JSON.stringify(this.#self));
    try {
      await this.#options.client.txn(
        { compare: [], success: [{ requestPut: { key: this.#key, value, lease } }], failure: [] },
        callMs,
      );
      this.#writtenUnder = lease;
      for (const listener of this.#listeners) listener();
    } catch (error) {
      this.#isChanged = true;
      this.#options.log.debug('this node cannot be announced to the others', { error });
      await new Promise((resolve) => setTimeout(resolve, 500).unref());
    }
  }

  async #read(): Promise<void> {
    const answer = await this.#options.client.range(
      { key: Buffer.from(this.#prefix), rangeEnd: prefixEnd(this.#prefix), limit: maxNodes },
      callMs,
    );
    const before = new Set(this.#nodes.keys());
    this.#nodes.clear();
    this.#nodes.set(this.#self.id, this.#self);
    for (const { key, value } of answer.kvs) this.#put(key.toString().slice(this.#prefix.length), value);
    this.#report(before);
    this.#clusterId = answer.header.clusterId;
    this.#revision = Number(answer.header.revision);
    this.#watchFrom(this.#revision + 1);
  }

  /** A restored etcd begins at an older revision, and would be silent until it has come to the one that is waited for. */
  #alive(clusterId: string, revision: number): void {
    if (this.#isReading || (clusterId === this.#clusterId && revision >= this.#revision)) return;
    void this.#readAgain();
  }

  #watchFrom(revision: number): void {
    if (this.#isClosed) return;
    if (this.#watch !== undefined) {
      this.#watch.resumeFrom(revision);
      return;
    }
    const { client, log } = this.#options;
    this.#watch = new PrefixWatch(
      client,
      this.#prefix,
      revision,
      {
        events: (events) => this.#take(events),
        alive: (clusterId, at) => this.#alive(clusterId, at),
        lost: () => undefined,
        compacted: () => void this.#readAgain(),
      },
      log,
    );
  }

  async #readAgain(): Promise<void> {
    this.#isReading = true;
    while (!this.#isClosed) {
      try {
        await this.#read();
        this.#isReading = false;
        return;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 500).unref());
      }
    }
  }

  #take(events: readonly WatchEvent[]): void {
    const before = new Set(this.#nodes.keys());
    for (const { type, kv } of events) {
      const id = kv.key.toString().slice(this.#prefix.length);
      if (id === this.#self.id) this.#seen(type === 'PUT' ? kv.value : undefined);
      else if (type === 'PUT') this.#put(id, kv.value);
      else this.#nodes.delete(id);
    }
    this.#report(before);
  }

  /** What the others are told of this node: a write that came late, or a person, may have made it something else. */
  #seen(value: Buffer | undefined): void {
    this.#seenText = value?.toString();
    if (this.#isSeenRight) return;
    this.#repair ??= setTimeout(() => {
      this.#repair = undefined;
      const lease = this.leaseId;
      if (lease !== undefined && !this.#isSeenRight) void this.#write(lease);
    }, repairMs).unref();
  }

  get #isSeenRight(): boolean {
    return this.#seenText === JSON.stringify(this.#self);
  }

  #put(id: string, value: Buffer): void {
    if (id === this.#self.id) return;
    const node = this.#nodeIn(id, value);
    if (node === undefined) this.#nodes.delete(id);
    else if (this.#nodes.has(id) || this.#nodes.size < maxNodes) this.#nodes.set(id, node);
  }

  /** What a key says; undefined for what no node of this cluster wrote, which is logged. */
  #nodeIn(id: string, value: Buffer): ClusterNode | undefined {
    const { node, refusal } = this.#records.read(id, value);
    if (refusal !== undefined) {
      this.#options.log.error('an entry of the list of nodes in etcd is refused', {
        node: id.slice(0, 64),
        code: 'CLUSTER_NODE_REFUSED',
        reason: refusal,
      });
    }
    return node;
  }

  #report(before: ReadonlySet<string>): void {
    this.#sorted = undefined;
    const { log } = this.#options;
    for (const [id, { location, api }] of this.#nodes) {
      if (!before.has(id)) log.info('a node is up', { node: id, location, api });
    }
    for (const id of before) if (!this.#nodes.has(id)) log.warn('a node is gone', { node: id });
    for (const listener of this.#listeners) listener();
  }
}

/** Whether anybody takes connections there. @param api `http://HOST:PORT` */
async function isListening(api: string): Promise<boolean> {
  const { hostname, port, protocol } = new URL(api);
  const socket = connect({
    host: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port) || (protocol === 'https:' ? 443 : 80),
  });
  try {
    return await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
      socket.setTimeout(probeMs, () => resolve(false));
    });
  } finally {
    socket.destroy();
  }
}
