import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { Outlet } from '../../src/relay/outlet.js';
import type { OutletSink } from '../../src/relay/outlet-sink.js';
import { flvFormat } from '../../src/relay/stream-format.js';
import { defaultTracks } from '../../src/relay/track-choice.js';
import { encodeAmf0 } from '../../src/wire/amf0.js';
import { flvFileHeader } from '../../src/wire/flv-file.js';
import { FlvTagReader } from '../../src/wire/flv-reader.js';
import { MessageType } from '../../src/wire/message.js';
import { until } from '../push/targets.js';
import { exMessage } from '../support/enhanced.js';
import type { FedStream } from '../support/fed-stream.js';
import { makeStream, metadata, roomyLimits, TestSink, targetFormat, viewerFormat } from './fixtures.js';

const { Audio, Video, DataAmf0 } = MessageType;
const hex = (text: string): Buffer => Buffer.from(text, 'hex');

interface Message {
  readonly type: number;
  readonly payload: Buffer;
}

/** What one publisher writes of one codec, by the captures and code of theirs that the facts of this document come from. */
interface Row {
  /** Codec, publisher, and how it writes it. */
  readonly name: readonly [codec: string, publisher: string, how: string];
  readonly type: number;
  readonly headers: readonly Buffer[];
  readonly frame: (number: number, isKey: boolean) => Buffer;
  /** As the API names it. */
  readonly codec: string;
}

const body = (number: number): Buffer => {
  const data = Buffer.alloc(48, number & 0xff);
  data.writeUInt32BE(number, 4);
  return data;
};
const avc = hex('0142c01effe100196742c01eda0290bf8893011000000300100000030320f162ea01000468ce0fc8');
const hvc = hex(
  '0101600000009000000000003cf000fcfdf8f800000f03a00001001840010c01ffff01600000030090000003000003003c959809a10001002a42010101600000030090000003000003003ca00a480b9c9596566924caf0168080000003008000000504a2000100074401c172b46240',
);
const av1 = hex('81000c000a0b000000043d06d4daf90040');
const colours = encodeAmf0('colorInfo', { colorConfig: { transferCharacteristics: 16 } });

const classicVideo = (id: number, config: Buffer): Pick<Row, 'type' | 'headers' | 'frame'> => ({
  type: Video,
  headers: [Buffer.concat([Buffer.from([0x10 | id, 0, 0, 0, 0]), config])],
  frame: (number, isKey) => Buffer.concat([Buffer.from([(isKey ? 0x10 : 0x20) | id, 1, 0, 0, 0]), body(number)]),
});
const exVideo = (
  codec: string,
  config: Buffer | null,
  options: { packet?: 1 | 3; track?: number; before?: Buffer; after?: Buffer } = {},
): Pick<Row, 'type' | 'headers' | 'frame'> => {
  const { packet = 1, before, after } = options;
  const track = options.track === undefined ? {} : { track: options.track };
  const metadataOf = (data: Buffer | undefined): Buffer[] =>
    data === undefined ? [] : [exMessage({ kind: 'video', packet: 4, codec, body: data, ...track })];
  const start = config === null ? [] : [exMessage({ kind: 'video', packet: 0, codec, body: config, ...track })];
  return {
    type: Video,
    headers: [...metadataOf(before), ...start, ...metadataOf(after)],
    frame: (number, isKey) => exMessage({ kind: 'video', packet, codec, isKey, body: body(number), ...track }),
  };
};
const classicAudio = (first: number, config: Buffer | null): Pick<Row, 'type' | 'headers' | 'frame'> => ({
  type: Audio,
  headers: config === null ? [] : [config],
  frame: (number) => Buffer.concat([Buffer.from(config === null ? [first] : [first, 1]), body(number)]),
});
const exAudio = (codec: string, config: Buffer | null): Pick<Row, 'type' | 'headers' | 'frame'> => ({
  type: Audio,
  headers: config === null ? [] : [exMessage({ kind: 'audio', packet: 0, codec, body: config })],
  frame: (number) => exMessage({ kind: 'audio', packet: 1, codec, body: body(number) }),
});

