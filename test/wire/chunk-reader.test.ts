import { describe, expect, test } from 'vitest';
import { WireError } from '../../src/errors.js';
import { AssemblyPool } from '../../src/wire/assembly-pool.js';
import { ChunkReader } from '../../src/wire/chunk-reader.js';
import { encodeMessage } from '../../src/wire/chunk-writer.js';
import { collectingReader, comparable, hex, inBytes, inTwo, readPieces, wideLimits, wireErrorCode } from './support.js';

/** type, timestamp, stream id, payload in hexadecimal */
type Expected = [number, number, number, string];

function check(wire: string, expected: Expected[]): void {
  const bytes = hex(wire);
  const messages = expected.map(([type, timestampMs, streamId, payload]) => ({
    type,
    timestampMs,
    streamId,
    payload: hex(payload),
  }));
  for (const pieces of [[bytes], inBytes(bytes), ...inTwo(bytes)]) {
    expect(comparable(readPieces(pieces))).toEqual(comparable(messages));
  }
}

describe('headers', () => {
  test.each<[string, string, Expected[]]>([
    [
      'example 1 of the specification (5.3.2.1): formats 0, 2, 3, 3',
      `03 0003e8 000020 08 01000000 ${'aa'.repeat(32)} 83 000014 ${'bb'.repeat(32)} c3 ${'cc'.repeat(32)} c3 ${'dd'.repeat(32)}`,
      [
        [8, 1000, 1, 'aa'.repeat(32)],
        [8, 1020, 1, 'bb'.repeat(32)],
        [8, 1040, 1, 'cc'.repeat(32)],
        [8, 1060, 1, 'dd'.repeat(32)],
      ],
    ],
    [
      'example 2 of the specification (5.3.2.2): 307 bytes in three chunks',
      `04 0003e8 000133 09 01000000 ${'01'.repeat(128)} c4 ${'02'.repeat(128)} c4 ${'03'.repeat(51)}`,
      [[9, 1000, 1, '01'.repeat(128) + '02'.repeat(128) + '03'.repeat(51)]],
    ],
    ['an empty message', '04 000001 000000 09 01000000', [[9, 1, 1, '']]],
    ['the stream id is little-endian', '04 000000 000001 09 01020304 aa', [[9, 0, 0x04030201, 'aa']]],
    ['a 2-byte chunk stream id: 64', '00 00 000000 000001 09 01000000 aa', [[9, 0, 1, 'aa']]],
    [
      'a 3-byte chunk stream id (65599), and 64 in three bytes, which is the same as in two',
      '01 ffff 000000 000001 09 01000000 aa  01 0000 000005 000001 09 01000000 bb  80 00 000002 cc',
      [
        [9, 0, 1, 'aa'],
        [9, 5, 1, 'bb'],
        [9, 7, 1, 'cc'],
      ],
    ],
    [
      'timestamps and deltas modulo 2^32',
      '04 ffffff 000001 09 01000000 fffffffe aa  44 000003 000001 09 bb',
      [
        [9, 0xfffffffe, 1, 'aa'],
        [9, 1, 1, 'bb'],
      ],
    ],
    [
      'an extended delta that steps back by one (librtmp does not forbid itself that)',
      '04 000005 000001 09 01000000 aa  84 ffffff ffffffff bb',
      [
        [9, 5, 1, 'aa'],
        [9, 4, 1, 'bb'],
      ],
    ],
    ['0xffffff itself takes the extended field', '04 ffffff 000001 09 01000000 00ffffff aa', [[9, 0xffffff, 1, 'aa']]],
    [
      'format 3 after format 0 adds the timestamp of that (5.3.1.2.4)',
      '04 000017 000001 08 01000000 aa  c4 bb  c4 cc',
      [
        [8, 23, 1, 'aa'],
        [8, 46, 1, 'bb'],
        [8, 69, 1, 'cc'],
      ],
    ],
    [
      'format 1 on a chunk stream without format 0, as librtmp pings on chunk stream 2',
      '42 000007 000006 04 000600000001',
      [[4, 7, 0, '000600000001']],
    ],
    [
      'formats 0, 1 and 2 inside an unfinished message continue it; their timestamps say nothing',
      `06 000064 000201 09 01000000 ${'01'.repeat(128)} 06 0000c8 000201 09 01000000 ${'02'.repeat(128)}
       46 000001 000201 09 ${'03'.repeat(128)} 86 000002 ${'04'.repeat(128)} c6 05  86 000003 ${'06'.repeat(128)}
       ${`c6 ${'06'.repeat(128)}`.repeat(3)} c6 06`,
      [
        [9, 100, 1, `${'01'.repeat(128)}${'02'.repeat(128)}${'03'.repeat(128)}${'04'.repeat(128)}05`],
        [9, 103, 1, '06'.repeat(513)],
      ],
    ],
  ])('%s', (_, wire, expected) => check(wire, expected));
});

