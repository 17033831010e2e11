import { endOfAmf0 } from './amf0-walk.js';

/**
 * What the first bytes of an audio or video payload say: the tag headers of FLV (Adobe Flash Video File Format 10.1,
 * E.4.2 and E.4.3) and of Enhanced RTMP v1 and v2 (veovera/enhanced-rtmp). Nothing behind the header is decoded.
 * Empty, cut and unknown payloads are neither frame nor header of anything; no function here throws.
 */

const FrameType = { Key: 1, GeneratedKey: 4, Command: 5 } as const;

/** Packet types of Enhanced RTMP. Those of audio and video agree up to 3. */
const PacketType = { SequenceStart: 0, CodedFrames: 1, SequenceEnd: 2, CodedFramesX: 3, ModEx: 7 } as const;
const VideoPacketType = { Metadata: 4, Mpeg2TsSequenceStart: 5, Multitrack: 6 } as const;
const AudioPacketType = { MultichannelConfig: 4, Multitrack: 5 } as const;
const MultitrackType = { OneTrack: 0, ManyTracks: 1, ManyTracksManyCodecs: 2 } as const;

/** Classic codec ids whose second byte is a packet type: header 0, coded frame 1, end 2. 12 to 14 are not Adobe's. */
const packetizedVideo: ReadonlySet<number> = new Set([7, 12, 13, 14]);

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

const audioExHeader = 9;
const audioAac = 10;
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

/** The one result of `readExHeader`, used again by every call so that none allocates. */
const ex = {
  packetType: 0,
  /** Where the FourCC begins: the common one, or that of the first track. */
  fourCcAt: 0,
  /** -1 without multitrack, else the id of the (first) track. */
  trackId: -1,
  manyTracks: false,
  /** Of several tracks, each names its codec. */
  manyCodecs: false,
};

/**
 * Reads the extended header into `ex`: ModEx prefixes (whose data, a nanosecond offset, is skipped), packet type,
 * multitrack, FourCC. False when it is cut short or impossible.
 */
function readExHeader(payload: Buffer, multitrackPacketType: number): boolean {
  const end = payload.length;
  let at = 1;
  let packetType = payload[0]! & 0x0f;
  while (packetType === PacketType.ModEx) {
    if (at >= end) {
      return false;
    }
    let modifierBytes = payload[at]! + 1;
    at += 1;
    if (modifierBytes === 256) {
      if (at + 2 > end) {
        return false;
      }
      modifierBytes = payload.readUInt16BE(at) + 1;
      at += 2;
    }
    at += modifierBytes;
    if (at >= end) {
      return false;
    }
    packetType = payload[at]! & 0x0f;
    at += 1;
  }
  ex.trackId = -1;
  ex.manyTracks = false;
  ex.manyCodecs = false;
  if (packetType === multitrackPacketType) {
    if (at >= end) {
      return false;
    }
    const multitrackType = payload[at]! >>> 4;
    packetType = payload[at]! & 0x0f;
    at += 1;
    if (multitrackType > MultitrackType.ManyTracksManyCodecs || packetType === multitrackPacketType) {
      return false;
    }
    // In all three layouts a FourCC comes next, the common one or that of the first track, and then a track id.
    if (at + 5 > end) {
      return false;
    }
    ex.trackId = payload[at + 4]!;
    ex.manyTracks = multitrackType !== MultitrackType.OneTrack;
    ex.manyCodecs = multitrackType === MultitrackType.ManyTracksManyCodecs;
  } else if (at + 4 > end) {
    return false;
  }
  ex.packetType = packetType;
  ex.fourCcAt = at;
  return true;
}

function isExVideo(payload: Buffer): boolean {
  return payload.length > 0 && payload[0]! >= 0x80;
}

function isExAudio(payload: Buffer): boolean {
  return payload.length > 0 && payload[0]! >>> 4 === audioExHeader;
}

/** Whether a payload has a header of Enhanced RTMP. */
export function isExtended(isVideo: boolean, payload: Buffer): boolean {
  return isVideo ? isExVideo(payload) : isExAudio(payload);
}

/** `prefix`, `prefix:1` for track 1 alone, `prefix:0+` for several tracks of which 0 is the first. */
function trackKey(prefix: string): string {
  return ex.trackId < 0 ? prefix : `${prefix}:${ex.trackId}${ex.manyTracks ? '+' : ''}`;
}

function nameAtFourCc(payload: Buffer): string | null {
  const fourCc = payload.toString('latin1', ex.fourCcAt, ex.fourCcAt + 4);
  return fourCcNames[fourCc] ?? (/^[\x21-\x7e]{4}$/.test(fourCc) ? fourCc : null);
}

/**
 * Whether a video payload is a coded frame, key or not: neither sequence header, sequence end, metadata nor command
 * frame.
 */
