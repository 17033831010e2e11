import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeAmf0 } from '../../src/wire/amf0.js';
import { describeAudio } from '../../src/wire/audio-facts.js';
import { MessageType } from '../../src/wire/message.js';
import { describeVideoHeader, keyFrameSize } from '../../src/wire/video-facts.js';
import { frame, makeStream, metadata, videoHeader } from '../relay/fixtures.js';
import { exMessage } from '../support/enhanced.js';

const { Audio, Video, DataAmf0 } = MessageType;
const hex = (text: string): Buffer => Buffer.from(text, 'hex');

/** Configurations and frames as ffmpeg 5.1 makes them, by what it was asked for. */
const hevc = {
  main: '0101600000009000000000003cf000fcfdf8f800000f03a00001001840010c01ffff01600000030090000003000003003c959809a10001002a42010101600000030090000003000003003ca00a480b9c9596566924caf0168080000003008000000504a2000100074401c172b46240',
  main10:
    '01022000000090000000000078f000fcfdfafa00000f03a00001001840010c01ffff022000000300900000030000030078959809a10001002c420101022000000300900000030000030078a003c08010e4d96566924caf0168080000030008000003005040a2000100074401c172b46240',
  pq: '0102200000009000000000001ef000fcfdfafa00000f03a00001001840010c01ffff02200000030090000003000003001e959809a10001002d42010102200000030090000003000003001ea0208104d96566924caf016a12201208000003000800000300c840a2000100074401c172b42240',
  /** With scaling lists and a ratio of pixels of its own. */
  hlg: '0102200000009000000000001ef000fcfdfafa00000f03a00001001840010c01ffff02200000030090000003000003001e959809a10001002d42010102200000030090000003000003001ea0208104d96566924e578235021202040000030004000003006420a2000100074401c172b42240',
  rext: '0104080000009d08000000001ef000fcfef8f800000f03a00001001740010c01ffff0408000003009d0800000300001e959809a10001002a4201010408000003009d0800000300001eb0112069c93e5959a4932bc05a020000030002000003001410a2000100074401c172b46240',
};

const headers: [string, string, string, Record<string, unknown>][] = [
  ['HEVC, cropped', 'hvc1', hevc.main, { codec: 'hevc', profile: 'Main', size: { width: 322, height: 182 } }],
  ['HEVC of ten bits', 'hvc1', hevc.main10, { profile: 'Main 10', size: { width: 1920, height: 1080 }, hdr: null }],
  ['HEVC with PQ', 'hvc1', hevc.pq, { profile: 'Main 10', size: { width: 64, height: 64 }, hdr: 'pq' }],
  ['HEVC with HLG', 'hvc1', hevc.hlg, { profile: 'Main 10', size: { width: 64, height: 64 }, hdr: 'hlg' }],
  ['HEVC 4:2:2', 'hvc1', hevc.rext, { profile: 'Range Extensions', size: { width: 130, height: 98 } }],
  [
    'AV1',
    'av01',
    '81000c000a0b000000043d06d4daf90040',
    { profile: 'Main', size: { width: 322, height: 182 }, hdr: null },
  ],
  ['AV1 with PQ', 'av01', '81014c000a0e0000000cc4ff6736be5424402410', { size: { width: 640, height: 360 }, hdr: 'pq' }],
  [
    'AV1 of SVT with HLG',
    'av01',
    '81014c000a0e0000000cc4ff6700be1424482410',
    { size: { width: 640, height: 360 }, hdr: 'hlg' },
  ],
  ['AV1 4:4:4', 'av01', '812000000a0a20000002aff79b5f2040', { profile: 'High', size: { width: 64, height: 48 } }],
  ['VP9', 'vp09', '01000000000b820202020000', { codec: 'vp9', profile: 'Profile 0', size: null, hdr: null }],
  ['VP9 with HLG', 'vp09', '01000000022092091209 0000'.replace(' ', ''), { profile: 'Profile 2', hdr: 'hlg' }],
  [
    'H.264 by FourCC',
    'avc1',
    '0142c01effe100196742c01eda0290bf8893011000000300100000030320f162ea01000468ce0fc8',
    { codec: 'h264', profile: 'Constrained Baseline', size: { width: 642, height: 362 } },
  ],
];

