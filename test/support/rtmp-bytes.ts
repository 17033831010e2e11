/**
 * Just enough RTMP to look over a peer's shoulder: written for the tests from the specification, with nothing of the
 * code under test, so that a mistake there cannot cancel itself out here.
 */

export type Amf = string | number | boolean | null | Amf[] | { [key: string]: Amf };

/** AMF0 of a command: strings, numbers, booleans, null and objects of those. */
export function encodeAmf(...values: Amf[]): Buffer {
  return Buffer.concat(values.map(encodeValue));
}

function encodeValue(value: Amf): Buffer {
  if (Array.isArray(value)) {
    const head = Buffer.from([10, 0, 0, 0, value.length]);
    return Buffer.concat([head, ...value.map(encodeValue)]);
  }
  if (typeof value === 'number') {
    const bytes = Buffer.alloc(9);
    bytes.writeDoubleBE(value, 1);
    return bytes;
  }
  if (typeof value === 'boolean') return Buffer.from([1, value ? 1 : 0]);
  if (typeof value === 'string') return Buffer.concat([Buffer.from([2]), encodeText(value)]);
  if (value === null) return Buffer.from([5]);
  const entries = Object.entries(value).flatMap(([key, entry]) => [encodeText(key), encodeValue(entry)]);
  return Buffer.concat([Buffer.from([3]), ...entries, Buffer.from([0, 0, 9])]);
}

function encodeText(text: string): Buffer {
  const bytes = Buffer.from(text);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** The values of a command or data message. */
export function decodeAmf(data: Buffer): Amf[] {
  const values: Amf[] = [];
  for (let at = 0; at < data.length; ) {
    const [value, end] = decodeValue(data, at);
    values.push(value);
    at = end;
  }
  return values;
}

function decodeValue(data: Buffer, at: number): [Amf, number] {
  const type = data.readUInt8(at);
  if (type === 0) return [data.readDoubleBE(at + 1), at + 9];
  if (type === 1) return [data.readUInt8(at + 1) !== 0, at + 2];
  if (type === 2) {
    const end = at + 3 + data.readUInt16BE(at + 1);
    return [data.toString('utf8', at + 3, end), end];
  }
  if (type === 5 || type === 6) return [null, at + 1];
  if (type === 10) {
    const list: Amf[] = [];
    let place = at + 5;
    for (let left = data.readUInt32BE(at + 1); left > 0; left--) {
      const [value, end] = decodeValue(data, place);
      list.push(value);
      place = end;
    }
    return [list, place];
  }
  if (type !== 3 && type !== 8) throw new Error(`AMF0 type ${type} at ${at} is not known to the tests`);
  const object: { [key: string]: Amf } = {};
  let next = at + (type === 8 ? 5 : 1);
  for (;;) {
    const length = data.readUInt16BE(next);
    if (length === 0 && data.readUInt8(next + 2) === 9) return [object, next + 3];
    const key = data.toString('utf8', next + 2, next + 2 + length);
    const [value, end] = decodeValue(data, next + 2 + length);
    object[key] = value;
    next = end;
  }
}

export interface RawMessage {
  readonly type: number;
  readonly streamId: number;
  readonly timestampMs: number;
  readonly payload: Buffer;
}

/** A message in chunks of 128 bytes with a full header, on a chunk stream below 64. */
export function encodeChunks(chunkStream: number, { type, streamId, timestampMs, payload }: RawMessage): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt8(chunkStream, 0);
  header.writeUIntBE(timestampMs, 1, 3);
  header.writeUIntBE(payload.length, 4, 3);
  header.writeUInt8(type, 7);
  header.writeUInt32LE(streamId, 8);
  const parts: Buffer[] = [header];
  for (let at = 0; at < payload.length; at += 128) {
    if (at > 0) parts.push(Buffer.from([0xc0 | chunkStream]));
    parts.push(payload.subarray(at, at + 128));
  }
  return Buffer.concat(parts);
}

/** Type 20: a command in AMF0. */
export function encodeCommand(streamId: number, ...values: Amf[]): Buffer {
  return encodeChunks(3, { type: 20, streamId, timestampMs: 0, payload: encodeAmf(...values) });
}

interface PartialMessage {
  timestampMs: number;
  delta: number;
  extended: boolean;
  length: number;
  type: number;
  streamId: number;
  parts: Buffer[];
  have: number;
}

/** Chunks to messages. For well-behaved peers: it trusts every length. */
export class ChunkParser {
  #data: Buffer = Buffer.alloc(0);
  #chunkSize = 128;
  readonly #streams = new Map<number, PartialMessage>();

  feed(data: Buffer): RawMessage[] {
    this.#data = Buffer.concat([this.#data, data]);
    const messages: RawMessage[] = [];
    for (let used = this.#chunk(messages); used > 0; used = this.#chunk(messages)) {
      this.#data = this.#data.subarray(used);
    }
    return messages;
  }

  /** Takes one chunk; returns its size, 0 when it is not all there. */
  #chunk(messages: RawMessage[]): number {
    const data = this.#data;
    if (data.length < 3) return 0;
    const format = data.readUInt8(0) >> 6;
    let id = data.readUInt8(0) & 63;
    let at = 1;
    if (id === 0) {
      id = data.readUInt8(1) + 64;
      at = 2;
    } else if (id === 1) {
      id = data.readUInt16LE(1) + 64;
      at = 3;
    }
    const known = this.#streams.get(id);
    const stream = known ?? {
      timestampMs: 0,
      delta: 0,
      extended: false,
      length: 0,
      type: 0,
      streamId: 0,
      parts: [],
      have: 0,
    };
    const headerBytes = [11, 7, 3, 0][format] ?? 0;
    if (data.length < at + headerBytes) return 0;
    const time = format < 3 ? data.readUIntBE(at, 3) : 0;
    const extended = format < 3 ? time === 0xffffff : stream.extended;
    const length = format < 2 ? data.readUIntBE(at + 3, 3) : stream.length;
    const bodyAt = at + headerBytes + (extended ? 4 : 0);
    const bodyBytes = Math.min(this.#chunkSize, length - stream.have);
    if (data.length < bodyAt + bodyBytes) return 0;

    if (format < 3) {
      const value = extended ? data.readUInt32BE(at + headerBytes) : time;
      stream.delta = format === 0 ? 0 : value;
      stream.timestampMs = format === 0 ? value : (stream.timestampMs + value) >>> 0;
      stream.extended = extended;
    } else if (stream.have === 0) {
      stream.timestampMs = (stream.timestampMs + stream.delta) >>> 0;
    }
    stream.length = length;
    if (format < 2) stream.type = data.readUInt8(at + 6);
    if (format === 0) stream.streamId = data.readUInt32LE(at + 7);
    stream.parts.push(Buffer.from(data.subarray(bodyAt, bodyAt + bodyBytes)));
    stream.have += bodyBytes;
    this.#streams.set(id, stream);
    if (stream.have === length) {
      const payload = Buffer.concat(stream.parts);
      stream.parts = [];
      stream.have = 0;
      if (stream.type === 1) this.#chunkSize = payload.readUInt32BE(0);
      messages.push({ type: stream.type, streamId: stream.streamId, timestampMs: stream.timestampMs, payload });
    }
    return bodyAt + bodyBytes;
  }
}
