import { encodeAmf0 } from './amf0-writer.js';
import { everyTrack, fourCcBytes } from './flv-codecs.js';
import {
  AudioPacketType,
  exHeader,
  isExtended,
  MultitrackType,
  PacketType,
  readExHeader,
  VideoPacketType,
} from './flv-header.js';

/**
 * Payloads of several tracks (Enhanced RTMP v2, "Multitrack"), taken apart. The bytes of the codecs stay as they are; only
 * what is wrapped around them is rebuilt.
 */

/** There are no more ids. */
const maxTracks = 256;

function readHeader(isVideo: boolean, payload: Buffer): boolean {
  return readExHeader(payload, isVideo ? VideoPacketType.Multitrack : AudioPacketType.Multitrack);
}

/** Whether a payload holds more than one track, or is of the kinds that may. */
export function holdsManyTracks(isVideo: boolean, payload: Buffer): boolean {
  return isExtended(isVideo, payload) && readHeader(isVideo, payload) && exHeader.manyTracks;
}

/** How many tracks a payload holds, up to one more than there are ids; 0 where it is none that `holdsManyTracks`. */
export function countTracks(isVideo: boolean, payload: Buffer): number {
  if (!holdsManyTracks(isVideo, payload)) return 0;
  let count = 0;
  everyTrack(payload, () => ++count <= maxTracks);
  return count;
}

/**
 * A payload for each track of one that `holdsManyTracks`, in their order, each of the kind for one track, with the same
 * prefixes (ModEx), frame type and packet type. Undefined for what is cut short, or has more parts than there are ids.
 */
export function splitTracks(isVideo: boolean, payload: Buffer): Buffer[] | undefined {
  if (!readHeader(isVideo, payload)) return undefined;
  const { packetType, fourCcAt } = exHeader;
  const parts: Buffer[] = [];
  // Up to the byte that says what kind of multitrack it is; that is the one before the FourCC.
  const prefix = payload.subarray(0, fourCcAt - 1);
  const isWhole = everyTrack(payload, (fourCc, start, end, trackId) => {
    const at = prefix.length;
    const part = Buffer.allocUnsafe(at + 1 + fourCcBytes + 1 + end - start);
    prefix.copy(part);
    part[at] = (MultitrackType.OneTrack << 4) | packetType;
    part.writeUInt32BE(fourCc, at + 1);
    part[at + 1 + fourCcBytes] = trackId;
    payload.copy(part, at + 2 + fourCcBytes, start, end);
    return parts.push(part) <= maxTracks;
  });
  return isWhole && parts.length > 0 ? parts : undefined;
}

/** Whether a payload is as those take it who know no tracks, no prefixes (ModEx) and no channel configurations. */
export function isPlain(isVideo: boolean, payload: Buffer): boolean {
  if (!isExtended(isVideo, payload)) return true;
  if (!readHeader(isVideo, payload) || exHeader.fourCcAt !== 1) return false;
  return isVideo || exHeader.packetType !== AudioPacketType.MultichannelConfig;
}

/**
 * A payload of one track as those who know no multitrack and no ModEx take it: with the plain extended header. What has
 * neither is returned as it is.
 */
export function unwrapTrack(isVideo: boolean, payload: Buffer): Buffer {
  if (!isExtended(isVideo, payload) || !readHeader(isVideo, payload) || exHeader.manyTracks) return payload;
  const { packetType, fourCcAt, trackId } = exHeader;
  if (fourCcAt === 1) return payload;
  const bodyAt = fourCcAt + fourCcBytes + (trackId < 0 ? 0 : 1);
  const plain = Buffer.allocUnsafe(1 + fourCcBytes + payload.length - bodyAt);
  plain[0] = (payload[0]! & 0xf0) | packetType;
  payload.copy(plain, 1, fourCcAt, fourCcAt + fourCcBytes);
  payload.copy(plain, 1 + fourCcBytes, bodyAt);
  return plain;
}

/** What ends the track of a sequence header; null where its codec has no word for it (classic audio). */
export function endOfTrack(isVideo: boolean, header: Buffer): Buffer | null {
  if (!isExtended(isVideo, header)) {
    return isVideo ? Buffer.from([header[0] ?? 0, PacketType.SequenceEnd, 0, 0, 0]) : null;
  }
  return trackMessage(isVideo, header, PacketType.SequenceEnd, Buffer.alloc(0));
}

/** A metadata message that takes back what was said of the colours of a track, for which there is this sequence header. */
export function withoutColours(header: Buffer): Buffer | null {
  if (!isExtended(true, header)) return null;
  return trackMessage(true, header, VideoPacketType.Metadata, encodeAmf0('colorInfo', {}));
}

/** A message of the same track and codec as `like`. */
function trackMessage(isVideo: boolean, like: Buffer, packetType: number, body: Buffer): Buffer | null {
  if (!readHeader(isVideo, like)) return null;
  const { fourCcAt, trackId } = exHeader;
  const high = (like[0] ?? 0) & 0xf0;
  const fourCc = like.subarray(fourCcAt, fourCcAt + fourCcBytes);
  if (trackId < 0) return Buffer.concat([Buffer.from([high | packetType]), fourCc, body]);
  const multitrack = isVideo ? VideoPacketType.Multitrack : AudioPacketType.Multitrack;
  const kind = (MultitrackType.OneTrack << 4) | packetType;
  return Buffer.concat([Buffer.from([high | multitrack, kind]), fourCc, Buffer.from([trackId]), body]);
}
