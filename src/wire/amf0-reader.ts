import { WireError } from '../errors.js';
import { plural } from '../plural.js';
import {
  type Amf0Limits,
  Amf0Marker,
  AmfDate,
  AmfEcmaArray,
  type AmfObject,
  AmfReference,
  AmfTypedObject,
  AmfUnsupported,
  type AmfValue,
  AmfXmlDocument,
  amf0DepthCeiling,
  createAmfObject,
  defaultAmf0Limits,
} from './amf0-values.js';
import { readAmf3 } from './amf3-reader.js';

const refusedMarkers: Readonly<Record<number, string>> = {
  [Amf0Marker.MovieClip]: 'a movie clip, which AMF0 reserves',
  [Amf0Marker.ObjectEnd]: 'an object end outside of an object',
  [Amf0Marker.RecordSet]: 'a record set, which AMF0 reserves',
  [Amf0Marker.Amf3]: 'an AMF3 value; AMF0 alone is spoken here (objectEncoding 0)',
};

/**
 * Decodes a whole payload, such as that of a command or data message, value after value.
 *
 * @throws WireError RTMP_AMF as `readAmf0` does
 */
export function decodeAmf0(data: Buffer, limits: Amf0Limits = defaultAmf0Limits): AmfValue[] {
  const reader = new Reader(data, 0, limits, false);
  const values: AmfValue[] = [];
  while (reader.at < data.length) {
    values.push(reader.readValue(0));
    if (reader.problem !== null) throw new WireError('RTMP_AMF', reader.problem);
  }
  return values;
}

/**
 * Decodes one value that begins at `offset` (AMF0, chapter 2). References count from there.
 *
 * Text that is not UTF-8 is taken with replacement characters. The count of an ECMA array is ignored, and its end
 * marker may be missing or cut short where the data ends: real encoders write both wrongly.
 *
 * @throws WireError RTMP_AMF when the value is cut short, exceeds a limit, has an unknown marker, refers to an object
 *   that is not there, or is a movie clip, a record set or an AMF3 value
 */
export function readAmf0(
  data: Buffer,
  offset: number,
  limits: Amf0Limits = defaultAmf0Limits,
): { value: AmfValue; end: number } {
  const reader = new Reader(data, offset, limits, false);
  const value = reader.readValue(0);
  if (reader.problem !== null) throw new WireError('RTMP_AMF', reader.problem);
  return { value, end: reader.at };
}

/** The readable beginning of a payload. */
export interface ReadableAmf {
  readonly values: readonly AmfValue[];
  /** Where each value begins. */
  readonly starts: readonly number[];
  /** Why no more was read, in words; null: all was. */
  readonly problem: string | null;
}

/**
 * Decodes what can be read of a payload, for messages of which the beginning is enough: up to the first value that is cut
 * short, unknown or beyond a limit, and of an object, what came before that. AMF3 values are read too (marker 17), and
 * references are kept even where they lead nowhere. Never throws, and costs no more than the limits allow.
 * @param atMost values at the top that are read; what comes behind them is no problem
 */
export function readableAmf0(
  data: Buffer,
  limits: Amf0Limits = defaultAmf0Limits,
  atMost = Number.POSITIVE_INFINITY,
): ReadableAmf {
  const reader = new Reader(data, 0, limits, true);
  const values: AmfValue[] = [];
  const starts: number[] = [];
  while (reader.at < data.length && reader.problem === null && values.length < atMost) {
    const start = reader.at;
    const value = reader.readValue(0);
    if (reader.problem !== null && !isContainer(value)) break;
    values.push(value);
    starts.push(start);
  }
  return { values, starts, problem: reader.problem };
}

/** A part of an object is useful; a part of a number is not. */
function isContainer(value: AmfValue): boolean {
  return typeof value === 'object' && value !== null;
}

/** Reads value after value; the first problem ends the reading, and stands in `problem`. */
class Reader {
  at: number;
  problem: string | null = null;
  readonly #data: Buffer;
  readonly #limits: Amf0Limits;
  readonly #maxDepth: number;
  /** Where the data or the limit of bytes ends, whichever comes first. */
  readonly #end: number;
  readonly #isLenient: boolean;
  #values = 0;
  /** The objects and arrays that have begun so far: references count them. */
  #complexValues = 0;

  constructor(data: Buffer, offset: number, limits: Amf0Limits, isLenient: boolean) {
    this.#data = data;
    this.at = offset;
    this.#limits = limits;
    this.#isLenient = isLenient;
    this.#maxDepth = Math.min(limits.maxDepth, amf0DepthCeiling);
    this.#end = Math.min(data.length, offset + limits.maxBytes);
  }

