import type { MediaBackend } from '../backend/backend.js';
import { Stretch } from '../fairness/stretch.js';

/** The streams that this node sends to another one, together. */
export interface NodeLink {
  /** The node that gets them. */
  readonly to: string;
  /** Streams that are to go there. */
  readonly cameras: number;
  /** Of these, those that flow. */
  readonly active: number;
  /** True: the node counts as not reachable from this one, and streams go past it. */
  readonly isDown: boolean;
  readonly bitrateBps: number;
  /** Milliseconds from sending to the acknowledgement, the mean of the streams that flow; null: not measured. */
  readonly roundTripMs: number | null;
}

/** What goes from this node to others. */
export interface OutgoingStreams {
  /** The cameras that go to at least one. */
  readonly cameras: ReadonlySet<string>;
  /** Nodes that cannot be reached. */
  readonly down: readonly string[];
}

/** The links of this node, by the id of the other one. */
export async function nodeLinks(
  { cameras, down }: OutgoingStreams,
  backend: Pick<MediaBackend, 'camera'>,
): Promise<NodeLink[]> {
  const links = new Map<string, { cameras: number; active: number; bitrateBps: number; trips: number[] }>();
  const linkTo = (to: string) => {
    const link = links.get(to) ?? { cameras: 0, active: 0, bitrateBps: 0, trips: [] };
    links.set(to, link);
    return link;
  };
  for (const to of down) linkTo(to);
  const stretch = new Stretch();
  for (const name of cameras) {
    for (const { to, state, bitrateBps, roundTripMs } of backend.camera(name)?.hops ?? []) {
      const link = linkTo(to);
      link.cameras += 1;
      link.bitrateBps += bitrateBps;
      if (state !== 'active') continue;
      link.active += 1;
      if (roundTripMs !== null) link.trips.push(roundTripMs);
    }
    if (stretch.isOver) await stretch.rest();
  }
  const isDown = new Set(down);
  return [...links]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([to, { trips, ...link }]) => ({
      to,
      ...link,
      isDown: isDown.has(to),
      roundTripMs: trips.length === 0 ? null : trips.reduce((sum, trip) => sum + trip, 0) / trips.length,
    }));
}
