import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../errors.js';
import type { EtcdClient } from '../etcd/client.js';
import { type KeyValue, prefixEnd, type WatchEvent } from '../etcd/protocol.js';
import { PrefixWatch } from '../etcd/watch.js';
import type { Logger } from '../log/log.js';

const callMs = 3000;
const pageSize = 5000;
/** Of more keys than that something is wrong with the prefix. */
const maxKeys = 200_000;
const retryMs = 500;
/** No node writes a longer name of a key. */
const maxPathLength = 512;
/** So many keys that are none of a node's are named in the log. */
const maxNamed = 100;

export interface MirrorOptions {
  readonly client: EtcdClient;
  /** Ends with "/". */
  readonly prefix: string;
  /**
   * Told of each key below the prefix as it becomes, in etcd's order; `kv` undefined: it is gone. `revision` is that of the change;
   * undefined: this is how it was found when all was read.
   */
  readonly take: (path: string, kv: KeyValue | undefined, revision?: number) => void;
  /** Told after each lot of such changes. */
  readonly changed?: () => void;
  /** Told when all was read another time: what happened in between is not known. */
  readonly readAgain?: () => void;
  readonly log: Logger;
  /** What its owner knows of an earlier time: it is told of those that are gone by now. */
  readonly known?: Iterable<string>;
}

/**
 * Follows all keys below a prefix: read once, then watched from there. What was missed because of a compaction is read anew.
 * Without etcd nothing changes.
 */
export class Mirror {
  readonly #options: MirrorOptions;
  readonly #known: Set<string>;
  #named = 0;
  /** Resolves when all was read for the first time, or after `close`. */
  readonly ready: Promise<void>;
  #watch: PrefixWatch | undefined;
  /** As far as all is known. */
  #clusterId = '';
  #revision = 0;
  #isReading = false;
  #failure: string | undefined;
  #isClosed = false;

  constructor(options: MirrorOptions) {
    this.#options = options;
    this.#known = new Set(options.known);
    this.ready = this.#readAndWatch();
  }

  /** Of etcd, as far as all is known. */
  get revision(): number {
    return this.#revision;
  }

  /** Why it could not be read the last time; undefined: it was read. */
  get failure(): string | undefined {
    return this.#failure;
  }

  close(): void {
    this.#isClosed = true;
    this.#watch?.close();
  }

  async #readAndWatch(): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    while (!this.#isClosed) {
      try {
        this.#revision = await this.#read();
        this.#failure = undefined;
        if (this.#isClosed) break;
        const isFirst = this.#watch === undefined;
        this.#watchFrom(this.#revision + 1);
        if (!isFirst) this.#options.readAgain?.();
        break;
      } catch (error) {
        this.#failure = messageOf(error);
        await sleep(retryMs, undefined, { ref: false });
      }
    }
    this.#isReading = false;
  }

  /** A restored etcd begins at an older revision, and would be silent until it has come to the one that is waited for. */
  #alive(clusterId: string, revision: number): void {
    if (clusterId !== this.#clusterId || revision < this.#revision) void this.#readAndWatch();
  }

  /** @returns the revision at which all of it was read */
  async #read(): Promise<number> {
    const { client, prefix } = this.#options;
    const found: KeyValue[] = [];
    let revision: number | undefined;
    let key = Buffer.from(prefix);
    for (;;) {
      const at = revision === undefined ? {} : { revision };
      const page = await client.range({ key, rangeEnd: prefixEnd(prefix), limit: pageSize, ...at }, callMs);
      revision ??= Number(page.header.revision);
      this.#clusterId = page.header.clusterId;
      found.push(...page.kvs);
      const last = page.kvs.at(-1);
      if (!page.more || last === undefined || found.length >= maxKeys) break;
      key = Buffer.concat([last.key, Buffer.from([0])]);
    }
    const names = new Set(found.map((kv) => this.#pathOf(kv)));
    for (const path of [...this.#known]) if (!names.has(path)) this.#take(path, undefined);
    for (const kv of found) this.#take(this.#pathOf(kv), kv);
    this.#options.changed?.();
    return revision;
  }

  #watchFrom(revision: number): void {
    if (this.#watch !== undefined) {
      this.#watch.resumeFrom(revision);
      return;
    }
    const { client, prefix, log } = this.#options;
    const events = (all: readonly WatchEvent[], last: number): void => {
      this.#revision = Math.max(this.#revision, last);
      for (const { type, kv } of all) {
        this.#take(this.#pathOf(kv), type === 'PUT' ? kv : undefined, Number(kv.modRevision));
      }
      this.#options.changed?.();
    };
    const alive = (clusterId: string, at: number): void => this.#alive(clusterId, at);
    const handlers = { events, alive, lost: () => undefined };
    this.#watch = new PrefixWatch(
      client,
      prefix,
      revision,
      { ...handlers, compacted: () => void this.#readAndWatch() },
      log,
    );
  }

  #pathOf({ key }: KeyValue): string {
    return key.toString().slice(this.#options.prefix.length);
  }

  /** Names a key that no node writes; it is ignored. */
  nameStray(path: string): void {
    if (this.#named >= maxNamed) return;
    this.#named += 1;
    const { prefix, log } = this.#options;
    log.error('a key in etcd that no node writes is ignored', { key: `${prefix}${path}`.slice(0, 200) });
  }

  #take(path: string, kv: KeyValue | undefined, revision?: number): void {
    if (path.length > maxPathLength) {
      if (kv !== undefined) this.nameStray(path);
      return;
    }
    if (kv === undefined) this.#known.delete(path);
    else if (this.#known.has(path) || this.#known.size < maxKeys) this.#known.add(path);
    else return;
    this.#options.take(path, kv, revision);
  }
}
