import { type AmfValue, readAmf0 } from '../wire/amf0.js';
import { placesOfProperties, propertiesAt } from '../wire/amf0-walk.js';

/** What a publisher says of its stream in `onMetaData`, as far as people want to see it. */
export interface MetadataFacts {
  /** Pixels. */
  readonly width: number | null;
  readonly height: number | null;
  readonly encoder: string | null;
  /** Frames per second. */
  readonly frameRate: number | null;
  /** It declares an audio track. */
  readonly hasAudio: boolean;
}

export const noFacts: MetadataFacts = { width: null, height: null, encoder: null, frameRate: null, hasAudio: false };

/** Encoders of a variable frame rate declare the rate of their clock. */
const maxFrameRate = 240;

const maxPixels = 65_535;
const maxEncoderLength = 128;

/** What is larger is passed on, but not looked into: it says nothing that people want to see. */
const maxBytes = 64 * 1024;

/** Of one value. */
const limits = { maxDepth: 1, maxValues: 1, maxBytes };

/** What is looked for. */
const keys = ['width', 'height', 'encoder', 'framerate', 'videoframerate', 'audiocodecid', 'hasAudio'];
const keySet = new Set(keys);
const longestKey = Math.max(...keys.map((key) => key.length));

/**
 * Reads the value behind `onMetaData`. What is malformed counts as unsaid: the metadata itself is passed on anyway. Values
 * of no interest are stepped over, of which there may be thousands.
 */
export function describeMetadata(encoded: Buffer): MetadataFacts {
  const start = encoded.length > maxBytes ? -1 : propertiesAt(encoded, 0);
  if (start < 0) return noFacts;
  const properties = valuesOf(encoded, start);
  const { encoder, audiocodecid, hasAudio } = properties;
  const hasCodec = typeof audiocodecid === 'string' ? audiocodecid !== '' : Number(audiocodecid) > 0;
  return {
    width: pixels(properties.width),
    height: pixels(properties.height),
    encoder: typeof encoder === 'string' && encoder !== '' ? encoder.slice(0, maxEncoderLength) : null,
    frameRate: frameRate(properties.framerate) ?? frameRate(properties.videoframerate),
    hasAudio: hasAudio === true || (hasCodec && hasAudio !== false),
  };
}

/** The values that are looked for, by key; of two with the same key the last one. */
function valuesOf(encoded: Buffer, start: number): Partial<Record<string, AmfValue>> {
  const values: Partial<Record<string, AmfValue>> = {};
  for (const place of placesOfProperties(encoded, start).places) {
    const keyAt = place.start + 2;
    if (place.valueAt - keyAt > longestKey) continue;
    const key = encoded.toString('latin1', keyAt, place.valueAt);
    if (keySet.has(key)) values[key] = scalarAt(encoded, place.valueAt);
  }
  return values;
}

/** The number, boolean or string at a place; undefined for all else. */
function scalarAt(encoded: Buffer, at: number): AmfValue {
  try {
    return readAmf0(encoded, at, limits).value;
  } catch {
    return undefined;
  }
}

function frameRate(value: unknown): number | null {
  return typeof value === 'number' && value > 0 && value <= maxFrameRate ? value : null;
}

function pixels(value: unknown): number | null {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= maxPixels ? value : null;
}
