import { CodedError } from '../../errors.js';

/** True for a text in which `*` (anything) or `?` (one sign) stands for others. */
export function isPattern(text: string): boolean {
  return /[*?]/.test(text);
}

/** What a name must be to be meant by a text: the name itself, or a pattern with `*` and `?`. */
export function matcherOf(text: string): (name: string) => boolean {
  if (!isPattern(text)) return (name) => name === text;
  // Two stars mean no more than one; many of them would take a regular expression for ever.
  const parts = text.replace(/\*+/g, '*').split('*');
  return (name) => matchesParts(parts, name);
}

/** Whether the parts stand in the name in their order, the first at its beginning and the last at its end. */
function matchesParts(parts: readonly string[], name: string): boolean {
  const [first = '', ...others] = parts;
  const last = others.pop();
  if (!matchesAt(name, 0, first)) return false;
  if (last === undefined) return name.length === first.length;
  let at = first.length;
  for (const part of others) {
    while (at <= name.length - part.length && !matchesAt(name, at, part)) at += 1;
    if (at > name.length - part.length) return false;
    at += part.length;
  }
  return name.length - last.length >= at && matchesAt(name, name.length - last.length, last);
}

function matchesAt(name: string, at: number, part: string): boolean {
  if (at + part.length > name.length) return false;
  for (let index = 0; index < part.length; index += 1) {
    if (part[index] !== '?' && part[index] !== name[at + index]) return false;
  }
  return true;
}

/** Sorts names as people count: `cam-2` stands before `cam-10`. Never 0 for two different names. */
export function compareNames(left: string, right: string): number {
  const [ones, others] = [partsOf(left), partsOf(right)];
  for (let index = 0; ; index += 1) {
    const [one, other] = [ones[index], others[index]];
    if (one === undefined || other === undefined) {
      if (one !== undefined || other !== undefined) return one === undefined ? -1 : 1;
      // `cam-01` and `cam-1` have the same numbers.
      return left < right ? -1 : left > right ? 1 : 0;
    }
    const order = compareParts(one, other);
    if (order !== 0) return order;
  }
}

function partsOf(name: string): string[] {
  return name.match(/[0-9]+|[^0-9]+/g) ?? [];
}

function compareParts(one: string, other: string): number {
  if (/^[0-9]/.test(one) && /^[0-9]/.test(other)) {
    const [left, right] = [one.replace(/^0+/, ''), other.replace(/^0+/, '')];
    // Not as numbers: a name may have sixty digits.
    if (left.length !== right.length) return left.length - right.length;
    return left < right ? -1 : left > right ? 1 : 0;
  }
  return one < other ? -1 : one > other ? 1 : 0;
}

/** The same in the natural order of their names. */
export function byName<T extends { readonly name: string }>(things: readonly T[]): T[] {
  return [...things].sort((left, right) => compareNames(left.name, right.name));
}

/**
 * Those that are meant by names and patterns, in the order of the texts, each once.
 * @throws CodedError CAMERA_NOT_FOUND for a name or pattern that means none
 */
export function selectByName<T extends { readonly name: string }>(things: readonly T[], texts: readonly string[]): T[] {
  const selected = new Set<T>();
  for (const text of texts) {
    const matches = matcherOf(text);
    const found = byName(things.filter(({ name }) => matches(name)));
    if (found.length === 0) {
      const what = isPattern(text) ? `no camera matches "${text}"` : `no camera "${text}" is registered`;
      throw new CodedError('CAMERA_NOT_FOUND', what);
    }
    for (const one of found) selected.add(one);
  }
  return [...selected];
}
