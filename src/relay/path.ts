import { Amf0Marker } from '../wire/amf0-values.js';
import { dataPayload, isMetadata } from './headers.js';

/**
 * The aggregators that a stream came through, as ids joined by commas. It travels in the command object of `connect`, and
 * in the metadata too, for servers in between that pass on only that. Whoever finds itself in it has a loop before it.
 */
export const pathKey = 'mediaAggregatorPath';

const maxPathLength = 1024;
const pathPattern = /^[0-9a-f]+(,[0-9a-f]+)*$/;

const key = Buffer.from(pathKey, 'latin1');
/** A property's key as AMF0 has it in objects: length, characters; then the marker of a string. */
const keyAndMarker = Buffer.concat([Buffer.from([0, key.length]), key, Buffer.from([Amf0Marker.String])]);
const objectEnd = Buffer.from([0, 0, Amf0Marker.ObjectEnd]);

/** A peer's word for a path: what is no path counts as none. */
export function parsePath(text: unknown): string[] {
  if (typeof text !== 'string' || text.length > maxPathLength || !pathPattern.test(text)) return [];
  return text.split(',');
}

/** The path in a metadata message. */
export function pathOfMetadata(payload: Buffer): string[] {
  const at = payload.indexOf(keyAndMarker);
  const start = at + keyAndMarker.length + 2;
  if (at < 0 || payload.length < start) return [];
  return parsePath(payload.toString('latin1', start, start + payload.readUInt16BE(start - 2)));
}

/**
 * The metadata message for a target, with the path as one more property at its end; everything else stays as it is,
 * byte by byte. What is no metadata with named properties is returned as it came.
 */
export function withPath(payload: Buffer, path: readonly string[]): Buffer {
  const data = dataPayload(payload, true);
  if (path.length === 0 || !isMetadata(data)) return data;
  const value = data.indexOf(onMetaDataName) + onMetaDataName.length;
  const marker = data[value];
  if (marker !== Amf0Marker.Object && marker !== Amf0Marker.EcmaArray) return data;
  const text = Buffer.from(path.join(','), 'latin1');
  const length = Buffer.from([text.length >> 8, text.length & 0xff]);
  const old = data.indexOf(keyAndMarker, value);
  const kept = old < 0 ? data : Buffer.concat([data.subarray(0, old), data.subarray(endOfOld(data, old))]);
  const ended = kept.subarray(-3).equals(objectEnd);
  const open = Buffer.from(ended ? kept.subarray(0, -3) : kept);
  if (marker === Amf0Marker.EcmaArray && old < 0 && open.length >= value + 5) {
    open.writeUInt32BE((open.readUInt32BE(value + 1) + 1) >>> 0, value + 1);
  }
  return Buffer.concat([open, keyAndMarker, length, text, objectEnd]);
}

const onMetaDataName = Buffer.from('onMetaData', 'latin1');

function endOfOld(data: Buffer, at: number): number {
  const start = at + keyAndMarker.length + 2;
  return start > data.length ? data.length : start + data.readUInt16BE(start - 2);
}
