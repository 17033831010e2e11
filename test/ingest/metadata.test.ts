import { describe, expect, it } from 'vitest';
import { describeMetadata, noFacts } from '../../src/ingest/metadata.js';
import { encodeAmf0 } from '../../src/wire/amf0.js';

const text = 'x'.repeat(50);
const many = Object.fromEntries(Array.from({ length: 900 }, (_, index) => [`k${index}`, text]));

describe('what metadata says of a stream', () => {
  it.each<[string, Parameters<typeof encodeAmf0>[0], object]>([
    [
      'all of it',
      { width: 1280, height: 720, encoder: 'OBS' },
      { ...noFacts, width: 1280, height: 720, encoder: 'OBS' },
    ],
    ['among many others', { ...many, width: 640, height: 360 }, { ...noFacts, width: 640, height: 360 }],
    ['in front of many others', { encoder: 'x264', ...many }, { ...noFacts, encoder: 'x264' }],
    ['values of other types', { width: '1280', height: true, encoder: 5 }, noFacts],
    ['no size at all', { width: 0, height: -1, encoder: '' }, noFacts],
    ['no whole number', { width: 1.5, height: Number.NaN }, noFacts],
    ['a size that nothing has', { width: 65_536, height: 65_535 }, { ...noFacts, height: 65_535 }],
    ['keys that only begin so', { widthx: 1, heigh: 2, encoders: 'a' }, noFacts],
    ['values that are nested', { other: { width: 9 }, height: 4 }, { ...noFacts, height: 4 }],
    ['a rate of frames', { framerate: 25, videoframerate: 30 }, { ...noFacts, frameRate: 25 }],
    ['the rate of a clock', { framerate: 90_000, videoframerate: 30 }, { ...noFacts, frameRate: 30 }],
    ['sound, by its codec', { audiocodecid: 10 }, { ...noFacts, hasAudio: true }],
    ['sound, by a name', { audiocodecid: 'mp4a', ...many }, { ...noFacts, hasAudio: true }],
    ['no sound, whatever its codec', { audiocodecid: 10, hasAudio: false }, noFacts],
    ['no object', 'width', noFacts],
    ['nothing', null, noFacts],
  ])('%s', (_what, value, facts) => {
    expect(describeMetadata(encodeAmf0(value))).toEqual(facts);
  });

  it('the last of two that have the same key', () => {
    const one = encodeAmf0({ width: 1 });
    const two = encodeAmf0({ width: 2 });
    const both = Buffer.concat([one.subarray(0, -3), two.subarray(1)]);
    expect(describeMetadata(both).width).toBe(2);
  });

  it('shortens a long name, and looks into nothing that is very large', () => {
    expect(describeMetadata(encodeAmf0({ encoder: 'e'.repeat(60_000) })).encoder).toHaveLength(128);
    expect(describeMetadata(encodeAmf0({ width: 5, a: text.repeat(1000), b: text.repeat(1000) }))).toEqual(noFacts);
  });

  it('is robust against cuts at every byte', () => {
    const whole = encodeAmf0({ width: 1280, encoder: 'OBS' });
    for (let end = 0; end < whole.length; end++) {
      const { width, encoder } = describeMetadata(whole.subarray(0, end));
      expect([null, 1280]).toContain(width);
      expect([null, 'OBS']).toContain(encoder);
    }
    expect(describeMetadata(Buffer.alloc(0))).toEqual(noFacts);
  });
});
