import type { HopState } from '../backend/backend.js';

/** A hop that is not made after this long is as good as failed. */
const connectLimitMs = 4000;

interface Hop {
  state: HopState;
  sinceMs: number;
}

/** A node that was asked so often in a row without an answer is not there. */
const unansweredLimit = 2;

interface Link {
  /** How often in a row it did not answer. */
  unanswered: number;
  readonly hops: Map<string, Hop>;
  /** Null: other nodes may count on it. */
  downSinceMs: number | null;
  /** Since when nothing is wrong with it any more. */
  wellSinceMs: number | null;
}

export interface LinksOptions {
  /** How long a node has to be well until streams go through it again. */
  readonly returnMs: number;
  /** True while the others cannot be told that streams do not go through a node yet: then they go there as soon as it is well. */
  readonly cannotTell?: () => boolean;
  /** A node cannot be reached, or can again. */
  readonly onLink: (node: string, isDown: boolean, why: string) => void;
  /** One camera is refused by a node, or not any more. */
  readonly onRefused: (camera: string, node: string) => void;
}

/**
 * Which other nodes can be reached from this one, judged by the streams that go there: one that fails or stalls takes the node
 * out at once; it is back when all streams to it have been well for a while. They are tried all the time.
 */
export class Links {
  readonly #options: LinksOptions;
  readonly #links = new Map<string, Link>();
  readonly #refused = new Map<string, Set<string>>();

  constructor(options: LinksOptions) {
    this.#options = options;
  }

  /** Nodes that cannot be reached. */
  get down(): string[] {
    return [...this.#links].filter(([, { downSinceMs }]) => downSinceMs !== null).map(([node]) => node);
  }

  /** True while a camera's stream is taken by a node: whatever is said of the node, it lives. */
  isFlowing(node: string): boolean {
    const link = this.#links.get(node);
    if (link === undefined || link.unanswered >= unansweredLimit) return false;
    for (const { state } of link.hops.values()) if (state === 'active') return true;
    return false;
  }

  /** The cameras that go to other nodes. */
  get cameras(): ReadonlySet<string> {
    return new Set([...this.#links.values()].flatMap(({ hops }) => [...hops.keys()]));
  }

  /** Nodes that get streams from this one. */
  get nodes(): string[] {
    return [...this.#links].filter(([, { hops }]) => hops.size > 0).map(([node]) => node);
  }

  /**
   * Whether a node answered when it was asked, as it is about once a second: streams of few bytes show late that nobody reads
   * them. @param nowMs a monotonic clock
   */
  noteAnswer(node: string, isAnswered: boolean, nowMs: number): void {
    const link = this.#links.get(node);
    if (link === undefined) return;
    link.unanswered = isAnswered ? 0 : link.unanswered + 1;
    if (link.unanswered >= unansweredLimit) this.#fail(node, link, 'does not answer', nowMs);
  }

  /** True while a node refuses this camera, and takes others. */
  isRefused(camera: string, node: string): boolean {
    return this.#refused.get(camera)?.has(node) === true;
  }

  /** @param nowMs a monotonic clock */
  note(camera: string, node: string, state: HopState, nowMs: number): void {
    const link = this.#links.get(node) ?? {
      ...{ unanswered: 0, hops: new Map<string, Hop>(), downSinceMs: null, wellSinceMs: null },
    };
    this.#links.set(node, link);
    if (state === 'gone') link.hops.delete(camera);
    else {
      const known = link.hops.get(camera);
      // Between two tries it is not made either.
      const isSame = known !== undefined && isOpen(known.state) && isOpen(state);
      link.hops.set(camera, { state, sinceMs: isSame ? known.sinceMs : nowMs });
    }
    if (state === 'refused' || state === 'full') this.#refuse(camera, node, true);
    else if (state === 'active' || state === 'gone') this.#refuse(camera, node, false);
    if (state === 'failed' || state === 'stalled') this.#fail(node, link, state, nowMs);
  }

  /** Call about twice a second. @param nowMs a monotonic clock */
  tick(nowMs: number): void {
    for (const [node, link] of this.#links) {
      const late = [...link.hops.values()].some(
        ({ state, sinceMs }) => state === 'connecting' && nowMs - sinceMs > connectLimitMs,
      );
      if (late) this.#fail(node, link, 'does not answer', nowMs);
      if (link.downSinceMs === null) {
        if (link.hops.size === 0) this.#links.delete(node);
        continue;
      }
      const isWell = [...link.hops.values()].every(
        ({ state }) => state === 'active' || state === 'idle' || state === 'refused' || state === 'full',
      );
      if (!isWell || link.unanswered > 0) link.wellSinceMs = null;
      else link.wellSinceMs ??= nowMs;
      const returnMs = this.#options.cannotTell?.() === true ? 0 : this.#options.returnMs;
      if (link.wellSinceMs === null || nowMs - link.wellSinceMs < returnMs) continue;
      link.downSinceMs = null;
      this.#options.onLink(node, false, 'it has been well for a while');
    }
  }

  #fail(node: string, link: Link, why: string, nowMs: number): void {
    link.wellSinceMs = null;
    if (link.downSinceMs !== null) return;
    link.downSinceMs = nowMs;
    this.#options.onLink(node, true, why);
  }

  #refuse(camera: string, node: string, isRefused: boolean): void {
    if (isRefused === this.isRefused(camera, node)) return;
    const nodes = this.#refused.get(camera) ?? new Set();
    if (isRefused) nodes.add(node);
    else nodes.delete(node);
    if (nodes.size > 0) this.#refused.set(camera, nodes);
    else this.#refused.delete(camera);
    this.#options.onRefused(camera, node);
  }
}

function isOpen(state: HopState): boolean {
  return state === 'connecting' || state === 'failed';
}
