import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, StateError } from '../../errors.js';
import type { EtcdClient } from '../../etcd/client.js';
import type { WatchEvent } from '../../etcd/protocol.js';
import { PrefixWatch } from '../../etcd/watch.js';
import type { Logger } from '../../log/log.js';
import type { DesiredState } from '../../model/model.js';
import { allOf } from '../../model/steps.js';
import { type StateChange, StateProblem } from '../store.js';
import { ClusterEntries, type EntryEvent } from './entries.js';
import { ClusterKeys } from './keys.js';
import { readCluster, type WholeState } from './read.js';
import { type Snapshot, SnapshotFile } from './snapshot.js';
import type { Step } from './transactions.js';

/** How long the first reading may take before a node starts with what it knew. */
const startLimitMs = 5000;
/** A watch that moves to another member is nothing to tell. */
const lostAfterMs = 1500;
/** How soon the state is on disk here, for a start without etcd. */
const keepAfterMs = 1000;
/** How often an etcd that was replaced is looked at. */
const lookMs = 2000;

export interface ReplicaOptions {
  readonly client: EtcdClient;
  readonly prefix: string;
  readonly dataDir: string;
  readonly log: Logger;
  readonly check?: (before: DesiredState, after: DesiredState) => Generator<undefined, void>;
  readonly notify: (change: StateChange) => void;
}

/** Since when something is so: for people, and to measure by. */
interface Since {
  readonly at: string;
  readonly ms: number;
  readonly reason: string;
}

/**
 * What this node knows of the cluster's state: read once, then kept up to date by a watch. Without etcd it is what it was
 * last, and says so. An etcd that is another one, or an older one, than was known changes nothing here until a person
 * says that it may.
 */
export class ClusterReplica {
  readonly entries = new ClusterEntries();
  readonly keys: ClusterKeys;
  readonly #options: ReplicaOptions;
  readonly #file: SnapshotFile;
  readonly #expected = new Map<string, boolean>();
  readonly #waiters = new Set<() => void>();
  #watch: PrefixWatch | undefined;
  #clusterId: string;
  /** Everything up to this revision is known. */
  #revision: number;
  #head: number;
  #lost: Since | undefined;
  #replaced: (Since & { readonly clusterId: string; readonly revision: number }) | undefined;
  #isVerifying = false;
  #isClosed = false;
  #keeping: Promise<void> | undefined;
  #keepTimer: NodeJS.Timeout | undefined;
  #wellAt: string;

  private constructor(options: ReplicaOptions, file: SnapshotFile, known: Omit<Snapshot, 'prefix'>) {
    this.#options = options;
    this.keys = new ClusterKeys(options.prefix);
    this.#file = file;
    this.#clusterId = known.clusterId;
    this.#revision = known.revision;
    this.#head = known.head;
    this.#wellAt = known.savedAt;
    this.entries.replaceAll(known.entries, known.revision, now());
    this.#tellRefused(0);
  }

  /** @throws StateError CLUSTER_UNAVAILABLE when etcd does not answer, and nothing of it is known here */
  static async open(options: ReplicaOptions): Promise<ClusterReplica> {
    const file = new SnapshotFile(options.dataDir, options.log);
    const keys = new ClusterKeys(options.prefix);
    const found = await file.read();
    const snapshot = found?.prefix === keys.prefix ? found : undefined;
    let whole: WholeState | undefined;
    let failure: Error | undefined;
    try {
      whole = await readCluster(options.client, keys, startLimitMs);
    } catch (error) {
      failure = error instanceof Error ? error : new Error(messageOf(error));
    }
    if (snapshot === undefined) {
      if (whole === undefined) {
        const message = `${messageOf(failure)}; no earlier state of this cluster is known here, so there is nothing to start with`;
        throw new StateError('CLUSTER_UNAVAILABLE', message, { cause: failure });
      }
      const replica = new ClusterReplica(options, file, { ...whole, savedAt: now() });
      replica.#watchFrom(whole.revision + 1);
      replica.#keepSoon();
      return replica;
    }
    const isOther =
      whole !== undefined && (whole.clusterId !== snapshot.clusterId || whole.revision < snapshot.revision);
    if (whole !== undefined && !isOther) {
      const replica = new ClusterReplica(options, file, { ...whole, savedAt: now() });
      replica.#watchFrom(whole.revision + 1);
      replica.#keepSoon();
      return replica;
    }
    const replica = new ClusterReplica(options, file, snapshot);
    if (whole !== undefined) {
      replica.#foundReplaced(whole.clusterId, whole.revision);
      return replica;
    }
    replica.#isLost(messageOf(failure));
    options.log.warn('etcd does not answer; the start is with the last state that was known', {
      since: snapshot.savedAt,
      revision: snapshot.revision,
      error: messageOf(failure),
    });
    replica.#watchFrom(snapshot.revision + 1);
    return replica;
  }

