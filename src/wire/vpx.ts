import type { PictureSize } from './avc.js';
import { BitReader } from './bit-reader.js';

/** The picture size in a VP8 key frame at `at` (RFC 6386, section 9.1); null for anything else. */
export function vp8FrameSize(data: Buffer, at: number): PictureSize | null {
  if (data.length < at + 10 || (data[at]! & 1) !== 0 || data.readUIntBE(at + 3, 3) !== 0x9d012a) return null;
  const width = data.readUInt16LE(at + 6) & 0x3fff;
  const height = data.readUInt16LE(at + 8) & 0x3fff;
  return width > 0 && height > 0 ? { width, height } : null;
}

/** The picture size in a VP9 key frame at `at` (VP9 bitstream, 6.2, `uncompressed_header`); null for anything else. */
export function vp9FrameSize(data: Buffer, at: number): PictureSize | null {
  const bits = new BitReader(data.subarray(at, at + 20));
  if (bits.read(2) !== 2) return null;
  const profile = bits.read(1) + 2 * bits.read(1);
  if (profile === 3) bits.read(1);
  if (bits.read(1) === 1) return null; // shows a frame that is known
  if (bits.read(1) === 1) return null; // no key frame
  bits.read(2); // shown, error resilient
  if (bits.read(24) !== 0x498342) return null;
  if (profile >= 2) bits.read(1); // bit depth
  const colourSpace = bits.read(3);
  if (colourSpace !== 7) {
    bits.read(1); // range
    if (profile === 1 || profile === 3) bits.read(3);
  } else if (profile === 1 || profile === 3) {
    bits.read(1);
  }
  const width = bits.read(16) + 1;
  const height = bits.read(16) + 1;
  return bits.isExhausted ? null : { width, height };
}
