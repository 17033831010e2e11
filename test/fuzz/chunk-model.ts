/**
 * Chunk streams as data that can be changed at will, and written even where it makes no sense. Independent of the code
 * under test, so that a mistake there does not shape the inputs.
 */

export interface Message {
  csid: number;
  type: number;
  timestampMs: number;
  streamId: number;
  payload: Buffer;
}

export interface Chunk {
  format: number;
  csid: number;
  /** Bytes of the basic header; 0: as few as the id needs. */
  basicBytes: number;
  /** What the three bytes say; used by formats 0 to 2. */
  field: number;
  /** The extended field; null: none. */
  extended: number | null;
  length: number;
  type: number;
  streamId: number;
  payload: Buffer;
}

export interface ChunkStyle {
  /** Formats 1 and 2 where they are possible. */
  compress: boolean;
  /** The extended timestamp on type 3 chunks too. */
  repeatExtended: boolean;
}

const extendedMark = 0xffffff;

/** More chunks than this make an input slow to make, and find no more. */
const maxChunks = 30_000;

/** Cuts messages into chunks as an honest sender does: SetChunkSize messages among them count. */
export function chunksOf(messages: readonly Message[], style: ChunkStyle): Chunk[] {
  const chunks: Chunk[] = [];
  const last = new Map<number, Message>();
  let chunkBytes = 128;
  for (const message of messages) {
    const { csid, type, streamId, payload } = message;
    if (chunks.length + payload.length / chunkBytes > maxChunks) break;
    const before = last.get(csid);
    const deltaMs = before === undefined ? -1 : message.timestampMs - before.timestampMs;
    const short = style.compress && before !== undefined && deltaMs >= 0 && before.streamId === streamId;
    const sameShape = short && before.type === type && before.payload.length === payload.length;
    let format = !short ? 0 : sameShape ? 2 : 1;
    const value = short ? deltaMs : message.timestampMs;
    const extended = value >= extendedMark ? value >>> 0 : null;
    const field = Math.min(value, extendedMark);
    const { length } = payload;
    for (let at = 0; at === 0 || at < length; at += chunkBytes) {
      const shown = format < 3 || style.repeatExtended ? extended : null;
      const piece = length <= chunkBytes ? payload : payload.subarray(at, at + chunkBytes);
      chunks.push({ format, csid, basicBytes: 0, field, extended: shown, length, type, streamId, payload: piece });
      format = 3;
    }
    last.set(csid, message);
    if (type === 1 && length >= 4) chunkBytes = Math.max(1, payload.readUInt32BE(0) & 0x7fffffff);
  }
  return chunks;
}

/** The longest header: basic 3, message 11, extended timestamp 4. */
const maxHeaderBytes = 18;

export function writeChunks(chunks: readonly Chunk[]): Buffer {
  let bytes = 0;
  for (const { payload } of chunks) bytes += maxHeaderBytes + payload.length;
  const target = Buffer.allocUnsafe(bytes);
  let at = 0;
  for (const chunk of chunks) {
    at = writeHeader(target, at, chunk);
    at += chunk.payload.copy(target, at);
  }
  return target.subarray(0, at);
}

function writeHeader(target: Buffer, offset: number, chunk: Chunk): number {
  const { format, csid, basicBytes, field, extended, length, type, streamId } = chunk;
  const wanted = basicBytes === 0 ? (csid < 64 ? 1 : csid < 320 ? 2 : 3) : basicBytes;
  let at = offset;
  target[at++] = (format << 6) | (wanted === 1 ? csid & 63 : wanted - 2);
  if (wanted > 1) target[at++] = csid - 64;
  if (wanted > 2) target[at++] = (csid - 64) >> 8;
  if (format < 3) at = target.writeUIntBE(field & extendedMark, at, 3);
  if (format < 2) {
    at = target.writeUIntBE(length & extendedMark, at, 3);
    target[at++] = type;
  }
  if (format < 1) at = target.writeUInt32LE(streamId, at);
  return extended === null ? at : target.writeUInt32BE(extended >>> 0, at);
}

/** Reads a capture of a well-behaved sender. @throws Error where it is not understood: then it is no seed */
export function parseMessages(data: Buffer): Message[] {
  const messages: Message[] = [];
  const streams = new Map<number, Message & { deltaMs: number; length: number; extended: boolean; parts: Buffer[] }>();
  let chunkBytes = 128;
  let at = 0;
  while (at < data.length) {
    const format = data[at]! >> 6;
    let csid = data[at]! & 63;
    at++;
    if (csid === 0) {
      csid = 64 + data[at]!;
      at += 1;
    } else if (csid === 1) {
      csid = 64 + data.readUInt16LE(at);
      at += 2;
    }
    let stream = streams.get(csid);
    if (stream === undefined) {
      stream = {
        ...{ csid, type: 0, timestampMs: 0, streamId: 0, payload: Buffer.alloc(0) },
        ...{ deltaMs: 0, length: 0, extended: false, parts: [] },
      };
      streams.set(csid, stream);
    }
    const begins = stream.parts.length === 0;
    if (format < 3) {
      const field = data.readUIntBE(at, 3);
      if (format < 2) {
        stream.length = data.readUIntBE(at + 3, 3);
        stream.type = data[at + 6]!;
      }
      if (format === 0) stream.streamId = data.readUInt32LE(at + 7);
      at += [11, 7, 3][format]!;
      stream.extended = field === extendedMark;
      const value = stream.extended ? data.readUInt32BE(at) : field;
      stream.timestampMs = format === 0 ? value : (stream.timestampMs + value) >>> 0;
      stream.deltaMs = format === 0 ? 0 : value;
    } else if (begins) {
      stream.timestampMs = (stream.timestampMs + stream.deltaMs) >>> 0;
    }
    if (stream.extended) at += 4;
    const have = stream.parts.reduce((sum, part) => sum + part.length, 0);
    const end = at + Math.min(chunkBytes, stream.length - have);
    if (end > data.length) break; // cut off in the capture
    stream.parts.push(data.subarray(at, end));
    at = end;
    const payload = Buffer.concat(stream.parts);
    if (payload.length < stream.length) continue;
    stream.parts = [];
    messages.push({
      ...{ csid, type: stream.type, timestampMs: stream.timestampMs, streamId: stream.streamId },
      payload,
    });
    if (stream.type === 1) chunkBytes = payload.readUInt32BE(0);
  }
  return messages;
}
