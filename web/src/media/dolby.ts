import type { AudioFormat } from './audio-codecs.js';
import { boxOf } from './boxes.js';

/** Front and surround channels by `acmod` (ETSI TS 102 366, 4.4.2.3); the one for low frequencies is said apart. */
const channelsOf = [2, 1, 2, 3, 3, 4, 4, 5];
const rates = [48_000, 44_100, 32_000];
/** Blocks of 256 samples in a frame of E-AC-3, by `numblkscod`. */
const blocksOf = [1, 2, 3, 6];

/** AC-3 and E-AC-3 (ETSI TS 102 366): their frames say everything. Null for what is no frame of theirs. */
export function dolbyFormat(codec: string, frame: Uint8Array): AudioFormat | null {
  if (frame.length < 7 || frame[0] !== 0x0b || frame[1] !== 0x77) return null;
  return codec === 'ac3' ? ac3(frame) : enhanced(frame);
}

/** Of `syncinfo` and `bsi` (4.4.1 and 4.4.2), what `dac3` says (F.4). */
function ac3(frame: Uint8Array): AudioFormat | null {
  const bits = new Bits(frame, 32);
  const [rateCode, sizeCode, id, mode, channelMode] = [
    bits.take(2),
    bits.take(6),
    bits.take(5),
    bits.take(3),
    bits.take(3),
  ];
  const sampleRate = rates[rateCode];
  // Above 8 it is the syntax of E-AC-3.
  if (sampleRate === undefined || id > 8) return null;
  // Levels of the mix, where there are such channels.
  if ((channelMode & 1) !== 0 && channelMode !== 1) bits.take(2);
  if ((channelMode & 4) !== 0) bits.take(2);
  if (channelMode === 2) bits.take(2);
  const low = bits.take(1);
  const out = new BitWriter().put(rateCode, 2).put(id, 5).put(mode, 3).put(channelMode, 3).put(low, 1);
  const configuration = boxOf('dac3', out.put(sizeCode >> 1, 5).put(0, 5).bytes);
  return { mime: 'ac-3', entry: 'ac-3', configuration, channels: (channelsOf[channelMode] ?? 2) + low, sampleRate };
}

/** Of the first independent substream (E.1.2), what `dec3` says (F.6). */
function enhanced(frame: Uint8Array): AudioFormat | null {
  const bits = new Bits(frame, 16);
  bits.take(5);
  const bytes = (bits.take(11) + 1) * 2;
  const rateCode = bits.take(2);
  const second = bits.take(2);
  const [channelMode, low, id] = [bits.take(3), bits.take(1), bits.take(5)];
  // Rates of half come with frames of six blocks.
  const sampleRate = rateCode === 3 ? (rates[second] ?? 0) / 2 : (rates[rateCode] ?? 0);
  if (sampleRate === 0 || id < 11 || id > 16) return null;
  const blocks = rateCode === 3 ? 6 : (blocksOf[second] ?? 6);
  const kilobits = Math.min(0x1fff, Math.round((bytes * 8 * sampleRate) / (blocks * 256) / 1000));
  const out = new BitWriter().put(kilobits, 13).put(0, 3).put(rateCode, 2).put(id, 5).put(0, 5);
  const configuration = boxOf('dec3', out.put(channelMode, 3).put(low, 1).put(0, 8).bytes);
  return { mime: 'ec-3', entry: 'ec-3', configuration, channels: (channelsOf[channelMode] ?? 2) + low, sampleRate };
}

/** Reads numbers of some bits, highest bit first; beyond the end there are zeros. */
class Bits {
  readonly #data: Uint8Array;
  #at: number;

  constructor(data: Uint8Array, at: number) {
    this.#data = data;
    this.#at = at;
  }

  take(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i++, this.#at++) {
      value = (value << 1) | (((this.#data[this.#at >> 3] ?? 0) >> (7 - (this.#at & 7))) & 1);
    }
    return value;
  }
}

class BitWriter {
  readonly #bits: number[] = [];

  put(value: number, count: number): this {
    for (let i = count - 1; i >= 0; i--) this.#bits.push((value >> i) & 1);
    return this;
  }

  /** The last byte is filled up with zeros. */
  get bytes(): Uint8Array {
    const bytes = new Uint8Array(Math.ceil(this.#bits.length / 8));
    for (const [i, bit] of this.#bits.entries()) bytes[i >> 3] = (bytes[i >> 3] ?? 0) | (bit << (7 - (i & 7)));
    return bytes;
  }
}