  get state(): DesiredState {
    return this.entries.state;
  }

  /** The revision of the last change by a node that is known here. */
  get head(): number {
    return this.#head;
  }

  get problems(): readonly StateProblem[] {
    const problems: StateProblem[] = [];
    const away = this.#awayProblem();
    if (away !== undefined) problems.push(away);
    for (const { reason, since } of this.entries.refused) {
      problems.push(new StateProblem('STATE_INVALID', `in etcd, ${reason}; the last good value stays in force`, since));
    }
    return problems;
  }

  /** @throws StateError CLUSTER_UNAVAILABLE, CLUSTER_REPLACED: no change can be made now */
  refuseUnlessWell(): void {
    const problem = this.#awayProblem();
    if (problem !== undefined) throw new StateError(problem.code, problem.message, { cause: problem });
  }

  /** Tells whether the watch brings a change of the head with this id. */
  expect(id: string): { readonly seen: () => boolean; readonly end: () => void } {
    this.#expected.set(id, false);
    return { seen: () => this.#expected.get(id) === true, end: () => void this.#expected.delete(id) };
  }

  /** True when the entries of a step are here what they are in a state. */
  isUntouched({ entries }: Step, base: DesiredState): boolean {
    const { cameras, engines } = this.state;
    return entries.every(({ section, name }) =>
      section === 'cameras'
        ? cameras.get(name) === base.cameras.get(name)
        : engines.get(name) === base.engines.get(name),
    );
  }

  /** What this node wrote at this revision; the watch will bring it too. */
  applyOwn({ entries }: Step, revision: number): void {
    this.#head = Math.max(this.#head, revision);
    this.#tell(
      this.entries.apply(
        entries.map((entry) => ({ ...entry, revision })),
        now(),
      ),
    );
    this.#keepSoon();
  }

  /**
   * Waits until the head's revision is known here. Where it was known already, somebody wrote an entry by hand: the next
   * event is waited for.
   * @param known the head that was compared
   * @throws StateError CLUSTER_UNAVAILABLE after `limitMs`
   */
  async caughtUpWith(revision: number, known: number, limitMs: number): Promise<void> {
    const until = performance.now() + limitMs;
    const isThere = () => this.#revision >= revision || this.#isClosed;
    if (revision <= known) {
      await this.#nextEvent(Math.min(500, limitMs));
      return;
    }
    while (!isThere()) {
      const leftMs = until - performance.now();
      if (leftMs <= 0) {
        const message =
          'the watch of etcd is behind: what other nodes changed is not known here yet; send the request again';
        throw new StateError('CLUSTER_UNAVAILABLE', message);
      }
      await this.#nextEvent(leftMs);
    }
  }

