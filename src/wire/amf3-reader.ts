import {
  AmfDate,
  type AmfObject,
  AmfUnsupported,
  type AmfValue,
  AmfXmlDocument,
  createAmfObject,
} from './amf0-values.js';

/** Type markers (Action Message Format -- AMF 3, 3.1). */
const Marker = {
  Undefined: 0,
  Null: 1,
  False: 2,
  True: 3,
  Integer: 4,
  Double: 5,
  String: 6,
  XmlDocument: 7,
  Date: 8,
  Array: 9,
  Object: 10,
  Xml: 11,
  ByteArray: 12,
} as const;

export interface Amf3Limits {
  /** How deep objects and arrays may nest, counted from the value itself. */
  readonly maxDepth: number;
  /** How many values there may be, those inside objects and arrays included. */
  readonly maxValues: number;
}

/** What was read, how far, and what was wrong; with a problem, what came before it is still there. */
export interface Amf3Result {
  readonly value: AmfValue;
  readonly end: number;
  /** Values read, those inside included. */
  readonly values: number;
  readonly problem: string | null;
}

interface Traits {
  readonly isDynamic: boolean;
  readonly names: readonly string[];
}

/**
 * Reads one AMF3 value as the AMF0 values it means: what Flash puts behind the marker 17 of AMF0. Nobody here writes AMF3.
 *
 * Never throws. References to strings and traits are resolved within the value; one to an object counts as undefined,
 * since resolved it could describe a cycle. Byte arrays, vectors and dictionaries are told as `AmfUnsupported`, and what
 * the sender's own classes wrote (externalizable) cannot be read past: that ends the reading.
 * @param end where the data ends, at most
 */
export function readAmf3(data: Buffer, offset: number, end: number, limits: Amf3Limits): Amf3Result {
  const reader = new Reader(data, offset, end, limits);
  const value = reader.readValue(0);
  return { value, end: reader.at, values: reader.values, problem: reader.problem };
}

class Reader {
  at: number;
  values = 0;
  problem: string | null = null;
  readonly #data: Buffer;
  readonly #end: number;
  readonly #limits: Amf3Limits;
  readonly #strings: string[] = [];
  readonly #traits: Traits[] = [];
  /** Characters that references to strings may still repeat: a few bytes could name a long text again and again. */
  #repeatable: number;

  constructor(data: Buffer, offset: number, end: number, limits: Amf3Limits) {
    this.#data = data;
    this.at = offset;
    this.#end = Math.min(end, data.length);
    this.#limits = limits;
    this.#repeatable = 4 * Math.max(0, this.#end - offset);
  }

