import type { ClusterNode } from './node-record.js';

/** Longer than that, a node that left the list is not asked any more. */
const rememberedMs = 24 * 3600 * 1000;
const maxGone = 1000;

/** The list of nodes, as `ClusterNodes` keeps it. */
export interface NodeList {
  readonly self: ClusterNode;
  /** Those that live, by their leases. */
  readonly all: readonly ClusterNode[];
  onChange(listener: () => void): void;
}

/**
 * Nodes that left the list. Most are dead, and some have only lost their way to etcd: those still have cameras, and can be asked
 * at the addresses that they told before.
 */
export class GoneNodes {
  readonly #nodes: NodeList;
  #listed: ReadonlyMap<string, ClusterNode>;
  readonly #gone = new Map<string, { readonly node: ClusterNode; readonly atMs: number }>();

  constructor(nodes: NodeList) {
    this.#nodes = nodes;
    this.#listed = listOf(nodes);
    nodes.onChange(() => this.#look());
  }

  /** All that may be asked: those of the list, and those that left it within a day. */
  get all(): readonly ClusterNode[] {
    const sinceMs = performance.now() - rememberedMs;
    for (const [id, { atMs }] of this.#gone) if (atMs < sinceMs) this.#gone.delete(id);
    return [...this.#nodes.all, ...[...this.#gone.values()].map(({ node }) => node)];
  }

  /** A node that is not in the list, and was; undefined: none of that name. */
  get(id: string): ClusterNode | undefined {
    return this.#gone.get(id)?.node;
  }

  /** When a node left the list, by the monotonic clock; undefined: it is there, or never was. */
  leftAtMs(id: string): number | undefined {
    return this.#gone.get(id)?.atMs;
  }

  #look(): void {
    const listed = listOf(this.#nodes);
    for (const [id, node] of this.#listed) {
      if (listed.has(id)) continue;
      this.#gone.set(id, { node, atMs: performance.now() });
      if (this.#gone.size > maxGone) this.#gone.delete(this.#gone.keys().next().value ?? '');
    }
    for (const id of listed.keys()) this.#gone.delete(id);
    this.#listed = listed;
  }
}

function listOf({ all }: NodeList): ReadonlyMap<string, ClusterNode> {
  return new Map(all.map((node) => [node.id, node]));
}
