import {
  AudioPacketType,
  audioAac,
  exHeader,
  FrameType,
  isExAudio,
  isExtended,
  isExVideo,
  PacketType,
  packetizedVideo,
  readExHeader,
  VideoPacketType,
} from './flv-header.js';

/**
 * Which audio and video payloads are frames, key frames and headers, by their first bytes. Empty, truncated and unknown
 * payloads are none of these. No function throws. A payload of several tracks is taken apart before (`wire/tracks.ts`).
 */

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
      (exHeader.packetType === PacketType.CodedFrames || exHeader.packetType === PacketType.CodedFramesX)
    );
  }
  return !packetizedVideo.has(first & 0x0f) || payload[1] === 1;
}

/** Whether a video payload is a coded key frame, from which its track can be decoded. A sequence header is none. */
export function isVideoKeyFrame(payload: Buffer): boolean {
  if (payload.length < 2) return false;
  const frameType = (payload[0]! >>> 4) & 0x07;
  return (frameType === FrameType.Key || frameType === FrameType.GeneratedKey) && isVideoFrame(payload);
}

/** Whether a video payload says that its track ends (end of sequence). */
export function isVideoEnd(payload: Buffer): boolean {
  if (payload.length < 2) return false;
  if (isExVideo(payload)) {
    return readExHeader(payload, VideoPacketType.Multitrack) && exHeader.packetType === PacketType.SequenceEnd;
  }
  return packetizedVideo.has(payload[0]! & 0x0f) && payload[1] === PacketType.SequenceEnd;
}

/** Whether an audio payload says that its track ends (end of sequence), for which classic audio has no word. */
export function isAudioEnd(payload: Buffer): boolean {
  return (
    isExAudio(payload) &&
    readExHeader(payload, AudioPacketType.Multitrack) &&
    exHeader.packetType === PacketType.SequenceEnd
  );
}

/** Whether an audio payload holds sound: neither sequence header, sequence end nor channel configuration. */
export function isAudioFrame(payload: Buffer): boolean {
  if (payload.length < 2) return false;
  if (isExAudio(payload)) {
    return readExHeader(payload, AudioPacketType.Multitrack) && exHeader.packetType === PacketType.CodedFrames;
  }
  return payload[0]! >>> 4 !== audioAac || payload[1] === 1;
}

/** The track of a payload, 0 to 255: 0, the default track, where none is named. */
export function trackOf(isVideo: boolean, payload: Buffer): number {
  if (!isExtended(isVideo, payload)) return 0;
  const multitrack = isVideo ? VideoPacketType.Multitrack : AudioPacketType.Multitrack;
  return readExHeader(payload, multitrack) && exHeader.trackId > 0 ? exHeader.trackId : 0;
}

/**
 * The key under which a video payload must be remembered for those who join late, or null when it need not be.
 * A later payload of the same key replaces an earlier one.
 *
 * `video` is the sequence header (of MPEG-2 TS kind too) of track 0, `video:1` that of track 1; `video:metadata`,
 * `video:metadata:1` ... are colour information of Enhanced RTMP. There are 512 keys at most.
 */
export function videoHeaderKey(payload: Buffer): string | null {
  if (isExVideo(payload)) {
    if (!readExHeader(payload, VideoPacketType.Multitrack)) {
      return null;
    }
    if (exHeader.packetType === VideoPacketType.Metadata) {
      // Whatever the frame type says: it is to be ignored here.
      return trackKey('video:metadata');
    }
    const frameType = (payload[0]! >>> 4) & 0x07;
    const isStart =
      exHeader.packetType === PacketType.SequenceStart || exHeader.packetType === VideoPacketType.Mpeg2TsSequenceStart;
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
 * The same for an audio payload: `audio`, `audio:1`, and `audio:channels` ... for the multichannel configuration of
 * Enhanced RTMP.
 */
export function audioHeaderKey(payload: Buffer): string | null {
  if (isExAudio(payload)) {
    if (!readExHeader(payload, AudioPacketType.Multitrack)) {
      return null;
    }
    if (exHeader.packetType === AudioPacketType.MultichannelConfig) {
      return trackKey('audio:channels');
    }
    return exHeader.packetType === PacketType.SequenceStart ? trackKey('audio') : null;
  }
  return payload.length >= 2 && payload[0]! >>> 4 === audioAac && payload[1] === 0 ? 'audio' : null;
}

/** `prefix` for track 0, however it is wrapped, and `prefix:1` for track 1. */
function trackKey(prefix: string): string {
  return exHeader.trackId <= 0 ? prefix : `${prefix}:${exHeader.trackId}`;
}