describe('extended timestamps on type 3 chunks', () => {
  const first = `06 ffffff 000085 09 01000000 01000000 ${'11'.repeat(128)}`;
  const whole = '11'.repeat(128);

  test.each<[string, string, Expected[]]>([
    ['repeated', `${first} c6 01000000 0203040506`, [[9, 0x1000000, 1, `${whole}0203040506`]]],
    ['left out', `${first} c6 0203040506`, [[9, 0x1000000, 1, `${whole}0203040506`]]],
    [
      'left out, and the payload agrees with it for three bytes',
      `${first} c6 0100000506`,
      [[9, 0x1000000, 1, `${whole}0100000506`]],
    ],
    [
      'left out, the payload ends with what agrees, and the next header does not',
      `06 ffffff 000082 09 01000000 01000000 ${whole} c6 0100  04 000000 000001 08 01000000 aa`,
      [
        [9, 0x1000000, 1, `${whole}0100`],
        [8, 0, 1, 'aa'],
      ],
    ],
    [
      'repeated as the timestamp of the message where the header had a delta',
      `06 000064 000001 09 01000000 aa  46 ffffff 000085 09 01000000 ${whole} c6 01000064 0203040506`,
      [
        [9, 100, 1, 'aa'],
        [9, 0x1000064, 1, `${whole}0203040506`],
      ],
    ],
    [
      'left out after a delta that steps back; the payload equals the small timestamp, which nobody would repeat',
      `06 000001 000001 09 01000000 aa  46 ffffff 000085 09 ffffffff ${whole} c6 0000000006`,
      [
        [9, 1, 1, 'aa'],
        [9, 0, 1, `${whole}0000000006`],
      ],
    ],
    [
      'repeated once: afterwards four bytes are taken whatever they are',
      `06 ffffff 000105 09 01000000 01000000 ${whole} c6 01000000 ${'22'.repeat(128)} c6 fefefefe 0203040506`,
      [[9, 0x1000000, 1, `${whole}${'22'.repeat(128)}0203040506`]],
    ],
    [
      'left out once: afterwards payload that looks like the field is payload',
      `06 ffffff 000105 09 01000000 01000000 ${whole} c6 ${'22'.repeat(128)} c6 0100000006`,
      [[9, 0x1000000, 1, `${whole}${'22'.repeat(128)}0100000006`]],
    ],
    [
      'nginx-rtmp: repeated in continuations, left out of a header that says "the same again"',
      `06 ffffff 000081 09 01000000 01000000 ${whole} c6 01000000 aa  c6 ${'22'.repeat(128)} c6 01000000 bb`,
      [
        [9, 0x1000000, 1, `${whole}aa`],
        [9, 0x1000000, 1, `${'22'.repeat(128)}bb`],
      ],
    ],
    [
      'a following header without it ends it',
      `${first} c6 01000000 0203040506  86 000028 ${whole} c6 0203040506`,
      [
        [9, 0x1000000, 1, `${whole}0203040506`],
        [9, 0x1000028, 1, `${whole}0203040506`],
      ],
    ],
  ])('%s', (_, wire, expected) => check(wire, expected));

  test('a short last chunk of a sender that leaves it out is handed out without waiting for more', () => {
    const { reader, messages } = collectingReader();
    reader.feed(hex(`06 ffffff 000081 09 01000000 01000000 ${whole} c6 02`));
    expect(messages).toHaveLength(1);
    reader.feed(hex(`06 ffffff 000081 09 01000000 01000000 ${whole} c6 01`));
    expect(messages).toHaveLength(2);
  });
});

