import type { BackendTotals } from '../../backend/backend.js';
import type { Control } from '../../control/control.js';
import type { CameraFigures, Figures, StatsListener } from '../../control/live-stats.js';
import type { ServerSentEvent } from '../../events/event-reader.js';
import { isName } from '../../model/rules.js';
import type { OtherNodes } from '../v1/other-nodes.js';
import type { FiguresSource } from './event-source.js';
import { NodeReader } from './node-reader.js';

const everyMs = 2000;
/** Cameras that a node tells of; more are none of ours. */
const maxCameras = 100_000;
/** How long a node that is read anew has for telling of all of its cameras again. */
const againMs = 10_000;

/** Figures of a camera or a push, and pushes of a camera, that a node tells; more are none of ours. */
const maxFacts = 100;
const maxPushes = 5000;
const maxWord = 200;

type Facts = Record<string, string | number | null>;

/** What one node tells of a camera. */
interface Part {
  readonly facts: Facts;
  readonly pushes: Map<string, Facts>;
}

interface Peer {
  readonly reader: NodeReader;
  /** Cameras that it told of before it was read anew, and not yet again. */
  stale: Set<string>;
  staleTimer: NodeJS.Timeout | undefined;
}

/**
 * The figures of the live cameras of all nodes: of each camera those of the node that has it, with each push as the node
 * shows it that runs it. The other nodes are asked only while somebody reads.
 */
export class ClusterStats implements FiguresSource {
  readonly #control: Control;
  readonly #nodes: OtherNodes;
  readonly #listeners = new Set<StatsListener>();
  readonly #peers = new Map<string, Peer>();
  /** By camera and node; this node is ''. */
  readonly #parts = new Map<string, Map<string, Part>>();
  readonly #totals = new Map<string, BackendTotals>();
  /** As it was told last. */
  readonly #told = new Map<string, Part>();
  readonly #touched = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #unfollow: (() => void) | undefined;

  constructor(control: Control, nodes: OtherNodes) {
    this.#control = control;
    this.#nodes = nodes;
  }

  get names(): Iterable<string> {
    return this.#told.keys();
  }

