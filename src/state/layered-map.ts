/** How many changes lie over the base before both become one map: at 10,000 entries a copy takes milliseconds. */
const maxChanges = 128;

/**
 * A map that is never mutated and whose next version is made without copying all of it: a base that versions share,
 * and the few changes over it. Entries that were added or changed lately come last in its order.
 */
class LayeredMap<V> implements ReadonlyMap<string, V> {
  readonly base: ReadonlyMap<string, V>;
  /** Undefined: removed. */
  readonly changes: ReadonlyMap<string, V | undefined>;
  readonly size: number;

  constructor(base: ReadonlyMap<string, V>, changes: ReadonlyMap<string, V | undefined>, size: number) {
    this.base = base;
    this.changes = changes;
    this.size = size;
  }

  get(name: string): V | undefined {
    return this.changes.has(name) ? this.changes.get(name) : this.base.get(name);
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  *entries(): Generator<[string, V], undefined> {
    for (const entry of this.base) if (!this.changes.has(entry[0])) yield entry;
    for (const [name, value] of this.changes) if (value !== undefined) yield [name, value];
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

/** The map with this entry added or replaced. Values are objects: undefined is none. */
export function withEntry<V extends object>(
  map: ReadonlyMap<string, V>,
  name: string,
  value: V,
): ReadonlyMap<string, V> {
  return changed(map, name, value);
}

/** The map without this entry. */
export function withoutEntry<V extends object>(map: ReadonlyMap<string, V>, name: string): ReadonlyMap<string, V> {
  return map.has(name) ? changed(map, name, undefined) : map;
}

/** Names whose values are not the same in both maps; quick for two versions of one map. */
export function differingNames<V>(before: ReadonlyMap<string, V>, after: ReadonlyMap<string, V>): Set<string> {
  const names = new Set<string>();
  if (before === after) return names;
  const [left, right] = [layersOf(before), layersOf(after)];
  const shared = left.base === right.base;
  const candidates = shared ? [left.changes.keys(), right.changes.keys()] : [before.keys(), after.keys()];
  for (const some of candidates) for (const name of some) if (before.get(name) !== after.get(name)) names.add(name);
  return names;
}

function changed<V extends object>(
  map: ReadonlyMap<string, V>,
  name: string,
  value: V | undefined,
): ReadonlyMap<string, V> {
  const { base, changes } = layersOf(map);
  const size = map.size + (value === undefined ? 0 : 1) - (map.has(name) ? 1 : 0);
  const next = new LayeredMap(base, new Map(changes).set(name, value), size);
  return next.changes.size > maxChanges ? new Map(next) : next;
}

const noChanges = new Map<string, never>();

function layersOf<V>(map: ReadonlyMap<string, V>): Pick<LayeredMap<V>, 'base' | 'changes'> {
  return map instanceof LayeredMap ? map : { base: map, changes: noChanges };
}
