import { endOfAmf0 } from './amf0-walk.js';
import { assignedAudio, assignedVideo, everyTrack, fourCc, type LookAtTrack } from './flv-codecs.js';
import {
  AudioPacketType,
  audioAac,
  audioExHeader,
  exHeader,
  FrameType,
  isExtended,
  PacketType,
  packetizedVideo,
  readExHeader,
  VideoPacketType,
} from './flv-header.js';

const avcHeaderBytes = 5;
const compositionTimeBytes = 3;
const withCompositionTime: ReadonlySet<number> = new Set(['avc1', 'hvc1', 'vvc1'].map(fourCc));

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
export function areConfigsReadable(isVideo: boolean, payload: Buffer, isBody: LookAtTrack): boolean {
  if (isExtended(isVideo, payload)) {
    const multitrack = isVideo ? VideoPacketType.Multitrack : AudioPacketType.Multitrack;
    if (!readExHeader(payload, multitrack) || exHeader.packetType !== PacketType.SequenceStart) return true;
    return everyTrack(payload, isBody);
  }
  if (payload.length < 2 || payload[1] !== 0) return true;
  if (!isVideo) return payload[0]! >>> 4 !== audioAac || isBody(fourCc('mp4a'), 2, payload.length, 0);
  const codec = payload[0]! & 0x0f;
  if (codec !== 7 && codec !== 12) return true;
  return isBody(fourCc(codec === 7 ? 'avc1' : 'hvc1'), avcHeaderBytes, payload.length, 0);
}

function isReadableExVideo(payload: Buffer, frameType: number): boolean {
  if (!readExHeader(payload, VideoPacketType.Multitrack)) return false;
  const { packetType } = exHeader;
  if (packetType === VideoPacketType.Metadata) {
    return everyTrack(payload, (_fourCc, start, end) => isAmf0(payload.subarray(start, end)));
  }
  if (frameType === 0 || frameType >= FrameType.Command || packetType > VideoPacketType.Mpeg2TsSequenceStart)
    return false;
  if (packetType === PacketType.SequenceEnd) return everyTrack(payload, () => true);
  const isFrame = packetType === PacketType.CodedFrames;
  return everyTrack(
    payload,
    (codec, start, end) => end - start > (isFrame && withCompositionTime.has(codec) ? compositionTimeBytes : 0),
  );
}

function isReadableExAudio(payload: Buffer): boolean {
  if (!readExHeader(payload, AudioPacketType.Multitrack)) return false;
  switch (exHeader.packetType) {
    case PacketType.SequenceStart:
    case PacketType.SequenceEnd:
      // Codecs that need no header may announce themselves without one.
      return everyTrack(payload, () => true);
    case PacketType.CodedFrames:
      return everyTrack(payload, (_codec, start, end) => end > start);
    case AudioPacketType.MultichannelConfig:
      return everyTrack(payload, (_codec, start, end) => end - start >= 2);
    default:
      return false;
  }
}

/** One AMF0 value at least, and nothing else. */
function isAmf0(data: Buffer): boolean {
  let at = 0;
  do {
    at = endOfAmf0(data, at, 'common');
  } while (at >= 0 && at < data.length);
  return at === data.length;
}
