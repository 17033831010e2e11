import { setTimeout as sleep } from 'node:timers/promises';
import type {
  CameraRelaying,
  DesiredHop,
  DesiredPush,
  HopState,
  RelayOrigin,
  RelayPartner,
} from '../backend/backend.js';
import { CodedError } from '../errors.js';
import { Stretch } from '../fairness/stretch.js';
import type { Logger } from '../log/log.js';
import type { Camera, DesiredState } from '../model/model.js';
import { PlacedNodes } from '../placement/nodes.js';
import { type CameraPlan, hopsFrom, type PlacedPush, placeCamera } from '../placement/placement.js';
import type { ClusterFacts, PlaceableNode } from './cluster-facts.js';
import { Links } from './links.js';
import type { OutgoingStreams } from './node-links.js';
import { RelayWatch } from './relay-watch.js';

/** How often it is looked at whether nodes that could not be reached are well again. */
const lookMs = 500;
/** How long a node that gets streams from this one may take to answer; it is asked again right after that. */
const answerMs = 1500;
/** So many nodes without room are remembered for a camera, the last ones: more do not fit into a ticket, by which others plan. */
const maxAvoided = 16;

export interface PlacingOptions {
  readonly facts: ClusterFacts;
  readonly relaying: CameraRelaying;
  readonly state: () => DesiredState;
  /** Declares a camera to the backend again. */
  readonly redeclare: (camera: string) => void;
  /** How long a node has to be well until streams go through it again. */
  readonly returnMs: number;
  readonly log: Logger;
}

/** What of a camera runs at this node. */
export interface Whereabouts {
  readonly hops: readonly DesiredHop[];
  at(push: string): DesiredPush['at'];
}

/** Who has a camera. */
interface Holder {
  readonly node: string;
  readonly epoch: number;
  readonly avoid?: readonly string[] | undefined;
}

/** Of a camera whose pushes all run where its publisher is. */
export const asEver: Whereabouts = { hops: [], at: () => undefined };

/**
 * Has this node do its part of what is placed: keeps the facts that `placeCamera` decides by, and declares a camera again when
 * something else is to run here. What flows here counts for more than a record that is missing; a newer record counts for more
 * than what flows.
 */
export class Placing implements RelayPartner {
  readonly #options: PlacingOptions;
  readonly #links: Links;
  readonly #relayWatch: RelayWatch;
  /** Cameras that have their publisher here. */
  readonly #own = new Set<string>();
  readonly #relays = new Map<string, RelayOrigin>();
  readonly #wanted = new Set<string>();
  /** By camera of this node's own: the nodes that had no room for it since it is live, so that it does not go to and fro. */
  readonly #avoided = new Map<string, readonly string[]>();
  #nodes = new PlacedNodes([]);
  /** The nodes that live, and those that were lost sight of while streams still go there or come from there. */
  #known = new Map<string, PlaceableNode>();
  #hasLost = false;
  /** By camera: what was declared last, where it is anything. */
  readonly #shown = new Map<string, string>();
  readonly #timer: NodeJS.Timeout;
  #round = 0;
  /** Nodes that are being asked whether they are there. */
  readonly #asked = new Set<string>();

