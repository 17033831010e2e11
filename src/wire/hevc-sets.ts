/*
 * Parameter sets of H.265 that come within the stream, before a key frame (see avc-sets.ts for why): in the form of Enhanced
 * RTMP (`hvc1`), and in that of before (codec 12).
 */
import { withoutEmulationPrevention } from './bit-reader.js';

const nalType = { video: 32, sequence: 33, picture: 34 } as const;
const setTypes: readonly number[] = [nalType.video, nalType.sequence, nalType.picture];
/** Types of units that a decoder can start at (ITU-T H.265, table 7-1: BLA, IDR, CRA). */
const startTypes = { first: 16, last: 21 } as const;
/** Type and FourCC, or type and composition time. */
const tagBytes = 5;
/** Of the HEVCDecoderConfigurationRecord (ISO/IEC 14496-15, 8.3.3.1), up to the number of its arrays. */
const recordBytes = 23;
const oldCodec = 12;
const maxSets = 16;
const maxSetBytes = 4096;

interface Parts {
  readonly isHeader: boolean;
  /** Where the record, or the first unit of a frame, begins. */
  readonly at: number;
}

/** The parameter sets of an H.265 source as its header has them, kept up to date with what comes within the stream. */
export class HevcSets {
  /** The tag and the record of the last header, without its arrays; null: there was none that can be read. */
  #head: Buffer | null = null;
  #lengthBytes = 0;
  #sets: readonly Buffer[] = [];

  /** As `AvcSets.headerBefore`. */
  headerBefore(payload: Buffer): Buffer | null {
    const parts = partsOf(payload);
    if (parts === null) return null;
    if (parts.isHeader) {
      this.#readHeader(payload);
      return null;
    }
    const head = this.#head;
    if (head === null) return null;
    const found = setsIn(payload, parts.at, this.#lengthBytes);
    if (found === null || !setTypes.every((type) => found.some((set) => typeOf(set) === type))) return null;
    if (found.length === this.#sets.length && found.every((set) => this.#sets.some((known) => known.equals(set))))
      return null;
    // Frames are views of what is read next.
    this.#sets = found.map((set) => Buffer.from(set));
    return headerOf(head, this.#sets);
  }

  #readHeader(payload: Buffer): void {
    this.#head = null;
    if (payload.length < tagBytes + recordBytes) return;
    const sets: Buffer[] = [];
    let at = tagBytes + recordBytes;
    for (let arrays = payload[at - 1] ?? 0; arrays > 0; arrays--) {
      if (at + 3 > payload.length) return;
      const count = payload.readUInt16BE(at + 1);
      at += 3;
      for (let left = count; left > 0; left--) {
        if (at + 2 > payload.length) return;
        const end = at + 2 + payload.readUInt16BE(at);
        if (end > payload.length || sets.length >= maxSets) return;
        const set = payload.subarray(at + 2, end);
        if (setTypes.includes(typeOf(set))) sets.push(Buffer.from(set));
        at = end;
      }
    }
    this.#head = Buffer.from(payload.subarray(0, tagBytes + recordBytes));
    this.#lengthBytes = (payload[tagBytes + 21]! & 3) + 1;
    this.#sets = sets;
  }
}

/** Null: it is no H.265, or neither header nor key frame. */
function partsOf(payload: Buffer): Parts | null {
  const first = payload[0] ?? 0;
  if (payload.length <= tagBytes) return null;
  if ((first & 0x80) === 0) {
    if ((first & 0x0f) !== oldCodec || first >> 4 !== 1) return null;
    return payload[1] === 0 ? { isHeader: true, at: tagBytes } : { isHeader: false, at: tagBytes };
  }
  if (payload.toString('latin1', 1, tagBytes) !== 'hvc1') return null;
  const type = first & 0x0f;
  if (type === 0) return { isHeader: true, at: tagBytes };
  const isKeyFrame = ((first >> 4) & 7) === 1;
  // Coded frames, with a composition time or without.
  if (!isKeyFrame || (type !== 1 && type !== 3)) return null;
  return { isHeader: false, at: tagBytes + (type === 1 ? 3 : 0) };
}

function typeOf(unit: Buffer): number {
  return ((unit[0] ?? 0) >> 1) & 0x3f;
}

/** The parameter sets before the first picture of a frame; null for what is no sequence of units. */
function setsIn(payload: Buffer, from: number, lengthBytes: number): Buffer[] | null {
  const sets: Buffer[] = [];
  let at = from;
  while (at + lengthBytes < payload.length) {
    const start = at + lengthBytes;
    const end = start + payload.readUIntBE(at, lengthBytes);
    if (end > payload.length || end === start) return null;
    const unit = payload.subarray(start, end);
    const type = typeOf(unit);
    if (type >= startTypes.first && type <= startTypes.last) break;
    if (setTypes.includes(type)) {
      if (unit.length < 4 || unit.length > maxSetBytes || sets.length >= maxSets) return null;
      if (!sets.some((each) => each.equals(unit))) sets.push(unit);
    }
    at = end;
  }
  return sets;
}

/**
 * The header before with other sets. Profile, tier and level are those of the new sequence; chroma and bit depth, which cameras
 * do not change and decoders take from the sequence, stay.
 */
function headerOf(head: Buffer, sets: readonly Buffer[]): Buffer {
  const start = Buffer.from(head);
  const sequence = sets.find((set) => typeOf(set) === nalType.sequence);
  // Behind the header of the unit and a byte of ids stands `profile_tier_level`: twelve bytes, as in the record.
  if (sequence !== undefined) withoutEmulationPrevention(sequence).copy(start, tagBytes + 1, 3, 15);
  const parts: Buffer[] = [start];
  let arrays = 0;
  for (const type of setTypes) {
    const own = sets.filter((set) => typeOf(set) === type);
    if (own.length === 0) continue;
    arrays++;
    parts.push(Buffer.from([0x80 | type, own.length >> 8, own.length & 0xff]));
    for (const set of own) parts.push(Buffer.from([set.length >> 8, set.length & 0xff]), set);
  }
  start[tagBytes + recordBytes - 1] = arrays;
  return Buffer.concat(parts);
}
