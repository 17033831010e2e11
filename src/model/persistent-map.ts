/** Shares that the entries are put into, by their names. A power of two. */
const shareCount = 256;

/**
 * An immutable map. A new version shares the unchanged parts with the previous one: a change of a map of 10,000 entries
 * copies 40. The order of its entries has no meaning.
 */
class PersistentMap<V> implements ReadonlyMap<string, V> {
  readonly shares: readonly (ReadonlyMap<string, V> | undefined)[];
  readonly size: number;
  /** The names in their order, once somebody asked. */
  order: readonly string[] | undefined;

  constructor(shares: readonly (ReadonlyMap<string, V> | undefined)[], size: number, order?: readonly string[]) {
    this.shares = shares;
    this.size = size;
    this.order = order;
  }

  get(name: string): V | undefined {
    return this.shares[shareOf(name)]?.get(name);
  }

  has(name: string): boolean {
    return this.shares[shareOf(name)]?.has(name) === true;
  }

  *entries(): Generator<[string, V], undefined> {
    for (const share of this.shares) if (share !== undefined) yield* share;
    return undefined;
  }

  *keys(): Generator<string, undefined> {
    for (const share of this.shares) if (share !== undefined) yield* share.keys();
    return undefined;
  }

  *values(): Generator<V, undefined> {
    for (const share of this.shares) if (share !== undefined) yield* share.values();
    return undefined;
  }

  forEach(visit: (value: V, name: string, map: ReadonlyMap<string, V>) => void): void {
    for (const [name, value] of this.entries()) visit(value, name, this);
  }

  [Symbol.iterator](): Generator<[string, V], undefined> {
    return this.entries();
  }
}

/** The map with this entry added or replaced. */
export function withEntry<V extends object>(
  map: ReadonlyMap<string, V>,
  name: string,
  value: V,
): ReadonlyMap<string, V> {
  return changed(persistent(map), name, (share) => share.set(name, value));
}

/** The map without this entry. */
export function withoutEntry<V extends object>(map: ReadonlyMap<string, V>, name: string): ReadonlyMap<string, V> {
  return map.has(name) ? changed(persistent(map), name, (share) => share.delete(name)) : map;
}

const ordersOfOthers = new WeakMap<ReadonlyMap<string, unknown>, readonly string[]>();

/**
 * The names of a map that is never mutated, sorted as strings are. Found once for it and for those that come of it with
 * the same names; to sort ten thousand takes three milliseconds.
 */
export function sortedNames(map: ReadonlyMap<string, unknown>): readonly string[] {
  if (map instanceof PersistentMap) {
    map.order ??= [...map.keys()].sort();
    return map.order;
  }
  let order = ordersOfOthers.get(map);
  if (order === undefined) {
    order = [...map.keys()].sort();
    ordersOfOthers.set(map, order);
  }
  return order;
}

/** Names whose values are not the same in both maps; quick for two versions of one map. */
export function differingNames<V>(before: ReadonlyMap<string, V>, after: ReadonlyMap<string, V>): Set<string> {
  const names = new Set<string>();
  if (before === after) return names;
  if (!(before instanceof PersistentMap && after instanceof PersistentMap)) {
    compare(before, after, names);
    return names;
  }
  for (let index = 0; index < shareCount; index++) {
    const [left, right] = [before.shares[index], after.shares[index]];
    if (left !== right) compare(left, right, names);
  }
  return names;
}

function compare<V>(
  left: ReadonlyMap<string, V> | undefined,
  right: ReadonlyMap<string, V> | undefined,
  names: Set<string>,
): void {
  for (const [name, value] of left ?? []) if (right?.get(name) !== value) names.add(name);
  for (const name of right?.keys() ?? []) if (left?.has(name) !== true) names.add(name);
}

function changed<V>(
  map: PersistentMap<V>,
  name: string,
  change: (share: Map<string, V>) => void,
): ReadonlyMap<string, V> {
  const index = shareOf(name);
  const share = new Map(map.shares[index]);
  const size = map.size - share.size;
  change(share);
  const shares = map.shares.slice();
  shares[index] = share;
  const hasSameNames = map.has(name) && share.has(name);
  return new PersistentMap(shares, size + share.size, hasSameNames ? map.order : undefined);
}

function persistent<V>(map: ReadonlyMap<string, V>): PersistentMap<V> {
  if (map instanceof PersistentMap) return map;
  const shares = new Array<Map<string, V> | undefined>(shareCount).fill(undefined);
  for (const [name, value] of map) {
    const index = shareOf(name);
    const share = shares[index];
    if (share === undefined) shares[index] = new Map([[name, value]]);
    else share.set(name, value);
  }
  return new PersistentMap<V>(shares, map.size);
}

/** The lowest bits of FNV-1a. */
function shareOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < name.length; index++) hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193);
  return hash & (shareCount - 1);
}
