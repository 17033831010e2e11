import type { BitReader } from './bit-reader.js';

/** The most sets of reference pictures, and of pictures in one (ITU-T H.265, 7.4.3.2.1 and 7.4.8). */
const maxSets = 64;
const maxPictures = 16;

/** A ratio of pixels that is written out (table E.1). */
const extendedRatio = 255;

/**
 * The transfer characteristics (ITU-T H.273, table 3) in what follows the conformance window of `seq_parameter_set_rbsp`
 * (ITU-T H.265, 7.3.2.2.1); null where they are not said, and for what is malformed.
 * @param subLayers `sps_max_sub_layers_minus1`
 */
export function readTransfer(bits: BitReader, subLayers: number): number | null {
  bits.readUnsigned(); // bit depths
  bits.readUnsigned();
  const pocBits = bits.readUnsigned() + 4;
  const hasOrdering = bits.read(1) === 1;
  for (let left = hasOrdering ? subLayers + 1 : 1; left > 0; left--) repeat(3, () => bits.readUnsigned());
  repeat(6, () => bits.readUnsigned()); // sizes of blocks, depths of trees
  if (bits.read(1) === 1 && bits.read(1) === 1) skipScalingLists(bits);
  bits.read(2); // asymmetric partitions, adaptive offsets
  if (bits.read(1) === 1) {
    bits.read(8); // depths of PCM
    bits.readUnsigned();
    bits.readUnsigned();
    bits.read(1);
  }
  if (!skipPictureSets(bits)) return null;
  if (bits.read(1) === 1) {
    const count = bits.readUnsigned();
    if (count > 32 || pocBits > 16) return null;
    repeat(count, () => bits.read(pocBits + 1));
  }
  bits.read(2); // motion vectors of other pictures, smoothing
  if (bits.read(1) === 0) return null;
  // `vui_parameters` (E.2.1)
  if (bits.read(1) === 1 && bits.read(8) === extendedRatio) repeat(2, () => bits.read(16));
  if (bits.read(1) === 1) bits.read(1); // overscan
  if (bits.read(1) === 0) return null;
  bits.read(4); // format, range
  if (bits.read(1) === 0) return null;
  bits.read(8); // primaries
  const transfer = bits.read(8);
  return bits.isExhausted ? null : transfer;
}

/** `scaling_list_data` (7.3.4). */
function skipScalingLists(bits: BitReader): void {
  for (let size = 0; size < 4; size++) {
    for (let matrix = 0; matrix < 6; matrix += size === 3 ? 3 : 1) {
      if (bits.read(1) === 0) {
        bits.readUnsigned(); // the one that it is equal to
        continue;
      }
      const coefficients = Math.min(64, 1 << (4 + 2 * size));
      repeat(coefficients + (size > 1 ? 1 : 0), () => bits.readUnsigned());
    }
  }
}

/** `st_ref_pic_set` (7.3.7) of all sets. False for what cannot be. */
function skipPictureSets(bits: BitReader): boolean {
  const count = bits.readUnsigned();
  if (count > maxSets) return false;
  let before: readonly number[] = [];
  for (let index = 0; index < count; index++) {
    const set = index > 0 && bits.read(1) === 1 ? readDerivedSet(bits, before) : readSet(bits);
    if (set === null || bits.isExhausted) return false;
    before = set;
  }
  return true;
}

/** The distances of the pictures of a set: those before the picture, the nearest first, and then those behind it. */
function readSet(bits: BitReader): readonly number[] | null {
  const [before, behind] = [bits.readUnsigned(), bits.readUnsigned()];
  if (before + behind > maxPictures) return null;
  const distances: number[] = [];
  for (const [count, sign] of [
    [before, -1],
    [behind, 1],
  ] as const) {
    let distance = 0;
    for (let left = count; left > 0; left--) {
      distance += sign * (bits.readUnsigned() + 1);
      bits.read(1); // used by this picture
      distances.push(distance);
    }
  }
  return distances;
}

/** A set that is told by how it differs from the one before (7.4.8, formulas 7-61 and 7-62). */
function readDerivedSet(bits: BitReader, before: readonly number[]): readonly number[] | null {
  const sign = bits.read(1) === 1 ? -1 : 1;
  const delta = sign * (bits.readUnsigned() + 1);
  const distances: number[] = [];
  for (let j = 0; j <= before.length; j++) {
    const isUsed = bits.read(1) === 1;
    const isTaken = isUsed || bits.read(1) === 1;
    const distance = (before[j] ?? 0) + delta;
    if (isTaken && distance !== 0) distances.push(distance);
  }
  if (distances.length > maxPictures) return null;
  const near = (one: number, other: number): number => Math.abs(one) - Math.abs(other);
  return [
    ...distances.filter((distance) => distance < 0).sort(near),
    ...distances.filter((distance) => distance > 0).sort(near),
  ];
}

function repeat(count: number, step: () => void): void {
  for (let left = count; left > 0; left--) step();
}
