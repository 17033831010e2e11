import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { StateError } from '../../errors.js';
import type { EtcdClient } from '../../etcd/client.js';
import { EtcdError } from '../../etcd/etcd-error.js';
import type { TxnResponse } from '../../etcd/protocol.js';
import { inStretches } from '../../fairness/stretch.js';
import type { Logger } from '../../log/log.js';
import type { DesiredState } from '../../model/model.js';
import { plural } from '../../plural.js';
import { Listeners } from '../listeners.js';
import type { Sealing } from '../sealing.js';
import type { Changed, StateChange, StateProblem, Store } from '../store.js';
import type { ClusterEntries, EntryEvent, RefusedEntry } from './entries.js';
import { ClusterReplica } from './replica.js';
import { comparing, isUntouched, type Step, stepsBetween, writing } from './transactions.js';
import { EtcdWriteHealth } from './write-health.js';

/** How long a change may take in all, milliseconds. */
const changeLimitMs = 8000;
/** How long one transaction may take. */
const transactionMs = 3000;
/** How often a change is tried anew, on newer states, before whoever called is told. */
const maxAttempts = 50;
/** Entries that are sealed anew in one transaction. */
const sealedAtOnce = 50;

export interface EtcdStoreOptions {
  /** Closed by whoever made it. */
  readonly client: EtcdClient;
  /** Begins all keys of the cluster: `/media-aggregator`. */
  readonly prefix: string;
  /** Where the last known state is kept. */
  readonly dataDir: string;
  /** Of this node, for people who look at etcd. */
  readonly nodeId: string;
  readonly log: Logger;
  /** The rules for what somebody writes by hand; see `checkChangeSteps`. */
  readonly check?: (before: DesiredState, after: DesiredState) => Generator<undefined, void>;
  /** How URLs are sealed; undefined: not at all. */
  readonly sealing?: Sealing;
}

interface Waiting {
  readonly change: (state: DesiredState) => Changed<unknown> | Promise<Changed<unknown>>;
  readonly sinceMs: number;
  resolve(changed: Changed<unknown>): void;
  reject(error: unknown): void;
}

/**
 * Keeps the state in etcd, shared by all nodes. A change runs on the newest state that this node knows; its transaction
 * holds only if no other node changed the state meanwhile, else it runs again on the newer one. So all changes of all
 * nodes have one order, that of the key `state/head`.
 *
 *   update() ──► waiting ──► run the changes ──► transaction: head is as we know it? ── yes ──► applied here, answered
 *                   ▲                                       │ no: another node was faster
 *                   └── wait until the watch has told it ◄──┘
 */
