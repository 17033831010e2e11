import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  AmfDate,
  AmfEcmaArray,
  AmfReference,
  AmfTypedObject,
  AmfUnsupported,
  type AmfValue,
  AmfXmlDocument,
  createAmfObject,
  decodeAmf0,
  defaultAmf0Limits,
  encodeAmf0,
  propertiesOf,
  readAmf0,
} from '../../src/wire/amf0.js';
import { hex, wireErrorCode } from './support.js';

/** Whether UTF-8 can carry it: no half of a surrogate pair. */
const isWellFormed = (text: string) => Buffer.from(text).toString() === text;

/** Every string that UTF-8 can carry. */
const texts = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }).filter(isWellFormed),
  fc.constantFrom('', '__proto__', 'constructor', 'é', '𝄞', '\u0000', 'x'.repeat(65535), 'x'.repeat(65536)),
);
const keys = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 8 }).filter(isWellFormed),
  fc.constantFrom('', '__proto__', 'constructor', 'toString', '0', '-1'),
);

const { value: values } = fc.letrec<{ value: AmfValue; properties: ReturnType<typeof createAmfObject> }>((tie) => ({
  properties: fc.array(fc.tuple(keys, tie('value')), { maxLength: 4 }).map((entries) => {
    const properties = createAmfObject();
    for (const [key, value] of entries) {
      properties[key] = value as AmfValue;
    }
    return properties;
  }),
  value: fc.oneof(
    { maxDepth: 5, depthIdentifier: 'amf', withCrossShrink: true },
    fc.oneof(
      fc.double(),
      fc.boolean(),
      texts,
      fc.constant(null),
      fc.constant(undefined),
      fc.tuple(fc.double(), fc.integer({ min: -32768, max: 32767 })).map(([time, zone]) => new AmfDate(time, zone)),
      texts.map((text) => new AmfXmlDocument(text)),
      fc.constant(new AmfUnsupported()),
    ),
    tie('properties'),
    fc.array(tie('value'), { maxLength: 4 }),
    tie('properties').map((properties) => new AmfEcmaArray(properties as ReturnType<typeof createAmfObject>)),
    fc
      .tuple(keys, tie('properties'))
      .map(([name, properties]) => new AmfTypedObject(name, properties as ReturnType<typeof createAmfObject>)),
  ) as fc.Arbitrary<AmfValue>,
}));

const wide = { maxDepth: 64, maxValues: 1_000_000, maxBytes: 1 << 28 };

