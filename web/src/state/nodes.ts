import { batch, computed, signal } from '@preact/signals';
import { api } from '../api/http.js';
import type { ClusterView, NodeView } from '../api/types.js';
import { serverNow } from './clock.js';

/** How often the nodes are looked at while their page is shown. */
const lookMs = 4000;

/** One node of the cluster as it was seen last. */
export interface NodeEntry {
  readonly id: string;
  readonly member: ClusterView['nodes'][number];
  /** What it says of itself; null: it has not answered yet. */
  readonly view: NodeView | null;
  /** Since when it does not answer, milliseconds by the server's clock; null: it does. */
  readonly silentSinceMs: number | null;
  /** It is not in the list of nodes any more. */
  readonly isGone: boolean;
}

/** Nodes that left are shown for so long. */
const goneForMs = 10 * 60_000;

const cluster = signal<ClusterView | null>(null);
/** By id. */
export const nodes = signal<ReadonlyMap<string, NodeEntry>>(new Map());
/** False on a node that is alone: there is nothing to show of nodes. */
export const isInCluster = computed(() => cluster.value !== null && cluster.value.id !== null);

/** Whether there is a cluster, and which nodes it has. */
export async function refreshCluster(): Promise<void> {
  cluster.value = (await api.call('getCluster')).body;
}

/** All nodes, each as it answers. */
export async function refreshNodes(): Promise<void> {
  const [{ body: found }, { body }] = await Promise.all([api.call('getCluster'), api.call('listNodes')]);
  const now = serverNow();
  const unknown = new Set(body.unknown ?? []);
  const answers = new Map(body.items.map((view) => [view.id, view]));
  const next = new Map<string, NodeEntry>();
  const before = nodes.peek();
  for (const member of found.nodes) {
    const { id } = member;
    const known = before.get(id);
    const silentSinceMs = unknown.has(id) ? (known?.silentSinceMs ?? now) : null;
    next.set(id, { id, member, view: answers.get(id) ?? known?.view ?? null, silentSinceMs, isGone: false });
  }
  for (const entry of before.values()) {
    if (next.has(entry.id)) continue;
    const silentSinceMs = entry.silentSinceMs ?? now;
    if (now - silentSinceMs < goneForMs) next.set(entry.id, { ...entry, silentSinceMs, isGone: true });
  }
  batch(() => {
    cluster.value = found;
    nodes.value = next;
  });
}

/** Looks again and again. Returns the way to end it. */
export function followNodes(onError: (error: unknown) => void): () => void {
  let isOver = false;
  const run = async () => {
    while (!isOver) {
      if (!document.hidden) await refreshNodes().then(() => onError(null), onError);
      await new Promise((resolve) => setTimeout(resolve, lookMs));
    }
  };
  void run();
  return () => {
    isOver = true;
  };
}
