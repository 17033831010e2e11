import { Amf0Marker } from '../wire/amf0-values.js';
import { endOfAmf0, placesOfProperties, propertiesAt, textAt } from '../wire/amf0-walk.js';
import { encodeAmf0 } from '../wire/amf0-writer.js';

/** Maximum size of a data message. Some servers accept no larger one, and no metadata is nearly as large. */
const maxDataBytes = 256 * 1024;

/** Maximum number of values in one message; two or three are usual. */
const maxValues = 64;

const setName = '@setDataFrame';
const clearName = '@clearDataFrame';
const metadataName = 'onMetaData';

/** AMF0 of the string `@setDataFrame`, with which publishers wrap metadata. */
export const setDataFrame = encodeAmf0(setName);
/** AMF0 of the string `onMetaData`. */
export const onMetaData = encodeAmf0(metadataName);
const clearDataFrame = encodeAmf0(clearName);

const objectEnd = Buffer.from([0, 0, Amf0Marker.ObjectEnd]);

/**
 * A data message (RTMP 1.0, section 7.1.2) as it may be passed on: a name, and values that every server in use reads. A
 * data message that is no AMF has nginx-rtmp and MediaMTX close the connection, and it would be sent again at every
 * reconnect; so it is mended where that is plain, and left out where it is not:
 *
 *   - metadata begins with its name, whatever an encoder puts before it, and has one value, an object: metadata of anything
 *     else says nothing, and `undefined` there, or nothing, has Node-Media-Server 4 end with all that it serves;
 *   - properties that cannot be read everywhere (dates, references, XML, AMF3, text that is no UTF-8) are left out of an
 *     object, and so is what lies behind one that is cut short; the object then ends as the specification has it.
 *
 * What is right already is returned as it is, byte by byte.
 * @returns null for what must not be passed on
 */
export function readableData(payload: Buffer): Buffer | null {
  if (payload.length > maxDataBytes) return null;
  const { starts, end } = valuesOf(payload);
  const nameIndex = starts.findIndex((at) => textAt(payload, at) === metadataName);
  if (nameIndex >= 0) return readableMetadata(payload, starts, nameIndex, end);
  const first = starts[0];
  if (first === undefined || textAt(payload, first) === null) return null;
  // `@setDataFrame` once is what everybody takes.
  const names = starts.findIndex((at) => textAt(payload, at) !== setName);
  const start = starts[Math.max(0, names - 1)] ?? 0;
  if (end === payload.length) {
    if (names < 0) return null;
    const isSet = names > 0;
    const valueAt = starts[names + 1];
    return isSet && (valueAt === undefined || payload[valueAt] === Amf0Marker.Undefined)
      ? null
      : payload.subarray(start);
  }
  const mended = mendedObject(payload, end);
  if (mended === null) return null;
  const before = payload.subarray(start, end);
  return Buffer.concat([before, mended]);
}

/** True for the command to clear the metadata, which only servers understand. */
export function isClearing(payload: Buffer): boolean {
  return startsWith(payload, clearDataFrame);
}

export function startsWith(data: Buffer, prefix: Buffer): boolean {
  return data.length >= prefix.length && data.compare(prefix, 0, prefix.length, 0, prefix.length) === 0;
}

/** Where the readable values begin and end. */
function valuesOf(payload: Buffer): { starts: number[]; end: number } {
  const starts: number[] = [];
  let at = 0;
  while (at < payload.length && starts.length < maxValues) {
    const end = endOfAmf0(payload, at, 'common');
    if (end < 0) break;
    starts.push(at);
    at = end;
  }
  return { starts, end: at };
}

function readableMetadata(payload: Buffer, starts: readonly number[], nameIndex: number, end: number): Buffer | null {
  const nameAt = starts[nameIndex] ?? 0;
  const first = textAt(payload, 0);
  if (first === clearName) return end === payload.length ? payload : null;
  const isWrapped = nameIndex > 0 && textAt(payload, starts[nameIndex - 1] ?? 0) === setName;
  const from = isWrapped ? (starts[nameIndex - 1] ?? 0) : nameAt;
  const nameEnd = starts[nameIndex + 1] ?? end;
  const index = starts.findIndex((at, each) => each > nameIndex && isPlainObject(payload[at]));
  if (index >= 0) {
    const [valueAt, valueEnd] = [starts[index] ?? end, starts[index + 1] ?? end];
    if (valueAt === nameEnd) return payload.subarray(from, valueEnd);
    return Buffer.concat([payload.subarray(from, nameEnd), payload.subarray(valueAt, valueEnd)]);
  }
  const mended = mendedObject(payload, end);
  return mended === null ? null : Buffer.concat([payload.subarray(from, nameEnd), mended]);
}

function isPlainObject(marker: number | undefined): boolean {
  return marker === Amf0Marker.Object || marker === Amf0Marker.EcmaArray;
}

/** The object or ECMA array at `at` with the properties of it that every reader takes; null where there is none. */
function mendedObject(payload: Buffer, at: number): Buffer | null {
  const propertiesStart = propertiesAt(payload, at);
  if (propertiesStart < 0) return null;
  const { places } = placesOfProperties(payload, propertiesStart);
  const kept = places.filter(
    ({ start, valueAt, end }) => valueAt - start > 2 && isReadableProperty(payload, start, valueAt, end),
  );
  if (kept.length === 0) return null;
  const isArray = payload[at] === Amf0Marker.EcmaArray;
  const head = Buffer.alloc(isArray ? 5 : 1, 0);
  head[0] = isArray ? Amf0Marker.EcmaArray : Amf0Marker.Object;
  if (isArray) head.writeUInt32BE(kept.length, 1);
  return Buffer.concat([head, ...kept.map(({ start, end }) => payload.subarray(start, end)), objectEnd]);
}

function isReadableProperty(payload: Buffer, start: number, valueAt: number, end: number): boolean {
  const key = Buffer.concat([Buffer.from([Amf0Marker.String]), payload.subarray(start, valueAt)]);
  return textAt(key, 0) !== null && endOfAmf0(payload, valueAt, 'common', 1) === end;
}