const rows: readonly Row[] = [
  { name: ['H.264', 'all', 'by number'], codec: 'h264', ...classicVideo(7, avc) },
  { name: ['H.264', 'hand-made', '`avc1`'], codec: 'h264', ...exVideo('avc1', avc) },
  { name: ['HEVC', 'cameras of 2018 to 2023', 'by number 12'], codec: 'hevc', ...classicVideo(12, hvc) },
  {
    name: ['HEVC', 'FFmpeg', '`hvc1`, colours behind the header'],
    codec: 'hevc',
    ...exVideo('hvc1', hvc, { after: colours }),
  },
  {
    name: ['HEVC', 'OBS', '`hvc1`, CodedFramesX, colours first'],
    codec: 'hevc',
    ...exVideo('hvc1', hvc, { packet: 3, before: colours }),
  },
  { name: ['AV1', 'FFmpeg, OBS', '`av01`'], codec: 'av1', ...exVideo('av01', av1, { packet: 1 }) },
  { name: ['AV1', 'encoders of China', 'by number 13'], codec: 'av1', ...classicVideo(13, av1) },
  { name: ['VP9', 'FFmpeg', '`vp09`'], codec: 'vp9', ...exVideo('vp09', hex('01000000000b820202020000')) },
  { name: ['VP8', 'FFmpeg', '`vp08`'], codec: 'vp8', ...exVideo('vp08', hex('01000000000b820202020000')) },
  { name: ['VVC', 'hand-made', '`vvc1`'], codec: 'vvc', ...exVideo('vvc1', hex('ff000000')) },
  { name: ['AAC', 'all', 'by number'], codec: 'aac', ...classicAudio(0xaf, hex('af001210')) },
  { name: ['AAC', 'hand-made', '`mp4a`'], codec: 'aac', ...exAudio('mp4a', hex('1210')) },
  { name: ['MP3', 'ffmpeg', 'by number'], codec: 'mp3', ...classicAudio(0x2f, null) },
  { name: ['MP3', 'FFmpeg', '`.mp3`'], codec: 'mp3', ...exAudio('.mp3', null) },
  { name: ['G.711 A-law', 'cameras', 'by number'], codec: 'g711a', ...classicAudio(0x72, null) },
  { name: ['G.711 mu-law', 'cameras', 'by number'], codec: 'g711u', ...classicAudio(0x82, null) },
  { name: ['Speex', 'Flash', 'by number'], codec: 'speex', ...classicAudio(0xb2, null) },
  {
    name: ['Opus', 'FFmpeg, MediaMTX', '`Opus`'],
    codec: 'opus',
    ...exAudio('Opus', hex('4f707573486561640102380180bb0000000000')),
  },
  {
    name: ['FLAC', 'FFmpeg', '`fLaC`'],
    codec: 'flac',
    ...exAudio('fLaC', hex('664c6143000000221200120000000e00000e0bb802f0000012c0281d1df6a4cae29b127dd617fe461ce4')),
  },
  { name: ['AC-3', 'FFmpeg, MediaMTX', '`ac-3`'], codec: 'ac3', ...exAudio('ac-3', null) },
  { name: ['E-AC-3', 'FFmpeg', '`ec-3`'], codec: 'eac3', ...exAudio('ec-3', null) },
];

const frames = 100;
const keyEvery = 25;
const lateAt = 60;

class FlvSink implements OutletSink {
  readonly messages: Message[] = [];
  readonly pendingBytes = 0;
  readonly #reader = new FlvTagReader((type, _timestampMs, payload) => {
    this.messages.push({ type, payload: Buffer.from(payload) });
  });
  constructor() {
    this.#reader.feed(flvFileHeader(true, true));
  }
  write(data: Buffer): boolean {
    this.#reader.feed(Buffer.from(data));
    return true;
  }
}