  /** With a problem, what is returned is what was read before it, or undefined. */
  readValue(depth: number): AmfValue {
    this.#values += 1;
    if (this.#values > this.#limits.maxValues) {
      return this.#fail(`There are more AMF values than the limit of ${this.#limits.maxValues}.`);
    }
    const data = this.#data;
    const markerAt = this.#take(1, 'a type marker');
    if (markerAt < 0) return undefined;
    const marker = data[markerAt]!;
    switch (marker) {
      case Amf0Marker.Number: {
        const at = this.#take(8, 'a number');
        return at < 0 ? undefined : data.readDoubleBE(at);
      }
      case Amf0Marker.Boolean: {
        const at = this.#take(1, 'a boolean');
        return at < 0 ? undefined : data[at] !== 0;
      }
      case Amf0Marker.String:
        return this.#readShortText('a string');
      case Amf0Marker.Object:
        return this.#enter(depth) ? this.#readProperties(depth + 1, false) : undefined;
      case Amf0Marker.Null:
        return null;
      case Amf0Marker.Undefined:
        return undefined;
      case Amf0Marker.Reference:
        return this.#readReference();
      case Amf0Marker.EcmaArray:
        if (this.#take(4, 'the count of an ECMA array') < 0 || !this.#enter(depth)) return undefined;
        return new AmfEcmaArray(this.#readProperties(depth + 1, true));
      case Amf0Marker.StrictArray:
        return this.#enter(depth) ? this.#readStrictArray(depth + 1) : undefined;
      case Amf0Marker.Date: {
        const at = this.#take(10, 'a date');
        return at < 0 ? undefined : new AmfDate(data.readDoubleBE(at), data.readInt16BE(at + 8));
      }
      case Amf0Marker.LongString:
        return this.#readLongText('a long string');
      case Amf0Marker.Unsupported:
        return new AmfUnsupported();
      case Amf0Marker.XmlDocument: {
        const text = this.#readLongText('an XML document');
        return text === undefined ? undefined : new AmfXmlDocument(text);
      }
      case Amf0Marker.TypedObject: {
        if (!this.#enter(depth)) return undefined;
        const className = this.#readShortText('a class name');
        if (className === undefined) return undefined;
        return new AmfTypedObject(className, this.#readProperties(depth + 1, false));
      }
      case Amf0Marker.Amf3:
        if (this.#isLenient) return this.#readAmf3(depth);
        break;
    }
    const meaning = refusedMarkers[marker] ?? 'nothing; the last one is 17';
    return this.#fail(`The AMF0 marker ${marker} at byte ${markerAt} stands for ${meaning}.`);
  }

  #fail(problem: string): undefined {
    this.problem ??= problem;
    return undefined;
  }

  /** Moves on by `bytes`; returns where they begin, or -1 where the data or the limit ends before. */
  #take(bytes: number, what: string): number {
    const at = this.at;
    if (bytes > this.#end - at) {
      const reason =
        this.#end < this.#data.length
          ? `exceeds the limit of ${this.#limits.maxBytes} bytes`
          : `has ${plural(this.#end - at, 'byte')} where it takes ${bytes}`;
      this.#fail(`At byte ${at} of AMF0 data ${what} ${reason}.`);
      return -1;
    }
    this.at = at + bytes;
    return at;
  }

  /** Whether a value of this depth may have others in it. */
  #enter(depth: number): boolean {
    this.#complexValues += 1;
    if (depth < this.#maxDepth) return true;
    this.#fail(`AMF values are nested deeper than the limit of ${this.#maxDepth}.`);
    return false;
  }

  #readAmf3(depth: number): AmfValue {
    const result = readAmf3(this.#data, this.at, this.#end, {
      maxDepth: this.#maxDepth - depth,
      maxValues: this.#limits.maxValues - this.#values,
    });
    this.#values += result.values;
    this.at = result.end;
    if (result.problem !== null) this.#fail(`There is ${result.problem} in AMF0 data.`);
    return result.value;
  }

  #readShortText(what: string): string | undefined {
    const lengthAt = this.#take(2, what);
    return lengthAt < 0 ? undefined : this.#readText(this.#data.readUInt16BE(lengthAt), what);
  }

  #readLongText(what: string): string | undefined {
    const lengthAt = this.#take(4, what);
    return lengthAt < 0 ? undefined : this.#readText(this.#data.readUInt32BE(lengthAt), what);
  }

  #readText(bytes: number, what: string): string | undefined {
    const at = this.#take(bytes, what);
    return at < 0 ? undefined : this.#data.toString('utf8', at, at + bytes);
  }

  #readReference(): AmfReference | undefined {
    const at = this.#take(2, 'a reference');
    if (at < 0) return undefined;
    const index = this.#data.readUInt16BE(at);
    if (index >= this.#complexValues && !this.#isLenient) {
      return this.#fail(`An AMF reference names object ${index}, and ${this.#complexValues} have begun before it.`);
    }
    return new AmfReference(index);
  }

  /** The array grows with the values that come, not with the count. */
  #readStrictArray(depth: number): AmfValue[] {
    const values: AmfValue[] = [];
    const countAt = this.#take(4, 'the count of an array');
    if (countAt < 0) return values;
    const count = this.#data.readUInt32BE(countAt);
    for (let index = 0; index < count; index += 1) {
      const value = this.readValue(depth);
      if (this.problem === null || isContainer(value)) values.push(value);
      if (this.problem !== null) break;
    }
    return values;
  }

  #readProperties(depth: number, mayEndWithData: boolean): AmfObject {
    const properties = createAmfObject();
    while (!(mayEndWithData && this.#onlyPartOfEndIsLeft())) {
      const key = this.#readShortText('a property name');
      if (key === undefined) break;
      // An empty name may be a property's. Followed by the end marker, it ends the object.
      if (key === '' && this.at < this.#end && this.#data[this.at] === Amf0Marker.ObjectEnd) {
        this.at += 1;
        break;
      }
      const value = this.readValue(depth);
      if (this.problem === null || isContainer(value)) properties[key] = value;
      if (this.problem !== null) break;
    }
    return properties;
  }

  /** Whether the data ends here, or with one or two zeros: the beginning of an end marker (00 00 09). */
  #onlyPartOfEndIsLeft(): boolean {
    const left = this.#data.length - this.at;
    if (left > 2) {
      return false;
    }
    for (let index = this.at; index < this.#data.length; index += 1) {
      if (this.#data[index] !== 0) {
        return false;
      }
    }
    this.at = this.#data.length;
    return true;
  }
}
