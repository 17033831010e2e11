import type { PictureSize } from './avc.js';
import { BitReader, withoutEmulationPrevention } from './bit-reader.js';
import { readTransfer } from './hevc-vui.js';

const sequenceParameterSet = 33;

const maxPixels = 65_535;

/** What stands before the colours in a parameter set: some 250 bytes with all sub-layers, and scaling lists as long. */
const maxLookedAtBytes = 2048;

/** What a sequence parameter set says. */
export interface HevcSequence {
  readonly size: PictureSize;
  /** ITU-T H.273, table 3; null: not said. */
  readonly transfer: number | null;
}

/**
 * What is said of the sequence in an HEVCDecoderConfigurationRecord (ISO/IEC 14496-15, 8.3.3.1) that begins at `at`; null where it
 * holds no sequence parameter set, and for what is malformed.
 */
export function readHevcConfig(data: Buffer, at: number): HevcSequence | null {
  if (data.length < at + 23) return null;
  let next = at + 23;
  for (let arrays = data[at + 22] ?? 0; arrays > 0; arrays--) {
    if (next + 3 > data.length) return null;
    const type = (data[next] ?? 0) & 0x3f;
    const count = data.readUInt16BE(next + 1);
    next += 3;
    for (let left = count; left > 0; left--) {
      if (next + 2 > data.length) return null;
      const end = next + 2 + data.readUInt16BE(next);
      if (end > data.length) return null;
      if (type === sequenceParameterSet) return readSequence(data.subarray(next + 2, end));
      next = end;
    }
  }
  return null;
}

/** Reads `seq_parameter_set_rbsp` (ITU-T H.265, 7.3.2.2.1). */
function readSequence(set: Buffer): HevcSequence | null {
  // Behind the two bytes of the NAL unit's header.
  const bits = new BitReader(withoutEmulationPrevention(set.subarray(2, maxLookedAtBytes)));
  bits.read(4); // video parameter set
  const subLayers = bits.read(3);
  bits.read(1); // temporal nesting
  skipProfileTierLevel(bits, subLayers);
  bits.readUnsigned(); // id
  const chroma = bits.readUnsigned();
  const separatePlanes = chroma === 3 ? bits.read(1) : 0;
  const codedWidth = bits.readUnsigned();
  const codedHeight = bits.readUnsigned();
  const cropping = bits.read(1) === 1;
  const [left, right, top, bottom] = cropping
    ? [bits.readUnsigned(), bits.readUnsigned(), bits.readUnsigned(), bits.readUnsigned()]
    : [0, 0, 0, 0];
  const chromaUsed = separatePlanes === 1 ? 0 : chroma;
  const width = codedWidth - (chromaUsed === 1 || chromaUsed === 2 ? 2 : 1) * (left + right);
  const height = codedHeight - (chromaUsed === 1 ? 2 : 1) * (top + bottom);
  const isValid = !bits.isExhausted && width > 0 && height > 0 && width <= maxPixels && height <= maxPixels;
  return isValid ? { size: { width, height }, transfer: readTransfer(bits, subLayers) } : null;
}

/** `profile_tier_level` (7.3.3), of which the record says what is wanted. */
function skipProfileTierLevel(bits: BitReader, subLayers: number): void {
  skip(bits, 96);
  const has: number[] = [];
  for (let i = 0; i < subLayers; i++) has.push(bits.read(2));
  if (subLayers > 0) skip(bits, 2 * (8 - subLayers));
  for (const flags of has) skip(bits, (flags & 2 ? 88 : 0) + (flags & 1 ? 8 : 0));
}

function skip(bits: BitReader, count: number): void {
  for (let left = count; left > 0; left -= 16) bits.read(Math.min(left, 16));
}
