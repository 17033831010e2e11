import { WireError } from '../errors.js';
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
  const reader = new Reader(data, 0, limits);
  const values: AmfValue[] = [];
  while (reader.at < data.length) {
    values.push(reader.readValue(0));
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
  const reader = new Reader(data, offset, limits);
  const value = reader.readValue(0);
  return { value, end: reader.at };
}

class Reader {
  at: number;
  readonly #data: Buffer;
  readonly #limits: Amf0Limits;
  readonly #maxDepth: number;
  /** Where the data or the limit of bytes ends, whichever comes first. */
  readonly #end: number;
  #values = 0;
  /** Objects and arrays begun so far: what references count. */
  #complexValues = 0;

  constructor(data: Buffer, offset: number, limits: Amf0Limits) {
    this.#data = data;
    this.at = offset;
    this.#limits = limits;
    this.#maxDepth = Math.min(limits.maxDepth, amf0DepthCeiling);
    this.#end = Math.min(data.length, offset + limits.maxBytes);
  }

  readValue(depth: number): AmfValue {
    this.#values += 1;
    if (this.#values > this.#limits.maxValues) {
      throw new WireError('RTMP_AMF', `There are more AMF values than the limit of ${this.#limits.maxValues}.`);
    }
    const data = this.#data;
    const marker = data[this.#take(1, 'a type marker')]!;
    switch (marker) {
      case Amf0Marker.Number:
        return data.readDoubleBE(this.#take(8, 'a number'));
      case Amf0Marker.Boolean:
        return data[this.#take(1, 'a boolean')] !== 0;
      case Amf0Marker.String:
        return this.#readShortText('a string');
      case Amf0Marker.Object:
        return this.#readProperties(this.#enter(depth), false);
      case Amf0Marker.Null:
        return null;
      case Amf0Marker.Undefined:
        return undefined;
      case Amf0Marker.Reference:
        return this.#readReference();
      case Amf0Marker.EcmaArray:
        this.#take(4, 'the count of an ECMA array');
        return new AmfEcmaArray(this.#readProperties(this.#enter(depth), true));
      case Amf0Marker.StrictArray:
        return this.#readStrictArray(this.#enter(depth));
      case Amf0Marker.Date: {
        const at = this.#take(10, 'a date');
        return new AmfDate(data.readDoubleBE(at), data.readInt16BE(at + 8));
      }
      case Amf0Marker.LongString:
        return this.#readLongText('a long string');
      case Amf0Marker.Unsupported:
        return new AmfUnsupported();
      case Amf0Marker.XmlDocument:
        return new AmfXmlDocument(this.#readLongText('an XML document'));
      case Amf0Marker.TypedObject: {
        const inside = this.#enter(depth);
        const className = this.#readShortText('a class name');
        return new AmfTypedObject(className, this.#readProperties(inside, false));
      }
      default:
        throw new WireError(
          'RTMP_AMF',
          `The AMF0 marker ${marker} at byte ${this.at - 1} stands for ${refusedMarkers[marker] ?? 'nothing; the last one is 17'}.`,
        );
    }
  }

  /** Moves on by `bytes`; returns where they begin. */
  #take(bytes: number, what: string): number {
    const at = this.at;
    if (bytes > this.#end - at) {
      const reason =
        this.#end < this.#data.length
          ? `exceeds the limit of ${this.#limits.maxBytes} bytes`
          : `has ${this.#end - at} bytes where it takes ${bytes}`;
      throw new WireError('RTMP_AMF', `At byte ${at} of AMF0 data ${what} ${reason}.`);
    }
    this.at = at + bytes;
    return at;
  }

  #enter(depth: number): number {
    this.#complexValues += 1;
    if (depth >= this.#maxDepth) {
      throw new WireError('RTMP_AMF', `AMF values are nested deeper than the limit of ${this.#maxDepth}.`);
    }
    return depth + 1;
  }

  #readShortText(what: string): string {
    const length = this.#data.readUInt16BE(this.#take(2, what));
    const at = this.#take(length, what);
    return this.#data.toString('utf8', at, at + length);
  }

  #readLongText(what: string): string {
    const length = this.#data.readUInt32BE(this.#take(4, what));
    const at = this.#take(length, what);
    return this.#data.toString('utf8', at, at + length);
  }

  #readReference(): AmfReference {
    const index = this.#data.readUInt16BE(this.#take(2, 'a reference'));
    if (index >= this.#complexValues) {
      throw new WireError(
        'RTMP_AMF',
        `An AMF reference names object ${index}, and ${this.#complexValues} have begun before it.`,
      );
    }
    return new AmfReference(index);
  }

  /** The array grows with the values that come, not with the count. */
  #readStrictArray(depth: number): AmfValue[] {
    const count = this.#data.readUInt32BE(this.#take(4, 'the count of an array'));
    const values: AmfValue[] = [];
    for (let index = 0; index < count; index += 1) {
      values.push(this.readValue(depth));
    }
    return values;
  }

  #readProperties(depth: number, mayEndWithData: boolean): AmfObject {
    const properties = createAmfObject();
    while (!(mayEndWithData && this.#onlyPartOfEndIsLeft())) {
      const key = this.#readShortText('a property name');
      // An empty name may be a property's; with the marker behind it, it is the end.
      if (key === '' && this.at < this.#end && this.#data[this.at] === Amf0Marker.ObjectEnd) {
        this.at += 1;
        break;
      }
      properties[key] = this.readValue(depth);
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
