import { setTimeout as sleep } from 'node:timers/promises';
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { messageOf } from '../errors.js';
import type { Logger } from '../log/log.js';
import type { OwnCameras } from './claims.js';
import type { GoneNodes, NodeList } from './gone-nodes.js';
import type { LiveCamera } from './live-cameras.js';

/** How long a node may take to say whether it has a camera: a publisher waits for it. */
const answerMs = 2000;
/** A node that did not answer is not asked again for so long: each publisher of its cameras would wait. */
const silentMs = 10_000;
/** How often a node without a lease asks the others; seldomer where they are many: 20 calls a second. */
const roundMs = 2000;
const roundPerNodeMs = 50;
/** A claim and its node that go by the end of one lease are seen to go within that time of each other. */
const togetherMs = 5000;
/** Names in one question, which the API limits too. */
const maxAsked = 500;
/** So many cameras are remembered with the node that had them. */
const maxRemembered = 200_000;

const HeldSchema = Type.Object({
  camera: Type.String({ maxLength: 128 }),
  node: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$' }),
  epoch: Type.Integer({ minimum: 0 }),
  isSilent: Type.Boolean({
    description: 'Its publisher has sent nothing for publish-takeover. Of another node: false.',
  }),
});
/** What a node answers that is asked which node has some cameras; see `getHolders` of the API. */
const HoldersSchema = Type.Object({
  id: Type.String(),
  reachesEtcd: Type.Boolean({
    description: 'What it says of other nodes is true now, and not only what it knew last.',
  }),
  cameras: Type.Array(HeldSchema, { maxItems: maxAsked }),
});
const validator = Compile(HoldersSchema);

export type HeldCamera = Static<typeof HeldSchema>;
export type Holders = Static<typeof HoldersSchema>;

/**
 * Whether a node that has lost etcd gives its camera up, since another node has it too. A newer claim counts, as ever; of two that
 * have none, the one whose publisher sends, and else the one whose id comes first: both come to the same result.
 * @param asked the node that said so: of itself, or, where it reaches etcd, of another one
 */
export function givesUp(
  own: { readonly id: string; readonly epoch: number; readonly isSilent: boolean },
  other: HeldCamera,
  asked: Pick<Holders, 'id' | 'reachesEtcd'>,
): boolean {
  if (other.node === own.id) return false;
  if (other.node !== asked.id && !asked.reachesEtcd) return false;
  if (other.epoch !== own.epoch) return other.epoch > own.epoch;
  if (other.isSilent !== own.isSilent) return own.isSilent;
  return other.node < own.id;
}

export interface HolderQuestionsOptions {
  readonly nodes: NodeList & { readonly leaseId: string | undefined };
  readonly gone: GoneNodes;
  readonly cameras: OwnCameras;
  /** By camera, as etcd says, or said last. */
  readonly live: { readonly all: ReadonlyMap<string, LiveCamera>; onChange(listener: (camera: string) => void): void };
  /** This node's own claim of a camera, also after its lease; 0: none. */
  readonly epochOf: (camera: string) => number;
  /** The camera is at another node. */
  readonly giveUp: (camera: string, node: string) => void;
  /** Asks a node's API. @throws CodedError NODE_UNAVAILABLE */
  readonly ask: (node: string, path: string, body: string, limitMs: number) => Promise<Buffer>;
  readonly log: Logger;
}

/**
 * Who has a camera where etcd cannot say: nodes ask each other over their APIs. So a camera does not come to two nodes while one of
 * them has no way to etcd, as long as they reach each other.
 *
 * - Before a node takes a camera whose node is not in the list any more, or while it has no way to etcd itself, it asks the node
 *   that had the camera last: one that still has it keeps it.
 * - A node without a lease asks all others again and again, and gives up what is claimed elsewhere meanwhile.
 */
export class HolderQuestions {
  readonly #options: HolderQuestionsOptions;
  /** By camera: the node that had it last, as far as that is not in etcd any more, and since when. */
  readonly #last = new Map<string, { readonly node: string; readonly endMs: number }>();
  /** What etcd said last; to see what goes. */
  readonly #known = new Map<string, string>();
  /** By camera: which node told that another one has it, while this one has no way to etcd. */
  readonly #told = new Map<string, string>();
  readonly #silentSince = new Map<string, number>();
  /** By node: the question that is asked next. */
  readonly #next = new Map<string, { readonly names: Set<string>; readonly answer: Promise<Holders | undefined> }>();
  readonly #asking = new Map<string, Promise<unknown>>();
  readonly #timer: NodeJS.Timeout;
  #roundEndMs = Number.NEGATIVE_INFINITY;
  #isAsking = false;
  #isClosed = false;

