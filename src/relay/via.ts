import { Amf0Marker } from '../wire/amf0-values.js';
import { hasKey, type PropertyPlace, placesOfProperties, propertiesAt, textAt } from '../wire/amf0-walk.js';
import { dataPayload, isMetadata, metadataValues } from './headers.js';

/**
 * The aggregators that a stream came through, as ids joined by commas. It travels in the command object of `connect`, and
 * in the metadata too, for servers in between that pass on only that. Whoever finds itself in it has a loop before it.
 */
const viaKey = 'mediaAggregatorPath';

const maxViaLength = 1024;
const viaPattern = /^[0-9a-f]+(,[0-9a-f]+)*$/;

const key = Buffer.from(viaKey, 'latin1');
/** A property's key as AMF0 has it in objects: length, characters; then the marker of a string. */
const keyAndMarker = Buffer.concat([Buffer.from([0, key.length]), key, Buffer.from([Amf0Marker.String])]);
const objectEnd = Buffer.from([0, 0, Amf0Marker.ObjectEnd]);

/** A peer's word for it: what is no list of ids counts as none. */
export function parseVia(text: unknown): string[] {
  if (typeof text !== 'string' || text.length > maxViaLength || !viaPattern.test(text)) return [];
  return text.split(',');
}

/** The aggregators that a metadata message names. */
export function viaOfMetadata(payload: Buffer): string[] {
  const values = metadataObject(payload);
  const place = values?.places.find((each) => hasKey(payload, each, key));
  return place === undefined ? [] : parseVia(textAt(payload, place.valueAt));
}

/**
 * The metadata message for a target, with the aggregators as one more property at the end of its object; everything else stays
 * as it is, byte by byte. What is no metadata with named properties is returned as it came: what is added goes inside a
 * value or not at all, since a stray property has targets refuse the message.
 */
export function withVia(payload: Buffer, via: readonly string[]): Buffer {
  const data = dataPayload(payload, true);
  if (via.length === 0 || !isMetadata(data)) return data;
  const object = metadataObject(data);
  if (object === null) return data;
  const { valueAt, places } = object;
  const propertiesStart = propertiesAt(data, valueAt);
  const lastEnd = places.at(-1)?.end ?? propertiesStart;
  // An object may end with the data, without its marker: encoders exist that send it so.
  const isEnded = object.end >= 0;
  if (!isEnded && lastEnd !== data.length) return data;
  const behind = isEnded ? object.end : data.length;
  const kept = places.filter((each) => !hasKey(data, each, key));
  const text = Buffer.from(via.join(','), 'latin1');
  const length = Buffer.from([text.length >> 8, text.length & 0xff]);
  const head = Buffer.from(data.subarray(0, propertiesStart));
  if (data[valueAt] === Amf0Marker.EcmaArray && kept.length === places.length) {
    head.writeUInt32BE((head.readUInt32BE(valueAt + 1) + 1) >>> 0, valueAt + 1);
  }
  const properties =
    kept.length === places.length
      ? [data.subarray(propertiesStart, lastEnd)]
      : kept.map((place) => data.subarray(place.start, place.end));
  return Buffer.concat([head, ...properties, keyAndMarker, length, text, objectEnd, data.subarray(behind)]);
}

/** Where the object of a metadata message lies; null where it has none. `end` is -1 where the object does not end. */
export function metadataObject(payload: Buffer): { valueAt: number; places: PropertyPlace[]; end: number } | null {
  if (!isMetadata(payload)) return null;
  const valueAt = payload.length - metadataValues(payload).length;
  const marker = payload[valueAt];
  if (marker !== Amf0Marker.Object && marker !== Amf0Marker.EcmaArray) return null;
  const propertiesStart = propertiesAt(payload, valueAt);
  if (propertiesStart < 0) return null;
  return { valueAt, ...placesOfProperties(payload, propertiesStart) };
}