describe('SetChunkSize and Abort', () => {
  test('a new size holds from the next chunk on, on every chunk stream, and is handed on', () => {
    const { reader, messages } = collectingReader();
    reader.feed(hex(`06 000000 000100 09 01000000 ${'01'.repeat(128)}`));
    expect(reader.chunkSize).toBe(128);
    reader.feed(hex('02 000000 000004 01 00000000 00000040'));
    expect(reader.chunkSize).toBe(64);
    reader.feed(hex(`c6 ${'02'.repeat(64)} c6 ${'03'.repeat(64)}`));
    expect(messages.map(({ type, payload }) => [type, payload.length])).toEqual([
      [1, 4],
      [9, 256],
    ]);
  });

  test.each([
    ['1', '00000001'],
    ['65536', '00010000'],
    ['2147483647', '7fffffff'],
  ])('a chunk size of %s is taken', (size, field) => {
    const { reader, messages } = collectingReader();
    reader.feed(hex(`02 000000 000004 01 00000000 ${field}`));
    expect(reader.chunkSize).toBe(Number(size));
    const payload = Buffer.alloc(300, 7);
    reader.feed(encodeMessage(4, 8, 0, 1, payload, Number(size)));
    expect(messages[1]?.payload).toEqual(payload);
  });

  test.each([
    ['of 0', '000004', '00000000', 200],
    ['of nothing but the top bit', '000004', '80000000', 200],
    ['of three bytes', '000003', '000080', 200],
    ['of no bytes', '000000', '', 200],
    ['with the top bit', '000004', '80000080', 128],
    ['with bytes behind it', '000006', '00000080ffff', 128],
  ])('a chunk size %s does not end the reading', (_, length, field, size) => {
    const { reader, messages } = collectingReader();
    reader.feed(hex('02 000000 000004 01 00000000 000000c8'));
    reader.feed(hex(`02 000000 ${length} 01 00000000 ${field}`));
    expect(reader.chunkSize).toBe(size);
    const payload = Buffer.alloc(300, 7);
    reader.feed(encodeMessage(4, 8, 0, 1, payload, size));
    expect(messages.at(-1)?.payload).toEqual(payload);
  });

  test('Abort that names no chunk stream drops nothing', () => {
    check(`06 000000 000081 09 01000000 ${'01'.repeat(128)}  02 000000 000003 02 00000000 000006  c6 03`, [
      [2, 0, 0, '000006'],
      [9, 0, 1, `${'01'.repeat(128)}03`],
    ]);
  });

  test('Abort drops the unfinished message of its chunk stream and no other', () => {
    check(
      `06 000000 000100 09 01000000 ${'01'.repeat(128)} 04 000000 000081 08 01000000 ${'02'.repeat(128)}
       02 000000 000004 02 00000000 00000006  c4 03  46 000005 000001 09 aa`,
      [
        [2, 0, 0, '00000006'],
        [8, 0, 1, `${'02'.repeat(128)}03`],
        [9, 5, 1, 'aa'],
      ],
    );
  });

  test('Abort of a chunk stream without an unfinished message does nothing', () => {
    check('02 000000 000004 02 00000000 00000006  02 000000 000004 02 00000000 ffffffff', [
      [2, 0, 0, '00000006'],
      [2, 0, 0, 'ffffffff'],
    ]);
  });

  test('finished messages no longer count as unfinished', () => {
    const { reader, messages } = collectingReader({ ...wideLimits, maxPartialBytes: 300 });
    for (let round = 0; round < 10; round += 1) {
      reader.feed(encodeMessage(6, 9, 0, 1, Buffer.alloc(300), 128));
    }
    expect(messages).toHaveLength(10);
  });

  test('aborted bytes no longer count as unfinished', () => {
    const { reader } = collectingReader({ ...wideLimits, maxPartialBytes: 200 });
    for (let round = 0; round < 10; round += 1) {
      reader.feed(hex(`06 000000 000100 09 01000000 ${'01'.repeat(128)} 02 000000 000004 02 00000000 00000006`));
    }
  });
});

