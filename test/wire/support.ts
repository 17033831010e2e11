import { readFileSync } from 'node:fs';
import { type ErrorCode, WireError } from '../../src/errors.js';
import type { ChunkReaderLimits } from '../../src/wire/chunk-limits.js';
import { ChunkReader } from '../../src/wire/chunk-reader.js';
import type { RtmpMessage } from '../../src/wire/message.js';

export const wideLimits: ChunkReaderLimits = {
  maxMessageBytes: 0xffffff,
  maxChunkStreams: 64,
  maxPartialBytes: 64 << 20,
};

/** The bytes of a capture in `fixtures/`. */
export function readCapture(name: string): Buffer {
  return Buffer.from(readFileSync(new URL(`fixtures/${name}.b64`, import.meta.url), 'latin1'), 'base64');
}

/** A reader and what it has handed out, copied. */
export function collectingReader(limits: ChunkReaderLimits = wideLimits): {
  reader: ChunkReader;
  messages: RtmpMessage[];
} {
  const messages: RtmpMessage[] = [];
  const reader = new ChunkReader((type, timestampMs, streamId, payload) => {
    messages.push({ type, timestampMs, streamId, payload: Buffer.from(payload) });
  }, limits);
  return { reader, messages };
}

/** What a new reader makes of `pieces`. Each piece is wiped after it was fed: nobody may rely on it later. */
export function readPieces(pieces: readonly Buffer[], limits: ChunkReaderLimits = wideLimits): RtmpMessage[] {
  const { reader, messages } = collectingReader(limits);
  for (const piece of pieces) {
    const copy = Buffer.from(piece);
    reader.feed(copy);
    copy.fill(0xa5);
  }
  return messages;
}

/** Messages as texts: these compare a hundred times faster than buffers, and differences can be read. */
export function comparable(messages: readonly RtmpMessage[]): string[] {
  return messages.map(
    ({ type, timestampMs, streamId, payload }) =>
      `type ${type} at ${timestampMs} ms on stream ${streamId}: ${payload.toString('hex')}`,
  );
}

/** `data`, byte by byte. */
export function inBytes(data: Buffer): Buffer[] {
  return Array.from(data, (_, index) => data.subarray(index, index + 1));
}

/** `data` in two, cut at every position. */
export function inTwo(data: Buffer): Buffer[][] {
  return Array.from({ length: data.length + 1 }, (_, at) => [data.subarray(0, at), data.subarray(at)]);
}

/** `data`, cut at the given positions modulo its length. */
export function cutAt(data: Buffer, positions: readonly number[]): Buffer[] {
  const sorted = [...new Set(positions.map((position) => position % (data.length + 1)))].sort((a, b) => a - b);
  return [0, ...sorted].map((start, index) => data.subarray(start, sorted[index] ?? data.length));
}

/** Bytes from hexadecimal text in which white space is free. */
export function hex(text: string): Buffer {
  const digits = text.replace(/\s+/g, '');
  const bytes = Buffer.from(digits, 'hex');
  if (bytes.length * 2 !== digits.length) {
    throw new Error(`not hexadecimal: ${text}`);
  }
  return bytes;
}

/** The code of the WireError that `run` throws; fails when it throws something else or nothing. */
export function wireErrorCode(run: () => unknown): ErrorCode {
  try {
    run();
  } catch (error) {
    if (error instanceof WireError) {
      return error.code;
    }
    throw error;
  }
  throw new Error('nothing was thrown');
}
