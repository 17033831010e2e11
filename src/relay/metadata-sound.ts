import { Amf0Marker } from '../wire/amf0-values.js';
import { hasKey, propertiesAt } from '../wire/amf0-walk.js';
import { sampleRate } from './silence.js';
import type { AudioPolicy } from './stream-format.js';
import { metadataObject } from './via.js';

/** What metadata says of sound (Adobe Flash Video File Format 10.1, E.5; Enhanced RTMP v2, "Metadata"; and encoders in use). */
const soundKeys = [
  ...['audiocodecid', 'audiodatarate', 'audiosamplerate', 'audiosamplesize', 'audiochannels', 'stereo'],
  ...['audiodelay', 'audiosize', 'audioTrackIdInfoMap', 'hasAudio', 'audiodevice', 'audioinputvolume'],
].map((text) => Buffer.from(text, 'latin1'));
const codecKey = soundKeys[0]!;

const aac = 10;
/** The FourCC `mp4a` as a number, by which Enhanced RTMP names it. */
const mp4a = 0x6d703461;

/** Of the sound that stands in for the camera's. */
const ownProperties = Buffer.concat([
  property('audiocodecid', numberValue(aac)),
  property('audiosamplerate', numberValue(sampleRate)),
  property('audiosamplesize', numberValue(16)),
  property('stereo', Buffer.from([Amf0Marker.Boolean, 1])),
]);
const ownCount = 4;
const nothing = Buffer.alloc(0);

/**
 * A metadata message that says of the sound what targets with this policy get; everything else stays as it is, byte by byte.
 * Any other message is returned as it is, and so is metadata whose object does not end.
 */
export function metadataWithSound(policy: AudioPolicy, payload: Buffer): Buffer {
  const object = metadataObject(payload);
  if (object === null || object.end < 0) return payload;
  const { valueAt, places, end } = object;
  if (policy === 'aac' && !namesOther(payload, places)) return payload;
  const kept = places.filter((place) => !soundKeys.some((key) => hasKey(payload, place, key)));
  const added = policy === 'none' ? nothing : ownProperties;
  const head = Buffer.from(payload.subarray(0, propertiesAt(payload, valueAt)));
  if (payload[valueAt] === Amf0Marker.EcmaArray) {
    // A count that encoders often have wrong stays as wrong as it is.
    const change = kept.length - places.length + (policy === 'none' ? 0 : ownCount);
    head.writeUInt32BE(Math.max(0, head.readUInt32BE(valueAt + 1) + change) >>> 0, valueAt + 1);
  }
  const properties = kept.map((place) => payload.subarray(place.start, place.end));
  // From the end marker on.
  return Buffer.concat([head, ...properties, added, payload.subarray(end - 3)]);
}

/** Whether it names a codec of sound that is not AAC. */
function namesOther(payload: Buffer, places: readonly { start: number; valueAt: number; end: number }[]): boolean {
  const place = places.find((each) => hasKey(payload, each, codecKey));
  if (place === undefined) return false;
  if (payload[place.valueAt] !== Amf0Marker.Number || place.end - place.valueAt !== 9) {
    return !payload.subarray(place.valueAt, place.end).includes('mp4a');
  }
  const codec = payload.readDoubleBE(place.valueAt + 1);
  return codec !== aac && codec !== mp4a;
}

function property(key: string, value: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0, key.length]), Buffer.from(key, 'latin1'), value]);
}

function numberValue(value: number): Buffer {
  const data = Buffer.alloc(9);
  data.writeDoubleBE(value, 1);
  return data;
}