describe('limits and broken input', () => {
  const limits = { maxMessageBytes: 1000, maxChunkStreams: 3, maxPartialBytes: 500 };

  test.each<[string, string, RegExp]>([
    ['a message above the limit', '04 000000 0003e9 09 01000000', /declares 1001 bytes; the limit is 1000/],
    ['a message above the limit, format 1', '44 000000 ffffff 09', /declares 16777215 bytes/],
    [
      'too many chunk streams',
      '03 000000 000000 08 00000000 04 000000 000000 08 00000000 01 0010 000000 000000 08 00000000 06',
      /Chunk stream 6 would be one more than the limit of 3/,
    ],
    ['format 2 on a new chunk stream', '84 000000', /format 2, which gives no length/],
    ['format 3 on a new chunk stream', 'c4', /format 3, which gives no length/],
    [
      'another length inside an unfinished message',
      `06 000000 000100 09 01000000 ${'01'.repeat(128)} 06 000000 000101 09 01000000`,
      /finish or abort that first/,
    ],
    [
      'another type inside an unfinished message',
      `06 000000 000100 09 01000000 ${'01'.repeat(128)} 46 000000 000100 08`,
      /type 8 and 256 bytes begins after 128 of the 256 bytes/,
    ],
    [
      'unfinished messages above the limit',
      ['04', '05', '06']
        .map((id) => `${id} 000000 000300 09 01000000 ${'01'.repeat(128)} c${id[1]} ${'01'.repeat(128)}`)
        .join(''),
      /exceed the limit of 500 bytes/,
    ],
  ])('%s', (_, wire, message) => {
    for (const pieces of [[hex(wire)], inBytes(hex(wire))]) {
      expect(() => readPieces(pieces, limits)).toThrow(message);
      expect(wireErrorCode(() => readPieces(pieces, limits))).toBe('RTMP_CHUNK');
    }
  });

  test('after a failure the reader stays dead', () => {
    const { reader, messages } = collectingReader();
    expect(() => reader.feed(hex('c4'))).toThrow(WireError);
    expect(() => reader.feed(hex('04 000000 000001 09 01000000 aa'))).toThrow(/failed before/);
    expect(messages).toEqual([]);
  });

  test('what the callback throws passes through, and the reader is dead', () => {
    const reader = new ChunkReader(() => {
      throw new RangeError('of the session');
    }, wideLimits);
    expect(() => reader.feed(hex('04 000000 000001 09 01000000 aa'))).toThrow('of the session');
    expect(wireErrorCode(() => reader.feed(hex('04')))).toBe('RTMP_CHUNK');
  });

  test('a limit of exactly the message lets it pass', () => {
    const wire = encodeMessage(4, 9, 0, 1, Buffer.alloc(1000), 128);
    expect(readPieces([wire], { maxMessageBytes: 1000, maxChunkStreams: 1, maxPartialBytes: 1000 })).toHaveLength(1);
  });
});

