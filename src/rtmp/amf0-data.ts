import { WireError } from '../errors.js';
import { type AmfValue, encodeAmf0, propertiesOf, readableAmf0 } from '../wire/amf0.js';
import { Amf0Marker } from '../wire/amf0-values.js';
import { MessageType } from '../wire/message.js';
import { withoutFormatSelector } from './command.js';

/** AMF0 of the two names that metadata begins with. */
const setDataFrame = encodeAmf0('@setDataFrame');
const onMetaData = encodeAmf0('onMetaData');

/** Where the name of metadata is looked for. What is larger says something else. */
const limits = { maxDepth: 16, maxValues: 5000, maxBytes: 256 * 1024 };

/**
 * The AMF0 of a data message, with metadata that begins with its name. Most of it is handed on as it came, and whether it
 * may be passed on is for others to judge; what is looked into is what hides the name: values before it or between it and
 * its object, a name as a long string, values of AMF3 in AMF0.
 *
 * @param type DataAmf0, or DataAmf3 with its byte in front
 */
export function amf0Data(type: number, payload: Buffer): Buffer {
  const data = type === MessageType.DataAmf3 ? amf0OfData(payload) : withoutFormatSelector(false, payload);
  const at = startsWith(data, 0, setDataFrame) ? setDataFrame.length : 0;
  if (startsWith(data, at, onMetaData) && isPlainObject(data[at + onMetaData.length])) return data;
  const { values, starts } = readableAmf0(data, limits);
  const index = values.indexOf('onMetaData');
  const value = index < 0 ? undefined : values.slice(index + 1).find((each) => propertiesOf(each) !== undefined);
  if (value === undefined) return data;
  const isWrapped = values.lastIndexOf('@setDataFrame', index) >= 0;
  const start = starts[index]!;
  // As it came, from the name on, where it is written as everybody reads it.
  if (startsWith(data, start, onMetaData) && isPlainObject(data[start + onMetaData.length])) {
    const rest = data.subarray(start);
    return isWrapped ? Buffer.concat([setDataFrame, rest]) : rest;
  }
  return encodeAgain([...(isWrapped ? ['@setDataFrame'] : []), 'onMetaData', value]) ?? data;
}

/**
 * The AMF0 part of a data message of type 15: behind a format selector, which is 0 and which nobody checks; senders exist
 * that leave it out, and then a string comes first.
 */
function amf0OfData(payload: Buffer): Buffer {
  const [first] = payload;
  return first === Amf0Marker.String || first === Amf0Marker.LongString ? payload : payload.subarray(1);
}

/** Null for what cannot be said in AMF0: a property whose name is too long, once what is no UTF-8 in it was replaced. */
function encodeAgain(values: readonly AmfValue[]): Buffer | null {
  try {
    return encodeAmf0(...values);
  } catch (error) {
    if (error instanceof WireError) return null;
    throw error;
  }
}

/** An object or an ECMA array, by its marker. */
function isPlainObject(marker: number | undefined): boolean {
  return marker === Amf0Marker.Object || marker === Amf0Marker.EcmaArray;
}

function startsWith(data: Buffer, at: number, prefix: Buffer): boolean {
  return data.length >= at + prefix.length && data.compare(prefix, 0, prefix.length, at, at + prefix.length) === 0;
}
