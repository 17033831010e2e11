import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CodedError } from '../../src/errors.js';
import { encodeFlvTag, type FlvLimits, FlvTagReader, flvFileHeader } from '../../src/wire/flv-file.js';
import { cutAt, hex, inBytes, inTwo } from './support.js';

interface Tag {
  type: number;
  timestampMs: number;
  payload: Buffer;
}

function readTags(pieces: readonly Buffer[], limits?: FlvLimits): { tags: Tag[]; pendingBytes: number } {
  const tags: Tag[] = [];
  // Payloads are kept, not copied: they stay valid as long as the pieces do.
  const reader = new FlvTagReader((type, timestampMs, payload) => tags.push({ type, timestampMs, payload }), limits);
  for (const piece of pieces) {
    reader.feed(piece);
  }
  return { tags, pendingBytes: reader.pendingBytes };
}

const tags = fc.array(
  fc.record({
    type: fc.constantFrom(8, 9, 18),
    timestampMs: fc.oneof(fc.nat(0xffffffff), fc.constantFrom(0, 0xffffff, 0x1000000, 0xffffffff)),
    payload: fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
  }),
  { maxLength: 8 },
);

function fileOf(list: Tag[]): Buffer {
  return Buffer.concat([
    flvFileHeader(true, true),
    ...list.map(({ type, timestampMs, payload }) => encodeFlvTag(type, timestampMs, payload)),
  ]);
}

test('what is written is read, in any pieces', () => {
  fc.assert(
    fc.property(tags, fc.array(fc.nat(1000), { maxLength: 8 }), (list, positions) => {
      const file = fileOf(list);
      for (const pieces of [[file], cutAt(file, positions), inBytes(file)]) {
        expect(readTags(pieces)).toEqual({ tags: list, pendingBytes: 0 });
      }
    }),
  );
});

test('a vector: header, a script tag, a video tag with an extended timestamp', () => {
  const file = hex(`464c56 01 05 00000009 00000000
    12 000002 000000 00 000000 0500 0000000d
    09 000001 000001 7f 000000 17 0000000c`);
  const list = [
    { type: 18, timestampMs: 0, payload: hex('0500') },
    { type: 9, timestampMs: 0x7f000001, payload: hex('17') },
  ];
  for (const pieces of inTwo(file)) {
    expect(readTags(pieces)).toEqual({ tags: list, pendingBytes: 0 });
  }
  expect(fileOf(list)).toEqual(file);
});

test('flags of the file header', () => {
  expect(flvFileHeader(true, false)[4]).toBe(4);
  expect(flvFileHeader(false, true)[4]).toBe(1);
});

test('a longer file header is skipped, and wrong sizes behind tags do not matter', () => {
  const file = hex(
    '464c56 01 05 0000000b aaaa 00000000 08 000001 000000 00 000000 af 00000000 08 000000 000005 00 000000 12345678',
  );
  expect(readTags([file]).tags).toEqual([
    { type: 8, timestampMs: 0, payload: hex('af') },
    { type: 8, timestampMs: 5, payload: hex('') },
  ]);
});

test('pendingBytes tells of a file that was cut off', () => {
  const file = fileOf([{ type: 9, timestampMs: 0, payload: Buffer.alloc(50) }]);
  expect(readTags([file.subarray(0, 13 + 11 + 20)])).toEqual({ tags: [], pendingBytes: 31 });
  expect(readTags([file.subarray(0, 13 + 5)]).pendingBytes).toBe(5);
  expect(readTags([file.subarray(0, 5)]).pendingBytes).toBe(5);
  expect(readTags([file.subarray(0, file.length - 2)])).toMatchObject({ pendingBytes: 0, tags: [{ type: 9 }] });
});

test('a large tag in small pieces', () => {
  const payload = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 251));
  const file = fileOf([{ type: 9, timestampMs: 0, payload }]);
  const pieces = Array.from({ length: Math.ceil(file.length / 7000) }, (_, index) =>
    file.subarray(index * 7000, (index + 1) * 7000),
  );
  expect(readTags(pieces).tags[0]!.payload.equals(payload)).toBe(true);
});

test('a declared length takes no memory', () => {
  const before = process.memoryUsage().arrayBuffers;
  const readers = Array.from({ length: 300 }, () => {
    const reader = new FlvTagReader(() => {});
    reader.feed(Buffer.concat([flvFileHeader(true, true), hex('09 ffffff 000000 00 000000 17')]));
    return reader;
  });
  // 300 tags of 16 MB: 5 GB.
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(100 << 20);
  expect(readers.every(({ pendingBytes }) => pendingBytes === 12)).toBe(true);
});

describe('refused', () => {
  test.each<[string, string, RegExp]>([
    ['another file', '1a45dfa3 00000000 00', /begins with the bytes 1a45df; an FLV file begins with "FLV"/],
    ['another version', '464c56 02 05 00000009', /has version 2; the only one is 1/],
    ['a header that is too short', '464c56 01 05 00000008', /has 8 bytes; right is 9/],
    ['a header that is too long', '464c56 01 05 ffffffff', /has 4294967295 bytes/],
    [
      'an unknown tag',
      '464c56 01 05 00000009 00000000 07 000000 000000 00 000000',
      /tag at byte 13 has type 7; audio has 8/,
    ],
    ['an encrypted tag', '464c56 01 05 00000009 00000000 29 000000 000000 00 000000', /encrypted tags cannot be read/],
    [
      'a tag above the limit',
      '464c56 01 05 00000009 00000000 09 000065 000000 00 000000',
      /has 101 bytes; the limit is 100/,
    ],
  ])('%s', (_, bytes, message) => {
    for (const pieces of [[hex(bytes)], inBytes(hex(bytes))]) {
      expect(() => readTags(pieces, { maxTagBytes: 100 })).toThrow(message);
      expect(() => readTags(pieces, { maxTagBytes: 100 })).toThrow(CodedError);
      expect(() => readTags(pieces, { maxTagBytes: 100 })).toThrow(expect.objectContaining({ code: 'FLV_INVALID' }));
    }
  });

  test('after a failure the reader stays dead', () => {
    const reader = new FlvTagReader(() => {});
    expect(() => reader.feed(hex('000000000000000000'))).toThrow(/begins with/);
    expect(() => reader.feed(flvFileHeader(true, true))).toThrow(/failed before/);
  });
});