const keyFrames: [string, string, string, { width: number; height: number } | null][] = [
  ['VP9', 'vp09', '824983420014100b560438241c184a0009207fd9', { width: 322, height: 182 }],
  ['VP9 4:4:4', 'vp09', 'a24983420000820062c207048383094000607cb0', { width: 66, height: 50 }],
  ['VP9 of ten bits', 'vp09', '92498342000208018b041c120e0c2c0001f07cb1', { width: 66, height: 50 }],
  ['VP9, no key frame', 'vp09', '86004092f0a1400000487f88', null],
  ['VP8', 'vp08', 'f067009d012a4201b60000070885858885848802', { width: 322, height: 182 }],
  ['VP8, no key frame', 'vp08', '911a000710ac001ed9bfbf5d', null],
  [
    'AV1',
    'av01',
    '12000a0b000000043d06d4fbf9004032f418140023382000017ef00f20dd38c02d0ecce0c54ff145',
    { width: 322, height: 182 },
  ],
];

const sounds: [string, Buffer, number | null, string | null][] = [
  ...[1, 2, 6, 8].map((count): [string, Buffer, number, null] => [
    `Opus, ${count}`,
    exMessage({ kind: 'audio', packet: 0, codec: 'Opus', body: hex(`4f70757348656164010${count}380180bb0000000001`) }),
    count,
    null,
  ]),
  ...(
    [
      ['00f0', 1],
      ['02f0', 2],
      ['0af0', 6],
      ['0ef0', 8],
    ] as const
  ).map(([bits, count]): [string, Buffer, number, null] => [
    `FLAC, ${count}`,
    exMessage({
      kind: 'audio',
      packet: 0,
      codec: 'fLaC',
      body: hex(`664c6143000000221200120000000b00000b0bb8${bits}000012c07651f1357d2e9c8fcd2bf47a2ad6d78a`),
    }),
    count,
    null,
  ]),
  ...(
    [
      ['0b774e770c402f8429c3fe75', 1],
      ['0b775052144043e106f46370', 2],
      ['0b7728191e40ebf8403eff99', 6],
    ] as const
  ).map(([body, count]): [string, Buffer, number, null] => [
    `AC-3, ${count}`,
    exMessage({ kind: 'audio', packet: 1, codec: 'ac-3', body: hex(body) }),
    count,
    null,
  ]),
  ...(
    [
      ['0b7700bf3287c00000086061', 1],
      ['0b77017f3487c00020000000', 2],
      ['0b77037f3f87c00020000000', 6],
    ] as const
  ).map(([body, count]): [string, Buffer, number, null] => [
    `E-AC-3, ${count}`,
    exMessage({ kind: 'audio', packet: 1, codec: 'ec-3', track: 3, body: hex(body) }),
    count,
    null,
  ]),
  ['MP3 by FourCC, mono', exMessage({ kind: 'audio', packet: 1, codec: '.mp3', body: hex('fffb54c40003') }), 1, null],
  ['MP3 by FourCC, stereo', exMessage({ kind: 'audio', packet: 1, codec: '.mp3', body: hex('fffb9464000f') }), 2, null],
  ['AAC LC, stereo', hex('af001210'), 2, 'LC'],
  ['AAC LC, 5.1', hex('af0011b0'), 6, 'LC'],
  ['HE-AAC v2', hex('af00eb098800'), 2, 'HE v2'],
  ['AAC by FourCC', exMessage({ kind: 'audio', packet: 0, codec: 'mp4a', track: 1, body: hex('1388') }), 1, 'LC'],
  [
    'the channels of a configuration',
    exMessage({ kind: 'audio', packet: 4, codec: 'mp4a', body: hex('0106') }),
    6,
    null,
  ],
  ['G.711', hex('7e00'), 1, null],
  ['MP3, stereo', hex('2fff'), 2, null],
  ['an AAC frame, which says nothing', hex('af0121'), null, null],
];