export function isVideoFrame(payload: Buffer): boolean {
  if (payload.length < 2) {
    return false;
  }
  const first = payload[0]!;
  const frameType = (first >>> 4) & 0x07;
  if (frameType === 0 || frameType >= FrameType.Command) {
    return false;
  }
  if (first >= 0x80) {
    return (
      readExHeader(payload, VideoPacketType.Multitrack) &&
      (ex.packetType === PacketType.CodedFrames || ex.packetType === PacketType.CodedFramesX)
    );
  }
  return !packetizedVideo.has(first & 0x0f) || payload[1] === 1;
}

/**
 * Whether a video payload is a coded key frame, from which decoding can begin. A sequence header is none.
 *
 * A message of a single track other than 0 is none either: each track has key frames of its own, and 0 is the
 * default track, whose key frames divide the stream (Enhanced RTMP v2, on trackId).
 */
export function isVideoKeyFrame(payload: Buffer): boolean {
  if (payload.length < 2) {
    return false;
  }
  const first = payload[0]!;
  const frameType = (first >>> 4) & 0x07;
  if ((frameType !== FrameType.Key && frameType !== FrameType.GeneratedKey) || !isVideoFrame(payload)) {
    return false;
  }
  return first < 0x80 || ex.trackId <= 0 || ex.manyTracks;
}

/**
 * The key under which a video payload must be remembered for those who join late, or null when it need not be.
 * A later payload of the same key replaces an earlier one.
 *
 * `video` is the sequence header (of MPEG-2 TS kind too), `video:1` that of track 1, `video:0+` one of several tracks
 * that begins with track 0; `video:metadata`, `video:metadata:1` ... are colour information of Enhanced RTMP. There
 * are no more than 1,026 keys, whatever a peer sends.
 */
export function videoHeaderKey(payload: Buffer): string | null {
  if (isExVideo(payload)) {
    if (!readExHeader(payload, VideoPacketType.Multitrack)) {
      return null;
    }
    if (ex.packetType === VideoPacketType.Metadata) {
      // Whatever the frame type says: it is to be ignored here.
      return trackKey('video:metadata');
    }
    const frameType = (payload[0]! >>> 4) & 0x07;
    const isStart =
      ex.packetType === PacketType.SequenceStart || ex.packetType === VideoPacketType.Mpeg2TsSequenceStart;
    return isStart && frameType !== FrameType.Command ? trackKey('video') : null;
  }
  if (payload.length < 2) {
    return null;
  }
  const frameType = payload[0]! >>> 4;
  const isHeader = packetizedVideo.has(payload[0]! & 0x0f) && payload[1] === 0 && frameType !== FrameType.Command;
  return isHeader ? 'video' : null;
}

/**
 * The same for an audio payload: `audio`, `audio:1`, `audio:0+`, and `audio:channels` ... for the multichannel
 * configuration of Enhanced RTMP.
 */
export function audioHeaderKey(payload: Buffer): string | null {
  if (isExAudio(payload)) {
    if (!readExHeader(payload, AudioPacketType.Multitrack)) {
      return null;
    }
    if (ex.packetType === AudioPacketType.MultichannelConfig) {
      return trackKey('audio:channels');
    }
    return ex.packetType === PacketType.SequenceStart ? trackKey('audio') : null;
  }
  return payload.length >= 2 && payload[0]! >>> 4 === audioAac && payload[1] === 0 ? 'audio' : null;
}

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

/** Ids that somebody assigned: Adobe's, and those of HEVC, AV1 and VVC that are in use (12 to 14). */
const assignedVideo: ReadonlySet<number> = new Set(Object.keys(videoCodecs).map(Number));
/** 15 is "device-specific sound". */
const assignedAudio: ReadonlySet<number> = new Set([...Object.keys(audioCodecs).map(Number), 15]);

/** Judges what is of one codec in a payload. */
export type IsBody = (fourCc: number, start: number, end: number) => boolean;

const avcHeaderBytes = 5;
const compositionTimeBytes = 3;
const fourCcBytes = 4;
/** A FourCC as a number. */
export const fourCc = (text: string): number => Buffer.from(text, 'latin1').readUInt32BE();
const withCompositionTime: ReadonlySet<number> = new Set(['avc1', 'hvc1', 'vvc1'].map(fourCc));

const withSequenceHeader: ReadonlySet<number> = new Set(['avc1', 'hvc1', 'vvc1', 'av01'].map(fourCc));

/** Whether the codec of a video payload has a sequence header without which its frames cannot be decoded. */
export function needsVideoHeader(payload: Buffer): boolean {
  if (!isExVideo(payload)) return payload.length > 0 && packetizedVideo.has(payload[0]! & 0x0f);
  return readExHeader(payload, VideoPacketType.Multitrack) && withSequenceHeader.has(readFourCc(payload, ex.fourCcAt));
}

/**
 * Whether a video payload is what a strict reader takes: a tag header that is whole and of kinds that are assigned, and
 * data behind it where its kind has some. Servers close the connection for anything else (MediaMTX does for all of it). A
 * command frame (for seeking, in Flash Player) is none: it is of no use to anybody who gets a live stream.
 */
