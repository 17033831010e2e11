import { plural } from '../plural.js';
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
 * The messages inside an aggregate message, in order (RTMP 1.0, 7.1.6), one at a time, so that whoever has enough of them
 * for now goes on later.
 *
 * The parts are laid out like FLV tags. Their timestamps are moved so that the first part has the timestamp of the
 * aggregate, and they take its stream id. What follows a part, its own size, is not checked (it is a hint for
 * reading backwards, and real encoders write it wrongly); after the last part it may be missing or cut short. Payloads
 * are views into the payload of the aggregate.
 *
 * Nothing here is fatal, since the chunk stream goes on behind the aggregate whatever is in it. A part that is an
 * aggregate itself or a control message is left out, and so is all that comes from the first part on that is cut short, or
 * behind 4,096 parts.
 */
export class AggregateParts {
  readonly #timestampMs: number;
  readonly #streamId: number;
  #payload: Buffer;
  #offset = 0;
  #shiftMs: number | null = null;
  #parts = 0;
  #problem: string | null = null;

  constructor({ timestampMs, streamId, payload }: RtmpMessage) {
    this.#timestampMs = timestampMs;
    this.#streamId = streamId;
    this.#payload = payload;
  }

  /** What was left out so far, in words; null: nothing. */
  get problem(): string | null {
    return this.#problem;
  }

  /** Bytes that are still to be taken apart. */
  get bytesLeft(): number {
    return this.#payload.length - this.#offset;
  }

  /** Copies what is left, for when the memory of the aggregate is used for something else. */
  keep(): void {
    this.#payload = Buffer.from(this.#payload.subarray(this.#offset));
    this.#offset = 0;
  }

  /** The next part; null behind the last. Its payload is valid as long as that of the aggregate, or until `keep`. */
  next(): RtmpMessage | null {
    while (this.bytesLeft > 0) {
      const payload = this.#payload;
      const start = this.#offset + partHeaderBytes;
      if (this.#parts === maxParts) return this.#end(`an aggregate has more parts than the limit of ${maxParts}`);
      if (start > payload.length)
        return this.#end(`an aggregate ends ${plural(this.bytesLeft, 'byte')} into the header of a part`);
      const type = payload.readUInt8(this.#offset);
      const length = payload.readUIntBE(this.#offset + 1, 3);
      // As in FLV, the fourth byte holds bits 24 to 31.
      const time = (payload.readUIntBE(this.#offset + 4, 3) | (payload.readUInt8(this.#offset + 7) << 24)) >>> 0;
      const end = start + length;
      if (end > payload.length) {
        return this.#end(
          `a part of an aggregate declares ${plural(length, 'byte')}, and ${payload.length - start} are left`,
        );
      }
      this.#offset = Math.min(payload.length, end + backPointerBytes);
      this.#parts += 1;
      if (type === MessageType.Aggregate || type < MessageType.Audio) {
        this.#problem ??= `a part of an aggregate has type ${type}, which aggregates do not carry`;
        continue;
      }
      this.#shiftMs ??= this.#timestampMs - time;
      const timestampMs = (time + this.#shiftMs) >>> 0;
      return { type, timestampMs, streamId: this.#streamId, payload: payload.subarray(start, end) };
    }
    return null;
  }

  /** Nothing of the rest can be used. */
  #end(problem: string): null {
    this.#problem = problem;
    this.#offset = this.#payload.length;
    return null;
  }
}

/** Hands on all parts of an aggregate at once. @returns what was left out, in words; null: nothing */
export function splitAggregate(message: RtmpMessage, emit: (part: RtmpMessage) => void): string | null {
  const parts = new AggregateParts(message);
  for (let part = parts.next(); part !== null; part = parts.next()) emit(part);
  return parts.problem;
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
 * @returns null when the event or a value of a known event is cut short, which nobody can act upon
 */
export function parseUserControl(payload: Buffer): UserControl | null {
  if (payload.length < 2) return null;
  const event = payload.readUInt16BE(0);
  if (payload.length < neededBytes(event)) return null;
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

/**
 * The size that a SetChunkSize message sets (RTMP 1.0, 5.4.1): 1 to 2147483647. The first bit, which is to be 0, does not
 * count. Null where there is none: 0, or fewer than four bytes.
 */
export function chunkSizeOf(payload: Buffer): number | null {
  const size = payload.length < 4 ? 0 : payload.readUInt32BE(0) & 0x7fffffff;
  return size === 0 ? null : size;
}