export class EtcdStore implements Store {
  readonly #client: EtcdClient;
  readonly #replica: ClusterReplica;
  readonly #listeners: Listeners;
  readonly #nodeId: string;
  readonly #log: Logger;
  readonly #writes: EtcdWriteHealth;
  readonly #waiting: Waiting[] = [];
  #work: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  private constructor(replica: ClusterReplica, listeners: Listeners, options: EtcdStoreOptions) {
    this.#client = options.client;
    this.#replica = replica;
    this.#listeners = listeners;
    this.#nodeId = options.nodeId;
    this.#log = options.log;
    this.#writes = new EtcdWriteHealth(options.client, replica.keys.head, options.log);
  }

  /**
   * @throws StateError CLUSTER_UNAVAILABLE when etcd does not answer and no earlier state of it is known here
   */
  static async open(options: EtcdStoreOptions): Promise<EtcdStore> {
    const listeners = new Listeners(options.log);
    const replica = await ClusterReplica.open({ ...options, notify: (change) => listeners.notify(change) });
    return new EtcdStore(replica, listeners, options);
  }

  get state(): DesiredState {
    return this.#replica.state;
  }

  /** Begins all keys of the cluster; ends with "/". */
  get prefix(): string {
    return this.#replica.keys.prefix;
  }

  get problems(): readonly StateProblem[] {
    const { problem } = this.#writes;
    return problem === undefined ? this.#replica.problems : [problem, ...this.#replica.problems];
  }

  /** Another part of this node wrote to etcd, with this failure or without one (undefined). @param key that was not written */
  noteWrite(error: unknown, key?: Buffer): void {
    this.#writes.note(error, key);
  }

  update<R>(change: (state: DesiredState) => Changed<R>): Promise<Changed<R>> {
    return this.#ask(change);
  }

  updateInSteps<R>(change: (state: DesiredState) => Generator<unknown, Changed<R>>): Promise<Changed<R>> {
    return this.#ask((state) => inStretches(change(state)));
  }

  async #ask<R>(change: (state: DesiredState) => Changed<R> | Promise<Changed<R>>): Promise<Changed<R>> {
    if (this.#closing !== undefined) {
      throw new StateError('STATE_WRITE_FAILED', 'the store is closed; nothing was changed');
    }
    return await new Promise<Changed<R>>((resolve, reject) => {
      this.#waiting.push({
        change,
        sinceMs: performance.now(),
        // The result is that of this change.
        resolve: (changed) => resolve(changed as Changed<R>),
        reject,
      });
      this.#wake();
    });
  }

  subscribe(listener: (change: StateChange) => void): () => void {
    return this.#listeners.add(listener);
  }

  /** Takes the state of an etcd that was replaced, on all nodes. @throws StateError CLUSTER_UNAVAILABLE: it does not answer */
  async acceptReplaced(): Promise<void> {
    await this.#replica.acceptReplaced();
  }

  /**
   * Seals anew what is not sealed with the secret in force: after it was changed, or where somebody wrote by hand.
   * @returns how many entries were written
   * @throws StateError CLUSTER_UNAVAILABLE, CLUSTER_UNCERTAIN, CLUSTER_CONTENDED
   */
  async sealAnew(): Promise<number> {
    let written = 0;
    for (let attempt = 1; ; ) {
      this.#replica.refuseUnlessWell();
      if (await this.#replica.othersAreWriting()) continue;
      const entries = [...this.#replica.entries.stale()].slice(0, sealedAtOnce);
      if (entries.length === 0) return written;
      const revision = await this.#writeStep({ entries }, false);
      if (revision !== undefined) {
        this.#replica.applyOwn(entries.map((entry) => ({ ...entry, revision })));
        written += entries.length;
        attempt = 1;
      } else if (++attempt > maxAttempts) throw contended(attempt);
    }
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      while (this.#work !== undefined) await this.#work;
      this.#writes.close();
      await this.#replica.close();
    })();
    return this.#closing;
  }

  #wake(): void {
    this.#work ??= (async () => {
      // Changes of one turn of the event loop go in one transaction.
      await Promise.resolve();
      while (this.#waiting.length > 0) await this.#commit(this.#waiting.splice(0));
    })().finally(() => {
      this.#work = undefined;
      if (this.#waiting.length > 0) this.#wake();
    });
  }

  /** Makes all of these changes, or tells those who asked why not. Never rejects. */
  async #commit(batch: readonly Waiting[]): Promise<void> {
    let asking = batch;
    try {
      for (let attempt = 1; asking.length > 0; attempt += 1) {
        const late = performance.now() - asking[0]!.sinceMs > changeLimitMs;
        if (attempt > 1 && (late || attempt > maxAttempts)) throw contended(attempt - 1);
        const base = this.#replica.state;
        const made = await run(asking, base, this.#replica.entries);
        asking = made.asking;
        if (made.state === base) {
          for (const { waiting, result } of made.done) waiting.resolve({ state: base, result });
          return;
        }
        this.#replica.refuseUnlessWell();
        if (await this.#replica.othersAreWriting()) continue;
        // A change in steps takes several turns. What came meanwhile is in the head that is compared, and not in its base.
        if (this.#replica.state !== base) continue;
        if (await this.#write(base, made.state)) {
          const { state } = this.#replica;
          for (const { waiting, result } of made.done) waiting.resolve({ state, result });
          return;
        }
      }
    } catch (error) {
      for (const waiting of asking) waiting.reject(error);
    }
  }

  /**
   * Writes what differs. @returns false when another node was faster, and nothing was written: the newer state is here
   * by now
   * @throws StateError CLUSTER_UNAVAILABLE, CLUSTER_UNCERTAIN, CLUSTER_CONTENDED
   */
  async #write(base: DesiredState, next: DesiredState): Promise<boolean> {
    const steps = stepsBetween(base, next, this.#replica.entries);
    const made: EntryEvent[] = [];
    try {
      for (const [index, step] of steps.entries()) {
        const isLast = index === steps.length - 1;
        for (let attempt = 1; ; attempt += 1) {
          const revision = await this.#writeStep(step, !isLast);
          if (revision !== undefined) {
            for (const entry of step.entries) made.push({ ...entry, revision });
            break;
          }
          if (index === 0) return false;
          // A change that is too large for one transaction goes on, unless others changed what it is about.
          const { state } = this.#replica;
          const isRepeatable = isUntouched(step, state, base) && state.engines === base.engines;
          if (!isRepeatable || attempt >= maxAttempts) throw partly(index, steps.length);
        }
      }
    } finally {
      if (made.length > 0) this.#replica.applyOwn(made);
    }
    return true;
  }

  /** @returns the revision at which it was made; undefined when another node was faster */
  async #writeStep(step: Step, isMoreToCome: boolean): Promise<number | undefined> {
    const { keys, entries, head } = this.#replica;
    const id = randomUUID();
    const written = this.#replica.expect(id);
    try {
      const answer = await this.#client.txn(
        {
          compare: comparing(step, head, entries, keys),
          success: writing(step, this.#headText(id, isMoreToCome), keys),
          failure: [{ requestRange: { key: Buffer.from(keys.head) } }],
        },
        transactionMs,
      );
      this.#writes.note(undefined);
      if (!answer.succeeded) {
        await this.#replica.caughtUpWith(headIn(answer), head, changeLimitMs);
        return undefined;
      }
      const revision = Number(answer.header.revision);
      this.#replica.noteHead(revision);
      return revision;
    } catch (error) {
      this.#writes.note(error);
      if (!(error instanceof EtcdError) || !error.isUncertain) throw error;
      this.#client.next(this.#client.endpoint);
      return await this.#settle(head, written.seenAt, error);
    } finally {
      written.end();
    }
  }

  /**
   * Finds out whether a transaction without an answer was carried out: once the head is written anew, the transaction,
   * which compares it, cannot be any more, and the watch has told it if it was.
   */
  async #settle(head: number, seenAt: () => number, cause: EtcdError): Promise<number | undefined> {
    const { keys } = this.#replica;
    const until = performance.now() + changeLimitMs;
    while (performance.now() < until) {
      try {
        const fence = await this.#client.txn(
          {
            compare: [{ result: 'EQUAL', target: 'MOD', key: Buffer.from(keys.head), modRevision: head }],
            success: [
              { requestPut: { key: Buffer.from(keys.head), value: Buffer.from(this.#headText(randomUUID())) } },
            ],
            failure: [{ requestRange: { key: Buffer.from(keys.head) } }],
          },
          transactionMs,
        );
        const revision = fence.succeeded ? Number(fence.header.revision) : headIn(fence);
        await this.#replica.caughtUpWith(revision, head, until - performance.now());
        this.#log.info('the result of a change that etcd did not answer is now known', { made: seenAt() > 0 });
        return seenAt() > 0 ? seenAt() : undefined;
      } catch (error) {
        if (!(error instanceof EtcdError)) throw error;
        if (!error.isUnanswered) break;
        this.#client.next(this.#client.endpoint);
        await sleep(200);
      }
    }
    const message = `${cause.message}: whether the change was made is not known; read the entry when the cluster answers again, or send the same request again`;
    throw new StateError('CLUSTER_UNCERTAIN', message, { cause });
  }

  /** @param isMoreToCome what belongs to the same change follows: nobody applies it before all of it is there */
  #headText(id: string, isMoreToCome = false): string {
    return JSON.stringify({ id, node: this.#nodeId, ...(isMoreToCome ? { more: true } : {}) });
  }
}

/** Runs changes one after the other. Those that throw are answered, and leave no trace. */
async function run(
  batch: readonly Waiting[],
  base: DesiredState,
  entries: ClusterEntries,
): Promise<{
  readonly state: DesiredState;
  readonly asking: readonly Waiting[];
  readonly done: readonly { readonly waiting: Waiting; readonly result: unknown }[];
}> {
  let state = base;
  const done: { waiting: Waiting; result: unknown }[] = [];
  for (const waiting of batch) {
    try {
      const changed = await waiting.change(state);
      const refused = entries.refusedAmong(state, changed.state);
      if (refused !== undefined) throw overRefused(refused);
      state = changed.state;
      done.push({ waiting, result: changed.result });
    } catch (error) {
      waiting.reject(error);
    }
  }
  return { state, asking: done.map(({ waiting }) => waiting), done };
}

function overRefused({ section, name, reason }: RefusedEntry): StateError {
  const message = `etcd has a value of ${section}/${name} that this node refuses (${reason}), and this change would overwrite it; correct it in etcd, make the change at a node that takes it, or remove the entry first`;
  return new StateError('CLUSTER_ENTRY_REFUSED', message);
}

/** The revision of the head, which a transaction that failed has read. */
function headIn({ responses }: TxnResponse): number {
  return Number(responses[0]?.responseRange?.kvs[0]?.modRevision ?? 0);
}

function partly(done: number, all: number): StateError {
  const message = `other nodes changed the same entries while ${all} transactions were made of this change; ${done} of them were made, look at what is there before you send it again`;
  return new StateError('CLUSTER_CONTENDED', message);
}

function contended(attempts: number): StateError {
  const message = `other nodes changed the state while this change was tried ${plural(attempts, 'time')}; nothing was changed, send it again`;
  return new StateError('CLUSTER_CONTENDED', message);
}
