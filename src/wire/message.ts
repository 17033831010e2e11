import { WireError } from '../errors.js';

/** Message type ids (RTMP 1.0, 5.4, 6.2 and 7.1). */
export const MessageType = {
  SetChunkSize: 1,
  Abort: 2,
  Acknowledgement: 3,
  UserControl: 4,
  WindowAckSize: 5,
  SetPeerBandwidth: 6,
  Audio: 8,
  Video: 9,
  DataAmf3: 15,
  SharedObjectAmf3: 16,
  CommandAmf3: 17,
  DataAmf0: 18,
  SharedObjectAmf0: 19,
  CommandAmf0: 20,
  Aggregate: 22,
} as const;

/** The chunk stream ids that we send on. A peer may use others; only 2 has a meaning of its own (RTMP 1.0, 5.4). */
export const ChunkStreamId = { Control: 2, Command: 3, Audio: 4, Data: 5, Video: 6 } as const;

/** One RTMP message, apart from the chunks that carried it. */
export interface RtmpMessage {
  type: number;
  /** Milliseconds, an unsigned 32-bit number that wraps after 49.7 days. */
  timestampMs: number;
  /** The message stream id, an unsigned 32-bit number; 0 for the connection itself. */
  streamId: number;
  payload: Buffer;
}

/** Bytes of the header of a part: type 1, length 3, timestamp 3 + 1, stream id 3. */
const partHeaderBytes = 11;
const backPointerBytes = 4;

/** Senders put some dozens of frames into an aggregate; millions of empty parts would hold up everybody. */
const maxParts = 4096;

/**
 * Hands on the messages inside an aggregate message, in order (RTMP 1.0, 7.1.6).
 *
 * The parts are laid out like FLV tags. Their timestamps are moved so that the first part has the timestamp of the
 * aggregate, and they take its stream id. What follows a part, its own size, is not checked (it is a hint for
 * reading backwards, and real encoders write it wrongly); after the last part it may be missing. Payloads are views
 * into the payload of the aggregate.
 *
 * @throws WireError RTMP_MESSAGE when a part is cut short, or is itself an aggregate or a protocol control message, or
 *   when there are more than 4,096 parts.
 *   Parts before the malformed one have been handed on by then.
 */
export function splitAggregate(message: RtmpMessage, emit: (part: RtmpMessage) => void): void {
  const { payload } = message;
  let offset = 0;
  let shiftMs: number | null = null;
  let parts = 0;
  while (offset < payload.length) {
    parts += 1;
    if (parts > maxParts) {
      throw new WireError('RTMP_MESSAGE', `An aggregate message has more parts than the limit of ${maxParts}.`);
    }
    if (payload.length - offset < partHeaderBytes) {
      throw new WireError(
        'RTMP_MESSAGE',
        `An aggregate message ends ${payload.length - offset} bytes into the header of a part; a header has ${partHeaderBytes}.`,
      );
    }
    const type = payload.readUInt8(offset);
    const length = payload.readUIntBE(offset + 1, 3);
    // As in FLV, the fourth byte holds bits 24 to 31.
    const ownTimestampMs = (payload.readUIntBE(offset + 4, 3) | (payload.readUInt8(offset + 7) << 24)) >>> 0;
    const start = offset + partHeaderBytes;
    const end = start + length;
    if (end > payload.length) {
      throw new WireError(
        'RTMP_MESSAGE',
        `A part of an aggregate message declares ${length} bytes, and ${payload.length - start} are left.`,
      );
    }
    if (type === MessageType.Aggregate || type < MessageType.Audio) {
      throw new WireError(
        'RTMP_MESSAGE',
        `A part of an aggregate message has type ${type}; aggregates carry audio, video and data messages.`,
      );
    }
    shiftMs ??= message.timestampMs - ownTimestampMs;
    emit({
      type,
      timestampMs: (ownTimestampMs + shiftMs) >>> 0,
      streamId: message.streamId,
      payload: payload.subarray(start, end),
    });
    offset = end;
    const left = payload.length - offset;
    if (left > 0 && left < backPointerBytes) {
      throw new WireError(
        'RTMP_MESSAGE',
        `An aggregate message ends ${left} bytes into the size that follows a part; that has ${backPointerBytes}.`,
      );
    }
    offset += Math.min(left, backPointerBytes);
  }
}

/** Events of user control messages (RTMP 1.0, 7.1.7). */
export const UserControlEvent = {
  StreamBegin: 0,
  StreamEof: 1,
  StreamDry: 2,
  SetBufferLength: 3,
  StreamIsRecorded: 4,
  PingRequest: 6,
  PingResponse: 7,
} as const;

export interface UserControl {
  event: number;
  /** The stream id; for pings the sender's timestamp. 0 for an unknown event that carries less than four bytes. */
  value: number;
  /** The buffer length in milliseconds; with SetBufferLength only. */
  value2?: number;
}

/** The payload of a user control message: the event in two bytes, each value in four. */
export function encodeUserControl(event: number, ...values: number[]): Buffer {
  const payload = Buffer.allocUnsafe(2 + 4 * values.length);
  payload.writeUInt16BE(event, 0);
  for (const [index, value] of values.entries()) {
    payload.writeUInt32BE(value >>> 0, 2 + 4 * index);
  }
  return payload;
}

/**
 * Reads a user control message. Events that the specification does not know (buffer empty and ready, SWF
 * verification) are no error, whatever they carry; bytes after the values are ignored.
 *
 * @throws WireError RTMP_MESSAGE when the event or a value of a known event is cut short.
 */
export function parseUserControl(payload: Buffer): UserControl {
  if (payload.length < 2) {
    throw new WireError('RTMP_MESSAGE', `A user control message has ${payload.length} bytes; the event alone takes 2.`);
  }
  const event = payload.readUInt16BE(0);
  const needed = neededBytes(event);
  if (payload.length < needed) {
    throw new WireError(
      'RTMP_MESSAGE',
      `A user control message of event ${event} has ${payload.length} bytes; it takes ${needed}.`,
    );
  }
  const value = payload.length >= 6 ? payload.readUInt32BE(2) : 0;
  return event === UserControlEvent.SetBufferLength
    ? { event, value, value2: payload.readUInt32BE(6) }
    : { event, value };
}

function neededBytes(event: number): number {
  switch (event) {
    case UserControlEvent.SetBufferLength:
      return 10;
    case UserControlEvent.StreamBegin:
    case UserControlEvent.StreamEof:
    case UserControlEvent.StreamDry:
    case UserControlEvent.StreamIsRecorded:
    case UserControlEvent.PingRequest:
    case UserControlEvent.PingResponse:
      return 6;
    default:
      return 2;
  }
}
