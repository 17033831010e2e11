/**
 * A chunk encoder for the tests, written from chapter 5.3.1 of the specification and independent of ChunkWriter: it
 * sends whatever header it is told to, and leaves out repeated extended timestamps on demand.
 */
export interface EncodedHeader {
  format: 0 | 1 | 2 | 3;
  csid: number;
  /** Timestamp or delta; for format 3 the extended field to repeat, if any. */
  field: number;
  /** Whether the header before (or this one) has an extended field. */
  extended: boolean;
  length: number;
  type: number;
  streamId: number;
}

function basicHeader(format: number, csid: number): Buffer {
  const top = format << 6;
  if (csid < 64) {
    return Buffer.from([top | csid]);
  }
  const rest = csid - 64;
  return csid < 320 ? Buffer.from([top, rest]) : Buffer.from([top | 1, rest % 256, Math.floor(rest / 256)]);
}

function bigEndian(value: number, bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  buffer.writeUIntBE(value, 0, bytes);
  return buffer;
}

function messageHeader(header: EncodedHeader, repeats: boolean): Buffer {
  const parts: Buffer[] = [];
  if (header.format < 3) {
    parts.push(bigEndian(header.extended ? 0xffffff : header.field, 3));
  }
  if (header.format < 2) {
    parts.push(bigEndian(header.length, 3), bigEndian(header.type, 1));
  }
  if (header.format === 0) {
    const id = Buffer.alloc(4);
    id.writeUInt32LE(header.streamId);
    parts.push(id);
  }
  if (header.extended && (header.format < 3 || repeats)) {
    parts.push(bigEndian(header.field, 4));
  }
  return Buffer.concat(parts);
}

/** The chunks of one message, each a buffer, to be sent in order, others in between. */
export function encodeChunks(header: EncodedHeader, payload: Buffer, chunkSize: number, repeats: boolean): Buffer[] {
  const chunks: Buffer[] = [];
  let at = 0;
  do {
    const part = payload.subarray(at, at + chunkSize);
    const head =
      at === 0
        ? Buffer.concat([basicHeader(header.format, header.csid), messageHeader(header, repeats)])
        : Buffer.concat([
            basicHeader(3, header.csid),
            header.extended && repeats ? bigEndian(header.field, 4) : Buffer.alloc(0),
          ]);
    chunks.push(Buffer.concat([head, part]));
    at += chunkSize;
  } while (at < payload.length);
  return chunks;
}
