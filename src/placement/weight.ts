/** What a node says that it may carry. */
export interface StatedCapacity {
  /** Mbit/s out. */
  readonly outMbps?: number | undefined;
  /** Cameras at once. */
  readonly cameras?: number | undefined;
}

/** Of a node that says nothing: a network of 1 Gbit/s. */
const unknownMbps = 1000;
/** Taken for a camera where only their number is said: 4 Mbit/s to two or three targets. */
const cameraMbps = 10;

/**
 * A node's share of the cameras and streams among the nodes of its place: 1 for one of which nothing is known. It follows from
 * what the node states and never from its load, so that a stream stays where it is while loads change.
 */
export function weightOf({ outMbps, cameras }: StatedCapacity = {}): number {
  const byCameras = cameras === undefined ? Number.POSITIVE_INFINITY : cameras * cameraMbps;
  const mbps = Math.min(outMbps ?? Number.POSITIVE_INFINITY, byCameras);
  return (Number.isFinite(mbps) ? mbps : unknownMbps) / unknownMbps;
}