export function isReadableVideo(payload: Buffer): boolean {
  if (payload.length < 2) return false;
  const first = payload[0]!;
  const frameType = (first >>> 4) & 0x07;
  if (first >= 0x80) return isReadableExVideo(payload, frameType);
  if (frameType === 0 || frameType >= FrameType.Command || !assignedVideo.has(first & 0x0f)) return false;
  if (!packetizedVideo.has(first & 0x0f)) return true;
  const packetType = payload[1]!;
  if (packetType > PacketType.SequenceEnd || payload.length < avcHeaderBytes) return false;
  return packetType === PacketType.SequenceEnd || payload.length > avcHeaderBytes;
}

/** The same for an audio payload. */
export function isReadableAudio(payload: Buffer): boolean {
  if (payload.length < 2) return false;
  const format = payload[0]! >>> 4;
  if (format === audioExHeader) return isReadableExAudio(payload);
  if (format !== audioAac) return assignedAudio.has(format);
  return payload[1]! <= 1 && payload.length > 2;
}

/**
 * Whether all configuration records in a sequence header are as `isBody` wants them. True for what is no sequence header.
 * @param isBody is given the FourCC of each, also where a header of FLV names the codec by number
 */
export function areConfigsReadable(isVideo: boolean, payload: Buffer, isBody: IsBody): boolean {
  if (isExtended(isVideo, payload)) {
    const multitrack = isVideo ? VideoPacketType.Multitrack : AudioPacketType.Multitrack;
    if (!readExHeader(payload, multitrack) || ex.packetType !== PacketType.SequenceStart) return true;
    return areTracksReadable(payload, isBody);
  }
  if (payload.length < 2 || payload[1] !== 0) return true;
  if (!isVideo) return payload[0]! >>> 4 !== audioAac || isBody(fourCc('mp4a'), 2, payload.length);
  const codec = payload[0]! & 0x0f;
  if (codec !== 7 && codec !== 12) return true;
  return isBody(fourCc(codec === 7 ? 'avc1' : 'hvc1'), avcHeaderBytes, payload.length);
}

function isReadableExVideo(payload: Buffer, frameType: number): boolean {
  if (!readExHeader(payload, VideoPacketType.Multitrack)) return false;
  const { packetType } = ex;
  if (packetType === VideoPacketType.Metadata) {
    return areTracksReadable(payload, (_fourCc, start, end) => isAmf0(payload.subarray(start, end)));
  }
  if (frameType === 0 || frameType >= FrameType.Command || packetType > VideoPacketType.Mpeg2TsSequenceStart)
    return false;
  if (packetType === PacketType.SequenceEnd) return areTracksReadable(payload, () => true);
  const isFrame = packetType === PacketType.CodedFrames;
  return areTracksReadable(
    payload,
    (codec, start, end) => end - start > (isFrame && withCompositionTime.has(codec) ? compositionTimeBytes : 0),
  );
}

function isReadableExAudio(payload: Buffer): boolean {
  if (!readExHeader(payload, AudioPacketType.Multitrack)) return false;
  switch (ex.packetType) {
    case PacketType.SequenceStart:
    case PacketType.SequenceEnd:
      // Codecs that need no header may announce themselves without one.
      return areTracksReadable(payload, () => true);
    case PacketType.CodedFrames:
      return areTracksReadable(payload, (_codec, start, end) => end > start);
    case AudioPacketType.MultichannelConfig:
      return areTracksReadable(payload, (_codec, start, end) => end - start >= 2);
    default:
      return false;
  }
}

/** Whether the FourCC and body of each track, by the header that was read last, are as `isBody` wants them. */
function areTracksReadable(payload: Buffer, isBody: IsBody): boolean {
  let at = ex.fourCcAt;
  let codec = 0;
  if (!ex.manyTracks) {
    codec = readFourCc(payload, at);
    return codec >= 0 && isBody(codec, at + fourCcBytes + (ex.trackId < 0 ? 0 : 1), payload.length);
  }
  for (let isFirst = true; at < payload.length; isFirst = false) {
    if (isFirst || ex.manyCodecs) {
      codec = readFourCc(payload, at);
      at += fourCcBytes;
      if (codec < 0) return false;
    }
    // Its id, and the length of its data.
    if (at + 4 > payload.length) return false;
    const start = at + 4;
    at = start + payload.readUIntBE(at + 1, 3);
    if (at > payload.length || !isBody(codec, start, at)) return false;
  }
  return true;
}

/** -1 for what is cut short, or for bytes that no codec is named by. */
function readFourCc(payload: Buffer, at: number): number {
  if (at + fourCcBytes > payload.length) return -1;
  for (let index = at; index < at + fourCcBytes; index++) {
    if (payload[index]! < 0x20 || payload[index]! > 0x7e) return -1;
  }
  return payload.readUInt32BE(at);
}

/** One AMF0 value at least, and nothing else. */
function isAmf0(data: Buffer): boolean {
  let at = 0;
  do {
    at = endOfAmf0(data, at, 'common');
  } while (at >= 0 && at < data.length);
  return at === data.length;
}