describe('round trip', () => {
  test('values of every type keep type and content', () => {
    fc.assert(
      fc.property(fc.array(values, { maxLength: 4 }), (list) => {
        const bytes = encodeAmf0(...list);
        // Tells prototypes, undefined and -0 apart; toStrictEqual is misled by properties named constructor.
        expect(isDeepStrictEqual(decodeAmf0(bytes, wide), list)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  test('a payload that is cut short anywhere is refused', () => {
    fc.assert(
      fc.property(values, fc.nat(), (value, cut) => {
        const bytes = encodeAmf0(value);
        fc.pre(!hasEcmaArray(value) && bytes.length < 1000);
        const part = bytes.subarray(0, cut % bytes.length);
        if (part.length > 0) {
          expect(wireErrorCode(() => decodeAmf0(part, wide))).toBe('RTMP_AMF');
        }
      }),
      { numRuns: 300 },
    );
  });

  test('random bytes never do anything but decode or fail with the code', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          decodeAmf0(Buffer.from(bytes));
        } catch (error) {
          expect(error).toMatchObject({ code: 'RTMP_AMF' });
        }
      }),
      { numRuns: 3000 },
    );
  });
});

function hasEcmaArray(value: AmfValue): boolean {
  if (value === null || typeof value !== 'object') {
    return false;
  }
  return value instanceof AmfEcmaArray || Object.values(value).some((inner) => hasEcmaArray(inner as AmfValue));
}

describe('vectors', () => {
  test.each<[string, string, AmfValue[]]>([
    ['number', '00 3ff0000000000000', [1]],
    ['booleans; any byte but 0 is true', '01 00 01 01 01 07', [false, true, true]],
    ['string', '02 0003 636174', ['cat']],
    ['object', '03 0001 61 05 0001 62 06 000009', [createAmfObject({ a: null, b: undefined })]],
    ['null, undefined', '05 06', [null, undefined]],
    ['object and a reference to it', '03 000009 07 0000', [createAmfObject(), new AmfReference(0)]],
    ['ECMA array', '08 00000001 0001 61 01 01 000009', [new AmfEcmaArray(createAmfObject({ a: true }))]],
    ['strict array', '0a 00000002 05 06', [[null, undefined]]],
    ['date', '0b 4270000000000000 ffc4', [new AmfDate(2 ** 40, -60)]],
    ['long string', '0c 00000001 61', ['a']],
    ['unsupported', '0d', [new AmfUnsupported()]],
    ['XML document', '0f 00000004 3c612f3e', [new AmfXmlDocument('<a/>')]],
    ['typed object', '10 0001 43 0001 61 05 000009', [new AmfTypedObject('C', createAmfObject({ a: null }))]],
    ['text that is not UTF-8', '02 0003 61ff62', ['a\ufffdb']],
    ['an empty property name that is not the end', '03 0000 05 000009', [createAmfObject({ '': null })]],
    ['a property twice: the last one holds', '03 0001 61 05 0001 61 01 01 000009', [createAmfObject({ a: true })]],
    [
      'ECMA array with count 0 (OBS, hardware encoders)',
      '08 00000000 0001 61 05 000009',
      [new AmfEcmaArray(createAmfObject({ a: null }))],
    ],
    [
      'ECMA array with too high a count',
      '08 ffffffff 0001 61 05 000009',
      [new AmfEcmaArray(createAmfObject({ a: null }))],
    ],
    [
      'ECMA array without an end, at the end of the data',
      '08 00000001 0001 61 05',
      [new AmfEcmaArray(createAmfObject({ a: null }))],
    ],
    ['ECMA array with half an end', '08 00000001 0001 61 05 0000', [new AmfEcmaArray(createAmfObject({ a: null }))]],
    [
      'ECMA arrays inside each other, neither with an end',
      '08 00000001 0001 61 08 00000000 0001 62 05',
      [new AmfEcmaArray(createAmfObject({ a: new AmfEcmaArray(createAmfObject({ b: null })) }))],
    ],
  ])('%s', (_, bytes, expected) => {
    expect(decodeAmf0(hex(bytes))).toStrictEqual(expected);
  });

  test('the writer writes these bytes', () => {
    const written = encodeAmf0(
      'connect',
      1,
      createAmfObject({ app: 'live', fpad: false }),
      null,
      undefined,
      [true],
      new AmfEcmaArray(createAmfObject({ w: 2 })),
      new AmfDate(0, 1),
      new AmfReference(3),
    );
    expect(written).toEqual(
      hex(`02 0007 636f6e6e656374  00 3ff0000000000000  03 0003 617070 02 0004 6c697665 0004 66706164 01 00 000009
           05 06  0a 00000001 01 01  08 00000001 0001 77 00 4000000000000000 000009  0b 0000000000000000 0001  07 0003`),
    );
  });

  test('a plain object is encoded too, with its own properties only', () => {
    expect(decodeAmf0(encodeAmf0({ a: 1 }))).toStrictEqual([createAmfObject({ a: 1 })]);
    expect(encodeAmf0(Object.create({ inherited: 1 }) as Record<string, AmfValue>)).toEqual(hex('03 000009'));
  });
});

test('readAmf0 reads one value from an offset and says where it ends', () => {
  const data = hex('ffff 02 0001 61 05');
  expect(readAmf0(data, 2)).toEqual({ value: 'a', end: 6 });
  expect(readAmf0(data, 6)).toEqual({ value: null, end: 7 });
  expect(wireErrorCode(() => readAmf0(data, 7))).toBe('RTMP_AMF');
});

test('a property named __proto__ changes no prototype', () => {
  const [value] = decodeAmf0(hex('03 0009 5f5f70726f746f5f5f 03 0007 706f6c6c757465 01 01 000009 000009'));
  expect(Object.getPrototypeOf(value)).toBeNull();
  expect(Object.keys(value as object)).toEqual(['__proto__']);
  expect((value as Record<string, unknown>).pollute).toBeUndefined();
  expect(({} as Record<string, unknown>).pollute).toBeUndefined();
});

describe('refused', () => {
  test.each<[string, string, RegExp]>([
    ['a movie clip', '04 0000', /marker 4 at byte 0 stands for a movie clip/],
    ['a record set', '0e', /marker 14 .* a record set/],
    ['AMF3', '05 11 04 01', /marker 17 at byte 1 stands for an AMF3 value; AMF0 alone is spoken here/],
    ['an unknown marker', '12', /marker 18 at byte 0 stands for nothing; the last one is 17/],
    ['an object end outside of an object', '09', /an object end outside/],
    ['a reference to nothing', '07 0000', /names object 0, and 0 have begun/],
    ['a reference that is too high', '0a 00000001 07 0001', /names object 1, and 1 have begun/],
    ['half a number', '00 3ff0', /At byte 1 of AMF0 data a number has 2 bytes where it takes 8/],
    ['no boolean', '01', /a boolean has 0 bytes/],
    ['a string that is cut off', '02 0005 6161', /a string has 2 bytes where it takes 5/],
    ['a long string of 4 GB', '0c ffffffff 61', /a long string has 1 byte where it takes 4294967295/],
    ['an XML document that is cut off', '0f 00000002 61', /an XML document/],
    ['an object without an end', '03 0001 61 05', /a property name has 0 bytes/],
    ['an ECMA array without an end, more behind it', '08 00000001 0001 61 05 0200', /RTMP|property name|a type marker/],
    ['a strict array with too high a count', '0a ffffffff 05 05', /a type marker has 0 bytes/],
    ['half a date', '0b 0000', /a date has 2 bytes where it takes 10/],
  ])('%s', (_, bytes, message) => {
    expect(() => decodeAmf0(hex(bytes))).toThrow(message);
    expect(wireErrorCode(() => decodeAmf0(hex(bytes)))).toBe('RTMP_AMF');
  });
});

describe('limits', () => {
  /** `depth` values, each inside the one before; nothing is closed. */
  const nests: [string, (depth: number) => Buffer][] = [
    ['objects', (depth) => hex(`${'03 0001 61'.repeat(depth)} 05`)],
    ['ECMA arrays', (depth) => hex(`${'08 00000001 0001 61'.repeat(depth)} 05`)],
    ['strict arrays', (depth) => hex(`${'0a 00000001'.repeat(depth)} 05`)],
    ['typed objects', (depth) => hex(`${'10 0001 43 0001 61'.repeat(depth)} 05`)],
  ];

  test.each(nests)('%s 10,000 deep are refused, however high the limit is', (_, nest) => {
    expect(() => decodeAmf0(nest(10_000))).toThrow(/deeper than the limit of 32/);
    expect(() => decodeAmf0(nest(10_000), { maxDepth: 1e9, maxValues: 1e9, maxBytes: 1e9 })).toThrow(
      /deeper than the limit of 256/,
    );
  });

  test('the depth that is allowed is allowed', () => {
    expect(() => decodeAmf0(hex(`${'0a 00000001'.repeat(32)} 05`))).not.toThrow();
    expect(() => decodeAmf0(hex(`${'0a 00000001'.repeat(33)} 05`))).toThrow(/limit of 32/);
  });

  test('the number of values', () => {
    const limits = { ...defaultAmf0Limits, maxValues: 4 };
    expect(decodeAmf0(hex('0a 00000003 05 05 05'), limits)).toHaveLength(1);
    expect(() => decodeAmf0(hex('0a 00000003 05 05 05 05'), limits)).toThrow(/more AMF values than the limit of 4/);
  });

  test('the number of bytes', () => {
    const limits = { ...defaultAmf0Limits, maxBytes: 4 };
    expect(decodeAmf0(hex('02 0001 61'), limits)).toEqual(['a']);
    expect(() => decodeAmf0(hex('02 0002 6161'), limits)).toThrow(/exceeds the limit of 4 bytes/);
    expect(() => decodeAmf0(hex('05 05 05 05 05'), limits)).toThrow(/exceeds the limit of 4 bytes/);
    expect(readAmf0(hex('05 05 05 05 05'), 4, limits).end).toBe(5);
  });

  test('what cannot be encoded is refused', () => {
    const circle: AmfValue[] = [];
    circle.push(circle);
    expect(wireErrorCode(() => encodeAmf0(circle))).toBe('RTMP_AMF');
    expect(wireErrorCode(() => encodeAmf0({ ['k'.repeat(65536)]: 1 }))).toBe('RTMP_AMF');
    expect(wireErrorCode(() => encodeAmf0(new AmfTypedObject('k'.repeat(65536), {})))).toBe('RTMP_AMF');
  });
});

test('propertiesOf finds the properties of objects of every kind, and of nothing else', () => {
  const properties = createAmfObject({ a: 1 });
  for (const value of [properties, new AmfEcmaArray(properties), new AmfTypedObject('C', properties)]) {
    expect(propertiesOf(value)).toBe(properties);
  }
  const others = ['a', 1, true, null, undefined, [1], new AmfDate(0), new AmfXmlDocument(''), new AmfReference(0)];
  for (const value of [...others, new AmfUnsupported()]) {
    expect(propertiesOf(value)).toBeUndefined();
  }
});
