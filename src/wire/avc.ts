import { BitReader, withoutEmulationPrevention } from './bit-reader.js';

/** Size of the pictures in a video stream, pixels. */
export interface PictureSize {
  readonly width: number;
  readonly height: number;
}

const sequenceParameterSet = 7;

/** Profiles whose sequence parameter sets tell of chroma and bit depth (ITU-T H.264, 7.3.2.1.1). */
const highProfiles: ReadonlySet<number> = new Set([100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135]);

const maxPixels = 65_535;

/**
 * What stands before the end of the cropping in the largest set that is within the specification: scaling lists and the
 * cycle of a picture order, a few kilobytes. Publishers choose how long a set is, and send headers as often as they like.
 */
const maxLookedAtBytes = 4096;

/**
 * The picture size in an AVC sequence header as FLV carries it (frame type, packet type 0, composition time, and the
 * AVCDecoderConfigurationRecord of ISO/IEC 14496-15, 5.3.3.1); null for anything else, and for what is malformed.
 */
export function avcPictureSize(payload: Buffer): PictureSize | null {
  // 5 bytes of the FLV video tag, 6 of the record, 2 of the first parameter set's length, 4 of that set at the least.
  if (((payload[0] ?? 0) & 0x0f) !== 7 || payload[1] !== 0) return null;
  return avcConfigSize(payload, 5);
}

/** The same of an AVCDecoderConfigurationRecord that begins at `at`. */
export function avcConfigSize(payload: Buffer, at: number): PictureSize | null {
  if (payload.length < at + 12) return null;
  const sets = (payload[at + 5] ?? 0) & 0x1f;
  const length = payload.readUInt16BE(at + 6);
  const start = at + 8;
  if (sets === 0 || length < 4 || start + length > payload.length) return null;
  const set = payload.subarray(start, start + length);
  if (((set[0] ?? 0) & 0x1f) !== sequenceParameterSet) return null;
  return readPictureSize(new BitReader(withoutEmulationPrevention(set.subarray(1, maxLookedAtBytes))));
}

/** Reads `seq_parameter_set_data` up to the frame cropping (ITU-T H.264, 7.3.2.1.1). */
function readPictureSize(bits: BitReader): PictureSize | null {
  const profile = bits.read(8);
  bits.read(16); // constraints and level
  bits.readUnsigned(); // id
  let chroma = 1;
  let separatePlanes = 0;
  if (highProfiles.has(profile)) {
    chroma = bits.readUnsigned();
    if (chroma === 3) separatePlanes = bits.read(1);
    bits.readUnsigned(); // bit depth of luma
    bits.readUnsigned(); // bit depth of chroma
    bits.read(1); // transform bypass
    if (bits.read(1) === 1) skipScalingMatrix(bits, chroma === 3 ? 12 : 8);
  }
  bits.readUnsigned(); // frame number's length
  skipPictureOrder(bits);
  bits.readUnsigned(); // reference frames
  bits.read(1); // gaps in frame numbers
  const widthInBlocks = bits.readUnsigned() + 1;
  const heightInUnits = bits.readUnsigned() + 1;
  const framesOnly = bits.read(1);
  if (framesOnly === 0) bits.read(1); // adaptive frames and fields
  bits.read(1); // direct 8x8 inference
  const cropping = bits.read(1) === 1;
  const [left, right, top, bottom] = cropping
    ? [bits.readUnsigned(), bits.readUnsigned(), bits.readUnsigned(), bits.readUnsigned()]
    : [0, 0, 0, 0];
  const chromaUsed = separatePlanes === 1 ? 0 : chroma;
  const cropX = chromaUsed === 1 || chromaUsed === 2 ? 2 : 1;
  const cropY = (chromaUsed === 1 ? 2 : 1) * (2 - framesOnly);
  const width = widthInBlocks * 16 - cropX * (left + right);
  const height = (2 - framesOnly) * heightInUnits * 16 - cropY * (top + bottom);
  const isValid = !bits.isExhausted && width > 0 && height > 0 && width <= maxPixels && height <= maxPixels;
  return isValid ? { width, height } : null;
}

/** `pic_order_cnt_type` and what follows of it. */
function skipPictureOrder(bits: BitReader): void {
  const type = bits.readUnsigned();
  if (type === 0) {
    bits.readUnsigned();
  } else if (type === 1) {
    bits.read(1);
    bits.readUnsigned(); // signed numbers take the same bits
    bits.readUnsigned();
    const cycle = Math.min(255, bits.readUnsigned());
    for (let i = 0; i < cycle && !bits.isExhausted; i++) bits.readUnsigned();
  }
}

/** `scaling_list` of 7.3.2.1.1.1, for each list that is present. */
function skipScalingMatrix(bits: BitReader, lists: number): void {
  for (let list = 0; list < lists; list++) {
    if (bits.read(1) === 0) continue;
    let last = 8;
    for (let i = 0; i < (list < 6 ? 16 : 64) && !bits.isExhausted; i++) {
      const next = (last + bits.readSigned() + 256) & 0xff;
      if (next === 0) break;
      last = next;
    }
  }
}
