import { WireError } from '../errors.js';
import {
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
} from './amf0-values.js';

const maxShortBytes = 0xffff;
const objectEndBytes = 3;

/**
 * Encodes values one after the other. Arrays become strict arrays, texts of more than 65,535 bytes long strings.
 * It measures first and allocates once.
 *
 * @throws WireError RTMP_AMF when the values nest deeper than 256 (or in a circle), or a property or class name has
 *   more than 65,535 bytes
 */
export function encodeAmf0(...values: AmfValue[]): Buffer {
  let bytes = 0;
  for (const value of values) {
    bytes += measureValue(value, 0);
  }
  const target = Buffer.allocUnsafe(bytes);
  let at = 0;
  for (const value of values) {
    at = writeValue(target, at, value);
  }
  return target;
}

function measureValue(value: AmfValue, depth: number): number {
  switch (typeof value) {
    case 'number':
      return 9;
    case 'boolean':
      return 2;
    case 'string': {
      const bytes = Buffer.byteLength(value);
      return (bytes > maxShortBytes ? 5 : 3) + bytes;
    }
    case 'undefined':
      return 1;
    default:
      return value === null ? 1 : measureComplex(value, depth);
  }
}

function measureComplex(value: object, depth: number): number {
  if (value instanceof AmfDate) {
    return 11;
  }
  if (value instanceof AmfXmlDocument) {
    return 5 + Buffer.byteLength(value.text);
  }
  if (value instanceof AmfReference) {
    return 3;
  }
  if (value instanceof AmfUnsupported) {
    return 1;
  }
  const inside = depth + 1;
  if (inside > amf0DepthCeiling) {
    throw new WireError('RTMP_AMF', `Values to encode nest deeper than ${amf0DepthCeiling}, or in a circle.`);
  }
  if (Array.isArray(value)) {
    let bytes = 5;
    for (const item of value as AmfValue[]) {
      bytes += measureValue(item, inside);
    }
    return bytes;
  }
  if (value instanceof AmfEcmaArray) {
    return 5 + measureProperties(value.properties, inside);
  }
  if (value instanceof AmfTypedObject) {
    return 1 + measureName(value.className) + measureProperties(value.properties, inside);
  }
  return 1 + measureProperties(value as AmfObject, inside);
}

function measureName(name: string): number {
  const bytes = Buffer.byteLength(name);
  if (bytes > maxShortBytes) {
    throw new WireError('RTMP_AMF', `A name to encode has ${bytes} bytes; AMF0 allows ${maxShortBytes}.`);
  }
  return 2 + bytes;
}

function measureProperties(properties: AmfObject, depth: number): number {
  let bytes = objectEndBytes;
  for (const key of Object.keys(properties)) {
    bytes += measureName(key) + measureValue(properties[key], depth);
  }
  return bytes;
}

function writeValue(target: Buffer, at: number, value: AmfValue): number {
  switch (typeof value) {
    case 'number':
      return target.writeDoubleBE(value, target.writeUInt8(Amf0Marker.Number, at));
    case 'boolean':
      return target.writeUInt8(value ? 1 : 0, target.writeUInt8(Amf0Marker.Boolean, at));
    case 'string':
      return writeString(target, at, value);
    case 'undefined':
      return target.writeUInt8(Amf0Marker.Undefined, at);
    default:
      return value === null ? target.writeUInt8(Amf0Marker.Null, at) : writeComplex(target, at, value);
  }
}

function writeString(target: Buffer, at: number, text: string): number {
  const bytes = Buffer.byteLength(text);
  if (bytes > maxShortBytes) {
    return writeLongText(target, target.writeUInt8(Amf0Marker.LongString, at), text);
  }
  return writeName(target, target.writeUInt8(Amf0Marker.String, at), text);
}

function writeName(target: Buffer, at: number, text: string): number {
  const bytes = target.write(text, at + 2, 'utf8');
  target.writeUInt16BE(bytes, at);
  return at + 2 + bytes;
}

function writeLongText(target: Buffer, at: number, text: string): number {
  const bytes = target.write(text, at + 4, 'utf8');
  target.writeUInt32BE(bytes, at);
  return at + 4 + bytes;
}

function writeComplex(target: Buffer, at: number, value: object): number {
  if (value instanceof AmfDate) {
    const end = target.writeDoubleBE(value.timeMs, target.writeUInt8(Amf0Marker.Date, at));
    return target.writeInt16BE(value.zoneMinutes, end);
  }
  if (value instanceof AmfXmlDocument) {
    return writeLongText(target, target.writeUInt8(Amf0Marker.XmlDocument, at), value.text);
  }
  if (value instanceof AmfReference) {
    return target.writeUInt16BE(value.index, target.writeUInt8(Amf0Marker.Reference, at));
  }
  if (value instanceof AmfUnsupported) {
    return target.writeUInt8(Amf0Marker.Unsupported, at);
  }
  if (Array.isArray(value)) {
    const items = value as AmfValue[];
    let end = target.writeUInt32BE(items.length, target.writeUInt8(Amf0Marker.StrictArray, at));
    for (const item of items) {
      end = writeValue(target, end, item);
    }
    return end;
  }
  if (value instanceof AmfEcmaArray) {
    const count = Object.keys(value.properties).length;
    const end = target.writeUInt32BE(count, target.writeUInt8(Amf0Marker.EcmaArray, at));
    return writeProperties(target, end, value.properties);
  }
  if (value instanceof AmfTypedObject) {
    const end = writeName(target, target.writeUInt8(Amf0Marker.TypedObject, at), value.className);
    return writeProperties(target, end, value.properties);
  }
  return writeProperties(target, target.writeUInt8(Amf0Marker.Object, at), value as AmfObject);
}

function writeProperties(target: Buffer, at: number, properties: AmfObject): number {
  let end = at;
  for (const key of Object.keys(properties)) {
    end = writeValue(target, writeName(target, end, key), properties[key]);
  }
  return target.writeUIntBE(Amf0Marker.ObjectEnd, end, objectEndBytes);
}
