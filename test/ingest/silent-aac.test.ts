import { describe, expect, it } from 'vitest';
import { silenceLike } from '../../src/ingest/silent-aac.js';

const header = (...config: number[]) => Buffer.from([0xaf, 0, ...config]);

describe('silence', () => {
  it.each([
    ['AAC LC, 44.1 kHz, stereo', [0x12, 0x10], 1024 / 44.1, 9],
    ['AAC LC, 48 kHz, mono', [0x11, 0x88], 1024 / 48, 6],
    ['AAC LC, 8 kHz, mono', [0x15, 0x88], 128, 6],
  ])('is made for %s', (_what, config, frameMs, bytes) => {
    const silence = silenceLike(header(...config));
    expect(silence?.frameMs).toBeCloseTo(frameMs);
    expect(silence?.frame.subarray(0, 2)).toEqual(Buffer.from([0xaf, 1]));
    expect(silence?.frame.length).toBe(bytes + 2);
  });

  it.each([
    ['a frame', Buffer.from([0xaf, 1, 0x12, 0x10])],
    ['another codec', Buffer.from([0x2f, 0, 0x12, 0x10])],
    ['HE-AAC', header(0x2b, 0x10)],
    ['six channels', header(0x12, 0x30)],
    ['an index that stands for no sample rate', header(0x17, 0x90)],
    ['frames of 960 samples', header(0x12, 0x14)],
    ['a header that is cut', Buffer.from([0xaf, 0, 0x12])],
    ['nothing', Buffer.alloc(0)],
  ])('is not made for %s', (_what, payload) => {
    expect(silenceLike(payload)).toBeUndefined();
  });
});