/** The ways, and from which frame on each is to have everything. */
const ways = ['push', 'late push', 'slow target', 'RTMP viewer', 'late FLV viewer'] as const;

async function run(row: Row): Promise<string[]> {
  const stream: FedStream = makeStream();
  const send = (type: number, payload: Buffer, at: number): void => {
    stream.publish(type, at * 40, payload, at * 40);
    stream.flush(at * 40);
  };
  const attach = (sink: OutletSink, format: typeof targetFormat, at: number, limits = roomyLimits): Outlet => {
    const tracks = format === targetFormat ? undefined : defaultTracks;
    const outlet = new Outlet({ sink, format, limits, tracks });
    stream.attach(outlet, at * 40);
    return outlet;
  };
  const sinks = {
    push: new TestSink(4096),
    'late push': new TestSink(4096),
    'slow target': new TestSink(4096),
    'RTMP viewer': new TestSink(4096),
    'late FLV viewer': new FlvSink(),
  };
  attach(sinks.push, targetFormat, 0);
  const slow = attach(sinks['slow target'], targetFormat, 0, { queueMaxBytes: 1500, queueMaxAgeMs: 60_000 });
  attach(sinks['RTMP viewer'], viewerFormat, 0);
  send(DataAmf0, metadata(640), 0);
  for (const header of row.headers) send(row.type, header, 0);
  for (let i = 0; i < frames; i++) {
    if (i === 10) sinks['slow target'].full = true;
    if (i === 55) {
      sinks['slow target'].drain();
      slow.resume(i * 40);
    }
    if (i === lateAt) {
      attach(sinks['late push'], targetFormat, i);
      attach(sinks['late FLV viewer'], flvFormat, i);
    }
    send(row.type, row.frame(i, i % keyEvery === 0), i);
  }
  await until(
    () => sinks['late FLV viewer'].messages.at(-1)?.payload.equals(row.frame(frames - 1, false)) === true,
    10_000,
    'the copy',
  );
  expect([stream.videoCodec, stream.audioCodec]).toContain(row.codec);
  return ways.map((way) => {
    const got = sinks[way].messages.filter(({ type }) => type === row.type).map(({ payload }) => payload);
    const headers = got.slice(0, row.headers.length);
    const numbers = got.slice(row.headers.length).map((payload) => {
      const number = payload.readUInt32BE(payload.length - 44);
      // Bit for bit.
      expect(payload).toEqual(row.frame(number, number % keyEvery === 0));
      return number;
    });
    expect([way, headers]).toEqual([way, row.headers]);
    const isVideo = row.type === Video;
    expect(numbers.at(-1)).toBe(frames - 1);
    if (way === 'slow target') {
      // A gap, and behind it a key frame.
      const gaps = numbers.filter((number, i) => i > 0 && number !== (numbers[i - 1] ?? 0) + 1);
      expect(gaps.length).toBe(1);
      if (isVideo) expect((gaps[0] ?? -1) % keyEvery).toBe(0);
      return 'resumes whole';
    }
    const first = numbers[0] ?? -1;
    expect(numbers).toEqual(Array.from({ length: frames - first }, (_, i) => first + i));
    if (way.startsWith('late')) {
      if (isVideo) expect(first).toBe(lateAt - (lateAt % keyEvery));
      expect(first).toBeGreaterThan(0);
    } else expect(first).toBe(0);
    return 'as sent';
  });
}

it('every codec comes as it was sent, on every way, as docs/compatibility.md says', async () => {
  const lines = [
    `| codec | written by | as | ${ways.join(' | ')} |`,
    `|---|---|---|${ways.map(() => '---|').join('')}`,
  ];
  for (const row of rows) lines.push(`| ${row.name.join(' | ')} | ${(await run(row)).join(' | ')} |`);
  const text = readFileSync(new URL('../../docs/compatibility.md', import.meta.url), 'utf8');
  expect(text).toContain(lines.join('\n'));
});