describe('names of tracks', () => {
  it.each(headers)('%s, by its header', (_what, codec, body, expected) => {
    for (const track of [undefined, 0, 5]) {
      const stream = makeStream();
      stream.publish(
        Video,
        0,
        exMessage({ kind: 'video', packet: 0, codec, body: hex(body), ...(track === undefined ? {} : { track }) }),
        0,
      );
      const [seen] = stream.ingest.videoTracks;
      expect(seen).toMatchObject({ id: track ?? 0, ...expected });
    }
  });

  it.each(keyFrames)('%s, by its key frame', (_what, codec, body, size) => {
    for (const [packet, track] of [
      [1, undefined],
      [3, 2],
    ] as const) {
      const stream = makeStream();
      stream.publish(
        Video,
        0,
        exMessage({
          kind: 'video',
          packet,
          codec,
          isKey: true,
          body: hex(body),
          ...(track === undefined ? {} : { track }),
        }),
        0,
      );
      expect(stream.ingest.videoTracks[0]?.size ?? null).toEqual(size === null ? null : expect.objectContaining(size));
    }
  });

  it.each(sounds)('%s', (_what, payload, channels, profile) => {
    expect(describeAudio(payload)).toEqual({ channels, profile });
    const stream = makeStream();
    stream.publish(Audio, 0, payload, 0);
    expect(stream.ingest.audioTracks[0]).toMatchObject({ channels });
  });

  it('a size in the stream goes before what metadata claims, and both before nothing', () => {
    const stream = makeStream();
    stream.publish(DataAmf0, 0, metadata(9999), 0);
    expect([stream.ingest.pictureSize, stream.ingest.facts.width]).toEqual([null, 9999]);
    stream.publish(Video, 0, exMessage({ kind: 'video', packet: 0, codec: 'hvc1', body: hex(hevc.main10) }), 0);
    expect(stream.ingest.pictureSize).toEqual({ width: 1920, height: 1080 });
    // Another configuration, and another codec of which nothing is known.
    stream.publish(Video, 0, exMessage({ kind: 'video', packet: 0, codec: 'hvc1', body: hex(hevc.main) }), 0);
    expect(stream.ingest.pictureSize).toEqual({ width: 322, height: 182 });
    stream.publish(Video, 0, exMessage({ kind: 'video', packet: 0, codec: 'vvc1', body: hex('00') }), 0);
    expect(stream.ingest.pictureSize).toBeNull();
  });

  it('the range of brightness is what colours say, until they say nothing any more', () => {
    const stream = makeStream();
    const colours = (value: unknown): Buffer =>
      exMessage({ kind: 'video', packet: 4, codec: 'hvc1', body: encodeAmf0('colorInfo', value as never) });
    const hdr = (): unknown => stream.ingest.videoTracks[0]?.hdr;
    stream.publish(Video, 0, colours({ colorConfig: { transferCharacteristics: 16 } }), 0);
    expect(hdr()).toBe('pq');
    stream.publish(Video, 0, colours({ colorConfig: { transferCharacteristics: 18 } }), 0);
    expect(hdr()).toBe('hlg');
    for (const nothing of [{}, { colorConfig: { transferCharacteristics: 1 } }, { colorConfig: 'x' }]) {
      stream.publish(Video, 0, colours({ colorConfig: { transferCharacteristics: 16 } }), 0);
      stream.publish(Video, 0, colours(nothing), 0);
      expect(hdr()).toBeNull();
    }
  });

  it('the old fields are about track 0, else the lowest, whichever comes first', () => {
    const stream = makeStream();
    stream.publish(
      Audio,
      0,
      exMessage({ kind: 'audio', packet: 0, codec: 'Opus', track: 4, body: Buffer.alloc(19) }),
      0,
    );
    stream.publish(
      Video,
      0,
      exMessage({ kind: 'video', packet: 0, codec: 'av01', track: 2, body: hex('81000c00') }),
      0,
    );
    expect([stream.videoCodec, stream.audioCodec]).toEqual(['av1', 'opus']);
    stream.publish(Audio, 0, hex('af001210'), 0);
    stream.publish(Video, 0, videoHeader(), 0);
    stream.publish(Video, 0, frame(1, true), 0);
    expect([stream.videoCodec, stream.audioCodec]).toEqual(['h264', 'aac']);
    expect(stream.ingest.videoTracks.map(({ id, codec }) => [id, codec])).toEqual([
      [0, 'h264'],
      [2, 'av1'],
    ]);
  });
});

it('whatever comes, nothing of it throws or takes long', () => {
  const bodies = [
    ...headers.map(([, codec, body]) => [codec, body, 0]),
    ...keyFrames.map(([, codec, body]) => [codec, body, 1]),
  ] as const;
  fc.assert(
    fc.property(
      fc.constantFrom(...bodies),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 8 }),
      fc.nat(120),
      ([codec, body, packet], changes, length) => {
        const data = hex(String(body));
        for (const [at, value] of changes) data[at % data.length] = value;
        const payload = exMessage({
          kind: 'video',
          packet: Number(packet),
          codec: String(codec),
          isKey: true,
          body: data.subarray(0, length),
        });
        for (const size of [describeVideoHeader(payload)?.size, keyFrameSize(payload)]) {
          if (size == null) continue;
          expect(size.width).toBeGreaterThan(0);
          expect(size.height).toBeGreaterThan(0);
        }
      },
    ),
    { numRuns: 3000 },
  );
  fc.assert(
    fc.property(fc.constantFrom(...sounds), fc.nat(60), ([, payload], length) => {
      const { channels } = describeAudio(payload.subarray(0, length));
      expect(channels === null || (channels > 0 && channels < 256)).toBe(true);
    }),
    { numRuns: 1000 },
  );
});
