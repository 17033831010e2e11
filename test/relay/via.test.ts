import { describe, expect, it } from 'vitest';
import { parseVia, viaOfMetadata, withVia } from '../../src/relay/via.js';
import { AmfEcmaArray, createAmfObject, decodeAmf0, encodeAmf0, propertiesOf } from '../../src/wire/amf0.js';

const asEcmaArray = encodeAmf0(
  '@setDataFrame',
  'onMetaData',
  new AmfEcmaArray(createAmfObject({ width: 640, encoder: 'x' })),
);
const asObject = encodeAmf0('onMetaData', createAmfObject({ width: 640, encoder: 'x' }));

describe('the aggregators that a stream came through, in its metadata', () => {
  it.each([
    ['an ECMA array', asEcmaArray],
    ['a bare object', asObject],
  ])('is added to %s, and nothing else changes', (_what, payload) => {
    const stamped = withVia(payload, ['aa', 'bb']);
    const [first, name, value] = decodeAmf0(stamped);
    expect([first, name]).toEqual(['@setDataFrame', 'onMetaData']);
    expect({ ...propertiesOf(value) }).toEqual({ width: 640, encoder: 'x', mediaAggregatorPath: 'aa,bb' });
    expect(viaOfMetadata(stamped)).toEqual(['aa', 'bb']);
  });

  it('takes the place of an older one, with the count of an ECMA array still right', () => {
    const once = withVia(asEcmaArray, ['aa']);
    const twice = withVia(once, ['aa', 'bb', 'cc']);
    expect(twice).toEqual(withVia(asEcmaArray, ['aa', 'bb', 'cc']));
    const count = (payload: Buffer): number => payload.readUInt32BE(payload.indexOf('onMetaData') + 11);
    expect([count(asEcmaArray), count(once), count(twice)]).toEqual([2, 3, 3]);
  });

  it('is added where an encoder left the end marker out', () => {
    const stamped = withVia(asEcmaArray.subarray(0, -3), ['aa']);
    expect(propertiesOf(decodeAmf0(stamped)[2])?.mediaAggregatorPath).toBe('aa');
  });

  it('is not added to other data, nor to metadata without properties', () => {
    const text = encodeAmf0('onTextData', createAmfObject({ text: 'x' }));
    expect(withVia(text, ['aa'])).toEqual(text);
    const bare = encodeAmf0('@setDataFrame', 'onMetaData', null);
    expect(withVia(bare, ['aa'])).toEqual(bare);
  });

  it('is believed only where it looks like one', () => {
    expect(parseVia('aa,b0')).toEqual(['aa', 'b0']);
    for (const text of ['', 'zz', 'aa,', ',aa', 'aa\n', 'a'.repeat(2000), 7, null]) expect(parseVia(text)).toEqual([]);
    const short = Buffer.from(withVia(asObject, ['aa'])).subarray(0, -6);
    expect(() => viaOfMetadata(short)).not.toThrow();
  });
});