  readValue(depth: number): AmfValue {
    this.values++;
    if (this.values > this.#limits.maxValues) return this.#fail('too many AMF3 values');
    const at = this.#take(1);
    if (at < 0) return undefined;
    const marker = this.#data[at]!;
    switch (marker) {
      case Marker.Undefined:
        return undefined;
      case Marker.Null:
        return null;
      case Marker.False:
        return false;
      case Marker.True:
        return true;
      case Marker.Integer:
        return (this.#readU29() << 3) >> 3; // 29 bits with a sign
      case Marker.Double: {
        const from = this.#take(8);
        return from < 0 ? undefined : this.#data.readDoubleBE(from);
      }
      case Marker.String:
        return this.#readText();
      case Marker.XmlDocument:
      case Marker.Xml: {
        const from = this.#takeCounted(1);
        return from < 0 ? undefined : new AmfXmlDocument(this.#data.toString('utf8', from, this.at));
      }
      case Marker.Date: {
        if ((this.#readU29() & 1) === 0) return undefined;
        const from = this.#take(8);
        return from < 0 ? undefined : new AmfDate(this.#data.readDoubleBE(from));
      }
      case Marker.Array:
        return this.#readArray(depth);
      case Marker.Object:
        return this.#readObject(depth);
      case Marker.ByteArray:
        return this.#takeCounted(1) < 0 ? undefined : new AmfUnsupported();
      default:
        // Vectors (13 to 16) and dictionaries (17) are of Flash Player 10, and no sender of video was seen to use them.
        return this.#fail(`the AMF3 marker ${marker}`);
    }
  }

  #fail(problem: string): undefined {
    this.problem ??= problem;
    return undefined;
  }

  /** Moves on by `bytes`; returns where they begin, or -1 where the data ends before. */
  #take(bytes: number): number {
    const at = this.at;
    if (this.problem !== null) return -1;
    if (bytes > this.#end - at) {
      this.#fail('an AMF3 value that is cut short');
      return -1;
    }
    this.at = at + bytes;
    return at;
  }

  /** Seven bits a byte, the highest first, and all eight of the fourth byte (1.3.1). */
  #readU29(): number {
    let value = 0;
    for (let index = 0; index < 4; index++) {
      const at = this.#take(1);
      if (at < 0) return 0;
      const byte = this.#data[at]!;
      if (index === 3) return ((value << 8) | byte) >>> 0;
      value = (value << 7) | (byte & 0x7f);
      if (byte < 0x80) return value;
    }
    return value;
  }

  /** Skips what a header counts. Returns where it begins; -1 for a reference, or where it is cut short. */
  #takeCounted(unitBytes: number): number {
    const header = this.#readU29();
    return (header & 1) === 0 ? -1 : this.#take((header >>> 1) * unitBytes);
  }

  #readText(): string {
    const header = this.#readU29();
    if ((header & 1) === 0) {
      const text = this.#strings[header >>> 1] ?? '';
      this.#repeatable -= text.length;
      if (this.#repeatable >= 0) return text;
      this.#fail('AMF3 strings that are repeated too often');
      return '';
    }
    const from = this.#take(header >>> 1);
    if (from < 0) return '';
    const text = this.#data.toString('utf8', from, this.at);
    if (text !== '') this.#strings.push(text); // the empty one is never referred to
    return text;
  }

  #readArray(depth: number): AmfValue {
    const header = this.#readU29();
    if ((header & 1) === 0) return undefined;
    if (depth >= this.#limits.maxDepth) return this.#fail('AMF3 values that are nested too deep');
    const named = this.#readNamed(createAmfObject(), depth);
    const values: AmfValue[] = [];
    // The array grows with the values that come, not with the count.
    for (let left = header >>> 1; left > 0 && this.problem === null; left--) {
      const value = this.readValue(depth + 1);
      if (this.problem === null) values.push(value);
    }
    return Object.keys(named).length > 0 && values.length === 0 ? named : values;
  }

  /** Names and values, up to the empty name. */
  #readNamed(properties: AmfObject, depth: number): AmfObject {
    while (this.problem === null) {
      const name = this.#readText();
      if (name === '') break;
      this.#readInto(properties, name, depth);
    }
    return properties;
  }

  #readInto(properties: AmfObject, name: string, depth: number): void {
    const value = this.readValue(depth + 1);
    // A part of an object is useful; a part of a number is not.
    if (this.problem === null || (typeof value === 'object' && value !== null)) properties[name] = value;
  }

  #readObject(depth: number): AmfValue {
    const header = this.#readU29();
    if ((header & 1) === 0) return undefined;
    if (depth >= this.#limits.maxDepth) return this.#fail('AMF3 values that are nested too deep');
    const traits = this.#readTraits(header);
    const properties = createAmfObject();
    if (traits === null) return properties;
    for (const name of traits.names) {
      if (this.problem !== null) return properties;
      this.#readInto(properties, name, depth);
    }
    return traits.isDynamic ? this.#readNamed(properties, depth) : properties;
  }

  #readTraits(header: number): Traits | null {
    if ((header & 2) === 0) {
      const known = this.#traits[header >>> 2];
      if (known === undefined) this.#fail('AMF3 traits that are not there');
      return known ?? null;
    }
    if ((header & 4) !== 0) {
      this.#fail('an AMF3 object of a form of its own');
      return null;
    }
    this.#readText(); // the name of its class
    const names: string[] = [];
    for (let left = header >>> 4; left > 0 && this.problem === null; left--) {
      this.values++; // a name may take one byte
      if (this.values > this.#limits.maxValues) this.#fail('too many AMF3 values');
      else names.push(this.#readText());
    }
    const traits = { isDynamic: (header & 8) !== 0, names };
    this.#traits.push(traits);
    return traits;
  }
}
