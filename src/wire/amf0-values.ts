/** An object or the named part of an array, without a prototype: a key such as `__proto__` is a key like any other. */
export interface AmfObject {
  [key: string]: AmfValue;
}

/** Everything AMF0 can carry except AMF3 values, movie clips and record sets. */
export type AmfValue =
  | number
  | boolean
  | string
  | null
  | undefined
  | AmfObject
  | AmfValue[]
  | AmfEcmaArray
  | AmfDate
  | AmfXmlDocument
  | AmfTypedObject
  | AmfReference
  | AmfUnsupported;

/** An associative array (marker 8): what encoders send `onMetaData` as. */
export class AmfEcmaArray {
  readonly properties: AmfObject;

  constructor(properties: AmfObject) {
    this.properties = properties;
  }
}

/** A date (marker 11). */
export class AmfDate {
  /** Milliseconds since 1970 in UTC; any double, NaN too. */
  readonly timeMs: number;
  /** Minutes, -32768 to 32767. Reserved: senders write 0, receivers ignore it (AMF0, 2.13). */
  readonly zoneMinutes: number;

  constructor(timeMs: number, zoneMinutes = 0) {
    this.timeMs = timeMs;
    this.zoneMinutes = zoneMinutes;
  }
}

/** An XML document (marker 15), as text. It is not parsed. */
export class AmfXmlDocument {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** An object with the name of its class (marker 16). */
export class AmfTypedObject {
  readonly className: string;
  readonly properties: AmfObject;

  constructor(className: string, properties: AmfObject) {
    this.className = className;
    this.properties = properties;
  }
}

/**
 * A reference (marker 7) to the object, array or typed object of the same payload that began as the index-th,
 * from 0. It is kept as it came: resolved, a few bytes could describe a cycle, or a tree of any size.
 */
export class AmfReference {
  readonly index: number;

  constructor(index: number) {
    this.index = index;
  }
}

/** A value that the sender's encoder did not know how to write (marker 13). */
export class AmfUnsupported {}

/** An empty object of the kind that the decoder makes. */
export function createAmfObject(properties?: Record<string, AmfValue>): AmfObject {
  return Object.assign(Object.create(null) as AmfObject, properties);
}

/** The properties of an object of any kind: plain, typed, or an ECMA array; undefined for any other value. */
export function propertiesOf(value: AmfValue): AmfObject | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  if (value instanceof AmfEcmaArray || value instanceof AmfTypedObject) return value.properties;
  if (value instanceof AmfDate || value instanceof AmfXmlDocument) return undefined;
  if (value instanceof AmfReference || value instanceof AmfUnsupported) return undefined;
  return value;
}

/** Type markers (AMF0, 2.1). */
export const Amf0Marker = {
  Number: 0,
  Boolean: 1,
  String: 2,
  Object: 3,
  MovieClip: 4,
  Null: 5,
  Undefined: 6,
  Reference: 7,
  EcmaArray: 8,
  ObjectEnd: 9,
  StrictArray: 10,
  Date: 11,
  LongString: 12,
  Unsupported: 13,
  RecordSet: 14,
  XmlDocument: 15,
  TypedObject: 16,
  Amf3: 17,
} as const;

export interface Amf0Limits {
  /** How deep objects and arrays may nest; a value that is in none has depth 0. 256 at most. */
  maxDepth: number;
  /** How many values there may be, those inside objects and arrays included. */
  maxValues: number;
  /** How many bytes they may take. */
  maxBytes: number;
}

/** Enough for the key frame index of a file of several hours, far more than any command. */
export const defaultAmf0Limits: Amf0Limits = { maxDepth: 32, maxValues: 50_000, maxBytes: 1 << 20 };

/** Above this depth the recursion of reader and writer might not fit on the stack, so no limit may exceed it. */
export const amf0DepthCeiling = 256;
