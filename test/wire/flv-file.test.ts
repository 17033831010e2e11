import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CodedError } from '../../src/errors.js';
import { encodeFlvTag, flvFileHeader } from '../../src/wire/flv-file.js';
import { type FlvLimits, FlvTagReader } from '../../src/wire/flv-reader.js';
import { cutAt, hex, inBytes, inTwo } from './support.js';

interface Tag {
  type: number;
  timestampMs: number;
  payload: Buffer;
}

/** The tags, and what else there was of what a file must not have. */
function readTags(pieces: readonly Buffer[], limits?: FlvLimits) {
  const tags: Tag[] = [];
  // Payloads are kept, not copied: they stay valid as long as the pieces do.
  const reader = new FlvTagReader((type, timestampMs, payload) => tags.push({ type, timestampMs, payload }), limits);
  for (const piece of pieces) {
    reader.feed(piece);
  }
  reader.finish();
  const leftOut = Object.fromEntries(Object.entries(reader.leftOut).filter(([, count]) => count > 0));
  return { tags, leftOut };
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
        expect(readTags(pieces)).toEqual({ tags: list, leftOut: {} });
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
    expect(readTags(pieces)).toEqual({ tags: list, leftOut: {} });
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

test('a file that was cut off: what is whole is read, and the rest is said', () => {
  const first = { type: 9, timestampMs: 0, payload: Buffer.alloc(20, 9) };
  const file = fileOf([first, { type: 9, timestampMs: 0, payload: Buffer.alloc(50) }]);
  const end = fileOf([first]).length;
  for (const [bytes, cutBytes] of [
    [end + 11 + 20, 31],
    [end + 5, 5],
    [end + 11 + 49, 60],
  ] as const) {
    for (const pieces of [[file.subarray(0, bytes)], inBytes(file.subarray(0, bytes))]) {
      expect(readTags(pieces)).toEqual({ tags: [first], leftOut: { cutBytes } });
    }
  }
  // Only the size behind the last tag is missing, or a part of it.
  for (const missing of [1, 2, 4]) {
    const { tags: read, leftOut } = readTags([file.subarray(0, file.length - missing)]);
    expect(read).toHaveLength(2);
    expect(leftOut).toEqual({});
  }
});

describe('what other players read too', () => {
  const list: Tag[] = Array.from({ length: 5 }, (_, index) => ({
    type: index % 2 === 0 ? 9 : 8,
    timestampMs: index * 20,
    payload: Buffer.alloc(30 + index, 8 + (index % 2)),
  }));
  const file = fileOf(list);
  const at = (index: number): number => fileOf(list.slice(0, index)).length;
  const inserted = (bytes: Buffer, index = 2): Buffer =>
    Buffer.concat([file.subarray(0, at(index)), bytes, file.subarray(at(index))]);
  const changed = (offset: number, bytes: Buffer): Buffer => {
    const copy = Buffer.from(file);
    bytes.copy(copy, offset);
    return copy;
  };
  const unknown = Buffer.concat([hex('0f 000003 000000 00 000000 aabbcc'), hex('0000000e')]);
  const hidden = Buffer.concat([hex('29 000003 000000 00 000000 aabbcc'), hex('0000000e')]);

  test.each<[string, Buffer, Record<string, number>]>([
    ['zeros at the end', Buffer.concat([file, Buffer.alloc(4096)]), { junkBytes: 4096 }],
    ['junk at the end', Buffer.concat([file, Buffer.alloc(777, 0x5a)]), { junkBytes: 777 }],
    ['junk between tags', inserted(Buffer.alloc(333, 0xc3)), { junkBytes: 333 }],
    ['zeros between tags', inserted(Buffer.alloc(512)), { junkBytes: 512 }],
    ['a tag of an unknown type', inserted(unknown), { unknownTags: 1 }],
    ['an encrypted tag', inserted(hidden), { encryptedTags: 1 }],
    ['a second file behind the first', Buffer.concat([file, file.subarray(0, 13)]), { joins: 1 }],
    ['a file header in the middle', inserted(file.subarray(0, 13)), { joins: 1 }],
    ['sizes behind tags that are 0', changed(at(2) - 4, hex('00000000')), {}],
    ['sizes behind tags that leave out the header', changed(at(3) - 4, hex('00000020')), {}],
    ['a header that says 0', changed(5, hex('00000000')), {}],
    ['a header that says 8', changed(5, hex('00000008')), {}],
    ['a header that says too much', changed(5, hex('00000014')), {}],
    ['a header that says far too much', changed(5, hex('ffffffff')), {}],
    ['a header that says neither audio nor video', changed(4, hex('00')), {}],
    ['version 4', changed(3, hex('04')), {}],
  ])('%s', (_what, bytes, leftOut) => {
    for (const pieces of [[bytes], inBytes(bytes)]) expect(readTags(pieces)).toEqual({ tags: list, leftOut });
  });

  test('a length that lies costs its own tag, whatever it says', () => {
    for (const length of ['000000', '000001', '000020', '001000', 'ffffff']) {
      const { tags: read } = readTags([changed(at(2) + 1, hex(length))]);
      const times = read.map(({ timestampMs }) => timestampMs);
      for (const timeMs of [0, 20, 60, 80]) expect(times).toContain(timeMs);
      expect(times.length).toBeLessThanOrEqual(5);
    }
  });

  test('two whole files, joined', () => {
    expect(readTags([Buffer.concat([file, file])])).toEqual({ tags: [...list, ...list], leftOut: { joins: 1 } });
  });

  test('whatever is destroyed, the reader ends, and hands out no more than there was', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(file.length - 1), fc.nat(255)), { maxLength: 12 }),
        fc.array(fc.nat(400), { maxLength: 5 }),
        (changes, cuts) => {
          const copy = Buffer.from(file);
          for (const [offset, value] of changes) if (offset > 3) copy[offset] = value;
          const whole = readTags([copy]);
          expect(readTags(cutAt(copy, cuts))).toEqual(whole);
          const bytes = whole.tags.reduce((sum, { payload }) => sum + payload.length, 0);
          expect(bytes).toBeLessThanOrEqual(file.length);
        },
      ),
    );
  });
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
  expect(readers.every(({ pendingBytes }) => pendingBytes <= 25)).toBe(true);
});

