import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigError, messageOf, StateError } from '../errors.js';
import type { EtcdClient } from '../etcd/client.js';
import { EtcdError } from '../etcd/etcd-error.js';
import type { TxnResponse } from '../etcd/protocol.js';
import { readRegular } from '../files/read.js';
import { writeWhole } from '../files/write.js';
import type { Logger } from '../log/log.js';
import { Mirror } from './mirror.js';
import type { Sealer } from './sealer.js';

const callMs = 3000;
const startLimitMs = 5000;
const keepAfterMs = 200;
const maxTextBytes = 64 * 1024;
const maxFileBytes = 64 * 1024 * 1024;

export interface SharedTextsOptions {
  readonly client: EtcdClient;
  /** Where they stand in etcd; ends with "/". */
  readonly prefix: string;
  /** A copy for a start without etcd, sealed as in etcd. */
  readonly file: string;
  readonly sealer: Sealer;
  readonly log: Logger;
}

/**
 * Small texts that all nodes share, by name: each is a key in etcd, sealed with the cluster's secret. So nobody who only has
 * etcd can read, add or move one. Without etcd they are what they were last.
 */
export class SharedTexts {
  readonly #options: SharedTextsOptions;
  readonly #sealed = new Map<string, string>();
  readonly #texts = new Map<string, string>();
  readonly #listeners = new Set<() => void>();
  readonly #refused = new Set<string>();
  readonly #mirror: Mirror;
  #timer: NodeJS.Timeout | undefined;

