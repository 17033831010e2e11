import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, StateError } from '../../errors.js';
import type { EtcdClient } from '../../etcd/client.js';
import type { WatchEvent } from '../../etcd/protocol.js';
import { PrefixWatch } from '../../etcd/watch.js';
import type { Logger } from '../../log/log.js';
import type { DesiredState } from '../../model/model.js';
import { allOf } from '../../model/steps.js';
import type { Sealing } from '../sealing.js';
import type { StateChange, StateProblem } from '../store.js';
import { Arrivals } from './arrivals.js';
import { EtcdContact } from './contact.js';
import { ClusterEntries, type EntryEvent } from './entries.js';
import { ClusterKeys } from './keys.js';
import { readCluster, type WholeState } from './read.js';
import { logRefusals, refusalProblems } from './refusals.js';
import { awaitDecision, type EtcdPlace, isReplaced, writeAcceptance } from './replaced.js';
import { type Snapshot, SnapshotFile, SnapshotKeeper } from './snapshot.js';

/** How long a reading may take. */
const startLimitMs = 5000;
/** And the first one, before a node starts with what it knew. */
const knownStartLimitMs = 2000;
/** How long a change waits for that of another node, which is in several transactions. */
const othersLimitMs = 6000;

export interface ReplicaOptions {
  readonly client: EtcdClient;
  readonly prefix: string;
  readonly dataDir: string;
  readonly log: Logger;
  readonly check?: (before: DesiredState, after: DesiredState) => Generator<undefined, void>;
  readonly notify: (change: StateChange) => void;
  /** How URLs are sealed; undefined: not at all. */
  readonly sealing?: Sealing | undefined;
}

/**
 * What this node knows of the cluster's state: read once, then kept up to date by a watch. Without etcd the last known
 * state stays in force, and this is a problem that is shown. An etcd that is another one than was known, or an older
 * state of it, changes nothing here until a person accepts it.
 */
export class ClusterReplica {
  readonly entries: ClusterEntries;
  readonly keys: ClusterKeys;
  readonly #options: ReplicaOptions;
  readonly #keeper: SnapshotKeeper;
  readonly #arrivals: Arrivals;
  readonly #waiters = new Set<() => void>();
  #watch: PrefixWatch | undefined;
  #clusterId: string;
  /** Everything up to this revision is known. */
  #revision: number;
  #head: number;
  readonly #contact: EtcdContact;
  #isVerifying = false;
  #isClosed = false;

