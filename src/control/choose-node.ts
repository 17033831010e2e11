import { hashOf, scoreOf } from '../placement/rendezvous.js';

/** A node of the cluster, as it matters for cameras and viewers. */
export interface ClusterPeer {
  readonly id: string;
  readonly location?: string | undefined;
  /** `rtmp://HOST:PORT`. */
  readonly rtmp: string;
  readonly rtmps?: string | undefined;
  /** `srt://HOST:PORT`; undefined: it takes no SRT, or is of a version that does not say so. */
  readonly srt?: string | undefined;
  /** Takes no new cameras. */
  readonly isDraining?: boolean | undefined;
  /** It has no room for more cameras. */
  readonly isFull?: boolean | undefined;
  /** Its share of the cameras among the nodes of its place: above 0; 1 if not known. */
  readonly weight?: number | undefined;
}

export interface NodeWish {
  readonly camera: string;
  /** Where the camera is, if that was said. */
  readonly location?: string | undefined;
  /** The node that has it now. */
  readonly holder?: string | undefined;
  /** The location of the node that is asked: where the camera probably is, when nobody said it. */
  readonly nodeLocation?: string | undefined;
}

/**
 * The nodes that a camera may publish to, the one that suits best first. Nodes that stop take none, but for the one that has it,
 * which comes last; those without room come after those that have some. Then count: the camera's location; the node that has it;
 * and weighted rendezvous hashing, so that the same camera gets the same node as long as that is there, and a node that comes or
 * goes moves only the cameras that it gets or had. Where nobody said the location, the node that has it comes before those
 * near the node that is asked.
 */
export function rankNodes<N extends ClusterPeer>(nodes: readonly N[], wish: NodeWish): N[] {
  const { camera, location, holder, nodeLocation } = wish;
  const isIn = (node: N, place: string | undefined) =>
    place !== undefined && node.location?.toLowerCase() === place.toLowerCase();
  const cameraHash = hashOf(camera);
  const ranked = nodes
    .filter((node) => node.id === holder || node.isDraining !== true)
    .map((node) => {
      const far = isIn(node, location ?? nodeLocation) ? 0 : 1;
      const moves = node.id === holder ? 0 : 1;
      const order = location === undefined ? [moves, far] : [far, moves];
      const closing = node.isDraining === true ? 1 : 0;
      const full = node.isFull === true && node.id !== holder ? 1 : 0;
      const score = scoreOf(cameraHash, hashOf(node.id), node.weight ?? 1);
      return { node, rank: [closing, full, ...order, -score] };
    })
    .sort((left, right) => compareRanks(left.rank, right.rank) || (left.node.id < right.node.id ? -1 : 1));
  return ranked.map(({ node }) => node);
}

/**
 * The first of a ranking, for a list that somebody is told. Where those are all in one place, the last gives way to the best one
 * of another place, so that the list is of use when the place is gone.
 * @param count how many, 2 at least
 */
export function namedNodes<N extends ClusterPeer>(ranked: readonly N[], count: number): N[] {
  const first = ranked.slice(0, count);
  const place = first[0]?.location?.toLowerCase();
  if (ranked.length <= count || first.some(({ location }) => location?.toLowerCase() !== place)) return first;
  const other = ranked.find(({ location, isDraining }) => isDraining !== true && location?.toLowerCase() !== place);
  return other === undefined ? first : [...first.slice(0, -1), other];
}

function compareRanks(left: readonly number[], right: readonly number[]): number {
  for (const [index, value] of left.entries()) {
    const difference = value - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
