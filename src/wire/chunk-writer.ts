import { defaultChunkBytes, maxMessageLength } from './chunk-limits.js';
import type { RtmpMessage } from './message.js';

/** From this value on a timestamp or delta goes into the extended field, and the three bytes say so (5.3.1.3). */
const extendedMark = 0xffffff;
const maxChunkStreamId = 65599;

function basicHeaderBytes(csid: number): number {
  return csid < 64 ? 1 : csid < 320 ? 2 : 3;
}

/** Our own mistakes, not a peer's: hence no coded error. */
function checkArguments(csid: number, payloadBytes: number, chunkSize: number): void {
  if (!(csid >= 2 && csid <= maxChunkStreamId)) {
    throw new RangeError(`The chunk stream id is ${csid}; it lies between 2 and ${maxChunkStreamId}.`);
  }
  if (payloadBytes > maxMessageLength) {
    throw new RangeError(`The payload has ${payloadBytes} bytes; the length field allows ${maxMessageLength}.`);
  }
  if (!(chunkSize >= 1)) {
    throw new RangeError(`The chunk size is ${chunkSize}; it is 1 at least.`);
  }
}

function writeBasicHeader(target: Buffer, offset: number, format: number, csid: number): number {
  if (csid < 64) {
    target[offset] = (format << 6) | csid;
    return offset + 1;
  }
  const rest = csid - 64;
  if (csid < 320) {
    target[offset] = format << 6;
    target[offset + 1] = rest;
    return offset + 2;
  }
  target[offset] = (format << 6) | 1;
  target[offset + 1] = rest & 0xff;
  target[offset + 2] = rest >>> 8;
  return offset + 3;
}

function writeUInt24(target: Buffer, offset: number, value: number): number {
  target[offset] = value >>> 16;
  target[offset + 1] = (value >>> 8) & 0xff;
  target[offset + 2] = value & 0xff;
  return offset + 3;
}

function writeUInt32(target: Buffer, offset: number, value: number): number {
  target[offset] = value >>> 24;
  target[offset + 1] = (value >>> 16) & 0xff;
  target[offset + 2] = (value >>> 8) & 0xff;
  target[offset + 3] = value & 0xff;
  return offset + 4;
}

/** The payload, with a type 3 header before each chunk but the first. `field` is -1 when there is no extended field. */
function writePayload(
  target: Buffer,
  offset: number,
  csid: number,
  field: number,
  payload: Buffer,
  chunkSize: number,
): number {
  let at = offset;
  let from = 0;
  for (;;) {
    const to = Math.min(from + chunkSize, payload.length);
    payload.copy(target, at, from, to);
    at += to - from;
    from = to;
    if (from >= payload.length) {
      return at;
    }
    at = writeBasicHeader(target, at, 3, csid);
    // The specification says so (5.3.1.3), and ffmpeg, librtmp, SRS and nginx-rtmp expect it.
    if (field >= 0) {
      at = writeUInt32(target, at, field);
    }
  }
}

/**
 * The bytes of a whole message on the wire as `writeMessage` writes it: format 0 header, continuation headers, payload.
 *
 * @param csid 2 to 65599
 * @param chunkSize bytes of payload in a chunk, 1 at least
 */
export function encodedLength(payloadBytes: number, timestampMs: number, csid: number, chunkSize: number): number {
  const continuations = payloadBytes === 0 ? 0 : Math.ceil(payloadBytes / chunkSize) - 1;
  const perChunk = basicHeaderBytes(csid) + (timestampMs >= extendedMark ? 4 : 0);
  return perChunk + 11 + payloadBytes + continuations * perChunk;
}

/**
 * Writes one whole message with a format 0 header, so that it stands alone, and type 3 continuation chunks.
 *
 * @param target has room for `encodedLength(...)` bytes from `offset`
 * @param timestampMs an unsigned 32-bit number
 * @param payload 16,777,215 bytes at most
 * @returns the offset after the last byte
 * @throws RangeError when an argument is out of range or `target` is too short
 */
