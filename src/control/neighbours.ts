import { LocationTable } from '../address/location-table.js';
import { type ClusterPeer, namedNodes, rankNodes } from './choose-node.js';
import type { ControlSettings } from './settings.js';

/** What control asks of the cluster that this node belongs to. */
export interface Neighbours {
  /** The id of this node. */
  readonly selfId: string;
  /** The nodes that live, this one among them. */
  readonly peers: readonly ClusterPeer[];
  /** The node that has a live camera, as far as is known. */
  holderOf(camera: string): string | undefined;
}

/** So many endpoints are named: the first is meant, the others are for when it is gone. */
export const maxEndpoints = 8;

/** Knows where callers and cameras are, and which nodes suit them. Without a cluster this node is the only choice. */
export class Places {
  readonly #table: LocationTable;
  readonly #settings: ControlSettings;
  #neighbours: Neighbours | undefined;

  constructor(settings: ControlSettings) {
    this.#settings = settings;
    this.#table = new LocationTable(settings.locationNetworks ?? []);
  }

  /** This node belongs to a cluster from now on. */
  join(neighbours: Neighbours): void {
    this.#neighbours = neighbours;
  }

  /** Undefined: this node is alone. */
  get neighbours(): Neighbours | undefined {
    return this.#neighbours;
  }

  /**
   * Where somebody is: what was said, else by the first address that is in a configured network.
   * @param addresses of who is meant, the best one first
   */
  locationOf(said: string | undefined, ...addresses: readonly (string | undefined)[]): string | undefined {
    if (said !== undefined) return said;
    for (const address of addresses) {
      const location = address === undefined ? undefined : this.#table.locationOf(address);
      if (location !== undefined) return location;
    }
    return undefined;
  }

  /** The node that has a camera, where that is another one than this, and lives. */
  elsewhere(camera: string): string | undefined {
    const neighbours = this.#neighbours;
    const holder = neighbours?.holderOf(camera);
    if (neighbours === undefined || holder === undefined || holder === neighbours.selfId) return undefined;
    return neighbours.peers.some(({ id }) => id === holder) ? holder : undefined;
  }

  /** True when this node has the camera, as all nodes know it. */
  isHeld(camera: string): boolean {
    return this.#neighbours !== undefined && this.#neighbours.holderOf(camera) === this.#neighbours.selfId;
  }

  /** Where the node is that has the camera; of one that is not live, where this node is. */
  locationOfCamera(camera: string): string | undefined {
    const holder = this.elsewhere(camera);
    const peer = holder === undefined ? undefined : this.#neighbours?.peers.find(({ id }) => id === holder);
    return peer === undefined ? this.#settings.location : peer.location;
  }

  /** The other nodes that would take a camera now, the best first. */
  withRoom(camera: string): readonly ClusterPeer[] {
    return this.nodesFor(camera, undefined).named.flatMap((node) =>
      node === undefined || node.isFull === true || node.isDraining === true ? [] : [node],
    );
  }

  /** The nodes that a camera may publish to. @param location where the camera is, if that is known */
  nodesFor(camera: string, location: string | undefined): SuitableNodes {
    const neighbours = this.#neighbours;
    if (neighbours === undefined) return { named: [undefined], srt: undefined };
    const { location: nodeLocation } = this.#settings;
    const holder = neighbours.holderOf(camera);
    const ranked = rankNodes(neighbours.peers, { camera, location, holder, nodeLocation });
    const named = namedNodes(ranked, maxEndpoints).map((node) => (node.id === neighbours.selfId ? undefined : node));
    const srt = ranked.find((node) => node.srt !== undefined);
    return { named: named.length === 0 ? [undefined] : named, srt: srt?.id === neighbours.selfId ? undefined : srt };
  }
}

/** The nodes that a camera may publish to; `undefined` stands for this node. */
export interface SuitableNodes {
  /** `maxEndpoints` at most, the best first, and one of another place if there is any. Never empty. */
  readonly named: readonly (ClusterPeer | undefined)[];
  /** The best one that takes SRT; this one where no other does. */
  readonly srt: ClusterPeer | undefined;
}
