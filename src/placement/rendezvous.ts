/** FNV-1a over the characters: the same at every node and in every version. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}

/**
 * Weighted rendezvous hashing: a camera belongs to the node with the highest score, so that a node that comes or goes moves only
 * the cameras that it gets or had. @param camera its hash @param node its hash @param weight of the node, above 0
 */
export function scoreOf(camera: number, node: number, weight: number): number {
  // Above 0 and below 1; the larger, the nearer its logarithm is to 0.
  const share = (mixed(camera, node) + 0.5) / 2 ** 32;
  return -weight / Math.log(share);
}

/** Two hashes into one whose bits all depend on all bits of both (the finalizer of MurmurHash3). */
function mixed(left: number, right: number): number {
  let hash = Math.imul(left, 0x9e3779b1) ^ right;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
