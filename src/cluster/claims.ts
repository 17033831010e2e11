import { CodedError, messageOf } from '../errors.js';
import type { EtcdClient } from '../etcd/client.js';
import type { KeyValue } from '../etcd/protocol.js';
import type { Logger } from '../log/log.js';
import { holderIn, type LiveCameras } from './live-cameras.js';
import type { ClusterNodes } from './nodes.js';

const callMs = 2000;
/** How long the node that has a camera may take to answer. */
const answerLimitMs = 3000;
const maxAttempts = 3;
/** How often claims of cameras that are not live here are given back, and live ones that were let in unasked are claimed. */
const sweepMs = 5000;
/** Of those, so many are asked for at the same time: a node with a thousand cameras shall not take a thousand round trips. */
const claimedAtOnce = 16;

/** What is known of the cameras of this node. */
export interface OwnCameras {
  /** True while something feeds the camera, or is waited for. */
  isLive(camera: string): boolean;
  /** True when what feeds it has sent nothing for `publish-takeover`. */
  isSilent(camera: string): boolean;
  /** Ends what feeds it, and what gets it. */
  letGo(camera: string, reason: CodedError): void;
  /** The cameras that are live. */
  live(): Iterable<string>;
}

export interface ClaimsOptions {
  readonly client: EtcdClient;
  /** Ends with "/". */
  readonly prefix: string;
  readonly nodes: ClusterNodes;
  readonly cameras: OwnCameras;
  /** What all nodes claimed. */
  readonly live: LiveCameras;
  /** The node that has a camera though etcd does not say so; asked of that node. @param isAway etcd does not answer here */
  readonly askedHolderOf?: (camera: string, isAway: boolean) => Promise<string | undefined>;
  readonly log: Logger;
}

interface Waiter {
  readonly camera: string;
  readonly wake: (answer: 'free' | 'refused') => void;
}

/**
 * Which node has which live camera. Nobody is elected: the node that holds the publisher's connection claims the camera's
 * key, under its lease; the revision at which the key was made is the epoch. Whoever wants a camera that another node has
 * asks there: it is given when its publisher is silent. A node that learns of a newer epoch lets go at once. Without etcd
 * nobody is kept out: what flows does not depend on a record.
 *
 *   newcomer: wanted/NAME = who ──► owner: silent? lets go, deletes live/NAME : deletes wanted/NAME, which is a refusal
 */
export class CameraClaims {
  readonly #options: ClaimsOptions;
  readonly #prefix: string;
  /** By camera: the epoch of this node's claim. */
  readonly #held = new Map<string, number>();
  readonly #asking = new Map<string, Promise<void>>();
  /** Those of them for whoever can wait. */
  readonly #patient = new Set<string>();
  readonly #waiters = new Set<Waiter>();
  readonly #sweep: NodeJS.Timeout;
  #refuses: ((camera: string) => CodedError | undefined) | undefined;
  #isClaiming = false;
  /** Whether it is to be gone through once more: a new lease came meanwhile. */
  #claimsAgain = false;
  readonly #claiming = new Set<string>();
  /** Cameras whose key may be removed in a moment, by what this node asked for. */
  readonly #releasing = new Set<string>();
  /** By camera: the epoch of a claim that could not be given back, for want of etcd. */
  readonly #keptBack = new Map<string, number>();
  #isClosed = false;

