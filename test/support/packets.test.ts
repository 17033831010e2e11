import { describe, expect, it } from 'vitest';
import { expectUnbroken, type Packet, parseFrameMd5 } from './packets.js';

/** 20 video packets of 40 ms with composition offsets, 30 audio packets of 23 ms. */
const source: Packet[] = [
  ...Array.from({ length: 20 }, (_, index): Packet => {
    const dtsMs = index * 40;
    return { kind: 'video', dtsMs, ptsMs: dtsMs + (index % 3) * 40, hash: `v${index}` };
  }),
  ...Array.from({ length: 30 }, (_, index): Packet => {
    return { kind: 'audio', dtsMs: index * 23, ptsMs: index * 23, hash: index < 25 ? `a${index}` : 'silence' };
  }),
];
const isVideo = ({ kind }: Packet): boolean => kind === 'video';
const index = (packet: Packet): number => source.filter(({ kind }) => kind === packet.kind).indexOf(packet);

describe('expectUnbroken, the judge of the end-to-end tests', () => {
  it('accepts what arrived as it was sent, shifted in time as a whole', () => {
    const target = source.map((packet) => ({ ...packet, dtsMs: packet.dtsMs + 500, ptsMs: packet.ptsMs + 500 }));
    expect(expectUnbroken(source, target, { fromStart: true })).toEqual({
      video: { from: 0, to: 20, total: 20 },
      audio: { from: 0, to: 30, total: 30 },
    });
  });

  it('accepts a later start, and says where it was', () => {
    const target = source.filter((packet) => index(packet) >= 10);
    expect(expectUnbroken(source, target).video).toEqual({ from: 10, to: 20, total: 20 });
    expect(() => expectUnbroken(source, target, { fromStart: true })).toThrow('the first 10 video packets');
  });

  it('finds one missing packet', () => {
    expect(() =>
      expectUnbroken(
        source,
        source.filter((packet) => packet.hash !== 'v7'),
      ),
    ).toThrow('video breaks at packet 7 of the source: 1 packets missing (19 of 20 packets arrived)');
    expect(() =>
      expectUnbroken(
        source,
        source.filter((packet) => packet.hash !== 'a3'),
      ),
    ).toThrow('audio breaks');
  });

  it('finds a packet that came twice', () => {
    const target = source.flatMap((packet) => (packet.hash === 'v7' ? [packet, packet] : [packet]));
    expect(() => expectUnbroken(source, target)).toThrow('packet 7 a second time');
  });

  it('finds two packets that changed places', () => {
    const target = [...source];
    [target[4], target[5]] = [source[5]!, source[4]!];
    expect(() => expectUnbroken(source, target)).toThrow('video breaks at packet 4');
  });

  it('finds an altered packet', () => {
    const target = source.map((packet) => (packet.hash === 'v9' ? { ...packet, hash: 'other' } : packet));
    expect(() => expectUnbroken(source, target)).toThrow('an altered packet');
  });

  it('finds an end that did not arrive, unless that is allowed', () => {
    const target = source.filter((packet) => packet.hash !== 'v19');
    expect(() => expectUnbroken(source, target)).toThrow('the last 1 video packets did not arrive');
    expect(expectUnbroken(source, target, { toEnd: false }).video?.to).toBe(19);
  });

  it('finds a kind that did not arrive at all', () => {
    expect(() => expectUnbroken(source, source.filter(isVideo))).toThrow('no audio packet arrived of 30');
  });

  it('finds audio that slipped against video, and times that jump', () => {
    const late = source.map((packet) => (isVideo(packet) ? packet : { ...packet, dtsMs: packet.dtsMs + 40 }));
    expect(() => expectUnbroken(source, late)).toThrow('audio packet 0 is 40 ms off');
    const jump = source.map((packet) => (packet.hash === 'v8' ? { ...packet, dtsMs: packet.dtsMs - 5 } : packet));
    expect(() => expectUnbroken(source, jump)).toThrow('video packet 8 is -5 ms off');
  });

  it('finds a lost composition offset', () => {
    const target = source.map((packet) => ({ ...packet, ptsMs: packet.dtsMs }));
    expect(() => expectUnbroken(source, target)).toThrow('composition offset that is -40 ms off');
  });

  it('finds a start that is not a key frame', () => {
    const target = source.filter((packet) => index(packet) >= 10);
    expect(() => expectUnbroken(source, target, { keyFrames: new Set(['v0', 'v11']) })).toThrow('not a key frame');
    expect(() => expectUnbroken(source, target, { keyFrames: new Set(['v0', 'v10']) })).not.toThrow();
  });
});

describe('parseFrameMd5', () => {
  it('reads kinds, time bases, times and hashes, and drops side data', () => {
    const text = [
      '#format: frame checksums',
      '#tb 0: 1/1000',
      '#media_type 0: video',
      '#tb 1: 1/44100',
      '#media_type 1: audio',
      '0,         23,         63,       40,     3018, 0ab49b0120032da2df8fb53f79bc7177',
      '1,      44100,      44100,       23,      280, 35f1d063, S=1,        5, ff45c3a7',
      '',
    ].join('\n');
    expect(parseFrameMd5(text)).toEqual([
      { kind: 'video', dtsMs: 23, ptsMs: 63, hash: '0ab49b0120032da2df8fb53f79bc7177' },
      { kind: 'audio', dtsMs: 1000, ptsMs: 1000, hash: '35f1d063' },
    ]);
  });
});
