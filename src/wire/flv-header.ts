/**
 * The headers of audio and video payloads: the tag headers of FLV (Adobe Flash Video File Format 10.1, E.4.2 and E.4.3), and
 * those of Enhanced RTMP v1 and v2 (veovera/enhanced-rtmp). Nothing behind the header is decoded. No function throws.
 */

export const FrameType = { Key: 1, GeneratedKey: 4, Command: 5 } as const;

/** Packet types of Enhanced RTMP. Those of audio and video agree up to 3. */
export const PacketType = { SequenceStart: 0, CodedFrames: 1, SequenceEnd: 2, CodedFramesX: 3, ModEx: 7 } as const;
export const VideoPacketType = { Metadata: 4, Mpeg2TsSequenceStart: 5, Multitrack: 6 } as const;
export const AudioPacketType = { MultichannelConfig: 4, Multitrack: 5 } as const;
export const MultitrackType = { OneTrack: 0, ManyTracks: 1, ManyTracksManyCodecs: 2 } as const;

/** Classic codec ids whose second byte is a packet type: header 0, coded frame 1, end 2. 12 to 14 are not Adobe's. */
export const packetizedVideo: ReadonlySet<number> = new Set([7, 12, 13, 14]);

export const audioExHeader = 9;
export const audioAac = 10;

/** The one result of `readExHeader`, used again by every call so that none allocates. */
export const exHeader = {
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
 * Reads the extended header into `exHeader`: ModEx prefixes (whose data, a nanosecond offset, is skipped), packet type,
 * multitrack, FourCC. False when it is cut short or impossible.
 */
export function readExHeader(payload: Buffer, multitrackPacketType: number): boolean {
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
  exHeader.trackId = -1;
  exHeader.manyTracks = false;
  exHeader.manyCodecs = false;
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
    exHeader.trackId = payload[at + 4]!;
    exHeader.manyTracks = multitrackType !== MultitrackType.OneTrack;
    exHeader.manyCodecs = multitrackType === MultitrackType.ManyTracksManyCodecs;
  } else if (at + 4 > end) {
    return false;
  }
  exHeader.packetType = packetType;
  exHeader.fourCcAt = at;
  return true;
}

export function isExVideo(payload: Buffer): boolean {
  return payload.length > 0 && payload[0]! >= 0x80;
}

export function isExAudio(payload: Buffer): boolean {
  return payload.length > 0 && payload[0]! >>> 4 === audioExHeader;
}

/** Whether a payload has a header of Enhanced RTMP. */
export function isExtended(isVideo: boolean, payload: Buffer): boolean {
  return isVideo ? isExVideo(payload) : isExAudio(payload);
}