  constructor(options: ClaimsOptions) {
    this.#options = options;
    this.#prefix = `${options.prefix}claims/`;
    this.#sweep = setInterval(() => this.#putRight(), sweepMs).unref();
    options.nodes.onLease(() => void this.#claimAnew());
    options.live.readBy({
      claimed: (camera, kv, revision) => this.#claimed(camera, kv, revision),
      wanted: (camera, by) => {
        if (by === undefined) this.#answer(camera, 'refused');
        else this.#wanted(camera, by);
      },
      missed: () => void this.#claimAnew(),
    });
  }

  /**
   * Has this node be the one that has the camera.
   * @param isPatient it can wait, as what is pulled can: etcd is not asked while another node is known to have the camera, and
   *   that node is not asked to give it away
   * @returns undefined: it is; else a promise that resolves when it is
   * @throws (rejects) CodedError PUBLISH_ALREADY_LIVE: another node has it, and its publisher sends; what `refuseBy` says
   */
  claim(camera: string, isPatient = false): Promise<void> | undefined {
    const refusal = this.#refuses?.(camera);
    if (refusal !== undefined) return Promise.reject(refusal);
    if (this.#held.has(camera)) return undefined;
    const asked = this.#asking.get(camera);
    if (asked !== undefined) {
      const isOther = this.#patient.has(camera) && !isPatient;
      return isOther ? asked.catch(() => this.claim(camera)) : asked;
    }
    const holder = isPatient ? this.#knownElsewhere(camera) : undefined;
    if (holder !== undefined) return Promise.reject(alreadyLive(camera, holder));
    if (isPatient) this.#patient.add(camera);
    const asking = this.#ask(camera, isPatient).finally(() => {
      this.#asking.delete(camera);
      this.#patient.delete(camera);
    });
    this.#asking.set(camera, asking);
    return asking;
  }

