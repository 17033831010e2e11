import {
  AmfDate,
  AmfEcmaArray,
  AmfReference,
  AmfTypedObject,
  AmfUnsupported,
  type AmfValue,
  AmfXmlDocument,
  propertiesOf,
} from '../../src/wire/amf0.js';
import type { Random } from './random.js';

const words = [
  ...['connect', 'createStream', 'publish', 'play', 'closeStream', 'deleteStream', 'FCUnpublish', 'releaseStream'],
  ...['live', 'record', '@setDataFrame', 'onMetaData', 'mediaAggregatorPath', 'encoder', 'width', 'app', 'tcUrl'],
  ...['__proto__', 'constructor', 'toString', 'code', 'level', 'error', '', '0', '4294967294', 'a,b', '00ff,0123'],
  ...['\u0000', '\ufffd', '💥', 'x'.repeat(300), '/'.repeat(1024), '?'.repeat(40)],
];
const numbers = [0, 1, 2, -1, 0.5, 16, 2 ** 31, 2 ** 32, 2 ** 53, Number.NaN, Infinity, -Infinity, 1e308, -0];

/** Any value, of any kind that AMF0 has. */
export function anyValue(random: Random, depth = 0): AmfValue {
  switch (random.int(depth > 3 ? 8 : 13)) {
    case 0:
      return random.pick(numbers);
    case 1:
      return random.oneIn(2);
    case 2:
      return random.pick(words);
    case 3:
      return null;
    case 4:
      return undefined;
    case 5:
      return new AmfDate(random.pick(numbers), random.range(-1000, 1000));
    case 6:
      return random.oneIn(2) ? new AmfUnsupported() : new AmfXmlDocument(random.pick(words));
    case 7:
      return new AmfReference(random.int(4));
    case 8:
      return Array.from({ length: random.int(5) }, () => anyValue(random, depth + 1));
    case 9:
      return new AmfEcmaArray(anyProperties(random, depth));
    case 10:
      return new AmfTypedObject(random.pick(words), anyProperties(random, depth));
    default:
      return anyProperties(random, depth);
  }
}

function anyProperties(random: Random, depth: number): Record<string, AmfValue> {
  const properties: Record<string, AmfValue> = Object.create(null);
  for (let i = random.int(5); i > 0; i--) properties[random.pick(words)] = anyValue(random, depth + 1);
  return properties;
}

/** Encodes values, and at about one in `honesty` places lies: wrong markers, lengths, counts, depths, ends. */
export function encodeLoosely(values: readonly AmfValue[], random: Random, honesty: number): Buffer {
  const parts: Buffer[] = [];
  for (const value of values) encode(value, parts, random, honesty);
  return Buffer.concat(parts);
}

function encode(value: AmfValue, parts: Buffer[], random: Random, honesty: number): void {
  if (random.oneIn(honesty)) {
    if (lie(parts, random)) return;
    value = anyValue(random);
  }
  if (typeof value === 'number') {
    const bytes = Buffer.alloc(9);
    bytes.writeDoubleBE(value, 1);
    parts.push(bytes);
  } else if (typeof value === 'boolean') {
    parts.push(Buffer.from([1, value ? random.pick([1, 1, 255]) : 0]));
  } else if (typeof value === 'string') {
    parts.push(Buffer.from([2]), text(value, random, honesty));
  } else if (value === undefined) {
    parts.push(Buffer.from([6]));
  } else if (value === null) {
    parts.push(Buffer.from([5]));
  } else if (Array.isArray(value)) {
    parts.push(Buffer.from([10]), count(value.length, random, honesty));
    for (const item of value) encode(item, parts, random, honesty);
  } else if (value instanceof AmfDate) {
    parts.push(Buffer.from([11]), random.bytes(10));
  } else if (value instanceof AmfReference) {
    parts.push(Buffer.from([7, 0, value.index & 255]));
  } else if (value instanceof AmfXmlDocument) {
    const xml = Buffer.from(value.text);
    parts.push(Buffer.from([15]), count(xml.length, random, honesty), xml);
  } else {
    const properties = propertiesOf(value);
    if (properties === undefined) {
      parts.push(Buffer.from([13]));
      return;
    }
    const names = Object.keys(properties);
    if (value instanceof AmfEcmaArray) parts.push(Buffer.from([8]), count(names.length, random, honesty));
    else if (value instanceof AmfTypedObject) parts.push(Buffer.from([16]), text(value.className, random, honesty));
    else parts.push(Buffer.from([3]));
    for (const name of names) {
      parts.push(text(name, random, honesty));
      encode(properties[name], parts, random, honesty);
    }
    if (!random.oneIn(honesty)) parts.push(Buffer.from([0, 0, 9]));
  }
}

/** Writes something that is none of AMF0; false: nothing was written. */
function lie(parts: Buffer[], random: Random): boolean {
  switch (random.int(5)) {
    case 0:
      parts.push(Buffer.from([random.int(20)]));
      return true;
    case 1: {
      // Nested deep: arrays of one element, or objects of one property.
      const level = random.oneIn(2) ? Buffer.from([10, 0, 0, 0, 1]) : Buffer.from([3, 0, 1, 0x61]);
      const depth = random.pick([5, 31, 32, 33, 255, 256, 257, 2000]);
      parts.push(Buffer.concat(Array.from({ length: depth }, () => level)), Buffer.from([5]));
      return true;
    }
    case 2:
      parts.push(Buffer.from([12]), count(random.int(10), random, 2), random.bytes(random.int(10)));
      return true;
    case 3:
      // Many small values.
      parts.push(Buffer.from([10, 0xff, 0xff, 0xff, 0xff]), Buffer.alloc(random.pick([3, 100, 5000]), 5));
      return true;
    default:
      return false;
  }
}

function count(value: number, random: Random, honesty: number): Buffer {
  const bytes = Buffer.alloc(4);
  const wrong = random.oneIn(honesty);
  bytes.writeUInt32BE(wrong ? random.pick([0, value + 1, 0xffff, 0xffffffff, 0x7fffffff]) : value);
  return bytes;
}

function text(value: string, random: Random, honesty: number): Buffer {
  const encoded = Buffer.from(value).subarray(0, 0xffff);
  const bytes = Buffer.alloc(2);
  const wrong = random.oneIn(honesty);
  bytes.writeUInt16BE(wrong ? random.pick([0, encoded.length + 1, 0xffff, 0x7fff]) & 0xffff : encoded.length);
  return Buffer.concat([bytes, encoded]);
}
