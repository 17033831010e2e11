import type { Control } from '../../control/control.js';
import { type EventType, isOfState } from '../../events/event.js';
import { EventFeed } from '../../events/event-feed.js';
import type { ServerSentEvent } from '../../events/event-reader.js';
import type { OtherNodes } from '../v1/other-nodes.js';
import { ClusterStats } from './cluster-stats.js';
import type { EventSource } from './event-source.js';
import { NodeReader } from './node-reader.js';

/** Events of all nodes that are kept, as of one node. */
const capacity = 5000;
/** Of each node at least so many of those before are asked for. */
const leastEach = 100;
/** How long a first reader waits for what the other nodes had before. */
const gatherMs = 2500;
/** How long the other nodes are read after the last reader: one that reconnects misses nothing, and costs nothing. */
const lingerMs = 30_000;
const lookMs = 1000;
/** An event of a node is far shorter: its texts are cut. */
const maxEventLength = 32 * 1024;
/** What the nodes had before, while it is gathered. */
const maxGathered = 20_000;
const typePattern = /^[a-z]{1,20}\.[a-z]{1,20}$/;

/** An event as it is told by the node that it is of. */
interface Told {
  readonly id: number;
  readonly at: string;
  readonly type: EventType;
  readonly camera?: string;
}

interface Peer {
  readonly reader: NodeReader;
  /** Why its events are missing; null: they are not. */
  silentBecause: string | null;
  /** True once what it had before is here. */
  isGathered: boolean;
  /** True: all of the newest events are asked for, and not what follows the last one. */
  asksRecent: boolean;
}

/**
 * The events of all nodes, in the order in which they come to this one; those of one node stay in their order. Each other
 * node is asked once for all readers, for its own events alone, and only while there are readers.
 */
export class ClusterEvents implements EventSource {
  readonly feed: EventFeed;
  readonly stats: ClusterStats;
  readonly #control: Control;
  readonly #nodes: OtherNodes;
  readonly #self: string;
  readonly #peers = new Map<string, Peer>();
  /** By node, this one among them: the newest event of it that is in the feed. Outlives the readers. */
  readonly #positions = new Map<string, number>();
  readonly #lossListeners = new Set<() => void>();
  #lostBefore = 0;
  #readers = 0;
  #isClosed = false;
  #ready: Promise<void> | undefined;
  /** What came before all nodes had told what they had; undefined: it goes to the feed at once. */
  #gathered: [string, Told][] | undefined;
  #unfollow: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #linger: NodeJS.Timeout | undefined;

  /** @param self the id of this node */
  constructor(control: Control, nodes: OtherNodes, self: string) {
    this.#control = control;
    this.#nodes = nodes;
    this.#self = self;
    this.feed = new EventFeed({ capacity });
    this.stats = new ClusterStats(control, nodes);
  }

