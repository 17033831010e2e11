import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ChunkWriter, encodedLength, encodeMessage, writeMessage } from '../../src/wire/chunk-writer.js';
import { MessageType, type RtmpMessage } from '../../src/wire/message.js';
import { type EncodedHeader, encodeChunks } from './chunk-encoder.js';
import { comparable, cutAt, inBytes, inTwo, readPieces } from './support.js';

const mark = 0xffffff;
/** Timestamps where something may go wrong, and any others. */
const timestamps = fc.oneof(
  fc.nat(0xffffffff),
  fc.nat(5000),
  fc.constantFrom(0, mark - 1, mark, mark + 1, 0x7fffffff, 0x80000000, 0xffffffff),
);
const csids = fc.oneof(fc.integer({ min: 2, max: 65599 }), fc.constantFrom(2, 3, 63, 64, 319, 320, 65599));
const types = fc.constantFrom(MessageType.Audio, MessageType.Video, MessageType.DataAmf0, MessageType.CommandAmf0, 99);
const payloads = fc
  .oneof(
    { weight: 4, arbitrary: fc.uint8Array({ maxLength: 300 }) },
    { weight: 1, arbitrary: fc.constantFrom(0, 1, 127, 128, 129, 256, 5000).map((length) => new Uint8Array(length)) },
  )
  .map((bytes) => Buffer.from(bytes));
const messages = fc.record({
  type: types,
  timestampMs: timestamps,
  streamId: fc.oneof(fc.nat(3), fc.constantFrom(0x01020304, 0xffffffff)),
  payload: payloads,
});

/** Chunk streams are few, so that messages share them. */
const conversations = fc
  .uniqueArray(csids, { minLength: 1, maxLength: 3 })
  .chain((ids) => fc.array(fc.tuple(fc.constantFrom(...ids), messages), { maxLength: 12 }));
const chunkSizes = fc.oneof(fc.integer({ min: 1, max: 400 }), fc.constantFrom(128, 4096, 0x7fffffff));
const cuts = fc.array(fc.nat(100_000), { maxLength: 20 });

function setChunkSize(size: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(size);
  return encodeMessage(2, MessageType.SetChunkSize, 0, 0, payload, 128);
}

/** The messages without the SetChunkSize that comes first, as texts. */
function readAfterSetChunkSize(pieces: readonly Buffer[]): string[] {
  const read = readPieces(pieces);
  expect(read[0]?.type).toBe(MessageType.SetChunkSize);
  return comparable(read.slice(1));
}

describe('what the writers write, the reader reads', () => {
  test('encodeMessage', () => {
    fc.assert(
      fc.property(conversations, chunkSizes, cuts, (sent, chunkSize, positions) => {
        const encoded = sent.map(([csid, { type, timestampMs, streamId, payload }]) => {
          const bytes = encodeMessage(csid, type, timestampMs, streamId, payload, chunkSize);
          expect(bytes.length).toBe(encodedLength(payload.length, timestampMs, csid, chunkSize));
          return bytes;
        });
        const wire = Buffer.concat([setChunkSize(chunkSize), ...encoded]);
        const expected = sent.map(([, message]) => message);
        expect(readAfterSetChunkSize(cutAt(wire, positions))).toEqual(comparable(expected));
        expect(readAfterSetChunkSize(inBytes(wire))).toEqual(comparable(expected));
      }),
      { numRuns: 150 },
    );
  });

  test('ChunkWriter', () => {
    fc.assert(
      fc.property(conversations, chunkSizes, cuts, (sent, chunkSize, positions) => {
        const writer = new ChunkWriter(chunkSize);
        const encoded = sent.map(([csid, message]) => writer.encode(csid, message));
        const wire = Buffer.concat([setChunkSize(chunkSize), ...encoded]);
        const expected = sent.map(([, message]) => message);
        expect(readAfterSetChunkSize(cutAt(wire, positions))).toEqual(comparable(expected));
        expect(readAfterSetChunkSize(inBytes(wire))).toEqual(comparable(expected));
      }),
      { numRuns: 150 },
    );
  });

  test('ChunkWriter compresses a steady stream to format 3 and never ends in a wrong timestamp', () => {
    const writer = new ChunkWriter(4096);
    const sent = [0, 20, 40, 60, 81, 101].map((offset) => ({
      type: MessageType.Audio,
      timestampMs: 1000 + offset,
      streamId: 1,
      payload: Buffer.from([0xaf, 1, offset]),
    }));
    const encoded = sent.map((message) => writer.encode(4, message));
    // Formats 0, 2, 3, 3, 2 (another delta), 2 (another again).
    expect(encoded.map((bytes) => bytes[0]! >>> 6)).toEqual([0, 2, 3, 3, 2, 2]);
    expect(encoded.map((bytes) => bytes.length - 3)).toEqual([12, 4, 1, 1, 4, 4]);
    expect(readPieces([Buffer.concat(encoded)])).toEqual(sent);
  });
});