  /** Another node that lives and is known to have the camera. */
  #knownElsewhere(camera: string): string | undefined {
    const { live, nodes } = this.#options;
    const holder = live.holderOf(camera);
    return holder !== nodes.self.id && nodes.all.some(({ id }) => id === holder) ? holder : undefined;
  }

  /** Has publishers refused from now on, for which there is a reason. */
  refuseBy(reasonOf: (camera: string) => CodedError | undefined): void {
    this.#refuses = reasonOf;
  }

  /** The epoch of this node's claim; 0: it has none. */
  epochOf(camera: string): number {
    return this.#held.get(camera) ?? 0;
  }

  /** Another node has the camera now. */
  giveUp(camera: string, holder: string): void {
    this.#held.delete(camera);
    if (this.#options.cameras.isLive(camera)) this.#letGo(camera, holder);
  }

  /** The camera is not live here any more. */
  release(camera: string): void {
    const epoch = this.#held.get(camera);
    if (epoch === undefined) return;
    this.#held.delete(camera);
    this.#giveBack(camera, epoch);
  }

  #giveBack(camera: string, epoch: number): void {
    this.#releasing.add(camera);
    const key = this.#key('live', camera);
    void this.#options.client
      .txn(
        {
          compare: [{ result: 'EQUAL', target: 'CREATE', key, createRevision: epoch }],
          success: [{ requestDeleteRange: { key } }],
          failure: [],
        },
        callMs,
      )
      .catch((error: unknown) => {
        // This node's lease goes on, and with it the claim: all other nodes would refuse the camera's publisher.
        this.#keptBack.set(camera, epoch);
        this.#options.log.debug('a claim cannot be given back', { camera, error: messageOf(error) });
      })
      .finally(() => this.#releasing.delete(camera));
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#sweep);
    for (const { wake } of [...this.#waiters]) wake('refused');
  }

  #key(kind: 'live' | 'wanted', camera: string): Buffer {
    return Buffer.from(`${this.#prefix}${kind}/${camera}`);
  }

  async #ask(camera: string, isPatient: boolean): Promise<void> {
    const { askedHolderOf, log } = this.#options;
    try {
      // A node that only lost its way to etcd still has what it had.
      const isolated = await askedHolderOf?.(camera, false);
      if (isolated !== undefined) throw alreadyLive(camera, isolated);
      for (let attempt = 1; attempt <= maxAttempts; attempt += 1) {
        const holder = await this.#tryClaim(camera);
        if (holder === undefined) return;
        if (isPatient || (await this.#askHolder(camera)) === 'refused') throw alreadyLive(camera, holder);
      }
    } catch (error) {
      if (error instanceof CodedError && error.code === 'PUBLISH_ALREADY_LIVE') throw error;
      const known = await askedHolderOf?.(camera, true);
      if (known !== undefined) throw alreadyLive(camera, known);
      // Etcd does not answer, or another node has this one's id: what wants to flow, flows. When it answers again, who claims it
      // first keeps it.
      log.warn('the camera cannot be claimed in etcd now; it is accepted without a claim', {
        camera,
        error: messageOf(error),
      });
    }
  }

  /** @returns undefined: this node has it; else the node that has. */
  async #tryClaim(camera: string): Promise<string | undefined> {
    const { client, nodes } = this.#options;
    // A camera that comes back while its node starts again may be live at another one by now.
    const lease = await nodes.leaseSoon(callMs);
    if (lease === undefined) throw new Error('this node has no lease');
    const key = this.#key('live', camera);
    const value = Buffer.from(JSON.stringify({ node: nodes.self.id, since: new Date().toISOString() }));
    const put = { requestPut: { key, value, lease } };
    const first = await client.txn(
      {
        compare: [{ result: 'EQUAL', target: 'CREATE', key, createRevision: 0 }],
        success: [put],
        failure: [{ requestRange: { key } }],
      },
      callMs,
    );
    if (first.succeeded) return this.#hold(camera, Number(first.header.revision));
    const found = first.responses[0]?.responseRange?.kvs[0];
    if (found === undefined) return this.#tryClaim(camera);
    const holder = holderIn(found);
    const isOfThisLife = holder === nodes.self.id && found.lease === lease;
    if (isOfThisLife && !this.#releasing.has(camera)) return this.#hold(camera, Number(found.createRevision));
    const isGone = !nodes.all.some(({ id }) => id === holder);
    if (holder !== nodes.self.id && !isGone) return holder;
    // Of this node's life before, or of a node that is not there any more: a new key, so that the epoch is newer.
    const again = await client.txn(
      {
        compare: [{ result: 'EQUAL', target: 'MOD', key, modRevision: Number(found.modRevision) }],
        success: [{ requestDeleteRange: { key } }],
        failure: [],
      },
      callMs,
    );
    return again.succeeded ? this.#tryClaim(camera) : holder;
  }

  #hold(camera: string, epoch: number): undefined {
    this.#held.set(camera, epoch);
    return undefined;
  }

  /** Asks the node that has the camera, and waits for its answer. */
  async #askHolder(camera: string): Promise<'free' | 'refused'> {
    const { client, nodes } = this.#options;
    const lease = nodes.leaseId;
    if (lease === undefined) throw new Error('this node has no lease');
    const key = this.#key('wanted', camera);
    const value = Buffer.from(JSON.stringify({ node: nodes.self.id }));
    const answer = new Promise<'free' | 'refused'>((resolve) => {
      const waiter: Waiter = {
        camera,
        wake: (word) => {
          clearTimeout(timer);
          this.#waiters.delete(waiter);
          resolve(word);
        },
      };
      const timer = setTimeout(() => waiter.wake('refused'), answerLimitMs);
      this.#waiters.add(waiter);
    });
    await client.txn({ compare: [], success: [{ requestPut: { key, value, lease } }], failure: [] }, callMs);
    return await answer;
  }

  /** @param revision of the change */
  #claimed(camera: string, kv: KeyValue | undefined, revision: number): void {
    const epoch = this.#held.get(camera);
    const holder = kv === undefined ? '' : holderIn(kv);
    if (kv === undefined) this.#answer(camera, 'free');
    if (kv === undefined || holder === '') {
      // The lease was over for a while, or a person wrote what is nobody's: whoever still has the camera claims it anew.
      // What tells late of an older claim says nothing of the newer one.
      if (epoch === undefined || revision <= epoch) return;
      this.#held.delete(camera);
      if (this.#options.cameras.isLive(camera)) void this.#claimOrLetGo(camera);
      return;
    }
    if (holder === this.#options.nodes.self.id) return;
    const isNewer = epoch === undefined || Number(kv.createRevision) > epoch;
    if (isNewer && this.#options.cameras.isLive(camera)) this.#letGo(camera, holder);
    if (isNewer) this.#held.delete(camera);
  }

  /** Another node has a publisher for a camera that is claimed here. */
  #wanted(camera: string, by: string): void {
    const { cameras, client, nodes, log } = this.#options;
    if (by === nodes.self.id || !this.#held.has(camera)) return;
    const wanted = this.#key('wanted', camera);
    if (!cameras.isLive(camera) || cameras.isSilent(camera)) {
      log.info('a silent camera is replaced by its publisher at another node', { camera, node: by });
      if (cameras.isLive(camera)) this.#letGo(camera, by);
      this.release(camera);
    }
    void client
      .txn({ compare: [], success: [{ requestDeleteRange: { key: wanted } }], failure: [] }, callMs)
      .catch((error: unknown) =>
        log.debug('a question of another node cannot be answered', { camera, error: messageOf(error) }),
      );
  }

  #answer(camera: string, word: 'free' | 'refused'): void {
    for (const waiter of [...this.#waiters]) if (waiter.camera === camera) waiter.wake(word);
  }

  #letGo(camera: string, holder: string): void {
    this.#options.log.warn('the camera is now live at another node; its stream here is ended', {
      camera,
      node: holder,
    });
    this.#options.cameras.letGo(
      camera,
      new CodedError('PUBLISH_ALREADY_LIVE', `camera ${camera} is live at node ${holder} now`),
    );
  }

  /** After a new lease: the keys under the one before are gone, or will be. */
  async #claimAnew(): Promise<void> {
    this.#held.clear();
    this.#keptBack.clear();
    await this.#claimUnclaimed();
  }

  /** Of cameras that were let in while etcd was away, or whose claim was given back while their source took long to come. */
  async #claimUnclaimed(): Promise<void> {
    this.#claimsAgain = true;
    if (this.#isClaiming) return;
    this.#isClaiming = true;
    while (this.#claimsAgain) {
      this.#claimsAgain = false;
      const left = [...this.#options.cameras.live()];
      while (left.length > 0 && !this.#isClosed) {
        const some = left.splice(-claimedAtOnce).filter((camera) => this.#isUnclaimed(camera));
        const answers = await Promise.all(some.map((camera) => this.#claimOrLetGo(camera)));
        // Where etcd does not answer for one, it does not for the others: they are claimed when it does.
        if (answers.includes(false)) break;
      }
    }
    this.#isClaiming = false;
  }

  #isUnclaimed(camera: string): boolean {
    return !this.#held.has(camera) && !this.#asking.has(camera) && this.#options.cameras.isLive(camera);
  }

  /** @returns false: etcd does not answer */
  async #claimOrLetGo(camera: string): Promise<boolean> {
    if (this.#claiming.has(camera)) return true;
    this.#claiming.add(camera);
    try {
      const holder = await this.#tryClaim(camera);
      if (holder !== undefined && this.#options.cameras.isLive(camera)) this.#letGo(camera, holder);
      return true;
    } catch (error) {
      this.#options.log.debug('a live camera cannot be claimed now', { camera, error: messageOf(error) });
      return false;
    } finally {
      this.#claiming.delete(camera);
    }
  }

  #putRight(): void {
    const { cameras, nodes } = this.#options;
    if (nodes.leaseId !== undefined && !this.#isClaiming) void this.#claimUnclaimed();
    // Without a lease, its keys end by themselves.
    for (const [camera, epoch] of nodes.leaseId === undefined ? [] : [...this.#keptBack]) {
      this.#keptBack.delete(camera);
      if (!this.#held.has(camera) && !this.#asking.has(camera) && !cameras.isLive(camera))
        this.#giveBack(camera, epoch);
    }
    for (const camera of [...this.#held.keys()]) {
      if (!cameras.isLive(camera) && !this.#asking.has(camera)) this.release(camera);
    }
  }
}

function alreadyLive(camera: string, holder: string): CodedError {
  const message = `camera ${camera} is live at node ${holder}; a publisher is let in here when that one has been silent for a while`;
  return new CodedError('PUBLISH_ALREADY_LIVE', message);
}
