import { type AmfObject, propertiesOf, readAmf0 } from '../wire/amf0.js';

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
const limits = { maxDepth: 4, maxValues: 1000, maxBytes: 64 * 1024 };

/** Reads the value behind `onMetaData`. What is malformed counts as unsaid: the metadata itself is passed on anyway. */
export function describeMetadata(encoded: Buffer): MetadataFacts {
  let properties: AmfObject;
  try {
    properties = propertiesOf(readAmf0(encoded, 0, limits).value) ?? {};
  } catch {
    return noFacts;
  }
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

function frameRate(value: unknown): number | null {
  return typeof value === 'number' && value > 0 && value <= maxFrameRate ? value : null;
}

function pixels(value: unknown): number | null {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= maxPixels ? value : null;
}
