import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { avcPictureSize } from '../../src/wire/avc.js';

/** Sequence headers as ffmpeg 5.1 with libx264 writes them into FLV, by what it was asked for. */
const headers: [string, string, number, number][] = [
  ['baseline', '17000000000142c00dffe100166742c00dda0507ec0440000003004000000c83c50aa801000468ce0fc8', 320, 240],
  [
    'cropped to 1080',
    '17000000000142c028ffe100196742c028da01e0089f97011000000300100000030320f1832a01000468ce0fc8',
    1920,
    1080,
  ],
  [
    'cropped both ways',
    '17000000000142c01effe100196742c01eda0290bf8893011000000300100000030320f162ea01000468ce0fc8',
    642,
    362,
  ],
  [
    'high 4:2:2',
    '1700000000017a001fffe1001a677a001fbcb402802dfde022000003000200000300641e30654001000468ce0fc8fef8f800',
    1280,
    718,
  ],
  [
    'high 4:4:4',
    '170000000001f4000affe1001a67f4000a919687278d8fc044000003000400000300c83c489a8001000568ce0f1920fff8f800',
    100,
    50,
  ],
  [
    'interlaced',
    '1700000000014d4028ffe10019674d4028f403c0227ef011000003000100000300321f162ea001000468de0fc8',
    1920,
    1080,
  ],
  [
    'high',
    '17000000000164001effe1001a6764001eacd940a02ff97011000003000100000300320f162d9601000668ebe3cb22c0fdf8f800',
    640,
    360,
  ],
];

describe('the picture size in an AVC sequence header', () => {
  it.each(headers)('%s', (_what, hex, width, height) => {
    expect(avcPictureSize(Buffer.from(hex, 'hex'))).toEqual({ width, height });
  });

  it('is not read from frames, other codecs, or headers that are cut short', () => {
    const whole = Buffer.from(headers[0]?.[1] ?? '', 'hex');
    const frame = Buffer.from(whole);
    frame[1] = 1;
    expect(avcPictureSize(frame)).toBeNull();
    const other = Buffer.from(whole);
    other[0] = 0x1c;
    expect(avcPictureSize(other)).toBeNull();
    for (let length = 0; length < 13 + 22; length++) expect(avcPictureSize(whole.subarray(0, length))).toBeNull();
  });

  it('takes any bytes without throwing, and answers sizes in range only', () => {
    const prefix = Buffer.from('17000000000142c00dffe1', 'hex');
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 4, maxLength: 200 }), (bytes) => {
        const length = Buffer.from([0, bytes.length]);
        const set = Buffer.from(bytes);
        set[0] = 0x67;
        const size = avcPictureSize(Buffer.concat([prefix, length, set]));
        if (size !== null) {
          expect(size.width).toBeGreaterThan(0);
          expect(size.width).toBeLessThanOrEqual(65_535);
          expect(size.height).toBeGreaterThan(0);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('of a set of the largest size costs no more than that of a large one, since publishers choose it', () => {
    const [, known] = headers[0]!;
    const header = Buffer.from(known, 'hex');
    const withSetOf = (bytes: number): Buffer => {
      const large = Buffer.concat([header.subarray(0, 13), header.subarray(13), Buffer.alloc(bytes, 0x55)]);
      large.writeUInt16BE(bytes, 11);
      return large;
    };
    const costOf = (payload: Buffer): number => {
      let leastMs = Number.POSITIVE_INFINITY;
      for (let run = 0; run < 8; run++) {
        const startMs = performance.now();
        for (let i = 0; i < 40; i++) avcPictureSize(payload);
        leastMs = Math.min(leastMs, performance.now() - startMs);
      }
      return leastMs;
    };
    expect(avcPictureSize(withSetOf(65_000))).toEqual({ width: 320, height: 240 });
    costOf(withSetOf(65_000));
    expect(costOf(withSetOf(65_000))).toBeLessThan(5 * costOf(withSetOf(4200)));
  });
});