  constructor(options: PlacingOptions) {
    this.#options = options;
    const { facts, returnMs } = options;
    this.#links = new Links({
      returnMs,
      cannotTell: () => !facts.reachesEtcd,
      onLink: (node, isDown, why) => this.#linkChanged(node, isDown, why),
      onRefused: (camera, node) => this.#refusalChanged(camera, node),
    });
    this.#relayWatch = new RelayWatch(options.relaying, (node) => this.#known.get(node)?.url);
    this.#learnNodes();
    facts.onNodes(() => this.#nodesChanged());
    facts.onCamera((camera) => this.#cameraChanged(camera));
    this.#timer = setInterval(() => this.#look(), lookMs).unref();
    options.relaying.relayWith(this);
    void this.#planAll();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#round++;
  }

  /** What goes from here to other nodes. */
  get outgoing(): OutgoingStreams {
    return { cameras: this.#links.cameras, down: this.#links.down };
  }

  /** What of a camera is to run here, by all that is known now. */
  whereaboutsOf(camera: Camera): Whereabouts {
    const plan = this.#planOf(camera);
    const whereabouts = plan === undefined ? asEver : this.#ownPart(camera.name, plan);
    const text = textOf(camera, whereabouts);
    if (text === '') this.#shown.delete(camera.name);
    else this.#shown.set(camera.name, text);
    return whereabouts;
  }

  admit(camera: string, ticket: string): RelayOrigin {
    const { facts } = this.#options;
    const origin = facts.checkTicket(camera, ticket);
    const holder = facts.holderOf(camera);
    const isLate = holder !== undefined && holder.node !== origin.owner && holder.epoch > origin.epoch;
    if (!isLate && (!this.#own.has(camera) || origin.epoch > (holder?.epoch ?? 0))) {
      return { ...origin, copies: this.#copiesFrom(camera, origin) };
    }
    const where = isLate ? `node ${holder.node}` : 'this node';
    throw new CodedError(
      'RELAY_REFUSED',
      `a stream of node ${origin.owner} is not taken for camera ${camera}: ${where} has the camera now`,
    );
  }

  ticketFor(camera: string, to: string): string {
    const { facts } = this.#options;
    const { node: owner, epoch, avoid } = this.#holderOf(camera) ?? { node: facts.self, epoch: 0 };
    return facts.ticketFor(camera, to, { owner, epoch, avoid });
  }

  mayFetch(camera: string): boolean {
    const holder = this.#holderOf(camera);
    return holder !== undefined && holder.node !== this.#options.facts.self;
  }

  ownChanged(camera: string, isOwn: boolean): void {
    if (isOwn === this.#own.has(camera)) return;
    if (isOwn) this.#own.add(camera);
    else {
      this.#own.delete(camera);
      this.#avoided.delete(camera);
    }
    this.#lookAt(camera);
  }

  relayChanged(camera: string, origin: RelayOrigin | null): void {
    const { log } = this.#options;
    const known = this.#relays.get(camera);
    if (origin === null && known === undefined) return;
    if (origin === null) this.#relays.delete(camera);
    else this.#relays.set(camera, origin);
    if (origin === null) log.info('the stream from another node has ended', { camera, node: known?.from });
    else log.info('another node now feeds the camera', { camera, node: origin.from, owner: origin.owner });
    if (origin !== null && !(this.#known.has(origin.from) && this.#known.has(origin.owner))) this.#nodesChanged();
    this.#lookAt(camera);
  }

  hopChanged(camera: string, to: string, state: HopState): void {
    const avoided = this.#avoided.get(camera) ?? [];
    if (state === 'full' && this.#own.has(camera) && !avoided.includes(to)) {
      this.#avoided.set(camera, [...avoided, to].slice(-maxAvoided));
    }
    this.#links.note(camera, to, state, performance.now());
  }

  viewersChanged(camera: string, isWanted: boolean): void {
    if (isWanted) this.#wanted.add(camera);
    else this.#wanted.delete(camera);
    this.#tellWanted(camera);
  }

  /** The camera's holder as far as is known: what is here, else the newer one of what comes here and what is recorded. */
  #holderOf(camera: string): Holder | undefined {
    const { facts } = this.#options;
    const recorded = facts.holderOf(camera);
    if (this.#own.has(camera)) {
      return { node: facts.self, epoch: facts.epochOf(camera), avoid: this.#avoided.get(camera) };
    }
    const relay = this.#relays.get(camera);
    if (relay === undefined || (recorded !== undefined && recorded.epoch > relay.epoch)) return recorded;
    return { node: relay.owner, epoch: relay.epoch, avoid: relay.avoid };
  }

  /** How many copies this node is to send on of what another one sends. */
  #copiesFrom(name: string, { owner, epoch, avoid }: RelayOrigin): number {
    const camera = this.#options.state().cameras.get(name);
    const plan = camera === undefined ? undefined : this.#planOf(camera, { node: owner, epoch, avoid });
    if (plan === undefined) return 0;
    const { self } = this.#options.facts;
    return [...plan.elsewhere.values()].filter((node) => node === self).length + hopsFrom(plan, self).length;
  }

  #planOf(camera: Camera, holder = this.#holderOf(camera.name)): CameraPlan | undefined {
    if (holder === undefined) return undefined;
    const { facts, state } = this.#options;
    const pushes: PlacedPush[] = [];
    for (const { id, enabled, engine, via } of Object.values(camera.pushes)) {
      if (!enabled) continue;
      const location = engine === undefined ? undefined : state().engines.get(engine)?.location;
      if (location !== undefined || via !== undefined) pushes.push({ id, location, via });
    }
    const viewers = facts.viewersOf(camera.name);
    const { node: owner, avoid } = holder;
    return placeCamera({ name: camera.name, owner, pushes, viewers, avoid }, this.#nodes);
  }

  #ownPart(camera: string, plan: CameraPlan): Whereabouts {
    const { self } = this.#options.facts;
    const hops = hopsFrom(plan, self).flatMap((to): DesiredHop[] => {
      const node = this.#known.get(to);
      return node === undefined ? [] : [{ to, url: node.url }];
    });
    const isOwner = plan.owner === self;
    const at = (push: string): DesiredPush['at'] => {
      let node = plan.elsewhere.get(push) ?? plan.owner;
      // It has no stream of the camera, and so it runs nothing.
      if (isOwner && this.#links.isRefused(camera, node)) node = self;
      if (node === self) return isOwner ? undefined : 'here';
      return { node };
    };
    return { hops, at };
  }

  /** Declares the camera again when something else is to run here than was declared. */
  #plan(name: string): void {
    const camera = this.#options.state().cameras.get(name);
    if (camera === undefined) {
      this.#shown.delete(name);
      return;
    }
    const plan = this.#planOf(camera);
    const text = plan === undefined ? '' : textOf(camera, this.#ownPart(name, plan));
    if (text !== (this.#shown.get(name) ?? '')) this.#options.redeclare(name);
  }

  /** Everything anew, in stretches: nothing that flows waits for it. */
  async #planAll(): Promise<void> {
    const round = ++this.#round;
    const names = new Set([
      ...this.#own,
      ...this.#relays.keys(),
      ...this.#shown.keys(),
      ...this.#options.facts.liveCameras(),
    ]);
    const stretch = new Stretch();
    for (const name of names) {
      if (stretch.isOver) await stretch.rest();
      if (round !== this.#round) return;
      this.#plan(name);
    }
  }

  #lookAt(camera: string): void {
    this.#tellWanted(camera);
    this.#plan(camera);
  }

  #cameraChanged(camera: string): void {
    const { facts, relaying } = this.#options;
    const relay = this.#relays.get(camera);
    const holder = facts.holderOf(camera);
    if (relay !== undefined && holder !== undefined && holder.node !== relay.owner && holder.epoch > relay.epoch) {
      const text = `camera ${camera} is live at node ${holder.node} now`;
      relaying.endRelay(camera, new CodedError('RELAY_REFUSED', text));
    }
    this.#lookAt(camera);
  }

  #tellWanted(camera: string): void {
    const { facts } = this.#options;
    facts.want(camera, this.#wanted.has(camera) && this.mayFetch(camera));
  }

  #nodesChanged(): void {
    if (this.#learnNodes()) void this.#planAll();
  }

  /** @returns false when nothing of it matters here */
  #learnNodes(): boolean {
    const { facts } = this.#options;
    const before = this.#known;
    const present = new Map(facts.nodes().map((node) => [node.id, node]));
    const origins = new Set<string>();
    for (const { owner, from } of this.#relays.values()) origins.add(owner).add(from);
    this.#hasLost = false;
    for (const id of new Set([...before.keys(), ...origins])) {
      // A record that is missing stops nothing that flows, and what a node sends that lost only its way to etcd goes on from here.
      if (present.has(id) || !(origins.has(id) || this.#links.isFlowing(id))) continue;
      const node = before.get(id) ?? facts.goneNode(id);
      if (node === undefined) continue;
      this.#hasLost = true;
      present.set(id, { ...node, takesRelays: node.takesRelays && this.#links.isFlowing(id) });
    }
    const isSame =
      before.size === present.size && JSON.stringify([...before.values()]) === JSON.stringify([...present.values()]);
    this.#known = present;
    this.#place();
    return !isSame;
  }

  #place(): void {
    const { self } = this.#options.facts;
    this.#nodes = new PlacedNodes(
      [...this.#known.values()].map(({ id, location, takesRelays, weight, cannotReach }) => ({
        ...{ id, location, takesRelays, weight },
        cannotReach: new Set(id === self ? this.#links.down : cannotReach),
      })),
    );
  }

  #look(): void {
    this.#links.tick(performance.now());
    this.#relayWatch.look(this.#relays);
    for (const node of this.#links.nodes) void this.#ask(node);
    if (this.#hasLost) this.#nodesChanged();
  }

  async #ask(node: string): Promise<void> {
    const url = this.#known.get(node)?.url;
    if (url === undefined || this.#asked.has(node)) return;
    this.#asked.add(node);
    const isAnswered = await this.#options.relaying.probeNode(url, answerMs);
    this.#links.noteAnswer(node, isAnswered, performance.now());
    // Once a second is enough of one that answers.
    if (isAnswered) await sleep(2 * lookMs, undefined, { ref: false });
    this.#asked.delete(node);
  }

  #linkChanged(node: string, isDown: boolean, why: string): void {
    const { log, facts } = this.#options;
    if (isDown) log.warn('a node cannot be reached; its streams are now sent directly', { node, reason: why });
    else log.info('a node can be reached again; streams are routed through it', { node });
    this.#place();
    facts.tellUnreachable(this.#links.down);
    // Not in the middle of the work on the hop that failed.
    setImmediate(() => {
      for (const camera of [...this.#own, ...this.#relays.keys()]) this.#plan(camera);
    });
  }

  #refusalChanged(camera: string, node: string): void {
    if (this.#links.isRefused(camera, node)) {
      this.#options.log.warn('a node does not accept this camera; its pushes go directly', { camera, node });
    }
    setImmediate(() => this.#plan(camera));
  }
}

/** What differs between two declarations; empty: all is as without a cluster. */
function textOf({ pushes }: Camera, { hops, at }: Whereabouts): string {
  let text = '';
  for (const { to, url } of hops) text += `>${to} ${url} `;
  for (const id of Object.keys(pushes)) {
    const where = at(id);
    if (where !== undefined) text += `${id}:${where === 'here' ? '' : where.node} `;
  }
  return text;
}
