import { keyedHash, randomKey } from './keyed-hash.js';

/**
 * Entries are put into leaves by their names: 64 branches of 64 leaves. Powers of two. Two small tables are copied for each
 * change; versions follow each other so fast that what they copy is what the garbage collector has to do.
 */
const fanOut = 64;

/** Names and values in turn. Few entries: that is shorter than a table of hashes, and as quick. */
type Leaf<V> = readonly (string | V)[];
type Branch<V> = readonly (Leaf<V> | undefined)[];

/**
 * An immutable map. A new version shares the unchanged parts with the previous one: a change of a map of 10,000 entries
 * copies about a kilobyte. The order of its entries has no meaning.
 */
class PersistentMap<V> implements ReadonlyMap<string, V> {
  readonly branches: readonly (Branch<V> | undefined)[];
  readonly size: number;
  /** The names in their order, once somebody asked. */
  order: readonly string[] | undefined;

  constructor(branches: readonly (Branch<V> | undefined)[], size: number, order?: readonly string[]) {
    this.branches = branches;
    this.size = size;
    this.order = order;
  }

  get(name: string): V | undefined {
    const leaf = this.#leafOf(name);
    const at = leaf === undefined ? -1 : placeIn(leaf, name);
    return at < 0 ? undefined : (leaf![at + 1] as V);
  }

  has(name: string): boolean {
    const leaf = this.#leafOf(name);
    return leaf !== undefined && placeIn(leaf, name) >= 0;
  }

  #leafOf(name: string): Leaf<V> | undefined {
    const hash = hashOf(name);
    return this.branches[branchOf(hash)]?.[leafOf(hash)];
  }

  *entries(): Generator<[string, V], undefined> {
    for (const branch of this.branches) {
      for (const leaf of branch ?? []) {
        if (leaf === undefined) continue;
        for (let at = 0; at < leaf.length; at += 2) yield [leaf[at] as string, leaf[at + 1] as V];
      }
    }
    return undefined;
  }

  *keys(): Generator<string, undefined> {
    for (const [name] of this.entries()) yield name;
    return undefined;
  }

  *values(): Generator<V, undefined> {
    for (const [, value] of this.entries()) yield value;
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
  return changed(persistent(map), name, value);
}

/** The map without this entry. */
export function withoutEntry<V extends object>(map: ReadonlyMap<string, V>, name: string): ReadonlyMap<string, V> {
  return map.has(name) ? changed<V>(persistent(map), name, undefined) : map;
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
  for (let i = 0; i < fanOut; i++) {
    const [left, right] = [before.branches[i], after.branches[i]];
    if (left === right) continue;
    for (let j = 0; j < fanOut; j++) if (left?.[j] !== right?.[j]) compareLeaves(left?.[j], right?.[j], names);
  }
  return names;
}

function compareLeaves<V>(left: Leaf<V> = [], right: Leaf<V> = [], names: Set<string>): void {
  for (let at = 0; at < left.length; at += 2) {
    const other = placeIn(right, left[at] as string);
    if (other < 0 || right[other + 1] !== left[at + 1]) names.add(left[at] as string);
  }
  for (let at = 0; at < right.length; at += 2) {
    if (placeIn(left, right[at] as string) < 0) names.add(right[at] as string);
  }
}

function compare<V>(
  left: ReadonlyMap<string, V> | undefined,
  right: ReadonlyMap<string, V> | undefined,
  names: Set<string>,
): void {
  for (const [name, value] of left ?? []) if (right?.get(name) !== value) names.add(name);
  for (const name of right?.keys() ?? []) if (left?.has(name) !== true) names.add(name);
}

/** @param value undefined: without the entry, which is there */
function changed<V extends object>(map: PersistentMap<V>, name: string, value: V | undefined): ReadonlyMap<string, V> {
  const hash = hashOf(name);
  const branches = map.branches.slice();
  const branch = branches[branchOf(hash)]?.slice() ?? emptyTable<Leaf<V>>();
  const leaf = branch[leafOf(hash)] ?? [];
  const at = placeIn(leaf, name);
  let size = map.size;
  if (value === undefined) {
    branch[leafOf(hash)] = leaf.length === 2 ? undefined : [...leaf.slice(0, at), ...leaf.slice(at + 2)];
    size--;
  } else if (at < 0) {
    branch[leafOf(hash)] = [...leaf, name, value];
    size++;
  } else {
    const copy = leaf.slice();
    copy[at + 1] = value;
    branch[leafOf(hash)] = copy;
  }
  branches[branchOf(hash)] = branch;
  return new PersistentMap(branches, size, size === map.size ? map.order : undefined);
}

function persistent<V extends object>(map: ReadonlyMap<string, V>): PersistentMap<V> {
  if (map instanceof PersistentMap) return map;
  const branches = emptyTable<((string | V)[] | undefined)[]>();
  for (const [name, value] of map) {
    const hash = hashOf(name);
    branches[branchOf(hash)] ??= emptyTable();
    const branch = branches[branchOf(hash)]!;
    branch[leafOf(hash)] ??= [];
    branch[leafOf(hash)]!.push(name, value);
  }
  return new PersistentMap<V>(branches, map.size);
}

function emptyTable<T>(): (T | undefined)[] {
  return new Array<T | undefined>(fanOut).fill(undefined);
}

/** Where the name stands in a leaf; -1: it does not. */
function placeIn(leaf: readonly unknown[], name: string): number {
  for (let at = 0; at < leaf.length; at += 2) if (leaf[at] === name) return at;
  return -1;
}

const hashOf = keyedHash(...randomKey());

/** Six bits of the hash, those from the third on. */
function branchOf(hash: number): number {
  return (hash >>> 2) & (fanOut - 1);
}

/** Six others. */
function leafOf(hash: number): number {
  return ((hash & 3) << 4) | ((hash >>> 8) & 15);
}
