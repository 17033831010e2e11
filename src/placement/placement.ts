import { type PlacedNodes, placeOf } from './nodes.js';

/** A push that is to have a connection to its target. */
export interface PlacedPush {
  readonly id: string;
  /** Where its target is; undefined: not known. */
  readonly location?: string | undefined;
  /** The place that it is to go through, or `direct`; undefined: where its target is. */
  readonly via?: string | undefined;
}

/** A camera that is live. */
export interface PlacedCamera {
  readonly name: string;
  /** The node that has its publisher. */
  readonly owner: string;
  /** Its enabled pushes. */
  readonly pushes: readonly PlacedPush[];
  /** Nodes, others than the owner, with viewers of it. */
  readonly viewers?: readonly string[] | undefined;
  /** Nodes that have no room for it, by its owner's word. */
  readonly avoid?: readonly string[] | undefined;
}

/** One copy of a camera's stream, from node to node. */
export interface Hop {
  readonly from: string;
  readonly to: string;
}

/** What runs where for one camera. */
export interface CameraPlan {
  readonly owner: string;
  /** A tree from the owner, two hops deep at most: to a node in each other place, and there to those that have viewers. */
  readonly hops: readonly Hop[];
  /** By push: the node that runs it, where that is not the owner. */
  readonly elsewhere: ReadonlyMap<string, string>;
}

/** What a push says in `via` to go from the owner straight to its target. */
const direct = 'direct';

const noHops: readonly Hop[] = [];
const nothing: ReadonlyMap<string, string> = new Map();

/**
 * Decides for a live camera which node runs which push, and which copies of the stream cross between nodes. Pure: every node
 * comes to the same result from the same facts. It costs the number of the camera's pushes and viewers, and the number of
 * nodes in the places that they are in.
 *
 * A push to a target in another place runs at one node there, the gateway, if there is one; else at the owner. While the
 * owner cannot reach the gateway, its pushes run at the owner, and the hop is still tried.
 */
export function placeCamera(camera: PlacedCamera, nodes: PlacedNodes): CameraPlan {
  const { name, owner, pushes, viewers = [], avoid } = camera;
  const home = nodes.get(owner);
  let gateways: Map<string, string | undefined> | undefined;
  const gatewayOf = (place: string): string | undefined => {
    gateways ??= new Map();
    if (!gateways.has(place)) gateways.set(place, nodes.gatewayOf(place, name, avoid));
    return gateways.get(place);
  };
  let hops: Map<string, Hop> | undefined;
  const hop = (from: string, to: string): void => {
    hops ??= new Map();
    // By where it goes: nobody gets two copies.
    if (!hops.has(to)) hops.set(to, { from, to });
  };
  let elsewhere: Map<string, string> | undefined;
  for (const { id, location, via = location } of pushes) {
    if (via === undefined || via === direct || home?.location === undefined || isSame(via, home.location)) continue;
    const gateway = gatewayOf(via);
    if (gateway === undefined || gateway === owner) continue;
    hop(owner, gateway);
    if (home.cannotReach?.has(gateway) === true) continue;
    elsewhere ??= new Map();
    elsewhere.set(id, gateway);
  }
  for (const viewer of viewers) {
    const place = nodes.get(viewer)?.location;
    if (viewer === owner) continue;
    const gateway = place === undefined || isSame(place, home?.location) ? undefined : gatewayOf(place);
    const isOpen = gateway !== undefined && gateway !== owner && home?.cannotReach?.has(gateway) !== true;
    if (!isOpen || gateway === viewer || nodes.get(gateway)?.cannotReach?.has(viewer) === true) hop(owner, viewer);
    else {
      hop(owner, gateway);
      hop(gateway, viewer);
    }
  }
  return {
    owner,
    hops: hops === undefined ? noHops : [...hops.values()],
    elsewhere: elsewhere ?? nothing,
  };
}

/** The nodes that get a camera's stream from this one. */
export function hopsFrom({ hops }: CameraPlan, node: string): readonly string[] {
  return hops.length === 0 ? [] : hops.filter(({ from }) => from === node).map(({ to }) => to);
}

function isSame(place: string, other: string | undefined): boolean {
  return other !== undefined && placeOf(place) === placeOf(other);
}