/** What a sender and a reader know of a chunk stream, by the rules in the comment of ChunkReader. */
interface Known {
  timestampMs: number;
  deltaMs: number;
  extended: boolean;
  field: number;
  absolute: boolean;
  length: number;
  type: number;
  streamId: number;
}

interface Wish {
  csid: number;
  format: number;
  timestampMs: number;
  type: number;
  payload: Buffer;
  streamId: number;
}

/** Encodes a wish with its format if that can say it, and returns the message it then is. */
function encodeWish(
  wish: Wish,
  known: Map<number, Known>,
  chunkSize: number,
  repeats: boolean,
): { chunks: Buffer[]; message: RtmpMessage } {
  const last = known.get(wish.csid);
  const format = (last === undefined ? 0 : wish.format) as EncodedHeader['format'];
  const base = last ?? {
    timestampMs: 0,
    deltaMs: 0,
    extended: false,
    field: 0,
    absolute: true,
    length: 0,
    type: 0,
    streamId: 0,
  };
  const streamId = format === 0 ? wish.streamId : base.streamId;
  const type = format <= 1 ? wish.type : base.type;
  const payload = format <= 1 ? wish.payload : Buffer.alloc(base.length, wish.payload.length === 0 ? 7 : wish.payload);
  let field = base.field;
  let { extended, absolute } = base;
  let { deltaMs } = base;
  if (format === 3) {
    if (extended) {
      deltaMs = repeats ? field : absolute ? 0 : deltaMs;
    }
    absolute = false;
  } else {
    field = format === 0 ? wish.timestampMs : (wish.timestampMs - base.timestampMs) >>> 0;
    extended = field >= mark;
    absolute = format === 0;
    deltaMs = field;
  }
  const timestampMs = format === 0 ? field : (base.timestampMs + deltaMs) >>> 0;
  known.set(wish.csid, { timestampMs, deltaMs, extended, field, absolute, length: payload.length, type, streamId });
  return {
    chunks: encodeChunks(
      { format, csid: wish.csid, field, extended, length: payload.length, type, streamId },
      payload,
      chunkSize,
      repeats,
    ),
    message: { type, timestampMs, streamId, payload },
  };
}

const wishes = fc.uniqueArray(csids, { minLength: 1, maxLength: 3 }).chain((ids) =>
  fc.array(
    fc.record({
      csid: fc.constantFrom(...ids),
      format: fc.nat(3),
      timestampMs: timestamps,
      type: types,
      // Not empty: without payload a left-out field cannot be told from the next header before that is there.
      payload: payloads.filter((payload) => payload.length > 0),
      streamId: fc.nat(2),
    }),
    { maxLength: 12 },
  ),
);

/**
 * Sends the chunks of several chunk streams mixed, each stream's in order. Returns the wire bytes, and the messages in
 * the order in which their last chunks left.
 */
function interleave(
  encoded: { csid: number; chunks: Buffer[]; message: RtmpMessage }[],
  choices: readonly number[],
): { wire: Buffer; messages: RtmpMessage[] } {
  const lanes = new Map<number, { chunk: Buffer; ends: RtmpMessage | null }[]>();
  for (const { csid, chunks, message } of encoded) {
    const lane = lanes.get(csid) ?? [];
    lanes.set(csid, lane);
    for (const [index, chunk] of chunks.entries()) {
      lane.push({ chunk, ends: index === chunks.length - 1 ? message : null });
    }
  }
  const wire: Buffer[] = [];
  const ended: RtmpMessage[] = [];
  let turn = 0;
  while (lanes.size > 0) {
    const ids = [...lanes.keys()];
    const id = ids[(choices[turn % Math.max(1, choices.length)] ?? 0) % ids.length]!;
    turn += 1;
    const lane = lanes.get(id)!;
    const { chunk, ends } = lane.shift()!;
    wire.push(chunk);
    if (ends !== null) {
      ended.push(ends);
    }
    if (lane.length === 0) {
      lanes.delete(id);
    }
  }
  return { wire: Buffer.concat(wire), messages: ended };
}