test('a tag above the limit is left out, and the next one is found', () => {
  const list = [
    { type: 9, timestampMs: 0, payload: Buffer.alloc(101, 1) },
    { type: 8, timestampMs: 20, payload: Buffer.alloc(100, 1) },
  ];
  const { tags: read, leftOut } = readTags([fileOf(list)], { maxTagBytes: 100 });
  expect(read).toEqual(list.slice(1));
  expect(leftOut).toEqual({ junkBytes: 116 });
});

describe('refused', () => {
  test.each<[string, string, RegExp]>([
    ['another file', '1a45dfa3 00000000 00', /begins with the bytes 1a45dfa3; an FLV file begins with "FLV"/],
    ['a file that is too short', '464c56 01', /begins with the bytes 464c5601/],
    ['another version', '464c56 09 05 00000009', /begins with the bytes 464c5609/],
  ])('%s', (_, bytes, message) => {
    for (const pieces of [[hex(bytes)], inBytes(hex(bytes))]) {
      expect(() => readTags(pieces)).toThrow(message);
      expect(() => readTags(pieces)).toThrow(CodedError);
      expect(() => readTags(pieces)).toThrow(expect.objectContaining({ code: 'FLV_INVALID' }));
    }
  });

  test('after a failure the reader stays dead', () => {
    const reader = new FlvTagReader(() => {});
    expect(() => reader.feed(hex('000000000000000000'))).toThrow(/begins with/);
    expect(() => reader.feed(flvFileHeader(true, true))).toThrow(/failed before/);
  });
});

test('data of type 15 is data of type 18 without the byte in front', () => {
  const tags: [number, string][] = [];
  const reader = new FlvTagReader(
    (type, _timestampMs, payload) => tags.push([type, payload.toString('latin1')]),
    undefined,
    true,
  );
  reader.feed(flvFileHeader(true, true));
  for (const text of ['\0onMetaData', '\u0003x', '\0', ''])
    reader.feed(encodeFlvTag(15, 0, Buffer.from(text, 'latin1')));
  reader.feed(encodeFlvTag(18, 0, Buffer.from('y')));
  expect(tags).toEqual([
    [18, 'onMetaData'],
    [18, 'x'],
    [18, ''],
    [18, ''],
    [18, 'y'],
  ]);
  expect(reader.leftOut.unknownTags).toBe(0);
});