  private constructor(options: ReplicaOptions, file: SnapshotFile, known: Omit<Snapshot, 'prefix'>) {
    this.#options = options;
    this.keys = new ClusterKeys(options.prefix);
    this.entries = new ClusterEntries(options.sealing);
    this.#keeper = new SnapshotKeeper(file, () => this.#snapshot());
    this.#arrivals = this.#newArrivals();
    this.#clusterId = known.clusterId;
    this.#revision = known.revision;
    this.#head = known.head;
    this.#contact = new EtcdContact(known.savedAt, options.log);
    this.entries.replaceAll(known.entries, known.revision, now());
    logRefusals(this.entries.refused, 0, this.#options.log);
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
      whole = await readCluster(options.client, keys, snapshot === undefined ? startLimitMs : knownStartLimitMs);
    } catch (error) {
      failure = error instanceof Error ? error : new Error(messageOf(error));
    }
    if (whole !== undefined && (snapshot === undefined || !isReplaced(snapshot, whole))) {
      const replica = new ClusterReplica(options, file, { ...whole, savedAt: now() });
      replica.#watchFrom(whole.revision + 1);
      replica.#keeper.soon();
      return replica;
    }
    if (snapshot === undefined) {
      const message = `${messageOf(failure)}; this node has no earlier state of this cluster to start with`;
      throw new StateError('CLUSTER_UNAVAILABLE', message, { cause: failure });
    }
    const replica = new ClusterReplica(options, file, snapshot);
    if (whole !== undefined) {
      replica.#foundReplaced(whole);
      return replica;
    }
    replica.#contact.lost(messageOf(failure));
    options.log.warn('etcd does not answer; starting with the last known state', {
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
    const away = this.#contact.problem;
    return [...(away === undefined ? [] : [away]), ...refusalProblems(this.entries.refused)];
  }

  /** @throws StateError CLUSTER_UNAVAILABLE, CLUSTER_REPLACED: no change can be made now */
  refuseUnlessWell(): void {
    const { problem } = this.#contact;
    if (problem !== undefined) throw new StateError(problem.code, problem.message, { cause: problem });
  }

  /** As `Arrivals.expect`. */
  expect(id: string): { readonly seenAt: () => number; readonly end: () => void } {
    return this.#arrivals.expect(id);
  }

  /** Waits while a node is in the middle of a change of several transactions. @returns whether it had to */
  async othersAreWriting(): Promise<boolean> {
    if (!this.#arrivals.isInTheMiddle) return false;
    while (this.#arrivals.isInTheMiddle && !this.#isClosed) await this.#nextEvent(othersLimitMs);
    return true;
  }

  /** This node wrote the head at this revision. */
  noteHead(revision: number): void {
    this.#head = Math.max(this.#head, revision);
  }

  /** Applies what this node wrote itself. The watch will report it too. */
  applyOwn(entries: readonly EntryEvent[]): void {
    this.#tell(this.entries.apply(entries, now()));
    this.#keeper.soon();
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

  /**
   * Accepts the state of a replaced etcd, and tells all other nodes to do so. @throws StateError CLUSTER_UNAVAILABLE
   */
  async acceptReplaced(): Promise<void> {
    if (!this.#contact.isReplaced) {
      // Which etcd it is, nobody knows while it does not answer.
      this.refuseUnlessWell();
      return;
    }
    await writeAcceptance(this.#options.client, this.keys, this.#place);
    await this.#takeReplaced();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#arrivals.drop();
    this.#watch?.close();
    this.#wakeAll();
    await this.#keeper.close();
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
        lost: (reason) => this.#contact.lost(reason),
        compacted: (at) => {
          log.warn('etcd has compacted changes that this node has not seen; the whole state is read again', {
            revision: at,
          });
          void this.#readAnew();
        },
      },
      log,
    );
  }

  #take(events: readonly WatchEvent[], last: number): void {
    // Until a person accepts the restored etcd, nothing of it is applied.
    if (this.#contact.isReplaced) return;
    this.#arrivals.take(events);
    this.#revision = Math.max(this.#revision, last);
    this.#keeper.soon();
    this.#wakeAll();
  }

  #newArrivals(): Arrivals {
    const { check, log } = this.#options;
    return new Arrivals(this.keys, {
      head: (revision) => this.noteHead(revision),
      change: (entries) => this.#telling(() => this.entries.apply(entries, now(), this.#onUnknown)),
      edit: (entries) =>
        this.#telling(() =>
          check === undefined
            ? this.entries.apply(entries, now(), this.#onUnknown)
            : this.entries.applyByHand(entries, now(), (was, is) => allOf(check(was, is)), this.#onUnknown),
        ),
      torn: () => {
        log.warn('only part of a change by another node is in etcd; that part is in force');
        this.#wakeAll();
      },
    });
  }

  #telling(apply: () => StateChange): void {
    const refused = this.entries.refused.length;
    const change = apply();
    logRefusals(this.entries.refused, refused, this.#options.log);
    this.#tell(change);
  }

  readonly #onUnknown = (path: string): void => {
    this.#options.log.info('etcd has a field that this version does not know; it is ignored and kept', { path });
  };

  #wakeAll(): void {
    for (const wake of [...this.#waiters]) wake();
  }

  get #place(): EtcdPlace {
    return { clusterId: this.#clusterId, revision: this.#revision };
  }

  #tell(change: StateChange): void {
    if (change.cameras.size > 0 || change.engines.size > 0) this.#options.notify(change);
  }

  #alive(clusterId: string, revision: number): void {
    if (this.#contact.isReplaced) return;
    if (clusterId !== this.#clusterId) {
      this.#foundReplaced({ clusterId, revision });
      return;
    }
    // A member may lag behind without being an older etcd, so a majority is asked.
    if (revision < this.#revision) void this.#verify();
    this.#contact.answers();
  }

  async #verify(): Promise<void> {
    if (this.#isVerifying) return;
    this.#isVerifying = true;
    try {
      const { header } = await this.#options.client.range({ key: Buffer.from(this.keys.head) }, startLimitMs);
      const found = { clusterId: header.clusterId, revision: Number(header.revision) };
      if (isReplaced(this.#place, found)) this.#foundReplaced(found);
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
        if (isReplaced(this.#place, whole)) {
          this.#foundReplaced(whole);
          return;
        }
        this.#adopt(whole);
        this.#watch?.resumeFrom(whole.revision + 1);
        return;
      } catch (error) {
        this.#contact.lost(messageOf(error));
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
    logRefusals(this.entries.refused, refused, this.#options.log);
    this.#tell(change);
    this.#keeper.soon();
    this.#wakeAll();
  }

  #foundReplaced({ clusterId, revision }: EtcdPlace): void {
    if (this.#contact.isReplaced || this.#isClosed) return;
    const found = { clusterId, revision };
    this.#contact.foundReplaced(this.#place, found);
    this.#watch?.close();
    this.#watch = undefined;
    this.#arrivals.drop();
    void this.#awaitDecision(found);
  }

  async #awaitDecision(found: EtcdPlace): Promise<void> {
    const { client, log } = this.#options;
    const isOver = () => this.#isClosed || !this.#contact.isReplaced;
    for (;;) {
      const decision = await awaitDecision(client, this.keys, this.#place, found, isOver);
      if (decision === 'over') return;
      try {
        if (decision === 'accepted') await this.#takeReplaced();
        else {
          log.info('the etcd that this node knew is back');
          this.#contact.isBack();
          this.#watchFrom(this.#revision + 1);
        }
        return;
      } catch (error) {
        log.warn('the state of the replaced etcd cannot be read yet', { error: messageOf(error) });
      }
    }
  }

  async #takeReplaced(): Promise<void> {
    const whole = await readCluster(this.#options.client, this.keys, startLimitMs);
    if (this.#isClosed || !this.#contact.isReplaced) return;
    this.#options.log.warn('the state of the replaced etcd is accepted', {
      cluster: whole.clusterId,
      revision: whole.revision,
    });
    this.#contact.accepted();
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

  /** What is kept on disk. Undefined while a part of a change is held: the revision covers it, the entries do not. */
  #snapshot(): Snapshot | undefined {
    if (this.#arrivals.isInTheMiddle) return undefined;
    return {
      ...this.#place,
      prefix: this.keys.prefix,
      head: this.#head,
      savedAt: this.#contact.wellAt,
      entries: [...this.entries.all()],
    };
  }
}

function now(): string {
  return new Date().toISOString();
}