export function writeMessage(
  target: Buffer,
  offset: number,
  csid: number,
  type: number,
  timestampMs: number,
  streamId: number,
  payload: Buffer,
  chunkSize: number,
): number {
  checkArguments(csid, payload.length, chunkSize);
  const needed = encodedLength(payload.length, timestampMs, csid, chunkSize);
  if (offset + needed > target.length) {
    throw new RangeError(`The message takes ${needed} bytes, and ${target.length - offset} are left in the target.`);
  }
  const extended = timestampMs >= extendedMark;
  let at = writeBasicHeader(target, offset, 0, csid);
  at = writeUInt24(target, at, extended ? extendedMark : timestampMs);
  at = writeUInt24(target, at, payload.length);
  target[at] = type;
  // The stream id is the one little-endian field (5.3.1.2.1).
  target[at + 1] = streamId & 0xff;
  target[at + 2] = (streamId >>> 8) & 0xff;
  target[at + 3] = (streamId >>> 16) & 0xff;
  target[at + 4] = streamId >>> 24;
  at += 5;
  if (extended) {
    at = writeUInt32(target, at, timestampMs);
  }
  return writePayload(target, at, csid, extended ? timestampMs : -1, payload, chunkSize);
}

/** `writeMessage` into a buffer of its own. */
export function encodeMessage(
  csid: number,
  type: number,
  timestampMs: number,
  streamId: number,
  payload: Buffer,
  chunkSize: number,
): Buffer {
  checkArguments(csid, payload.length, chunkSize);
  const target = Buffer.allocUnsafe(encodedLength(payload.length, timestampMs, csid, chunkSize));
  writeMessage(target, 0, csid, type, timestampMs, streamId, payload, chunkSize);
  return target;
}

/** What the peer remembers of the last message on a chunk stream. */
interface SentHeader {
  timestampMs: number;
  /** Of the last format 1 or 2 header; -1 after a format 0 header. */
  deltaMs: number;
  length: number;
  type: number;
  streamId: number;
}

/**
 * Encodes messages for one connection, with the shortest header that every receiver understands alike.
 *
 * Format 3 begins a message only after a format 1 or 2 header: what it means after format 0 differs among receivers
 * (see ChunkReader). A timestamp that goes back, or forward by 16,777,215 ms or more, takes format 0, so that an
 * extended delta is never sent.
 */
export class ChunkWriter {
  /** Bytes of payload in a chunk, 1 at least. Send SetChunkSize first, then change it. */
  chunkSize: number;
  readonly #sent = new Map<number, SentHeader>();

  constructor(chunkSize: number = defaultChunkBytes) {
    this.chunkSize = chunkSize;
  }

  /**
   * The message on the chunk stream `csid`, 2 to 65599.
   *
   * @throws RangeError when an argument is out of range
   */
  encode(csid: number, message: RtmpMessage): Buffer {
    const { type, timestampMs, streamId, payload } = message;
    checkArguments(csid, payload.length, this.chunkSize);
    const last = this.#sent.get(csid);
    const deltaMs = last === undefined ? 0 : timestampMs - last.timestampMs;
    if (last === undefined || last.streamId !== streamId || deltaMs < 0 || deltaMs >= extendedMark) {
      this.#sent.set(csid, { timestampMs, deltaMs: -1, length: payload.length, type, streamId });
      return encodeMessage(csid, type, timestampMs, streamId, payload, this.chunkSize);
    }
    const sameShape = last.type === type && last.length === payload.length;
    const format = !sameShape ? 1 : last.deltaMs === deltaMs ? 3 : 2;
    last.timestampMs = timestampMs;
    last.deltaMs = deltaMs;
    last.length = payload.length;
    last.type = type;

    const perChunk = basicHeaderBytes(csid);
    const headerBytes = perChunk + (format === 1 ? 7 : format === 2 ? 3 : 0);
    const continuations = payload.length === 0 ? 0 : Math.ceil(payload.length / this.chunkSize) - 1;
    const target = Buffer.allocUnsafe(headerBytes + payload.length + continuations * perChunk);
    let at = writeBasicHeader(target, 0, format, csid);
    if (format !== 3) {
      at = writeUInt24(target, at, deltaMs);
    }
    if (format === 1) {
      at = writeUInt24(target, at, payload.length);
      target[at] = type;
      at += 1;
    }
    writePayload(target, at, csid, -1, payload, this.chunkSize);
    return target;
  }
}
