import { setTimeout as sleep } from 'node:timers/promises';
import type { ErrorCode } from '../errors.js';
import type { EtcdClient } from '../etcd/client.js';
import { Lease } from '../etcd/lease.js';
import { type KeyValue, prefixEnd, type WatchEvent } from '../etcd/protocol.js';
import { PrefixWatch } from '../etcd/watch.js';
import type { Logger } from '../log/log.js';
import { holderOfKey, nodeIdTaken } from './node-id.js';
import { type ClusterNode, NodeRecords, type UnsignedNode } from './node-record.js';
import type { ClusterSecret } from './secret.js';

const callMs = 3000;
/** How soon this node's own entry is put right; two nodes of one name shall not busy etcd with it. */
const repairMs = 2000;
/** And that of one which is gone, before another node of its name takes it. */
const restoreMs = 100;
/** Of more nodes than that something is wrong with the prefix. */
const maxNodes = 5000;

/** What is wrong with this node as one of the cluster. */
export interface NodeProblem {
  readonly code: ErrorCode;
  readonly message: string;
  /** ISO 8601, UTC. */
  readonly since: string;
}

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
  /** Told how each writing of this node's key went: the failure, or undefined; `key` is the one that was not written. */
  readonly onWritten?: ((error: unknown, key?: Buffer) => void) | undefined;
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
  /** Etcd answers, and there was no lease yet. */
  #isStarting = false;
  #isClosed = false;
  /** The lease under which this node's key was written last. */
  #writtenUnder: string | undefined;
  /** The revision of the key as it was known last; 0: there was none. */
  #keyRevision = 0;
  readonly #ownLeases = new Set<string>();
  /** Another node has the id of this one. */
  #taken: NodeProblem | undefined;
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
   */
  async start(isAway: boolean): Promise<void> {
    const { client, leaseMs, log, onWritten } = this.#options;
    this.#isStarting = !isAway;
    this.#lease = new Lease(client, Math.ceil(leaseMs / 1000), (id) => void this.#granted(id), log, onWritten);
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

  /** That another node has this id, where it is so: nothing can be claimed then. */
  get problems(): readonly NodeProblem[] {
    return this.#taken === undefined ? [] : [this.#taken];
  }

  /** The lease of this node, under which it may claim things; undefined while there is none. */
  get leaseId(): string | undefined {
    const id = this.#lease?.id;
    return id === this.#writtenUnder ? id : undefined;
  }

  /** `leaseId`; in the first moments of a node whose etcd answers, it is waited for. @param limitMs how long at the most */
  async leaseSoon(limitMs: number): Promise<string | undefined> {
    const known = this.leaseId;
    if (known !== undefined || !this.#isStarting) return known;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#leaseListeners.delete(done);
        resolve();
      };
      const timer = setTimeout(done, limitMs);
      this.#leaseListeners.add(done);
    });
    this.#isStarting = false;
    return this.leaseId;
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
    // What could not be written before, for want of a lease, is tried again.
    if (JSON.stringify(next) === JSON.stringify(this.#self) && !this.#isChanged) return;
    this.#self = next;
    this.#nodes.set(next.id, next);
    this.#sorted = undefined;
    const id = this.#lease?.id;
    if (id === undefined) this.#isChanged = true;
    else await this.#write(id);
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

  async #granted(lease: string): Promise<void> {
    this.#ownLeases.add(lease);
    await this.#write(lease);
  }

  #leaseIsWritten(): void {
    this.#isStarting = false;
    for (const listener of [...this.#leaseListeners]) listener();
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

  /** Writes what this node tells now, unless another one that lives has its key. */
  async #writeOnce(lease: string): Promise<void> {
    this.#isChanged = false;
    const key = this.#key;
    const value = Buffer.from(JSON.stringify(this.#self));
    try {
      const { succeeded, header, responses } = await this.#options.client.txn(
        {
          compare: [{ result: 'EQUAL', target: 'MOD', key, modRevision: this.#keyRevision }],
          success: [{ requestPut: { key, value, lease } }],
          failure: [{ requestRange: { key } }],
        },
        callMs,
      );
      if (succeeded) {
        this.#keyRevision = Number(header.revision);
        const isNew = this.#writtenUnder !== lease;
        this.#writtenUnder = lease;
        if (this.#taken !== undefined) this.#options.log.info('no other node has the id of this one any more');
        this.#taken = undefined;
        this.#options.onWritten?.(undefined);
        for (const listener of this.#listeners) listener();
        if (isNew) this.#leaseIsWritten();
        return;
      }
      this.#isChanged = true;
      const found = responses[0]?.responseRange?.kvs[0];
      if (found !== undefined && this.#isTaken(found)) await sleep(repairMs, undefined, { ref: false });
      else this.#keyRevision = Number(found?.modRevision ?? 0);
    } catch (error) {
      this.#isChanged = true;
      this.#options.log.debug('this node cannot be announced to the others', { error });
      this.#options.onWritten?.(error, key);
      await sleep(500, undefined, { ref: false });
    }
  }

  /** Whether another node that lives has the key of this one, which is told: both started while etcd was away. */
  #isTaken(kv: KeyValue): boolean {
    const { log } = this.#options;
    const other = this.#ownLeases.has(kv.lease) ? undefined : holderOfKey(this.#records, this.#self.id, kv);
    if (other === undefined || (other.copy !== undefined && other.copy === this.#self.copy)) return false;
    this.#writtenUnder = undefined;
    const { code, message } = nodeIdTaken(other, { folder: this.#self.folder, copy: this.#self.copy });
    if (this.#taken?.message !== message) {
      log.error('the other nodes do not know of this one, and it claims no cameras', { code, error: message });
      this.#taken = { code, message, since: new Date().toISOString() };
    }
    return true;
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
        await sleep(500, undefined, { ref: false });
      }
    }
  }

  #take(events: readonly WatchEvent[]): void {
    const before = new Set(this.#nodes.keys());
    for (const { type, kv } of events) {
      const id = kv.key.toString().slice(this.#prefix.length);
      if (id === this.#self.id) this.#seen(type === 'PUT' ? kv : undefined);
      else if (type === 'PUT') this.#put(id, kv.value);
      else this.#nodes.delete(id);
    }
    this.#report(before);
  }

  /** What the others are told of this node: a write that came late, or a person, may have made it something else. */
  #seen(kv: KeyValue | undefined): void {
    this.#seenText = kv?.value.toString();
    if (this.#isSeenRight) return;
    if (kv !== undefined) this.#isTaken(kv);
    const isOwn = kv === undefined && this.leaseId !== undefined;
    this.#repair ??= setTimeout(
      () => {
        this.#repair = undefined;
        const lease = this.#lease?.id;
        if (lease !== undefined && !this.#isSeenRight) void this.#write(lease);
      },
      isOwn ? restoreMs : repairMs,
    ).unref();
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
