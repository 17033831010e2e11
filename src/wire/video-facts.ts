import { readAv1Sequence } from './av1.js';
import { avcConfigSize, type PictureSize } from './avc.js';
import { fourCc, fourCcBytes, readFourCc } from './flv-codecs.js';
import { exHeader, isExVideo, PacketType, readExHeader, VideoPacketType } from './flv-header.js';
import { readHevcConfig } from './hevc.js';
import { vp8FrameSize, vp9FrameSize } from './vpx.js';

/** How bright light is coded: for screens of high dynamic range by PQ (SMPTE ST 2084) or HLG (ARIB STD-B67). */
export type Hdr = 'pq' | 'hlg';

/** What a video track says of itself; a part that is null is not known. */
export interface VideoFacts {
  readonly size: PictureSize | null;
  /** As its specification names it: `High`, `Main 10`, `Profile 2`. */
  readonly profile: string | null;
  readonly hdr: Hdr | null;
}

const [avc1, hvc1, av01, vp08, vp09] = ['avc1', 'hvc1', 'av01', 'vp08', 'vp09'].map(fourCc);

const avcProfiles: Readonly<Record<number, string>> = {
  66: 'Baseline',
  77: 'Main',
  88: 'Extended',
  100: 'High',
  110: 'High 10',
  122: 'High 4:2:2',
  244: 'High 4:4:4 Predictive',
};
const hevcProfiles: Readonly<Record<number, string>> = {
  1: 'Main',
  2: 'Main 10',
  3: 'Main Still Picture',
  4: 'Range Extensions',
  9: 'Screen Content Coding',
};
const av1Profiles = ['Main', 'High', 'Professional'];

/** Transfer characteristics (ITU-T H.273, table 3). */
export function hdrOf(transfer: number): Hdr | null {
  if (transfer === 16) return 'pq';
  return transfer === 18 ? 'hlg' : null;
}

/** Where what is of the codec begins in a payload of one track; the one result of `findBody`. */
const body = { codec: 0, at: 0 };

function findBody(payload: Buffer): boolean {
  if (isExVideo(payload)) {
    if (!readExHeader(payload, VideoPacketType.Multitrack)) return false;
    const { fourCcAt, trackId, packetType } = exHeader;
    body.codec = readFourCc(payload, fourCcAt);
    body.at = fourCcAt + fourCcBytes + (trackId < 0 ? 0 : 1);
    if (packetType === PacketType.CodedFrames && (body.codec === avc1 || body.codec === hvc1)) body.at += 3;
    return true;
  }
  const id = (payload[0] ?? 0) & 0x0f;
  body.codec = (id === 7 ? avc1 : id === 12 ? hvc1 : id === 13 ? av01 : 0) ?? 0;
  body.at = 5;
  return body.codec !== 0;
}

/** Where the data of an extended payload of one track begins; -1 where there is none. */
export function videoBodyAt(payload: Buffer): number {
  return isExVideo(payload) && findBody(payload) ? body.at : -1;
}

/** What a sequence header says; null where nothing of it is known here. */
export function describeVideoHeader(payload: Buffer): VideoFacts | null {
  if (!findBody(payload)) return null;
  const { codec, at } = body;
  switch (codec) {
    case avc1: {
      const isConstrained = payload[at + 1] === 66 && ((payload[at + 2] ?? 0) & 0x40) !== 0;
      const profile = isConstrained ? 'Constrained Baseline' : (avcProfiles[payload[at + 1] ?? 0] ?? null);
      return { size: avcConfigSize(payload, at), profile, hdr: null };
    }
    case hvc1: {
      const sequence = readHevcConfig(payload, at);
      const profile = hevcProfiles[(payload[at + 1] ?? 0) & 0x1f] ?? null;
      const hdr = sequence?.transfer == null ? null : hdrOf(sequence.transfer);
      return { size: sequence?.size ?? null, profile, hdr };
    }
    case av01: {
      const sequence = readAv1Sequence(payload, at + 4);
      const profile = av1Profiles[(payload[at + 1] ?? 0) >> 5] ?? null;
      return { size: sequence, profile, hdr: sequence === null ? null : hdrOf(sequence.transfer) };
    }
    case vp08:
    case vp09: {
      // VPCodecConfigurationRecord, with the version and flags of its box in front (VP Codec ISO Media File Format Binding).
      const start = payload[at] === 1 ? at + 4 : at;
      if (payload.length < start + 5) return null;
      return { size: null, profile: `Profile ${payload[start]}`, hdr: hdrOf(payload[start + 4] ?? 0) };
    }
    default:
      return null;
  }
}

/** The picture size in a key frame of a codec whose header does not say it; null where it cannot be told. */
export function keyFrameSize(payload: Buffer): PictureSize | null {
  if (!isExVideo(payload) || !findBody(payload)) return null;
  const { codec, at } = body;
  if (codec === vp08) return vp8FrameSize(payload, at);
  if (codec === vp09) return vp9FrameSize(payload, at);
  return codec === av01 ? readAv1Sequence(payload, at) : null;
}
