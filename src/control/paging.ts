import { InputError } from '../errors.js';

export interface PageRequest {
  /** 1 to 1000. */
  readonly limit?: number | undefined;
  /** The name after which the page begins; it need not exist. */
  readonly after?: string | undefined;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** What to give as `after` for the next page; null on the last one. */
  readonly next: string | null;
}

const defaultLimit = 100;
export const maxLimit = 1000;

/** Maps of the state are never mutated, so the order of their names is found once. */
const orders = new WeakMap<ReadonlyMap<string, unknown>, readonly string[]>();

/** One page of a map of the state, by name. @throws InputError INVALID_REQUEST */
export function pageOf<T, V>(values: ReadonlyMap<string, T>, request: PageRequest, view: (value: T) => V): Page<V> {
  const limit = request.limit ?? defaultLimit;
  if (!Number.isInteger(limit) || limit < 1 || limit > maxLimit) {
    throw new InputError('INVALID_REQUEST', `limit: must be 1 to ${maxLimit}, not ${limit}`, { field: 'limit' });
  }
  let names = orders.get(values);
  if (names === undefined) {
    names = [...values.keys()].sort();
    orders.set(values, names);
  }
  const start = request.after === undefined ? 0 : firstAfter(names, request.after);
  const page = names.slice(start, start + limit);
  return {
    items: page.map((name) => view(values.get(name)!)),
    next: start + limit < names.length ? (page.at(-1) ?? null) : null,
  };
}

/** Index of the first name that sorts after `name`. */
function firstAfter(names: readonly string[], name: string): number {
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (names[middle]! <= name) low = middle + 1;
    else high = middle;
  }
  return low;
}