  /** Takes what etcd has, where it was replaced, and tells all other nodes to do so. @throws StateError CLUSTER_UNAVAILABLE */
  async acceptReplaced(): Promise<void> {
    const replaced = this.#replaced;
    if (replaced === undefined) return;
    const value = JSON.stringify({ from: this.#clusterId, at: now() });
    await this.#options.client.txn(
      {
        compare: [],
        success: [{ requestPut: { key: Buffer.from(this.keys.accepted), value: Buffer.from(value) } }],
        failure: [],
      },
      startLimitMs,
    );
    await this.#takeReplaced();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#watch?.close();
    for (const wake of [...this.#waiters]) wake();
    clearTimeout(this.#keepTimer);
    await this.#keeping;
    await this.#keep();
  }

  #awayProblem(): StateProblem | undefined {
    if (this.#replaced !== undefined) {
      const { clusterId, revision, at } = this.#replaced;
      const what =
        clusterId === this.#clusterId
          ? `etcd is at revision ${revision}, before revision ${this.#revision} that this node knew`
          : `etcd is cluster ${clusterId}, and this node knew cluster ${this.#clusterId}`;
      const message = `${what}: a backup was restored, or --cluster names another one. What this node knew stays in force and changes are refused. If it is meant: media-aggregator cluster accept`;
      return new StateProblem('CLUSTER_REPLACED', message, at);
    }
    if (this.#lost === undefined || performance.now() - this.#lost.ms < lostAfterMs) return undefined;
    const message = `${this.#lost.reason}; the state is that of ${this.#wellAt} and stays in force, changes are refused until etcd answers`;
    return new StateProblem('CLUSTER_UNAVAILABLE', message, this.#lost.at);
  }

  #watchFrom(revision: number): void {
    const { client, log } = this.#options;
    this.#watch = new PrefixWatch(
      client,
      this.keys.state,
      revision,
      {
        events: (events, last) => this.#take(events, last),
        alive: (clusterId, at) => this.#alive(clusterId, at),
        lost: (reason) => this.#isLost(reason),
        compacted: (at) => {
          log.warn('etcd has forgotten changes that this node has not seen; the state is read anew', { revision: at });
          void this.#readAnew();
        },
      },
      log,
    );
  }

  #take(events: readonly WatchEvent[], last: number): void {
    // Between the restored etcd and the person who accepts it nothing is mixed.
    if (this.#replaced !== undefined) return;
    for (let from = 0; from < events.length; ) {
      const revision = events[from]!.kv.modRevision;
      let to = from;
      while (to < events.length && events[to]!.kv.modRevision === revision) to += 1;
      this.#takeRevision(events.slice(from, to), Number(revision));
      from = to;
    }
    this.#revision = Math.max(this.#revision, last);
    this.#keepSoon();
    for (const wake of [...this.#waiters]) wake();
  }

  #takeRevision(events: readonly WatchEvent[], revision: number): void {
    const entries: EntryEvent[] = [];
    let isByNode = false;
    for (const { type, kv } of events) {
      const key = kv.key.toString();
      if (key === this.keys.head) {
        isByNode = true;
        this.#head = Math.max(this.#head, revision);
        const id = idOf(kv.value);
        if (id !== undefined && this.#expected.has(id)) this.#expected.set(id, true);
        continue;
      }
      const entry = this.keys.entryOf(key);
      if (entry !== undefined)
        entries.push({ ...entry, text: type === 'PUT' ? kv.value.toString() : undefined, revision });
    }
    if (entries.length === 0) return;
    const refused = this.entries.refused.length;
    const { check } = this.#options;
    const change =
      isByNode || check === undefined
        ? this.entries.apply(entries, now(), this.#onUnknown)
        : this.entries.applyByHand(entries, now(), (was, is) => allOf(check(was, is)), this.#onUnknown);
    this.#tellRefused(refused);
    this.#tell(change);
  }

  readonly #onUnknown = (path: string): void => {
    this.#options.log.info('etcd has a field that this version does not know; it is ignored, and kept', { path });
  };

  #tellRefused(before: number): void {
    for (const { reason } of this.entries.refused.slice(before)) {
      this.#options.log.error('a value in etcd is refused; the last good one stays in force', { reason });
    }
  }

  #tell(change: StateChange): void {
    if (change.cameras.size > 0 || change.engines.size > 0) this.#options.notify(change);
  }

  #alive(clusterId: string, revision: number): void {
    if (this.#replaced !== undefined) return;
    if (clusterId !== this.#clusterId) {
      this.#foundReplaced(clusterId, revision);
      return;
    }
    // A member that lags behind is no older etcd: a majority is asked.
    if (revision < this.#revision) void this.#verify();
    if (this.#lost !== undefined && performance.now() - this.#lost.ms >= lostAfterMs) {
      this.#options.log.info('etcd answers again', { since: this.#lost.at });
    }
    this.#lost = undefined;
    this.#wellAt = now();
  }

  #isLost(reason: string): void {
    if (this.#lost === undefined) this.#options.log.warn('etcd does not answer; another member is tried', { reason });
    this.#lost = { at: this.#lost?.at ?? now(), ms: this.#lost?.ms ?? performance.now(), reason };
  }

  async #verify(): Promise<void> {
    if (this.#isVerifying) return;
    this.#isVerifying = true;
    try {
      const { header } = await this.#options.client.range({ key: Buffer.from(this.keys.head) }, startLimitMs);
      if (header.clusterId !== this.#clusterId || Number(header.revision) < this.#revision) {
        this.#foundReplaced(header.clusterId, Number(header.revision));
      }
    } catch {
      // The watch says that etcd does not answer.
    } finally {
      this.#isVerifying = false;
    }
  }

  async #readAnew(): Promise<void> {
    while (!this.#isClosed) {
      try {
        const whole = await readCluster(this.#options.client, this.keys, startLimitMs);
        if (whole.clusterId !== this.#clusterId || whole.revision < this.#revision) {
          this.#foundReplaced(whole.clusterId, whole.revision);
          return;
        }
        this.#adopt(whole);
        this.#watch?.resumeFrom(whole.revision + 1);
        return;
      } catch (error) {
        this.#isLost(messageOf(error));
        await sleep(500);
      }
    }
  }

  #adopt(whole: WholeState): void {
    const refused = this.entries.refused.length;
    this.#clusterId = whole.clusterId;
    this.#revision = whole.revision;
    this.#head = whole.head;
    const change = this.entries.replaceAll(whole.entries, whole.revision, now());
    this.#tellRefused(refused);
    this.#tell(change);
    this.#keepSoon();
    for (const wake of [...this.#waiters]) wake();
  }

  #foundReplaced(clusterId: string, revision: number): void {
    if (this.#replaced !== undefined || this.#isClosed) return;
    this.#replaced = { at: now(), ms: performance.now(), reason: '', clusterId, revision };
    this.#watch?.close();
    this.#watch = undefined;
    const problem = this.#awayProblem();
    this.#options.log.error(problem?.message ?? 'etcd was replaced', { code: problem?.code });
    void this.#awaitAcceptance();
  }

  /** Until a person accepted the replaced etcd at any node, or the known one is back. */
  async #awaitAcceptance(): Promise<void> {
    const { client, log } = this.#options;
    while (!this.#isClosed && this.#replaced !== undefined) {
      await sleep(lookMs, undefined, { ref: false });
      try {
        const { header, kvs } = await client.range({ key: Buffer.from(this.keys.accepted) }, startLimitMs);
        const accepted = kvs[0];
        if (this.#isClosed || this.#replaced === undefined) return;
        if (header.clusterId === this.#clusterId && Number(header.revision) >= this.#revision) {
          log.info('the etcd that this node knew is back', { revision: header.revision });
          this.#replaced = undefined;
          this.#watchFrom(this.#revision + 1);
        } else if (accepted !== undefined && this.#isAcceptance(accepted.value, Number(accepted.modRevision))) {
          await this.#takeReplaced();
        } else {
          this.#replaced = { ...this.#replaced, clusterId: header.clusterId, revision: Number(header.revision) };
        }
      } catch {
        // It does not answer; what this node knows is in force anyway.
      }
    }
  }

  #isAcceptance(value: Buffer, revision: number): boolean {
    if (this.#replaced === undefined) return false;
    if (this.#replaced.clusterId === this.#clusterId) return revision > this.#replaced.revision;
    try {
      const parsed: unknown = JSON.parse(value.toString());
      return typeof parsed === 'object' && parsed !== null && 'from' in parsed && parsed.from === this.#clusterId;
    } catch {
      return false;
    }
  }

  async #takeReplaced(): Promise<void> {
    const whole = await readCluster(this.#options.client, this.keys, startLimitMs);
    if (this.#isClosed || this.#replaced === undefined) return;
    this.#options.log.warn('the state of the replaced etcd is taken', {
      cluster: whole.clusterId,
      revision: whole.revision,
    });
    this.#replaced = undefined;
    this.#lost = undefined;
    this.#adopt(whole);
    this.#watchFrom(whole.revision + 1);
  }

  async #nextEvent(limitMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#waiters.delete(done);
        resolve();
      };
      const timer = setTimeout(done, limitMs);
      this.#waiters.add(done);
    });
  }

  #keepSoon(): void {
    if (this.#isClosed || this.#keepTimer !== undefined) return;
    this.#keepTimer = setTimeout(() => {
      this.#keeping = this.#keep().finally(() => {
        this.#keepTimer = undefined;
        this.#keeping = undefined;
      });
    }, keepAfterMs).unref();
  }

  async #keep(): Promise<void> {
    await this.#file.write({
      clusterId: this.#clusterId,
      prefix: this.keys.prefix,
      revision: this.#revision,
      head: this.#head,
      savedAt: this.#wellAt,
      entries: [...this.entries.all()],
    });
  }
}

function now(): string {
  return new Date().toISOString();
}

function idOf(value: Buffer): string | undefined {
  try {
    const parsed: unknown = JSON.parse(value.toString());
    return typeof parsed === 'object' && parsed !== null && 'id' in parsed ? String(parsed.id) : undefined;
  } catch {
    return undefined;
  }
}
