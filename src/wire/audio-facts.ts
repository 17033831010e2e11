import { BitReader } from './bit-reader.js';
import { fourCc, fourCcBytes, readFourCc } from './flv-codecs.js';
import { AudioPacketType, audioAac, exHeader, isExAudio, PacketType, readExHeader } from './flv-header.js';

/** What an audio track says of itself; a part that is null is not known. */
export interface AudioFacts {
  readonly channels: number | null;
  /** `LC`, `HE`, `HE v2` ... of AAC. */
  readonly profile: string | null;
}

const [mp4a, opus, flac, ac3, eac3, mp3] = ['mp4a', 'Opus', 'fLaC', 'ac-3', 'ec-3', '.mp3'].map(fourCc);

const nothing: AudioFacts = { channels: null, profile: null };

/** Object types of ISO/IEC 14496-3, table 1.17. */
const aacProfiles: Readonly<Record<number, string>> = {
  1: 'Main',
  2: 'LC',
  5: 'HE',
  29: 'HE v2',
  23: 'LD',
  39: 'ELD',
  42: 'xHE',
};

/** Channels of an AAC configuration; 0 stands for one that is written out elsewhere. */
const aacChannels = [0, 1, 2, 3, 4, 5, 6, 8];

/** Channels of AC-3 by `acmod` (ETSI TS 102 366, 4.4.2.3), without that for low frequencies. */
const ac3Channels = [2, 1, 2, 3, 3, 4, 4, 5];

const multichannelCountAt = 1;

/** What a payload of one track says of its track: a header, or the first frame of a codec that has none. */
export function describeAudio(payload: Buffer): AudioFacts {
  if (isExAudio(payload)) {
    if (!readExHeader(payload, AudioPacketType.Multitrack)) return nothing;
    const { packetType, fourCcAt, trackId } = exHeader;
    const at = fourCcAt + fourCcBytes + (trackId < 0 ? 0 : 1);
    if (packetType === AudioPacketType.MultichannelConfig) {
      return { channels: payload[at + multichannelCountAt] || null, profile: null };
    }
    return describeBody(readFourCc(payload, fourCcAt), packetType === PacketType.SequenceStart, payload, at);
  }
  const first = payload[0] ?? 0;
  if (first >>> 4 === audioAac) return payload[1] === 0 ? describeAac(payload, 2) : nothing;
  // The tag's own word for it (Adobe Flash Video File Format 10.1, E.4.2.1); Nellymoser of two formats is mono.
  const isMono = first >>> 4 === 4 || first >>> 4 === 5 || (first & 1) === 0;
  return { channels: isMono ? 1 : 2, profile: null };
}

function describeBody(codec: number, isHeader: boolean, payload: Buffer, at: number): AudioFacts {
  switch (codec) {
    case mp4a:
      return isHeader ? describeAac(payload, at) : nothing;
    case opus:
      // `OpusHead` (RFC 7845, section 5.1)
      return isHeader && payload.length > at + 9 ? { channels: payload[at + 9] || null, profile: null } : nothing;
    case flac:
      return isHeader ? describeFlac(payload, at) : nothing;
    case mp3:
      // The mode of a frame's header (ISO/IEC 11172-3, 2.4.1.3): 3 is one channel.
      if (isHeader || payload.length < at + 4 || payload[at] !== 0xff) return nothing;
      return { channels: payload[at + 3]! >> 6 === 3 ? 1 : 2, profile: null };
    case ac3:
    case eac3:
      return isHeader ? nothing : describeAc3(payload, at);
    default:
      return nothing;
  }
}

/** STREAMINFO (RFC 9639, section 8.2), behind the marker and the header of its block, or, as FFmpeg 8.1 sends it, alone. */
function describeFlac(payload: Buffer, at: number): AudioFacts {
  const start = payload.toString('latin1', at, at + 4) === 'fLaC' ? at + 8 : at;
  if (payload.length < start + 34) return nothing;
  return { channels: ((payload[start + 12]! >> 1) & 7) + 1, profile: null };
}

/** `AudioSpecificConfig` (ISO/IEC 14496-3, 1.6.2.1). */
function describeAac(payload: Buffer, at: number): AudioFacts {
  const bits = new BitReader(payload.subarray(at, at + 16));
  let type = bits.read(5);
  if (type === 31) type = 32 + bits.read(6);
  if (bits.read(4) === 15) bits.read(24);
  const channels = aacChannels[bits.read(4)] ?? 0;
  if (bits.isExhausted) return nothing;
  // Parametric stereo makes two channels of one.
  return { channels: (type === 29 ? 2 : channels) || null, profile: aacProfiles[type] ?? null };
}

/** `syncframe` (ETSI TS 102 366, 4.3 and E.1.2). */
function describeAc3(payload: Buffer, at: number): AudioFacts {
  if (payload.length < at + 8 || payload.readUInt16BE(at) !== 0x0b77) return nothing;
  const isEnhanced = payload[at + 5]! >> 3 > 10;
  const bits = new BitReader(payload.subarray(at + (isEnhanced ? 4 : 6), at + 10));
  let mode: number;
  if (isEnhanced) {
    bits.read(4); // sampling rate, blocks
    mode = bits.read(3);
  } else {
    mode = bits.read(3);
    if ((mode & 1) !== 0 && mode !== 1) bits.read(2); // centre mix
    if ((mode & 4) !== 0) bits.read(2); // surround mix
    if (mode === 2) bits.read(2); // Dolby Surround
  }
  return { channels: (ac3Channels[mode] ?? 0) + bits.read(1) || null, profile: null };
}
