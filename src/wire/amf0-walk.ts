import { isUtf8 } from 'node:buffer';
import { Amf0Marker } from './amf0-values.js';

/** Nobody nests deeper, and recursive readers would run out of stack. */
const maxDepth = 32;

/** The maximum number of properties of one object; a hundred times what any encoder sends. */
const maxProperties = 4096;

const shortText = 32;
const numberBytes = 8;
const dateBytes = 10;

/**
 * What is stepped over. `common`: what every RTMP server in use reads (numbers, booleans, strings, objects, null,
 * undefined, both kinds of arrays), in exactly the form of the specification. `any`: all that AMF0 has, with an ECMA array
 * that the end of the data ends, as some encoders send it.
 */
export type Amf0Kinds = 'common' | 'any';

/**
 * Where the value that begins at `at` ends; -1 where it is cut short, of another kind, or nested deeper than 32. Nothing
 * is decoded and nothing allocated, so that what a stranger sends can be judged cheaply.
 */
export function endOfAmf0(data: Buffer, at: number, kinds: Amf0Kinds, depth = 0): number {
  if (at >= data.length) return -1;
  const start = at + 1;
  switch (data[at]) {
    case Amf0Marker.Number:
      return within(data, start + numberBytes);
    case Amf0Marker.Boolean:
      return within(data, start + 1);
    case Amf0Marker.String:
      return endOfText(data, start, 2, kinds === 'common');
    case Amf0Marker.Null:
    case Amf0Marker.Undefined:
      return start;
    case Amf0Marker.Object:
      return endOfProperties(data, start, kinds, depth, false);
    case Amf0Marker.EcmaArray:
      return endOfProperties(data, within(data, start + 4), kinds, depth, kinds === 'any');
    case Amf0Marker.StrictArray:
      return endOfStrictArray(data, start, kinds, depth);
    default:
      return kinds === 'any' ? endOfRare(data, at, depth) : -1;
  }
}

/** Values that AMF0 has and that widespread servers do not read. */
function endOfRare(data: Buffer, at: number, depth: number): number {
  const start = at + 1;
  switch (data[at]) {
    case Amf0Marker.Reference:
      return within(data, start + 2);
    case Amf0Marker.Date:
      return within(data, start + dateBytes);
    case Amf0Marker.LongString:
    case Amf0Marker.XmlDocument:
      return endOfText(data, start, 4, false);
    case Amf0Marker.Unsupported:
      return start;
    case Amf0Marker.TypedObject:
      return endOfProperties(data, endOfText(data, start, 2, false), 'any', depth, false);
    default:
      return -1;
  }
}

/** One property of an object or ECMA array, by offsets into the data. */
export interface PropertyPlace {
  /** Of the length of its key. */
  readonly start: number;
  readonly valueAt: number;
  readonly end: number;
}

/** Whether the property at this place has this key. */
export function hasKey(data: Buffer, { start, valueAt }: PropertyPlace, key: Buffer): boolean {
  return valueAt - start - 2 === key.length && data.compare(key, 0, key.length, start + 2, valueAt) === 0;
}

/**
 * The properties from `at` on, up to the end marker, to the first one that cannot be stepped over, or to the 4,096th.
 * @returns `end` behind the end marker; -1 where that was not reached
 */
export function placesOfProperties(data: Buffer, at: number): { places: PropertyPlace[]; end: number } {
  const places: PropertyPlace[] = [];
  let next = at;
  for (;;) {
    if (places.length > maxProperties) return { places, end: -1 };
    if (isObjectEnd(data, next)) return { places, end: next + 3 };
    const start = next;
    const valueAt = endOfText(data, start, 2, false);
    if (valueAt < 0) return { places, end: -1 };
    next = endOfAmf0(data, valueAt, 'any', 1);
    if (next < 0) return { places, end: -1 };
    places.push({ start, valueAt, end: next });
  }
}

/** Where the properties of the value at `at` begin; -1 where it has none. */
export function propertiesAt(data: Buffer, at: number): number {
  switch (data[at]) {
    case Amf0Marker.Object:
      return at + 1;
    case Amf0Marker.EcmaArray:
      return within(data, at + 5);
    case Amf0Marker.TypedObject:
      return endOfText(data, at + 1, 2, false);
    default:
      return -1;
  }
}

/** The text of the string at `at`; null where there is another value. */
export function textAt(data: Buffer, at: number): string | null {
  if (data[at] !== Amf0Marker.String) return null;
  const end = endOfText(data, at + 1, 2);
  return end < 0 ? null : data.toString('utf8', at + 3, end);
}

function endOfProperties(data: Buffer, at: number, kinds: Amf0Kinds, depth: number, mayEndWithData: boolean): number {
  if (at < 0 || depth >= maxDepth) return -1;
  let next = at;
  for (;;) {
    if (isObjectEnd(data, next)) return next + 3;
    if (mayEndWithData && next >= data.length) return next;
    // An empty key means the end to some readers and a property to others.
    if (kinds === 'common' && data[next] === 0 && data[next + 1] === 0) return -1;
    next = endOfText(data, next, 2, kinds === 'common');
    if (next < 0) return -1;
    next = endOfAmf0(data, next, kinds, depth + 1);
    if (next < 0) return -1;
  }
}

function endOfStrictArray(data: Buffer, at: number, kinds: Amf0Kinds, depth: number): number {
  let next = within(data, at + 4);
  if (next < 0 || depth >= maxDepth) return -1;
  // Each value takes at least a byte, so a false count ends with the data.
  for (let left = data.readUInt32BE(at); left > 0; left--) {
    next = endOfAmf0(data, next, kinds, depth + 1);
    if (next < 0) return -1;
  }
  return next;
}

function endOfText(data: Buffer, at: number, lengthBytes: 2 | 4, checked = true): number {
  const start = within(data, at < 0 ? Number.POSITIVE_INFINITY : at + lengthBytes);
  if (start < 0) return -1;
  const end = within(data, start + data.readUIntBE(at, lengthBytes));
  return end < 0 || (checked && !isText(data, start, end)) ? -1 : end;
}

/** Whether it is UTF-8. Most texts are short and ASCII: a call for each of thousands takes longer than to look. */
function isText(data: Buffer, start: number, end: number): boolean {
  if (end - start > shortText) return isUtf8(data.subarray(start, end));
  for (let at = start; at < end; at++) if (data[at]! >= 0x80) return isUtf8(data.subarray(start, end));
  return true;
}

function isObjectEnd(data: Buffer, at: number): boolean {
  return data[at] === 0 && data[at + 1] === 0 && data[at + 2] === Amf0Marker.ObjectEnd;
}

function within(data: Buffer, end: number): number {
  return end <= data.length ? end : -1;
}
