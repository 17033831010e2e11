import type { PictureSize } from './avc.js';
import { BitReader } from './bit-reader.js';

const sequenceHeaderObu = 1;

/** Units that are looked at before the sequence header, which comes first or second. */
const maxUnits = 8;

/** A sequence header has no more, with all its operating points. */
const maxLookedAtBytes = 512;

/** What a sequence header says. */
export interface Av1Sequence extends PictureSize {
  /** Transfer characteristics (ISO/IEC 23091-4, 8.2); 2: not said. */
  readonly transfer: number;
}

/**
 * The sequence header among the open bitstream units from `at` on: those of a configuration record (AV1 in ISOBMFF, 2.3.3),
 * behind its four bytes, or of a key frame. Null where there is none, and for what is malformed.
 */
export function readAv1Sequence(data: Buffer, at: number): Av1Sequence | null {
  let next = at;
  for (let units = 0; units < maxUnits && next < data.length; units++) {
    const header = data[next] ?? 0;
    const type = (header >> 3) & 0x0f;
    next += (header & 4) !== 0 ? 2 : 1;
    let end = data.length;
    if ((header & 2) !== 0) {
      // leb128 (AV1, 4.10.5)
      let size = 0;
      for (let i = 0; i < 8; i++) {
        const byte = data[next++];
        if (byte === undefined) return null;
        size += (byte & 0x7f) * 2 ** (7 * i);
        if (byte < 0x80) break;
      }
      end = next + size;
    }
    if (type === sequenceHeaderObu) return readSequence(data.subarray(next, Math.min(end, next + maxLookedAtBytes)));
    next = end;
  }
  return null;
}

/** `sequence_header_obu` (AV1, 5.5.1) up to its colours. */
function readSequence(unit: Buffer): Av1Sequence | null {
  const bits = new BitReader(unit);
  const profile = bits.read(3);
  bits.read(1); // still picture
  const isReduced = bits.read(1) === 1;
  if (isReduced) bits.read(5);
  else skipOperatingPoints(bits);
  const widthBits = bits.read(4) + 1;
  const heightBits = bits.read(4) + 1;
  const width = bits.read(widthBits) + 1;
  const height = bits.read(heightBits) + 1;
  if (bits.isExhausted) return null;
  return { width, height, transfer: readTransfer(bits, profile, isReduced) };
}

function skipOperatingPoints(bits: BitReader): void {
  let hasModel = false;
  let delayBits = 0;
  if (bits.read(1) === 1) {
    bits.read(16);
    bits.read(16); // units in a display tick
    bits.read(16);
    bits.read(16); // time scale
    if (bits.read(1) === 1) skipUvlc(bits);
    hasModel = bits.read(1) === 1;
    if (hasModel) {
      delayBits = bits.read(5) + 1;
      bits.read(16);
      bits.read(16); // units in a decoding tick
      bits.read(10);
    }
  }
  const hasDisplayDelay = bits.read(1) === 1;
  const points = bits.read(5) + 1;
  for (let point = 0; point < points && !bits.isExhausted; point++) {
    bits.read(12);
    if (bits.read(5) > 7) bits.read(1);
    if (hasModel && bits.read(1) === 1) {
      for (let left = 2 * delayBits + 1; left > 0; left -= 16) bits.read(Math.min(16, left));
    }
    if (hasDisplayDelay && bits.read(1) === 1) bits.read(4);
  }
}

/** `uvlc()` (4.10.3). */
function skipUvlc(bits: BitReader): void {
  let zeros = 0;
  while (bits.read(1) === 0 && zeros < 32 && !bits.isExhausted) zeros++;
  for (let left = zeros; left > 0; left -= 16) bits.read(Math.min(16, left));
}

/** What stands between the size and `color_config` (5.5.2), and of that the transfer characteristics. */
function readTransfer(bits: BitReader, profile: number, isReduced: boolean): number {
  if (!isReduced && bits.read(1) === 1) bits.read(7); // frame ids
  bits.read(3); // 128x128 superblocks, filter intra, intra edge filter
  if (!isReduced) {
    bits.read(4); // interintra, masked, warped, dual filter
    const hasOrderHint = bits.read(1) === 1;
    if (hasOrderHint) bits.read(2); // joint compound, reference motion vectors
    const screenTools = bits.read(1) === 1 ? 2 : bits.read(1);
    if (screenTools > 0 && bits.read(1) === 0) bits.read(1); // integer motion vectors
    if (hasOrderHint) bits.read(3);
  }
  bits.read(3); // super-resolution, cdef, restoration
  const isHighDepth = bits.read(1) === 1;
  if (profile === 2 && isHighDepth) bits.read(1); // 12 bits
  if (profile !== 1) bits.read(1); // monochrome
  if (bits.read(1) === 0) return 2;
  bits.read(8);
  const transfer = bits.read(8);
  return bits.isExhausted ? 2 : transfer;
}