const last = { type: MessageType.Acknowledgement, timestampMs: 0, streamId: 0, payload: Buffer.from([9]) };
const lastBytes = encodeMessage(2, last.type, last.timestampMs, last.streamId, last.payload, 128);

describe.each([
  ['repeated on type 3 chunks', true],
  ['left out on type 3 chunks', false],
])('every header format, chunk streams mixed, extended timestamps %s', (_, repeats) => {
  test('in every split', () => {
    fc.assert(
      fc.property(
        wishes,
        fc.integer({ min: 1, max: 200 }),
        fc.array(fc.nat(7), { maxLength: 30 }),
        cuts,
        (wanted, chunkSize, choices, positions) => {
          if (!repeats) {
            // Payload that looks like the field that is left out cannot be told from it.
            for (const { payload } of wanted) {
              payload.forEach((byte, index) => {
                payload[index] = (byte & 0x3f) | 0x40;
              });
            }
          }
          const known = new Map<number, Known>();
          const encoded = wanted.map((wish) => ({ csid: wish.csid, ...encodeWish(wish, known, chunkSize, repeats) }));
          const { wire, messages: mixed } = interleave(encoded, choices);
          // Something behind, so that the last payload is not taken for the beginning of a repeated field.
          const expected = [...mixed, last];
          const all = Buffer.concat([setChunkSize(chunkSize), wire, lastBytes]);
          expect(readAfterSetChunkSize([all])).toEqual(comparable(expected));
          expect(readAfterSetChunkSize(cutAt(all, positions))).toEqual(comparable(expected));
          expect(readAfterSetChunkSize(inBytes(all))).toEqual(comparable(expected));
        },
      ),
      { numRuns: 300 },
    );
  });
});

test('a message with every kind of header comes out alike wherever it is cut in two', () => {
  const writer = new ChunkWriter(10);
  const sent: RtmpMessage[] = [
    { type: 9, timestampMs: 0xfffffff0, streamId: 1, payload: Buffer.from('a key frame of some length') },
    { type: 9, timestampMs: 0xfffffffa, streamId: 1, payload: Buffer.from('a frame') },
    { type: 9, timestampMs: 0xffffffff, streamId: 1, payload: Buffer.from('a Frame') },
    { type: 9, timestampMs: 3, streamId: 1, payload: Buffer.from('after the wrap') },
  ];
  const wire = Buffer.concat([setChunkSize(10), ...sent.map((message) => writer.encode(400, message))]);
  for (const pieces of inTwo(wire)) {
    expect(readAfterSetChunkSize(pieces)).toEqual(comparable(sent));
  }
});

describe('our own mistakes', () => {
  test.each([
    ['a chunk stream id below 2', () => encodeMessage(1, 8, 0, 1, Buffer.alloc(1), 128)],
    ['a chunk stream id above 65599', () => encodeMessage(65600, 8, 0, 1, Buffer.alloc(1), 128)],
    ['chunk size 0', () => encodeMessage(4, 8, 0, 1, Buffer.alloc(1), 0)],
    ['a payload above 24 bits', () => encodeMessage(4, 8, 0, 1, Buffer.alloc(0x1000000), 65536)],
    ['a target that is too short', () => writeMessage(Buffer.alloc(20), 8, 4, 8, 0, 1, Buffer.alloc(1), 128)],
  ])('%s', (_, run) => {
    expect(run).toThrow(RangeError);
  });

  test('writeMessage returns the end and touches nothing else', () => {
    const target = Buffer.alloc(40, 0xee);
    const end = writeMessage(target, 10, 4, 8, 1, 1, Buffer.from([1, 2, 3]), 2);
    expect(end).toBe(10 + encodedLength(3, 1, 4, 2));
    expect(target.subarray(0, 10)).toEqual(Buffer.alloc(10, 0xee));
    expect(target.subarray(end)).toEqual(Buffer.alloc(40 - end, 0xee));
  });
});
