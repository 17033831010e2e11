import { InputError } from '../errors.js';
import { sortedNames } from '../model/persistent-map.js';

export interface PageRequest {
  /** 1 to 1000. */
  readonly limit?: number | undefined;
  /** The name after which the page begins; it need not exist. */
  readonly after?: string | undefined;
  /** Only names that begin with it. */
  readonly prefix?: string | undefined;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** What to give as `after` for the next page; null on the last one. */
  readonly next: string | null;
}

const defaultLimit = 100;
const maxLimit = 1000;
/** How many are looked at for one page: a filter that hardly any keeps must not hold up the node. */
const maxLooks = 2000;

/**
 * One page of a map of the state, by name. With a filter a page may hold fewer than `limit`, even none, and still not
 * be the last.
 * @param keep which ones are wanted
 * @throws InputError INVALID_REQUEST
 */
export function pageOf<T, V>(
  values: ReadonlyMap<string, T>,
  request: PageRequest,
  view: (value: T) => V,
  keep?: (value: T) => boolean,
): Page<V> {
  return collectPage(pageSteps(values, request, view, keep));
}

/** What is on a page, one at a time; null for one that was looked at and is not wanted. Returns `next` of the page. */
export type PageSteps<V> = Generator<V | null, string | null>;

/** The page that these steps lead to. */
export function collectPage<V>(steps: PageSteps<V>): Page<V> {
  const items: V[] = [];
  for (;;) {
    const step = steps.next();
    if (step.done === true) return { items, next: step.value };
    if (step.value !== null) items.push(step.value);
  }
}

/** `pageOf` in steps, so that whoever goes through them may let others have a turn in between. */
export function* pageSteps<T, V>(
  values: ReadonlyMap<string, T>,
  request: PageRequest,
  view: (value: T) => V,
  keep: (value: T) => boolean = () => true,
): PageSteps<V> {
  const { limit = defaultLimit, after, prefix = '' } = request;
  if (!Number.isInteger(limit) || limit < 1 || limit > maxLimit) {
    throw new InputError('INVALID_REQUEST', `limit: must be 1 to ${maxLimit}, not ${limit}`, { field: 'limit' });
  }
  const names = sortedNames(values);
  // Names that begin with the same text stand together.
  let index = Math.max(after === undefined ? 0 : firstFrom(names, after, true), firstFrom(names, prefix, false));
  let found = 0;
  for (let looks = 0; ; looks += 1, index += 1) {
    const name = names[index];
    if (name === undefined || !name.startsWith(prefix)) return null;
    if (found === limit || looks === maxLooks) return names[index - 1] ?? null;
    const value = values.get(name)!;
    if (keep(value)) {
      found += 1;
      yield view(value);
    } else yield null;
  }
}

/** Index of the first name that sorts at `name`, or behind it. */
function firstFrom(names: readonly string[], name: string, behind: boolean): number {
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (names[middle]! < name || (behind && names[middle] === name)) low = middle + 1;
    else high = middle;
  }
  return low;
}