  constructor(options: HolderQuestionsOptions) {
    this.#options = options;
    const { live } = options;
    for (const [camera, { node }] of live.all) this.#known.set(camera, node);
    live.onChange((camera) => this.#changed(camera));
    this.#timer = setInterval(() => void this.#askAll(), roundMs / 2).unref();
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
  }

  /**
   * The node that has a camera, and whose publisher sends, though etcd does not say so.
   * @param isAway true: etcd does not answer here
   * @returns undefined: none, as far as can be found out within 2 s
   */
  async holderOf(camera: string, isAway: boolean): Promise<string | undefined> {
    const { nodes, live } = this.#options;
    const known = live.all.get(camera)?.node ?? this.#last.get(camera)?.node;
    const asked = isAway ? (this.#told.get(camera) ?? known) : this.#lostWith(camera);
    if (asked === undefined || asked === nodes.self.id) return undefined;
    const answer = await this.#ask(asked, camera);
    const found = answer?.cameras.find((each) => each.camera === camera);
    if (answer === undefined || found === undefined || found.isSilent || found.node === nodes.self.id) return undefined;
    return found.node === answer.id || answer.reachesEtcd ? found.node : undefined;
  }

  /** What this node answers to the same question. @param names at most `maxAsked` are looked at */
  answer(names: readonly string[]): Holders {
    const { nodes, cameras, live, epochOf } = this.#options;
    const { id } = nodes.self;
    const found = names.slice(0, maxAsked).flatMap((camera): HeldCamera[] => {
      if (cameras.isLive(camera)) {
        return [{ camera, node: id, epoch: epochOf(camera), isSilent: cameras.isSilent(camera) }];
      }
      const other = live.all.get(camera);
      return other === undefined || other.node === id ? [] : [{ camera, ...other, isSilent: false }];
    });
    return { id, reachesEtcd: nodes.leaseId !== undefined, cameras: found };
  }

  /** The node whose claim of a camera ended with its lease: what it gave back in time is free. */
  #lostWith(camera: string): string | undefined {
    const last = this.#last.get(camera);
    const leftMs = last === undefined ? undefined : this.#options.gone.leftAtMs(last.node);
    return leftMs !== undefined && Math.abs(leftMs - last!.endMs) < togetherMs ? last!.node : undefined;
  }

  #changed(camera: string): void {
    const node = this.#options.live.all.get(camera)?.node;
    const before = this.#known.get(camera);
    if (node !== undefined) {
      this.#known.set(camera, node);
      this.#last.delete(camera);
      return;
    }
    this.#known.delete(camera);
    if (before === undefined || before === this.#options.nodes.self.id) return;
    this.#last.set(camera, { node: before, endMs: performance.now() });
    if (this.#last.size > maxRemembered) this.#last.delete(this.#last.keys().next().value ?? '');
  }

  /** Joins the question that this node is asked next: a dead node's thousand cameras come at the same time. */
  #ask(node: string, camera: string): Promise<Holders | undefined> {
    if (this.#isSilent(node)) return Promise.resolve(undefined);
    const next = this.#next.get(node);
    if (next !== undefined && next.names.size < maxAsked) {
      next.names.add(camera);
      return next.answer;
    }
    const names = new Set([camera]);
    const before = this.#asking.get(node) ?? Promise.resolve();
    const answer = before.then(() => {
      if (this.#next.get(node)?.names === names) this.#next.delete(node);
      // It may not have answered the question before: those who came meanwhile do not wait for it once more.
      return this.#isSilent(node) ? undefined : this.#send(node, [...names]);
    });
    this.#next.set(node, { names, answer });
    this.#asking.set(node, answer);
    void answer.then(() => {
      if (this.#asking.get(node) === answer) this.#asking.delete(node);
    });
    return answer;
  }

  /** It did not answer lately. */
  #isSilent(node: string): boolean {
    const sinceMs = this.#silentSince.get(node);
    return sinceMs !== undefined && performance.now() - sinceMs < silentMs;
  }

  async #send(node: string, names: readonly string[]): Promise<Holders | undefined> {
    try {
      const bytes = await this.#options.ask(node, '/v1/cluster/holders', JSON.stringify({ cameras: names }), answerMs);
      const answer: unknown = JSON.parse(bytes.toString());
      if (!validator.Check(answer) || answer.id !== node) throw new Error('what it answers is not understood');
      this.#silentSince.delete(node);
      return answer;
    } catch (error) {
      this.#silentSince.set(node, performance.now());
      this.#options.log.debug('a node does not say which cameras it has', { node, error: messageOf(error) });
      return undefined;
    }
  }

  /** While this node has no lease: has anybody claimed what is live here? */
  async #askAll(): Promise<void> {
    const { nodes, gone, cameras } = this.#options;
    if (nodes.leaseId !== undefined) {
      this.#told.clear();
      return;
    }
    const others = gone.all.flatMap(({ id }) => (id === nodes.self.id ? [] : [id]));
    const pauseMs = Math.max(roundMs, others.length * roundPerNodeMs);
    if (this.#isAsking || performance.now() - this.#roundEndMs < pauseMs) return;
    this.#isAsking = true;
    try {
      for (const [index, node] of others.entries()) {
        if (index % 20 === 19) await sleep(1000, undefined, { ref: false });
        const names = [...cameras.live()];
        for (let from = 0; from < names.length && !this.#isClosed; from += maxAsked) {
          const asked = names.slice(from, from + maxAsked);
          // One that does not answer shall not keep the others waiting.
          void this.#send(node, asked).then((answer) => this.#weigh(answer));
        }
      }
    } finally {
      this.#isAsking = false;
      this.#roundEndMs = performance.now();
    }
  }

  #weigh(answer: Holders | undefined): void {
    const { nodes, cameras, epochOf, giveUp } = this.#options;
    if (answer === undefined || nodes.leaseId !== undefined || this.#isClosed) return;
    for (const other of answer.cameras) {
      const { camera, node } = other;
      if (!cameras.isLive(camera)) continue;
      const own = { id: nodes.self.id, epoch: epochOf(camera), isSilent: cameras.isSilent(camera) };
      if (!givesUp(own, other, answer)) continue;
      this.#told.set(camera, answer.id);
      giveUp(camera, node);
    }
  }
}
