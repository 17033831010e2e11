import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  encodeUserControl,
  MessageType,
  parseUserControl,
  type RtmpMessage,
  splitAggregate,
  UserControlEvent,
} from '../../src/wire/message.js';
import { hex } from './support.js';

interface Part {
  type: number;
  timestampMs: number;
  payload: Buffer;
}

function partBytes({ type, timestampMs, payload }: Part, backPointer = true): Buffer {
  const header = Buffer.alloc(11);
  header.writeUInt8(type, 0);
  header.writeUIntBE(payload.length, 1, 3);
  header.writeUIntBE(timestampMs % 0x1000000, 4, 3);
  header.writeUInt8(Math.floor(timestampMs / 0x1000000), 7);
  const pointer = Buffer.alloc(backPointer ? 4 : 0);
  if (backPointer) {
    pointer.writeUInt32BE(11 + payload.length);
  }
  return Buffer.concat([header, payload, pointer]);
}

function splitOdd(payload: Buffer, timestampMs = 0, streamId = 1): { parts: RtmpMessage[]; problem: string | null } {
  const parts: RtmpMessage[] = [];
  const whole = { type: MessageType.Aggregate, timestampMs, streamId, payload };
  return { problem: splitAggregate(whole, (part) => parts.push(part)), parts };
}

function split(payload: Buffer, timestampMs = 0, streamId = 1): RtmpMessage[] {
  const { parts, problem } = splitOdd(payload, timestampMs, streamId);
  expect(problem).toBeNull();
  return parts;
}

describe('aggregates', () => {
  test('of more parts than anybody sends are taken up to the limit', () => {
    const parts = (count: number) =>
      Buffer.alloc(count * 15, partBytes({ type: 8, timestampMs: 0, payload: hex('') }).fill(0, 11));
    expect(split(parts(4096))).toHaveLength(4096);
    const more = splitOdd(parts(4097));
    expect(more.parts).toHaveLength(4096);
    expect(more.problem).toMatch(/limit of 4096/);
  });

  test('parts come out in order, their timestamps moved to that of the aggregate', () => {
    const uint32 = fc.nat(0xffffffff);
    const parts = fc.array(
      fc.record({
        type: fc.constantFrom(8, 9, 18),
        timestampMs: uint32,
        payload: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
      }),
      { maxLength: 6 },
    );
    fc.assert(
      fc.property(parts, uint32, uint32, fc.boolean(), (list, timestampMs, streamId, lastPointer) => {
        const payload = Buffer.concat(
          list.map((part, index) => partBytes(part, lastPointer || index < list.length - 1)),
        );
        const first = list[0]?.timestampMs ?? 0;
        expect(split(payload, timestampMs, streamId)).toEqual(
          list.map((part) => ({
            ...part,
            streamId,
            timestampMs: Number(
              (BigInt(part.timestampMs) - BigInt(first) + BigInt(timestampMs) + 2n ** 33n) % 2n ** 32n,
            ),
          })),
        );
      }),
    );
  });

  test('a vector: the fourth byte of the timestamp is the highest, the back pointer is ignored', () => {
    const payload = hex('08 000002 000010 01 000000 af01 00000000  09 000001 000020 01 000000 17 ffffffff');
    expect(split(payload, 1000, 5)).toEqual([
      { type: 8, timestampMs: 1000, streamId: 5, payload: hex('af01') },
      { type: 9, timestampMs: 1016, streamId: 5, payload: hex('17') },
    ]);
  });

  test('an empty one has no parts', () => {
    expect(split(Buffer.alloc(0))).toEqual([]);
  });

  const audio = '08 000001 000000 00 000000 af 0000000c';
  test.each<[string, string, number, RegExp | null]>([
    ['half a header', '08 000002 0000', 1, /ends 6 bytes into the header of a part/],
    ['a part that is cut off', '08 000003 000000 00 000000 af01', 1, /declares 3 bytes, and 2 are left/],
    ['half a size behind the last part', '09 000001 000000 00 000000 17 0000', 2, null],
    ['no size behind the last part', '09 000001 000000 00 000000 17', 2, null],
    ['an aggregate in it', `16 000000 000000 00 000000 0000000b ${audio}`, 2, /has type 22/],
    ['a SetChunkSize in it', `01 000004 000000 00 000000 00000001 0000000f ${audio}`, 2, /has type 1/],
    ['a type that nobody knows in it', `63 000000 000000 00 000000 0000000b ${audio}`, 3, null],
  ])('with %s: the rest of its parts comes through', (_, bytes, count, problem) => {
    const { parts, problem: told } = splitOdd(hex(`${audio} ${bytes}`));
    expect(parts).toHaveLength(count);
    if (problem === null) expect(told).toBeNull();
    else expect(told).toMatch(problem);
  });
});

describe('user control', () => {
  test.each([
    [UserControlEvent.StreamBegin, [1], '0000 00000001'],
    [UserControlEvent.SetBufferLength, [1, 3000], '0003 00000001 00000bb8'],
    [UserControlEvent.PingRequest, [0xffffffff], '0006 ffffffff'],
    [UserControlEvent.PingResponse, [0xffffffff], '0007 ffffffff'],
  ])('event %s', (event, values, bytes) => {
    expect(encodeUserControl(event, ...values)).toEqual(hex(bytes));
    const [value, value2] = values;
    expect(parseUserControl(hex(bytes))).toEqual(value2 === undefined ? { event, value } : { event, value, value2 });
  });

  test('unknown events pass, whatever they carry', () => {
    expect(parseUserControl(hex('001a'))).toEqual({ event: 26, value: 0 });
    expect(parseUserControl(hex('0020 00000001'))).toEqual({ event: 32, value: 1 });
  });

  test('bytes behind the values are ignored (librtmp pads)', () => {
    expect(parseUserControl(hex('0000 00000001 0000'))).toEqual({ event: 0, value: 1 });
  });

  test.each(['', '00', '0006 000000', '0003 00000001 000000', '0003 00000001'])(
    '"%s" is cut short, and says nothing',
    (bytes) => {
      expect(parseUserControl(hex(bytes))).toBeNull();
    },
  );
});