  figuresOf(names: Iterable<string>): Figures {
    const cameras: Record<string, CameraFigures | null> = Object.create(null);
    for (const name of names) {
      const part = this.#told.get(name);
      cameras[name] = part === undefined ? null : whole(part);
    }
    return { at: new Date().toISOString(), totals: this.#sum(), cameras };
  }

  subscribe(listener: StatsListener): () => void {
    this.#listeners.add(listener);
    if (this.#timer === undefined) this.#start();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.close();
    };
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#unfollow?.();
    for (const id of [...this.#peers.keys()]) this.#drop(id);
    for (const known of [this.#parts, this.#totals, this.#told, this.#touched]) known.clear();
  }

  #start(): void {
    this.#unfollow = this.#control.stats.subscribe((figures) => this.#take('', figures));
    // Who subscribes later than others gets changes alone.
    this.#take('', this.#control.stats.figuresOf(this.#control.stats.names));
    this.#look();
    this.#timer = setInterval(() => this.#look(), everyMs).unref();
  }

  #look(): void {
    const ids = new Set(this.#nodes.ids);
    for (const id of [...this.#peers.keys()]) if (!ids.has(id)) this.#drop(id);
    for (const id of ids) if (!this.#peers.has(id)) this.#add(id);
    this.#tell();
  }

  #add(node: string): void {
    const reader = new NodeReader({
      ...{ nodes: this.#nodes, node },
      // Figures, and none of the events: these types are not told by a node of itself.
      path: () => '/v1/events?node=self&stats=1&types=node',
      onOpen: () => this.#again(node, peer),
      onEvent: (event) => this.#heard(node, peer, event),
      // What was seen last stays until the node is gone.
      onSilent: () => undefined,
    });
    const peer: Peer = { reader, stale: new Set(), staleTimer: undefined };
    this.#peers.set(node, peer);
  }

  #again(node: string, peer: Peer): void {
    peer.stale = new Set([...this.#parts].flatMap(([name, parts]) => (parts.has(node) ? [name] : [])));
    clearTimeout(peer.staleTimer);
    peer.staleTimer = setTimeout(() => {
      for (const name of peer.stale) this.#forget(name, node);
    }, againMs).unref();
  }

  #drop(node: string): void {
    const peer = this.#peers.get(node);
    peer?.reader.close();
    clearTimeout(peer?.staleTimer);
    this.#peers.delete(node);
    this.#totals.delete(node);
    for (const [name, parts] of this.#parts) if (parts.has(node)) this.#forget(name, node);
  }

  #heard(node: string, peer: Peer, { type, data }: ServerSentEvent): void {
    if (type !== 'stats') return;
    let figures: Figures;
    try {
      figures = JSON.parse(data);
      if (typeof figures.cameras !== 'object' || figures.cameras === null) return;
    } catch {
      return;
    }
    for (const name of Object.keys(figures.cameras)) peer.stale.delete(name);
    this.#take(node, figures);
  }

  #take(node: string, { cameras, totals }: Figures): void {
    this.#totals.set(node, totals);
    for (const [name, figures] of Object.entries(cameras)) {
      if (figures === null) {
        this.#forget(name, node);
        continue;
      }
      let parts = this.#parts.get(name);
      if (parts === undefined) {
        if (!isName(name) || this.#parts.size >= maxCameras) continue;
        parts = new Map();
        this.#parts.set(name, parts);
      }
      const part = parts.get(node) ?? { facts: {}, pushes: new Map<string, Facts>() };
      parts.set(node, part);
      merge(part, figures);
      this.#touched.add(name);
    }
  }

  #forget(name: string, node: string): void {
    const parts = this.#parts.get(name);
    if (parts?.delete(node) !== true) return;
    if (parts.size === 0) this.#parts.delete(name);
    this.#touched.add(name);
  }

  #tell(): void {
    const cameras: Record<string, CameraFigures | null> = Object.create(null);
    for (const name of this.#touched) {
      const before = this.#told.get(name);
      const now = this.#joined(name);
      if (now === undefined) {
        if (this.#told.delete(name)) cameras[name] = null;
        continue;
      }
      this.#told.set(name, now);
      const changes = before === undefined ? whole(now) : changesOf(before, now);
      if (changes !== undefined) cameras[name] = changes;
    }
    this.#touched.clear();
    const figures = { at: new Date().toISOString(), totals: this.#sum(), cameras };
    let text: string | undefined;
    const json = (): string => {
      text ??= JSON.stringify(figures);
      return text;
    };
    for (const listener of this.#listeners) listener(figures, json);
  }

  #joined(name: string): Part | undefined {
    const parts = this.#parts.get(name);
    if (parts === undefined) return undefined;
    const { places } = this.#control;
    const main = parts.get(places.elsewhere(name) ?? '') ?? parts.values().next().value;
    if (main === undefined) return undefined;
    const pushes = new Map<string, Facts>();
    for (const part of [main, ...parts.values()]) {
      for (const [id, push] of part.pushes) {
        const known = pushes.get(id);
        if (known === undefined || (known.state === 'elsewhere' && push.state !== 'elsewhere')) {
          pushes.set(id, { ...push });
        }
      }
    }
    return { facts: { ...main.facts }, pushes };
  }

  #sum(): BackendTotals {
    const sum = { ...this.#control.stats.figuresOf([]).totals };
    for (const [node, totals] of this.#totals) {
      if (node === '') continue;
      for (const key of Object.keys(sum) as (keyof BackendTotals)[]) {
        const more: unknown = Reflect.get(Object(totals), key);
        const own: unknown = sum[key];
        if (typeof own === 'number' && typeof more === 'number') Object.assign(sum, { [key]: own + more });
      }
    }
    // A camera that is sent on to other nodes is one.
    return Object.assign(sum, { liveCameras: this.#told.size });
  }
}

function merge(part: Part, { pushes = {}, ...facts }: CameraFigures): void {
  assign(part.facts, facts);
  for (const [id, changed] of Object.entries(pushes)) {
    if (changed === null) {
      part.pushes.delete(id);
      continue;
    }
    let push = part.pushes.get(id);
    if (push === undefined) {
      if (!isName(id) || part.pushes.size >= maxPushes) continue;
      push = {};
      part.pushes.set(id, push);
    }
    assign(push, changed);
  }
}

/** Takes what is a figure, or a word. */
function assign(known: Facts, facts: Readonly<Record<string, unknown>>): void {
  let room = maxFacts - Object.keys(known).length;
  for (const [key, value] of Object.entries(facts)) {
    const isFact =
      value === null || typeof value === 'number' || (typeof value === 'string' && value.length <= maxWord);
    if (!isFact || key === '__proto__') continue;
    if (!Object.hasOwn(known, key) && --room < 0) continue;
    known[key] = value;
  }
}

function whole({ facts, pushes }: Part): CameraFigures {
  return Object.assign({ ...facts }, { pushes: Object.fromEntries(pushes) }) as CameraFigures;
}

/** Undefined: nothing changed. */
function changesOf(before: Part, now: Part): CameraFigures | undefined {
  const facts = changedFacts(before.facts, now.facts);
  const pushes: Record<string, Facts | null> = Object.create(null);
  let isAny = false;
  for (const [id, push] of now.pushes) {
    const changed = changedFacts(before.pushes.get(id) ?? {}, push);
    if (changed === undefined) continue;
    pushes[id] = changed;
    isAny = true;
  }
  for (const id of before.pushes.keys()) {
    if (now.pushes.has(id)) continue;
    pushes[id] = null;
    isAny = true;
  }
  if (facts === undefined && !isAny) return undefined;
  return Object.assign(facts ?? {}, isAny ? { pushes } : {}) as CameraFigures;
}

function changedFacts(before: Facts, now: Facts): Facts | undefined {
  const changed = Object.entries(now).filter(([key, value]) => before[key] !== value);
  return changed.length === 0 ? undefined : Object.fromEntries(changed);
}
