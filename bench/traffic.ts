import { AmfEcmaArray, encodeAmf0 } from '../src/wire/amf0.js';
import { encodeMessage } from '../src/wire/chunk-writer.js';
import { ChunkStreamId, MessageType } from '../src/wire/message.js';

/** Payload bytes of each chunk that a publisher sends: what OBS and nginx-rtmp send. */
export const publisherChunkBytes = 4096;
/** The message stream that the publishers send on. */
export const publisherStreamId = 1;

export const framesPerSecond = 25;
export const audioPerSecond = 47;
/** Key frames come every two seconds; what a camera sends repeats at this pace. */
export const cycleMs = 2000;
export const framesPerCycle = (framesPerSecond * cycleMs) / 1000;
export const audioPerCycle = (audioPerSecond * cycleMs) / 1000;
/** A key frame is so many times as large as another frame. */
const keyFrameFactor = 8;

/**
 * Where the stamp of a message lies in its payload: a sequence number (uint32) and the time of sending (double,
 * microseconds of CLOCK_MONOTONIC). In video it is inside a NAL unit of type 6 (SEI, user data unregistered).
 */
export const videoStampOffset = 5 + 4 + 1 + 2 + 16;
export const audioStampOffset = 2;
export const stampBytes = 4 + 8;
/** So much of a payload is enough to read its kind and its stamp. */
export const headBytes = videoStampOffset + stampBytes;

/** One message in the form that goes over the wire, with a format 1 header, and where to write its stamp. */
export interface Template {
  bytes: Buffer;
  readonly kind: 'audio' | 'video';
  /** The offset of the stamp in `bytes`. */
  readonly stampAt: number;
}

/** All that a camera of this bit rate sends in one cycle, the same for every camera. */
export interface Traffic {
  /** Metadata and sequence headers; sent once, before all else. */
  readonly opening: Buffer;
  readonly video: readonly Template[];
  readonly audio: readonly Template[];
}

/** Audio takes a part of what there is, as encoders have it: 128 kbit/s of 2.5 Mbit/s, 32 kbit/s of 300. */
function audioBitrate(bitrateBps: number): number {
  return bitrateBps >= 1_000_000 ? 128_000 : 32_000;
}

/** A sequence of numbers from 0 to 1, always the same for the same seed (mulberry32). */
export function pseudoRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Payload bytes of the video messages of a cycle, the key frame first; their sum is what the bit rate leaves. */
export function videoSizes(bitrateBps: number, random: () => number): number[] {
  const cycleBytes = ((bitrateBps - audioBitrate(bitrateBps)) * cycleMs) / 8000;
  const weights = Array.from({ length: framesPerCycle }, (_, i) => (i === 0 ? keyFrameFactor : 0.6 + 0.8 * random()));
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => Math.max(headBytes, Math.round((cycleBytes * weight) / sum)));
}

/** @param bitrateBps of audio and video together */
export function createTraffic(bitrateBps: number): Traffic {
  const random = pseudoRandom(1);
  const noise = (bytes: number): Buffer => {
    const buffer = Buffer.allocUnsafe(bytes);
    for (let i = 0; i < bytes; i++) buffer[i] = random() * 256;
    return buffer;
  };
  const video = videoSizes(bitrateBps, random).map((bytes, i) => videoTemplate(noise(bytes), i === 0));
  const audioBytes = Math.round(audioBitrate(bitrateBps) / 8 / audioPerSecond);
  const audio = Array.from({ length: audioPerCycle }, (_, i) => audioTemplate(noise(audioBytes), i));
  return { opening: createOpening(), video, audio };
}

function createOpening(): Buffer {
  const metadata = new AmfEcmaArray({
    width: 1280,
    height: 720,
    framerate: framesPerSecond,
    videocodecid: 7,
    audiocodecid: 10,
  });
  const parts: [csid: number, type: number, payload: Buffer][] = [
    [ChunkStreamId.Data, MessageType.DataAmf0, encodeAmf0('@setDataFrame', 'onMetaData', metadata)],
    // AVCDecoderConfigurationRecord with one SPS and one PPS, AudioSpecificConfig of AAC-LC at 48 kHz stereo.
    [
      ChunkStreamId.Video,
      MessageType.Video,
      Buffer.from(
        '1700000000014d401fffe1001c674d401fe8802802dd80b501010140000003004000000c83c60c448001000468ebef20',
        'hex',
      ),
    ],
    [ChunkStreamId.Audio, MessageType.Audio, Buffer.from('af001190', 'hex')],
  ];
  return Buffer.concat(
    parts.map(([csid, type, payload]) => encodeMessage(csid, type, 0, publisherStreamId, payload, publisherChunkBytes)),
  );
}

function videoTemplate(payload: Buffer, isKeyFrame: boolean): Template {
  payload.set([isKeyFrame ? 0x17 : 0x27, 1, 0, 0, 0]);
  const seiBytes = 1 + 2 + 16 + stampBytes + 1;
  payload.writeUInt32BE(Math.min(seiBytes, payload.length - 9), 5);
  payload.set([6, 5, 16 + stampBytes], 9);
  if (payload.length > 9 + seiBytes + 5) {
    payload.writeUInt32BE(payload.length - 9 - seiBytes - 4, 9 + seiBytes);
    payload[9 + seiBytes + 4] = isKeyFrame ? 0x65 : 0x41;
  }
  return template('video', ChunkStreamId.Video, MessageType.Video, 1000 / framesPerSecond, payload, videoStampOffset);
}

function audioTemplate(payload: Buffer, index: number): Template {
  payload.set([0xaf, 1]);
  const at = (i: number): number => Math.round((i * 1000) / audioPerSecond);
  return template(
    'audio',
    ChunkStreamId.Audio,
    MessageType.Audio,
    at(index + 1) - at(index),
    payload,
    audioStampOffset,
  );
}

/** A format 1 header (RTMP 1.0, section 5.3.1.2.2) makes the bytes the same for all cameras, and at all times. */
function template(
  kind: Template['kind'],
  csid: number,
  type: number,
  deltaMs: number,
  payload: Buffer,
  stampOffset: number,
): Template {
  const whole = encodeMessage(csid, type, deltaMs, publisherStreamId, payload, publisherChunkBytes);
  // Format 0 and format 1 differ in the format bits and in the 4 bytes of the message stream id at the header's end.
  const bytes = Buffer.concat([whole.subarray(0, 8), whole.subarray(12)]);
  bytes[0] = (1 << 6) | csid;
  return { bytes, kind, stampAt: 8 + stampOffset };
}

/** Bytes on the wire that one camera sends in a cycle. */
export function cycleBytes(traffic: Traffic): number {
  return [...traffic.video, ...traffic.audio].reduce((sum, { bytes }) => sum + bytes.length, 0);
}
