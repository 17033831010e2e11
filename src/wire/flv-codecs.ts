import {
  AudioPacketType,
  exHeader,
  isExAudio,
  isExVideo,
  packetizedVideo,
  readExHeader,
  VideoPacketType,
} from './flv-header.js';

const videoCodecs: Readonly<Record<number, string>> = {
  1: 'jpeg',
  2: 'h263',
  3: 'screen',
  4: 'vp6',
  5: 'vp6a',
  6: 'screen2',
  7: 'h264',
  12: 'hevc',
  13: 'av1',
  14: 'vvc',
};

const audioCodecs: Readonly<Record<number, string>> = {
  0: 'pcm',
  1: 'adpcm',
  2: 'mp3',
  3: 'pcm',
  4: 'nellymoser',
  5: 'nellymoser',
  6: 'nellymoser',
  7: 'g711a',
  8: 'g711u',
  10: 'aac',
  11: 'speex',
  13: 'opus',
  14: 'mp3',
};

const fourCcNames: Readonly<Record<string, string>> = {
  avc1: 'h264',
  hvc1: 'hevc',
  av01: 'av1',
  vp09: 'vp9',
  vp08: 'vp8',
  vvc1: 'vvc',
  mp4a: 'aac',
  '.mp3': 'mp3',
  Opus: 'opus',
  fLaC: 'flac',
  'ac-3': 'ac3',
  'ec-3': 'eac3',
};

/** Video codec ids of FLV that are assigned: Adobe's, and those of HEVC, AV1 and VVC that are in use (12 to 14). */
export const assignedVideo: ReadonlySet<number> = new Set(Object.keys(videoCodecs).map(Number));

/** Sound formats of FLV that are assigned. 15 is "device-specific sound". */
export const assignedAudio: ReadonlySet<number> = new Set([...Object.keys(audioCodecs).map(Number), 15]);

export const fourCcBytes = 4;
/** A FourCC as a number. */
export const fourCc = (text: string): number => Buffer.from(text, 'latin1').readUInt32BE();
const withSequenceHeader: ReadonlySet<number> = new Set(['avc1', 'hvc1', 'vvc1', 'av01'].map(fourCc));

/**
 * The codec of a video payload: `h264`, `hevc`, `av1`, `vp9`, `vp8`, `vvc`, `h263`, `screen`, `screen2`, `vp6`,
 * `vp6a`, `jpeg`, or the FourCC as it stands; null when it cannot be told. Of several tracks, that of the first.
 */
export function videoCodecName(payload: Buffer): string | null {
  if (isExVideo(payload)) {
    return readExHeader(payload, VideoPacketType.Multitrack) ? nameAtFourCc(payload) : null;
  }
  return payload.length === 0 ? null : (videoCodecs[payload[0]! & 0x0f] ?? null);
}

/**
 * The codec of an audio payload: `aac`, `mp3`, `pcm`, `adpcm`, `nellymoser`, `g711a`, `g711u`, `speex`, `opus`,
 * `ac3`, `eac3`, `flac`, or the FourCC as it stands; null when it cannot be told.
 */
export function audioCodecName(payload: Buffer): string | null {
  if (isExAudio(payload)) {
    return readExHeader(payload, AudioPacketType.Multitrack) ? nameAtFourCc(payload) : null;
  }
  return payload.length === 0 ? null : (audioCodecs[payload[0]! >>> 4] ?? null);
}

/** Whether the codec of a video payload has a sequence header without which its frames cannot be decoded. */
export function needsVideoHeader(payload: Buffer): boolean {
  if (!isExVideo(payload)) return payload.length > 0 && packetizedVideo.has(payload[0]! & 0x0f);
  return (
    readExHeader(payload, VideoPacketType.Multitrack) && withSequenceHeader.has(readFourCc(payload, exHeader.fourCcAt))
  );
}

/** -1 for what is cut short, or for bytes that no codec is named by. */
export function readFourCc(payload: Buffer, at: number): number {
  if (at + fourCcBytes > payload.length) return -1;
  for (let index = at; index < at + fourCcBytes; index++) {
    if (payload[index]! < 0x20 || payload[index]! > 0x7e) return -1;
  }
  return payload.readUInt32BE(at);
}

function nameAtFourCc(payload: Buffer): string | null {
  const fourCc = payload.toString('latin1', exHeader.fourCcAt, exHeader.fourCcAt + 4);
  return fourCcNames[fourCc] ?? (/^[\x21-\x7e]{4}$/.test(fourCc) ? fourCc : null);
}

/** Looks at what is of one track in a payload. False: it is not as it should be. */
export type LookAtTrack = (fourCc: number, start: number, end: number, trackId: number) => boolean;

/**
 * Calls `look` for each track of the payload whose header was read last into `exHeader`; the id is 0 where none is named.
 * @returns false where `look` did once, and for what is cut short
 */
export function everyTrack(payload: Buffer, look: LookAtTrack): boolean {
  const { manyTracks, manyCodecs, trackId } = exHeader;
  let at = exHeader.fourCcAt;
  let codec = 0;
  if (!manyTracks) {
    codec = readFourCc(payload, at);
    return codec >= 0 && look(codec, at + fourCcBytes + (trackId < 0 ? 0 : 1), payload.length, Math.max(0, trackId));
  }
  for (let isFirst = true; at < payload.length; isFirst = false) {
    if (isFirst || manyCodecs) {
      codec = readFourCc(payload, at);
      at += fourCcBytes;
      if (codec < 0) return false;
    }
    // Its id, and the length of its data.
    if (at + 4 > payload.length) return false;
    const id = payload[at]!;
    const start = at + 4;
    at = start + payload.readUIntBE(at + 1, 3);
    if (at > payload.length || !look(codec, start, at, id)) return false;
  }
  return true;
}

/** The FourCC by which a payload names its codec; null where it does so by the number of FLV, or it cannot be read. */
export function fourCcOf(isVideo: boolean, payload: Buffer): string | null {
  if (isVideo ? !isExVideo(payload) : !isExAudio(payload)) return null;
  if (!readExHeader(payload, isVideo ? VideoPacketType.Multitrack : AudioPacketType.Multitrack)) return null;
  const at = exHeader.fourCcAt;
  return readFourCc(payload, at) < 0 ? null : payload.toString('latin1', at, at + fourCcBytes);
}