describe('memory', () => {
  test('a message that lies whole in the data is a view of it, not a copy', () => {
    const wire = encodeMessage(4, 9, 0, 1, Buffer.from('frame'), 128);
    let shared = false;
    new ChunkReader((_type, _timestampMs, _streamId, payload) => {
      shared = payload.buffer === wire.buffer && payload.byteOffset === wire.byteOffset + 12;
    }, wideLimits).feed(wire);
    expect(shared).toBe(true);
  });

  test('declared lengths take no memory', () => {
    const before = process.memoryUsage().arrayBuffers;
    const readers = Array.from({ length: 200 }, () => {
      const { reader } = collectingReader();
      for (const csid of [3, 4, 5, 6]) {
        reader.feed(hex(`0${csid} 000000 ffffff 09 01000000 aabb`));
      }
      return reader;
    });
    // 800 declared messages of 16 MB: 13 GB. What is taken is a few kilobytes each.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 << 20);
    expect(readers).toHaveLength(200);
  });

  test('one buffer serves message after message, and a huge message does not leave its own behind', () => {
    const buffers: ArrayBufferLike[] = [];
    const reader = new ChunkReader(
      (_type, _timestampMs, _streamId, payload) => buffers.push(payload.buffer),
      wideLimits,
    );
    const small = encodeMessage(4, 9, 0, 1, Buffer.alloc(6000), 128);
    const huge = encodeMessage(4, 9, 0, 1, Buffer.alloc(5_000_000), 128);
    reader.feed(small);
    reader.feed(small);
    expect(buffers[1]).toBe(buffers[0]);
    reader.feed(huge);
    reader.feed(small);
    expect(buffers[2]!.byteLength).toBeGreaterThanOrEqual(5_000_000);
    expect(buffers[3]!.byteLength).toBeLessThan(100_000);
  });

  test.each([(1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20, (5 << 20) + 12_345])(
    'a message of %i bytes is put together in pieces, whatever its cuts',
    (bytes) => {
      const payload = Buffer.alloc(bytes);
      for (let at = 0; at + 4 <= bytes; at += 4) payload.writeUInt32BE(at ^ 0x5bd1e995, at);
      for (const [chunkBytes, readBytes] of [
        [65_536, 262_144],
        [999_983, 16_384],
        [128, 1_500_000],
      ] as const) {
        const { reader, messages } = collectingReader();
        const wire = Buffer.concat([
          encodeMessage(2, 1, 0, 0, Buffer.from([0, chunkBytes >> 16, (chunkBytes >> 8) & 255, chunkBytes & 255]), 128),
          encodeMessage(4, 9, 7, 1, payload, chunkBytes),
          encodeMessage(4, 9, 8, 1, payload.subarray(0, 100), chunkBytes),
        ]);
        for (let at = 0; at < wire.length; at += readBytes) {
          const read = Buffer.from(wire.subarray(at, at + readBytes));
          reader.feed(read);
          read.fill(0xa5);
        }
        expect(messages.map(({ type }) => type)).toEqual([1, 9, 9]);
        expect(messages[1]!.payload.equals(payload)).toBe(true);
        expect(messages[2]!.payload.equals(payload.subarray(0, 100))).toBe(true);
        expect(reader.partialBytes).toBe(0);
      }
    },
  );

  test('a large message takes a megabyte more than came of it, at most, and gives it back: finished, aborted or closed', () => {
    const pool = new AssemblyPool(64 << 20);
    const make = () => new ChunkReader(() => {}, wideLimits, pool);
    const wire = Buffer.concat([
      encodeMessage(2, 1, 0, 0, Buffer.from([0, 1, 0, 0]), 128),
      encodeMessage(4, 9, 0, 1, Buffer.alloc(8 << 20), 65_536),
    ]);
    const readers = [make(), make(), make()];
    for (const reader of readers) {
      for (let at = 0; at < wire.length - 1; at += 200_000) {
        const end = Math.min(at + 200_000, wire.length - 1);
        reader.feed(wire.subarray(at, end));
        expect(reader.partialBytes).toBeLessThanOrEqual(Math.max(2 * end, end + (1 << 20)));
      }
      expect(reader.partialBytes).toBeGreaterThan((8 << 20) - 65_536);
    }
    const before = pool.keptBytes;
    readers[0]!.feed(wire.subarray(-1));
    readers[1]!.close();
    readers[2]!.close();
    readers[2]!.close();
    expect(readers.map(({ partialBytes }) => partialBytes)).toEqual([0, 0, 0]);
    expect(pool.keptBytes).toBe(before + (24 << 20));
    expect(() => readers[1]!.feed(wire.subarray(0, 10))).toThrow(WireError);
    const aborted = make();
    aborted.feed(wire.subarray(0, 3 << 20));
    aborted.close();
    expect(pool.keptBytes).toBe(before + (24 << 20));
  });

  test('many messages that begin in one read, and of which no more comes, take 4 KB each and 16 KB more in all', () => {
    const reader = new ChunkReader(() => {}, wideLimits, new AssemblyPool());
    const begun = Array.from({ length: 60 }, (_, i) =>
      encodeMessage(4 + i, 9, 0, 1, Buffer.alloc(60_000), 128).subarray(0, 12 + 128),
    );
    reader.feed(Buffer.concat(begun));
    expect(reader.partialBytes).toBeGreaterThanOrEqual(60 << 12);
    expect(reader.partialBytes).toBeLessThanOrEqual((60 << 12) + (16 << 10));
    reader.close();
    expect(reader.partialBytes).toBe(0);
  });

  test('closed by who is told of a message, it tells of no further one and keeps nothing', () => {
    const types: number[] = [];
    const reader: ChunkReader = new ChunkReader((type) => {
      types.push(type);
      reader.close();
    }, wideLimits);
    const one = encodeMessage(4, 9, 0, 1, Buffer.alloc(300), 128);
    reader.feed(Buffer.concat([one, one, one.subarray(0, 200)]));
    expect(types).toEqual([9]);
    expect(reader.partialBytes).toBe(0);
  });

  test('readers share few buffers, of the size that a message needs, and bounded in all', () => {
    const pool = new AssemblyPool(2_000_000);
    const sizes: number[] = [];
    const readers = Array.from(
      { length: 100 },
      () =>
        new ChunkReader(
          (_type, _timestampMs, _streamId, payload) => sizes.push(payload.buffer.byteLength),
          wideLimits,
          pool,
        ),
    );
    const large = encodeMessage(4, 9, 0, 1, Buffer.alloc(900_000), 128);
    for (const reader of readers) reader.feed(large);
    for (const reader of readers) reader.feed(encodeMessage(4, 9, 0, 1, Buffer.alloc(1000), 128));
    expect(sizes[0]).toBeGreaterThan(900_000);
    expect(sizes.at(-1)).toBeLessThan(20_000);
    expect(pool.keptBytes).toBeGreaterThan(900_000);
    expect(pool.keptBytes).toBeLessThanOrEqual(2_000_000);
    // All at once in the middle of a message, and each goes on with its own.
    for (const reader of readers) reader.feed(large.subarray(0, 500_000));
    for (const reader of readers) reader.feed(large.subarray(500_000));
    expect(sizes).toHaveLength(300);
    expect(pool.keptBytes).toBeLessThanOrEqual(2_000_000);
  });
});
