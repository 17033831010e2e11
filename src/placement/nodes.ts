import { hashOf, scoreOf } from './rendezvous.js';

/** A node as placement sees it. */
export interface PlacedNode {
  readonly id: string;
  /** Where it is; undefined: a place of its own, and no streams go through it. */
  readonly location?: string | undefined;
  /** Streams may go through it: it lives, is not being drained, and can take them. */
  readonly takesRelays: boolean;
  /** Its share of the streams among the nodes of its place; 1 if not known. Above 0. */
  readonly weight?: number | undefined;
  /** Nodes that it could not reach lately. */
  readonly cannotReach?: ReadonlySet<string> | undefined;
}

interface Candidate {
  readonly id: string;
  readonly hash: number;
  readonly weight: number;
}

/** The nodes of a cluster, prepared for many questions. It never changes; another set of nodes is another one. */
export class PlacedNodes {
  readonly #byId = new Map<string, PlacedNode>();
  readonly #byLocation = new Map<string, Candidate[]>();

  constructor(nodes: Iterable<PlacedNode>) {
    for (const node of nodes) {
      this.#byId.set(node.id, node);
      const { id, location, takesRelays, weight = 1 } = node;
      if (location === undefined || !takesRelays) continue;
      const place = placeOf(location);
      const found = this.#byLocation.get(place);
      const candidate = { id, hash: hashOf(id), weight };
      if (found === undefined) this.#byLocation.set(place, [candidate]);
      else found.push(candidate);
    }
  }

  get(id: string): PlacedNode | undefined {
    return this.#byId.get(id);
  }

  /**
   * The node of a place through which a camera's stream goes there: the one with the highest score (weighted rendezvous
   * hashing), so that a node that comes or goes moves only the streams that it gets or had. Undefined: there is none.
   * @param avoid nodes without room for it: they are taken only where there is no other
   */
  gatewayOf(location: string, camera: string, avoid: readonly string[] = []): string | undefined {
    const all = this.#byLocation.get(placeOf(location));
    if (all === undefined) return undefined;
    const open = avoid.length === 0 ? all : all.filter(({ id }) => !avoid.includes(id));
    const candidates = open.length === 0 ? all : open;
    if (candidates.length === 1) return candidates[0]?.id;
    const cameraHash = hashOf(camera);
    let best: Candidate | undefined;
    let bestScore = Number.NEGATIVE_INFINITY;
    for (const candidate of candidates) {
      const score = scoreOf(cameraHash, candidate.hash, candidate.weight);
      if (score > bestScore || (score === bestScore && best !== undefined && candidate.id < best.id)) {
        best = candidate;
        bestScore = score;
      }
    }
    return best?.id;
  }
}

/** What names a place: engines and nodes are compared like this elsewhere too. */
export function placeOf(location: string): string {
  return location.toLowerCase();
}
