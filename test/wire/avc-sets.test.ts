import { describe, expect, test } from 'vitest';
import { avcPictureSize } from '../../src/wire/avc.js';
import { AvcSets } from '../../src/wire/avc-sets.js';

/** Sets of x264 for 320 × 240 and 640 × 480 (baseline), from `ffmpeg -f lavfi -i testsrc=s=SIZE`. */
const small = Buffer.from(
  '67 42 c0 0d d9 01 41 fb 01 10 00 00 03 00 10 00 00 03 03 20 f1 42 a4 80'.replaceAll(' ', ''),
  'hex',
);
const large = Buffer.from(
  '67 42 c0 1e d9 00 a0 3d b0 11 00 00 03 00 01 00 00 03 00 32 0f 16 2e 48'.replaceAll(' ', ''),
  'hex',
);
const picture = Buffer.from('68cb83cb20', 'hex');

const unit = (data: Buffer): Buffer => Buffer.concat([Buffer.from([0, 0, 0, data.length]), data]);
const frame = (isKey: boolean, ...units: Buffer[]): Buffer =>
  Buffer.concat([Buffer.from([isKey ? 0x17 : 0x27, 1, 0, 0, 0]), ...units.map(unit)]);
const slice = Buffer.from([0x65, 1, 2, 3, 4, 5]);
const header = (set: Buffer): Buffer =>
  Buffer.concat([
    Buffer.from([0x17, 0, 0, 0, 0, 1, set[1]!, set[2]!, set[3]!, 0xff, 0xe1, 0, set.length]),
    set,
    Buffer.from([1, 0, picture.length]),
    picture,
  ]);

describe('parameter sets within the stream', () => {
  test('the same as those of the header change nothing', () => {
    const sets = new AvcSets();
    expect(sets.headerBefore(header(small))).toBe(null);
    expect(sets.headerBefore(frame(true, small, picture, slice))).toBe(null);
    expect(sets.headerBefore(frame(true, slice))).toBe(null);
  });

  test('others make a header of their own, once', () => {
    const sets = new AvcSets();
    sets.headerBefore(header(small));
    const made = sets.headerBefore(frame(true, large, picture, slice));
    expect(made).toEqual(header(large));
    expect(avcPictureSize(made!)).toEqual({ width: 640, height: 480 });
    expect(sets.headerBefore(frame(true, large, picture, slice))).toBe(null);
    expect(avcPictureSize(sets.headerBefore(frame(true, small, picture, slice))!)).toEqual({ width: 320, height: 240 });
  });

  test.each([
    ['before any header', [frame(true, large, picture, slice)]],
    ['in no key frame', [header(small), frame(false, large, picture, slice)]],
    ['without a picture set', [header(small), frame(true, large, slice)]],
    ['in a frame that is cut off', [header(small), frame(true, large, picture, slice).subarray(0, -1)]],
    ['behind a header that is cut off', [header(small).subarray(0, 20), frame(true, large, picture, slice)]],
    ['of nothing', [header(small), Buffer.from([0x17, 1, 0, 0, 0, 0, 0, 0, 0, 0])]],
    ['of another codec', [header(small), Buffer.from([0x1c, 1, 0, 0, 0, 0, 0, 0, 1, 0x67])]],
  ])('%s they say nothing', (_, messages) => {
    const sets = new AvcSets();
    for (const message of messages) expect(sets.headerBefore(message)).toBe(null);
  });
});
