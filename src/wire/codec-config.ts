import { fourCc } from './flv-codecs.js';
import { areConfigsReadable } from './flv-validity.js';

const isWhole: ReadonlyMap<number, (data: Buffer, start: number, end: number) => boolean> = new Map([
  [fourCc('avc1'), isWholeAvcConfig],
  [fourCc('hvc1'), isWholeHevcConfig],
  [fourCc('av01'), isWholeAv1Config],
  [fourCc('mp4a'), isWholeAacConfig],
]);

/**
 * Whether the configuration records in a sequence header can be taken apart: their lengths and counts, and nothing of what
 * they mean. True for what is no sequence header, and for codecs whose records are not known here.
 *
 * Servers that take them apart (MediaMTX, SRS) close the connection for one that ends in the middle; for a parameter set of
 * no bytes some end altogether.
 */
export function isWholeHeader(isVideo: boolean, payload: Buffer): boolean {
  return areConfigsReadable(isVideo, payload, (codec, start, end) => isWhole.get(codec)?.(payload, start, end) ?? true);
}

/** `AVCDecoderConfigurationRecord` (ISO/IEC 14496-15, 5.3.3.1), up to its parameter sets, of which there is one of each. */
function isWholeAvcConfig(data: Buffer, start: number, end: number): boolean {
  if (end - start < 7) return false;
  const spsEnd = endOfSets(data, start + 6, data[start + 5]! & 0x1f, end);
  if (spsEnd < 0 || spsEnd >= end) return false;
  return endOfSets(data, spsEnd + 1, data[spsEnd]!, end) >= 0;
}

/** `HEVCDecoderConfigurationRecord` (ISO/IEC 14496-15, 8.3.3.1). One without any sets is right: they come with the frames. */
function isWholeHevcConfig(data: Buffer, start: number, end: number): boolean {
  if (end - start < 23) return false;
  let at = start + 23;
  for (let arrays = data[start + 22]!; arrays > 0; arrays--) {
    if (at + 3 > end) return false;
    const count = data.readUInt16BE(at + 1);
    at = count === 0 ? at + 3 : endOfSets(data, at + 3, count, end);
    if (at < 0) return false;
  }
  return true;
}

/** `AV1CodecConfigurationRecord` (AV1 in ISOBMFF, 2.3.3): its fixed part, which begins with a marker and version 1. */
function isWholeAv1Config(data: Buffer, start: number, end: number): boolean {
  return end - start >= 4 && data[start] === 0x81;
}

/** `AudioSpecificConfig` (ISO/IEC 14496-3, 1.6.2.1), up to the first bits of what is of its object type. */
function isWholeAacConfig(data: Buffer, start: number, end: number): boolean {
  let at = start * 8;
  const read = (bits: number): number => {
    let value = 0;
    for (let left = bits; left > 0; left--, at++) {
      const byte = at >>> 3 < end ? data[at >>> 3]! : 0;
      value = (value << 1) | ((byte >>> (7 - (at & 7))) & 1);
    }
    return value;
  };
  const objectType = (): number => {
    const type = read(5);
    return type === 31 ? 32 + read(6) : type;
  };
  const isRateKnown = (): boolean => {
    const index = read(4);
    if (index === 15) read(24);
    return index < 13 || index === 15;
  };
  let type = objectType();
  if (type === 0 || !isRateKnown()) return false;
  read(4); // channels
  // With SBR the rate behind it and the type below it are said too (explicit signalling).
  if (type === 5 || type === 29) {
    if (!isRateKnown()) return false;
    type = objectType();
  }
  read(3); // of GASpecificConfig, and of all others at least as much
  return type !== 0 && at <= end * 8;
}

/** Where so many parameter sets end, each with its length before it; -1 where there is none, or one is empty or cut short. */
function endOfSets(data: Buffer, start: number, count: number, end: number): number {
  let at = start;
  for (let left = count; left > 0; left--) {
    if (at + 2 > end) return -1;
    const length = data.readUInt16BE(at);
    at += 2 + length;
    if (length === 0 || at > end) return -1;
  }
  return count === 0 ? -1 : at;
}