  get unknown(): readonly string[] {
    return [...this.#peers].flatMap(([id, { silentBecause }]) => (silentBecause === null ? [] : [id])).sort();
  }

  get lostBefore(): number {
    return this.#lostBefore;
  }

  onLoss(listener: () => void): void {
    this.#lossListeners.add(listener);
  }

  async enter(): Promise<void> {
    this.#readers += 1;
    clearTimeout(this.#linger);
    if (this.#isClosed) return;
    this.#ready ??= this.#start();
    await this.#ready;
  }

  leave(): void {
    this.#readers -= 1;
    if (this.#readers === 0) this.#linger = setTimeout(() => this.#stop(), lingerMs).unref();
  }

  close(): void {
    this.#isClosed = true;
    this.stats.close();
    this.#stop();
  }

  async #start(): Promise<void> {
    const gathered: [string, Told][] = [];
    this.#gathered = gathered;
    for (const id of this.#nodes.ids) this.#addPeer(id);
    const deadlineMs = performance.now() + gatherMs;
    const isWaited = () => [...this.#peers.values()].some((peer) => !peer.isGathered && peer.silentBecause === null);
    while (isWaited() && performance.now() < deadlineMs) await new Promise((resolve) => setTimeout(resolve, 20));
    if (this.#isClosed) return;
    for (const peer of this.#peers.values()) {
      if (!peer.isGathered) peer.silentBecause ??= `no answer within ${gatherMs} ms`;
    }
    const { feed } = this.#control;
    const known = this.#positions.get(this.#self) ?? feed.idBefore(this.#each, () => true);
    const missed = feed.since(known);
    if (missed === undefined) this.#lose();
    for (const { json } of missed ?? feed.since(feed.idBefore(this.#each, () => true)) ?? [])
      this.#take(this.#self, JSON.parse(json));
    this.#gathered = undefined;
    gathered.sort(([, left], [, right]) => (left.at < right.at ? -1 : left.at > right.at ? 1 : 0));
    for (const [node, event] of gathered) this.feed.take(event, node);
    this.#unfollow = feed.subscribe(({ json }) => this.#take(this.#self, JSON.parse(json)));
    this.#timer = setInterval(() => this.#look(), lookMs).unref();
  }

  #stop(): void {
    clearTimeout(this.#linger);
    clearInterval(this.#timer);
    this.#unfollow?.();
    this.#unfollow = undefined;
    for (const { reader } of this.#peers.values()) reader.close();
    this.#peers.clear();
    this.#ready = undefined;
  }

  /** So many of the events before are asked of each node. */
  get #each(): number {
    return Math.max(leastEach, Math.floor(capacity / (this.#nodes.ids.length + 1)));
  }

  /** Nodes come and go. */
  #look(): void {
    const ids = new Set(this.#nodes.ids);
    for (const [id, { reader }] of this.#peers) {
      if (ids.has(id)) continue;
      reader.close();
      this.#peers.delete(id);
      this.#tell('node.left', id);
    }
    for (const id of ids) {
      if (this.#peers.has(id)) continue;
      this.#tell('node.joined', id);
      this.#addPeer(id);
    }
  }

  #addPeer(node: string): void {
    const path = (): string => {
      const position = this.#positions.get(node);
      const from =
        peer.asksRecent || position === undefined ? `recent=${Math.min(9999, this.#each)}` : `lastEventId=${position}`;
      return `/v1/events?node=self&${from}`;
    };
    const reader = new NodeReader({
      ...{ nodes: this.#nodes, node, path },
      onOpen: () => this.#heard(node, peer),
      onEvent: (event) => this.#heardEvent(node, peer, event),
      onSilent: (why) => this.#silent(node, peer, why),
    });
    const peer: Peer = { reader, silentBecause: null, isGathered: false, asksRecent: true };
    this.#peers.set(node, peer);
  }

  #heard(node: string, peer: Peer): void {
    if (peer.silentBecause === null) return;
    peer.silentBecause = null;
    this.#tell('node.known', node);
  }

  #silent(node: string, peer: Peer, why: string): void {
    if (peer.silentBecause !== null) return;
    peer.silentBecause = why;
    this.#tell('node.unknown', node, { message: why });
  }

  #heardEvent(node: string, peer: Peer, { type, data }: ServerSentEvent): void {
    if (type === 'stats') return;
    if (type === 'reset') {
      if (peer.asksRecent) {
        peer.asksRecent = false;
        peer.isGathered = true;
        // Also of a node that has told nothing yet, or whose clock was set back before it began anew.
        const newest: unknown = Object(parsed(data)).id;
        if (typeof newest === 'number') this.#positions.set(node, newest);
      } else {
        // It has begun anew, or too much happened meanwhile: what is kept is better than nothing.
        peer.asksRecent = true;
        peer.reader.restart();
      }
      return;
    }
    const event = data.length > maxEventLength ? undefined : toldIn(data);
    if (event === undefined) return;
    const position = this.#positions.get(node);
    if (position !== undefined && event.id <= position) return;
    if (position !== undefined && event.id > position + 1) this.#lose();
    this.#positions.set(node, event.id);
    if (!isOfState(event.type)) this.#put(node, event);
  }

  #take(node: string, event: Told): void {
    this.#positions.set(node, event.id);
    this.#put(node, event);
  }

  #put(node: string, event: Told): void {
    if (this.#gathered === undefined) this.feed.take(event, node);
    else if (this.#gathered.length < maxGathered) this.#gathered.push([node, event]);
  }

  #tell(type: EventType, node: string, facts: Readonly<Record<string, string>> = {}): void {
    // While the first reader waits, it learns from `reset` who is silent.
    if (this.#gathered === undefined) this.feed.publish({ type, facts: { node, ...facts } });
  }

  #lose(): void {
    this.#lostBefore = this.feed.newestId;
    for (const listener of this.#lossListeners) listener();
  }
}

/** What another node tells; undefined for what is no event. */
function toldIn(data: string): Told | undefined {
  const event = parsed(data);
  if (typeof event !== 'object' || event === null) return undefined;
  const { id, at, type, camera } = event as Partial<Record<string, unknown>>;
  const isOne =
    Number.isSafeInteger(id) &&
    typeof at === 'string' &&
    typeof type === 'string' &&
    typePattern.test(type) &&
    (camera === undefined || typeof camera === 'string');
  return isOne ? (event as Told) : undefined;
}

function parsed(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch {
    return undefined;
  }
}