  private constructor(options: SharedTextsOptions, copy: ReadonlyMap<string, string>) {
    this.#options = options;
    for (const [name, sealed] of copy) this.#take(name, Buffer.from(sealed));
    this.#mirror = new Mirror({
      ...{ client: options.client, prefix: options.prefix, log: options.log },
      take: (name, kv) => this.#take(name, kv?.value),
      changed: () => this.#changed(),
      known: copy.keys(),
    });
  }

  /** @throws StateError CLUSTER_UNAVAILABLE when etcd does not answer, and there is no copy of an earlier time */
  static async open(options: SharedTextsOptions): Promise<SharedTexts> {
    const copy = await readCopy(options.file);
    const texts = new SharedTexts(options, copy ?? new Map());
    const isRead = await Promise.race([
      texts.#mirror.ready.then(() => true),
      sleep(startLimitMs, false, { ref: false }),
    ]);
    if (!isRead && copy === undefined) {
      texts.close();
      const why = texts.#mirror.failure ?? 'etcd does not answer';
      const message = `${why}: the shared keys and tokens (${options.prefix}) cannot be read, and ${options.file} has no copy of them, so this node cannot start`;
      throw new StateError('CLUSTER_UNAVAILABLE', message);
    }
    return texts;
  }

  get all(): ReadonlyMap<string, string> {
    return this.#texts;
  }

  /** How many cannot be opened with the secret of this node. */
  get refused(): number {
    return this.#refused.size;
  }

  /** Called after each change. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** @returns false: there is one of that name already @throws StateError CLUSTER_UNAVAILABLE, CLUSTER_UNCERTAIN */
  async create(name: string, text: string): Promise<boolean> {
    const key = this.#keyOf(name);
    const sealed = this.#options.sealer.seal(text, key.toString());
    const answer = await this.#txn({
      compare: [{ result: 'EQUAL', target: 'CREATE', key, createRevision: 0 }],
      success: [{ requestPut: { key, value: Buffer.from(sealed) } }],
      failure: [{ requestRange: { key } }],
    });
    const found = answer.responses[0]?.responseRange?.kvs[0]?.value;
    this.#takeOwn(answer.header, name, answer.succeeded ? Buffer.from(sealed) : found);
    return answer.succeeded;
  }

  /** Makes it, or another text of the one that is there. @throws StateError CLUSTER_UNAVAILABLE, CLUSTER_UNCERTAIN */
  async put(name: string, text: string): Promise<void> {
    const key = this.#keyOf(name);
    const value = Buffer.from(this.#options.sealer.seal(text, key.toString()));
    const answer = await this.#txn({ compare: [], success: [{ requestPut: { key, value } }], failure: [] });
    this.#takeOwn(answer.header, name, value);
  }

  /** @returns false: there is none @throws StateError CLUSTER_UNAVAILABLE, CLUSTER_UNCERTAIN */
  async remove(name: string): Promise<boolean> {
    const key = this.#keyOf(name);
    const answer = await this.#txn({
      compare: [{ result: 'GREATER', target: 'CREATE', key, createRevision: 0 }],
      success: [{ requestDeleteRange: { key } }],
      failure: [],
    });
    this.#takeOwn(answer.header, name, undefined);
    return answer.succeeded;
  }

  /** Seals anew what a former secret sealed. @returns how many @throws StateError CLUSTER_UNAVAILABLE */
  async sealAnew(): Promise<number> {
    const { sealer } = this.#options;
    let written = 0;
    for (const [name, before] of [...this.#sealed]) {
      const text = this.#texts.get(name);
      if (text === undefined || !sealer.isStale(before)) continue;
      const key = this.#keyOf(name);
      const sealed = sealer.seal(text, key.toString());
      const answer = await this.#txn({
        compare: [{ result: 'EQUAL', target: 'VALUE', key, value: Buffer.from(before) }],
        success: [{ requestPut: { key, value: Buffer.from(sealed) } }],
        failure: [],
      });
      if (answer.succeeded) written += 1;
    }
    return written;
  }

  close(): void {
    this.#mirror.close();
    clearTimeout(this.#timer);
  }

  #keyOf(name: string): Buffer {
    return Buffer.from(`${this.#options.prefix}${name}`);
  }

  async #txn(request: Parameters<EtcdClient['txn']>[0]): ReturnType<EtcdClient['txn']> {
    try {
      return await this.#options.client.txn(request, callMs);
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      if (!error.isUncertain) {
        throw new StateError('CLUSTER_UNAVAILABLE', `${error.message}; nothing was changed`, { cause: error });
      }
      const message = `${error.message}: whether it was done is not known; look at what is there before you ask again`;
      throw new StateError('CLUSTER_UNCERTAIN', message, { cause: error });
    }
  }

  /** What this node did, unless the watch was faster: then more may have happened since, as the end of a token. */
  #takeOwn({ revision }: TxnResponse['header'], name: string, value: Buffer | undefined): void {
    if (Number(revision) <= this.#mirror.revision) return;
    this.#take(name, value);
    this.#changed();
  }

  #take(name: string, value: Buffer | undefined): void {
    this.#sealed.delete(name);
    this.#texts.delete(name);
    if (value === undefined) {
      this.#refused.delete(name);
      return;
    }
    const sealed = value.subarray(0, maxTextBytes).toString();
    try {
      const text = this.#options.sealer.openSealed(sealed, this.#keyOf(name).toString());
      this.#sealed.set(name, sealed);
      this.#texts.set(name, text);
      this.#refused.delete(name);
    } catch (error) {
      const key = this.#keyOf(name).toString().slice(0, 200);
      if (!this.#refused.has(name) && this.#refused.size < 1000) {
        this.#refused.add(name);
        this.#options.log.error('a value in etcd is refused', { key, reason: `it ${messageOf(error)}` });
      }
    }
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.#keepCopy();
    }, keepAfterMs).unref();
  }

  async #keepCopy(): Promise<void> {
    const { file, log } = this.#options;
    try {
      await writeWhole(file, `${JSON.stringify({ version: 1, texts: Object.fromEntries(this.#sealed) })}\n`, {
        maxBytes: maxFileBytes,
      });
    } catch (error) {
      log.warn('the keys and tokens that the nodes share cannot be stored on disk; a start without etcd would fail', {
        file,
        error: messageOf(error),
      });
    }
  }
}

/** The copy; undefined when there is none. @throws ConfigError ACCESS_UNREADABLE */
async function readCopy(file: string): Promise<ReadonlyMap<string, string> | undefined> {
  try {
    const found = await readRegular(file, maxFileBytes);
    if (found === undefined) return undefined;
    const content: unknown = JSON.parse(found.bytes.toString());
    const texts = typeof content === 'object' && content !== null && 'texts' in content ? content.texts : {};
    return new Map(Object.entries(texts ?? {}).map(([name, sealed]) => [name, String(sealed)]));
  } catch (error) {
    const message = `${file} cannot be read: ${messageOf(error)}; remove it: it is written again when etcd answers`;
    throw new ConfigError('ACCESS_UNREADABLE', message, { cause: error });
  }
}
