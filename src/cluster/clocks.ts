import type { Logger } from '../log/log.js';
import type { NodeList } from './gone-nodes.js';
import { skewMs } from './node-token.js';

/** Clocks that differ by less are not spoken of: the header of HTTP has whole seconds, and answers take a while. */
const toldFromMs = 5000;
/** How often one other node is asked for its time, each in turn. */
const askMs = 5000;
/** What was measured is not true any more after so long; where all nodes take longer to ask, after two rounds. */
const validMs = 10 * 60_000;
/** An answer that took longer says too little. */
const maxRoundTripMs = 5000;

/** Another node's clock. */
interface Measured {
  /** How far it is ahead of this node's, milliseconds, at least; negative: behind; 0: not to be told apart. */
  readonly aheadMs: number;
  /** By the monotonic clock. */
  readonly atMs: number;
}

export interface ClockProblem {
  readonly code: 'NODE_CLOCK_DIFFERS';
  readonly message: string;
  /** ISO 8601. */
  readonly since: string;
}

/**
 * How far the clock of another node is ahead, at least: its `Date` says a whole second, somewhere between question and answer.
 * @param dateMs of the header @param sentMs and @param gotMs of this node's clock
 */
export function aheadMs(dateMs: number, sentMs: number, gotMs: number): number {
  const least = dateMs - gotMs;
  const most = dateMs + 1000 - sentMs;
  return least > 0 ? least : Math.min(0, most);
}

/**
 * How far the clocks of the nodes are apart. What nodes sign for each other is good for half a minute, so that clocks that differ by
 * more keep streams and calls between them from being let in: an operator must be told which clock it is.
 */
export class NodeClocks {
  readonly #nodes: NodeList;
  readonly #log: Logger;
  readonly #measured = new Map<string, Measured>();
  /** By node, and empty for this one: since when its clock is told to be wrong. */
  readonly #since = new Map<string, string>();
  readonly #timer: NodeJS.Timeout;
  #turn = 0;

  /** @param ask asks a node for anything: its answer is passed to `note` */
  constructor(nodes: NodeList, ask: (node: string) => Promise<unknown>, log: Logger) {
    this.#nodes = nodes;
    this.#log = log;
    const askNext = (): void => {
      const others = nodes.all.filter(({ id }) => id !== nodes.self.id);
      const node = others[this.#turn++ % Math.max(1, others.length)];
      // One that does not answer is told of elsewhere.
      if (node !== undefined) void ask(node.id).catch(() => undefined);
    };
    this.#timer = setInterval(askNext, askMs).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** A node answered. @param date its header `Date` @param sentMs and @param gotMs milliseconds since 1970 */
  note(node: string, date: string | null, sentMs: number, gotMs: number): void {
    const dateMs = Date.parse(date ?? '');
    // A clock of this node that was set meanwhile measures nothing.
    if (!Number.isFinite(dateMs) || gotMs < sentMs || gotMs - sentMs > maxRoundTripMs) return;
    this.#measured.set(node, { aheadMs: aheadMs(dateMs, sentMs, gotMs), atMs: performance.now() });
    this.#judge();
  }

  /** Clocks that differ now. */
  get problems(): readonly ClockProblem[] {
    return this.#differing().map(([node, message]) => ({
      code: 'NODE_CLOCK_DIFFERS',
      message,
      since: this.#since.get(node) ?? new Date().toISOString(),
    }));
  }

  #judge(): void {
    const found = new Map(this.#differing());
    for (const [node, message] of found) {
      if (this.#since.has(node)) continue;
      this.#since.set(node, new Date().toISOString());
      this.#log.error(message, { code: 'NODE_CLOCK_DIFFERS', ...(node === '' ? {} : { node }) });
    }
    for (const node of [...this.#since.keys()]) {
      if (found.has(node)) continue;
      this.#since.delete(node);
      if (this.#agrees(node, found)) {
        this.#log.info('the clocks of the nodes agree again', node === '' ? {} : { node });
      }
    }
  }

  /** What is not told any more may be gone, not measured for long, or told of another node now. */
  #agrees(node: string, differing: ReadonlyMap<string, string>): boolean {
    if (node === '') return differing.size === 0 && this.#measured.size > 0;
    const measured = this.#measured.get(node);
    return measured !== undefined && Math.abs(measured.aheadMs) < toldFromMs;
  }

  /** By node, what is to be said; empty: of this node's own clock, which is the wrong one where most others say so. */
  #differing(): [string, string][] {
    const listed = new Set(this.#nodes.all.map(({ id }) => id));
    const validFromMs = performance.now() - Math.max(validMs, 2 * listed.size * askMs);
    for (const [node, { atMs }] of this.#measured) {
      if (atMs < validFromMs || !listed.has(node)) this.#measured.delete(node);
    }
    const apart = [...this.#measured].filter(([, { aheadMs: ms }]) => Math.abs(ms) >= toldFromMs);
    if (apart.length === 0) return [];
    const isAhead = apart[0]![1].aheadMs > 0;
    const isOwn =
      apart.length > 1 &&
      apart.length * 2 > this.#measured.size &&
      apart.every(([, each]) => each.aheadMs > 0 === isAhead);
    if (isOwn) {
      const ms = Math.min(...apart.map(([, each]) => Math.abs(each.aheadMs)));
      const far = `${inWords(ms)} ${isAhead ? 'behind' : 'ahead of'}`;
      return [
        [
          '',
          `the clock of this node is ${far} those of ${apart.length} of ${this.#measured.size} other nodes; ${advice(ms)}`,
        ],
      ];
    }
    return apart.map(([node, { aheadMs: ms }]) => {
      const far = `${inWords(Math.abs(ms))} ${ms > 0 ? 'ahead of' : 'behind'}`;
      return [node, `the clock of node ${node} is ${far} that of this node; ${advice(Math.abs(ms))}`];
    });
  }
}

function inWords(ms: number): string {
  return `${Math.floor(ms / 1000)} s`;
}

function advice(ms: number): string {
  const what =
    ms >= skewMs
      ? 'nodes refuse what is signed by such a clock: streams between them (RELAY_REFUSED) and calls (NODE_UNAVAILABLE)'
      : `from ${skewMs / 1000} s on nodes refuse each other's streams and calls`;
  return `${what}; set it by NTP`;
}
