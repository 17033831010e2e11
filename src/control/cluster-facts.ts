import type { RelayOrigin } from '../backend/backend.js';

/** A node that lives, as it tells of itself. */
export interface PlaceableNode {
  readonly id: string;
  readonly location?: string | undefined;
  /** Where it is connected to from other nodes: `rtmp://HOST:PORT`. */
  readonly url: string;
  /** Streams may go through it. */
  readonly takesRelays: boolean;
  readonly weight?: number | undefined;
  readonly cannotReach: readonly string[];
}

/** What is known of the cluster, and told to the other nodes. */
export interface ClusterFacts {
  /** The id of this node. */
  readonly self: string;
  /** The others hear what this node tells. */
  readonly reachesEtcd: boolean;
  nodes(): readonly PlaceableNode[];
  /** A node that left the list, as it was there; undefined: none of that name did lately. */
  goneNode(id: string): PlaceableNode | undefined;
  /** The node that has a camera, by the claims; undefined: none. */
  holderOf(camera: string): { readonly node: string; readonly epoch: number } | undefined;
  /** Of this node's own claim of a camera; 0: it has none. */
  epochOf(camera: string): number;
  /** The cameras that some node has. */
  liveCameras(): Iterable<string>;
  /** Nodes with viewers of a camera that is elsewhere. */
  viewersOf(camera: string): readonly string[];
  onNodes(listener: () => void): void;
  /** Has it told of cameras that are live elsewhere than before, or have viewers elsewhere. */
  onCamera(listener: (camera: string) => void): void;
  /** Tells the others which nodes this one cannot reach. */
  tellUnreachable(nodes: readonly string[]): void;
  /** Tells the others that this node has viewers of a camera, or none any more. */
  want(camera: string, isWanted: boolean): void;
  ticketFor(camera: string, to: string, origin: Pick<RelayOrigin, 'owner' | 'epoch' | 'avoid'>): string;
  /** @throws CodedError RELAY_REFUSED */
  checkTicket(camera: string, ticket: string): RelayOrigin;
}
