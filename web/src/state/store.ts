import { batch, computed, type Signal, signal } from '@preact/signals';
import { ApiProblem } from '../../../src/client/index.js';
import { api } from '../api/http.js';
import type { CameraView, ConfigView, EngineView, NodeView, Session } from '../api/types.js';
import { serverNow } from './clock.js';
import { refreshCluster } from './nodes.js';
import { refreshRefused } from './refused.js';

/** One camera as it was seen last. Each has a signal of its own, so that a change draws one card, not a thousand. */
export interface CameraEntry {
  readonly name: string;
  readonly view: Signal<CameraView>;
  /** The last few minutes of its bitrate, bits per second, oldest first: for the sparkline. */
  readonly trend: Signal<readonly number[]>;
}

const trendLength = 60;

/** By name; a new map whenever a camera comes or goes, and only then. */
export const cameras = signal<ReadonlyMap<string, CameraEntry>>(new Map());
/** False until the first complete look. */
export const loaded = signal(false);
export const node = signal<NodeView | null>(null);
export const engines = signal<readonly EngineView[]>([]);
/** Who we are to the server. */
export const session = signal<Session | null>(null);
/** Whether we may change anything. */
export const mayOperate = computed(() => session.value !== null && session.value.scope !== 'read');
/** What is wrong with the node until somebody mends it. */
export const problems = signal<ConfigView['problems']>([]);
/** Whether what is shown is what is: `lost` says that it grows old. */
export const link = signal<'connecting' | 'up' | 'lost'>('connecting');
/** Ticks once a second while the page is visible, by the server's clock: for "since 3 min". */
export const nowMs = signal(serverNow());

/** When the server was last heard, by its clock. */
export const heardMs = signal(serverNow());

export function noteHeard(): void {
  heardMs.value = serverNow();
}

setInterval(() => {
  // Durations stand still with what they are of.
  if (!document.hidden && link.peek() !== 'lost') nowMs.value = serverNow();
}, 1000);

export const views = computed<readonly CameraView[]>(() => [...cameras.value.values()].map(({ view }) => view.value));

export function entryOf(name: string): CameraEntry | undefined {
  return cameras.value.get(name);
}

/** Takes a view that was just observed. */
function putCamera(view: CameraView): void {
  const entry = cameras.peek().get(view.name);
  if (entry !== undefined) {
    entry.view.value = view;
    return;
  }
  const next = new Map(cameras.peek());
  next.set(view.name, { name: view.name, view: signal(view), trend: signal([]) });
  cameras.value = next;
}

export function dropCamera(name: string): void {
  if (!cameras.peek().has(name)) return;
  const next = new Map(cameras.peek());
  next.delete(name);
  cameras.value = next;
}

/** Adds a point to the sparkline. */
export function notePoint(entry: CameraEntry): void {
  const { live, bitrateInBps } = entry.view.peek();
  const before = entry.trend.peek();
  if (!live && before.length === 0) return;
  entry.trend.value = [...before.slice(1 - trendLength), live ? (bitrateInBps ?? 0) : 0];
}

/** Looks at everything anew. */
export async function loadAll(): Promise<void> {
  const [who, list, self, engineList, config] = await Promise.all([
    api.call('getSession'),
    allOf(api.each('listCameras', { query: { limit: 1000 } })),
    getSelf(),
    allOf(api.each('listEngines', { query: { limit: 1000 } })),
    api.call('getConfig'),
    refreshRefused(),
    refreshCluster(),
  ]);
  batch(() => {
    session.value = who.body;
    takeAll(list);
    node.value = self;
    engines.value = engineList;
    problems.value = config.body.problems;
    loaded.value = true;
    nowMs.value = serverNow();
    noteHeard();
  });
}

function takeAll(list: readonly CameraView[]): void {
  const known = cameras.peek();
  const next = new Map<string, CameraEntry>();
  let sameSet = known.size === list.length;
  for (const view of list) {
    const entry = known.get(view.name);
    if (entry === undefined) {
      sameSet = false;
      next.set(view.name, { name: view.name, view: signal(view), trend: signal([]) });
    } else {
      entry.view.value = view;
      next.set(view.name, entry);
    }
  }
  if (!sameSet) cameras.value = next;
}

/** Looks at one camera; one that is gone is forgotten. */
export async function refreshCamera(name: string): Promise<CameraView | undefined> {
  try {
    const { body: view } = await api.call('getCamera', { path: { name } });
    putCamera(view);
    return view;
  } catch (error) {
    if (!(error instanceof ApiProblem) || error.status !== 404) throw error;
    dropCamera(name);
    return undefined;
  }
}

export async function refreshEngines(): Promise<readonly EngineView[]> {
  engines.value = await allOf(api.each('listEngines', { query: { limit: 1000 } }));
  return engines.value;
}

export async function refreshProblems(): Promise<void> {
  problems.value = (await api.call('getConfig')).body.problems;
}

async function getSelf(): Promise<NodeView | null> {
  const { body } = await api.call('listNodes');
  return body.items.find(({ self }) => self) ?? null;
}

async function allOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
