import { expect, it } from 'vitest';
import { audioFormat, formatOfFrame } from '../../web/src/media/audio-codecs.js';
import { readAudio, readVideo } from '../../web/src/media/flv-packet.js';
import { FlvReader, type FlvTag } from '../../web/src/media/flv-reader.js';
import { LiveEdge } from '../../web/src/media/live-edge.js';
import { MediaTimes } from '../../web/src/media/media-times.js';
import { TrackRemuxer } from '../../web/src/media/remuxer.js';
import { formatWithoutHeader, videoFormat } from '../../web/src/media/video-codecs.js';
import { exMessage } from '../support/enhanced.js';

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));
const avc = '0142c01effe100196742c01eda0290bf8893011000000300100000030320f162ea01000468ce0fc8';
const hvc =
  '0101600000009000000000003cf000fcfdf8f800000f03a00001001840010c01ffff01600000030090000003000003003c959809a10001002a42010101600000030090000003000003003ca00a480b9c9596566924caf0168080000003008000000504a2000100074401c172b46240';

/** What is taken at once is of one type. */
function takeAll(track: TrackRemuxer): ReturnType<TrackRemuxer['take']> {
  const parts = track.take();
  return parts.length === 0 ? parts : [...parts, ...takeAll(track)];
}

it('reads FLV in pieces of any size', () => {
  const file = hex(
    '464c5601050000000900000000' +
      // two bytes of sound at 0x81000001 ms, then a picture of three at 0x2a
      `08000002000001810000 00af01 0000000d 09000003 00002a00 000000 170100 0000000e`.replaceAll(' ', ''),
  );
  const whole = new FlvReader().feed(file);
  expect(whole.map(({ type, timestampMs, payload }) => [type, timestampMs, payload.length])).toEqual([
    [8, 0x8100_0001, 2],
    [9, 0x2a, 3],
  ]);
  const bytewise = new FlvReader();
  const tags: FlvTag[] = [];
  for (const byte of file) tags.push(...bytewise.feed(Uint8Array.of(byte)));
  expect(tags).toEqual(whole);
  expect(() => new FlvReader().feed(hex('3c68746d6c3e3c68746d6c3e3c'))).toThrow('not FLV');
});

it('counts time on past the end of the circle, and past clocks that are set', () => {
  const times = new MediaTimes();
  const raw = [0xffff_fff0, 0xffff_fffa, 4, 30, 20, 900_000, 900_040, 100];
  expect(raw.map((at) => times.of(at))).toEqual([0, 10, 20, 46, 36, 76, 116, 156]);
});

it('names codecs to browsers by what their headers say', () => {
  expect(videoFormat('h264', hex(avc))?.mime).toBe('avc1.42C01E');
  expect(videoFormat('hevc', hex(hvc))?.mime).toBe('hvc1.1.6.L60.90');
  expect(videoFormat('av1', hex('81000c000a0b000000043d06d4daf90040'))?.mime).toBe('av01.0.00M.08');
  expect(videoFormat('vp9', hex('010000000228a1090909 0000'.replaceAll(' ', '')))?.mime).toBe('vp09.02.40.10');
  expect(formatWithoutHeader('vp9', hex('8249834200'))?.mime).toBe('vp09.00.41.08');
  expect(videoFormat('vvc', hex(avc))).toBeNull();
  expect(videoFormat('h264', hex('0142'))).toBeNull();
  expect(audioFormat('aac', hex('1210'))).toMatchObject({ mime: 'mp4a.40.2', channels: 2, sampleRate: 44_100 });
  expect(audioFormat('opus', hex('4f707573486561640102380180bb0000000000'))).toMatchObject({
    mime: 'opus',
    channels: 2,
  });
  expect(formatOfFrame('mp3', hex('fffb90c4'))).toMatchObject({ channels: 1, sampleRate: 44_100 });
  expect(audioFormat('ac3', hex('0b77'))).toBeNull();
  // As ffmpeg's `dac3` and `dec3` of the same frames.
  const named = (codec: string, frame: string): unknown => {
    const { mime, configuration, channels, sampleRate } = formatOfFrame(codec, hex(frame)) ?? {};
    return [mime, Buffer.from(configuration ?? []).toString('hex', 8), channels, sampleRate];
  };
  expect(named('ac3', '0b77b50b1e40ebf8')).toEqual(['ac-3', '103de0', 6, 48_000]);
  expect(named('ac3', '0b77c2ea544043e1')).toEqual(['ac-3', '501140', 2, 44_100]);
  expect(named('eac3', '0b77037f3f87c000')).toEqual(['ec-3', '0e00200f00', 6, 48_000]);
  expect(named('eac3', '0b77023fb487c000')).toEqual(['ec-3', '0600a00400', 2, 32_000]);
  // Neither a frame, nor one of a known rate.
  expect(formatOfFrame('ac3', hex('0b77b50bde40ebf8'))).toBeNull();
  expect(formatOfFrame('eac3', hex('770b037f3f87c000'))).toBeNull();
});

it('reads the packets of both ways to write them', () => {
  expect(readVideo(hex('2701ffffd8aabb'))).toMatchObject({
    codec: 'h264',
    role: 'frame',
    isKey: false,
    compositionMs: -40,
  });
  const packet = exMessage({
    kind: 'video',
    packet: 1,
    codec: 'hvc1',
    isKey: true,
    body: Buffer.from('000028aa', 'hex'),
  });
  expect(readVideo(packet)).toMatchObject({ codec: 'hevc', role: 'frame', isKey: true, compositionMs: 40 });
  const colours = exMessage({ kind: 'video', packet: 4, codec: 'hvc1' });
  expect(readVideo(colours)).toBeNull();
  expect(readAudio(hex('72aabb'))).toMatchObject({ codec: 'g711a', role: 'frame' });
  for (const cut of ['', '90', '9066', '17', 'af']) {
    expect(readVideo(hex(cut))).toBeNull();
    expect(readAudio(hex(cut))).toBeNull();
  }
});

it('ends what was before a new header, and goes on with its next key frame', () => {
  const track = new TrackRemuxer('video', () => ({ width: 320, height: 240 }));
  const add = (role: 'header' | 'frame', at: number, data: string, isKey = false): void =>
    track.add({ codec: 'h264', role, data: hex(data), isKey, compositionMs: 0 }, at);
  const boxes = (): string[] =>
    takeAll(track).map((part) => {
      if (!(part instanceof Uint8Array)) throw new Error('these are no boxes');
      const names = Buffer.from(part)
        .toString('latin1')
        .match(/ftyp|moof|mdat/g);
      const media = part.subarray(part.length - 2);
      return `${names?.join('+')} ${Buffer.from(media).toString('hex')}`;
    });
  add('frame', 0, 'a0a0', true); // of no use without a header
  add('header', 0, avc);
  add('frame', 40, 'a1a1'); // nor without a key frame
  add('frame', 80, 'a2a2', true);
  add('frame', 120, 'a3a3');
  // The last is held until its successor says how long it lasts.
  expect(boxes().map((text) => text.slice(0, 9))).toEqual(['ftyp 0000', 'moof+mdat']);
  add('header', 120, avc); // says nothing new
  add('header', 120, avc.replace('42c01e', '42c01f'));
  add('frame', 160, 'b1b1');
  add('frame', 200, 'b2b2', true);
  add('frame', 240, 'b3b3');
  expect(boxes()).toEqual(['moof+mdat a3a3', expect.stringMatching(/^ftyp/), 'moof+mdat b2b2']);
});

it('shows the last picture until the first behind a new header, so that there is no gap to stand at', () => {
  const track = new TrackRemuxer('video', () => ({ width: 320, height: 240 }));
  const add = (role: 'header' | 'frame', at: number, data: string, isKey = false): void =>
    track.add({ codec: 'h264', role, data: hex(data), isKey, compositionMs: 0 }, at);
  const durations = (): number[] =>
    takeAll(track).flatMap((part) => {
      const bytes = Buffer.from(part as Uint8Array);
      // Of `trun`: version and flags, samples, offset of the data; then of each sample duration, size, flags and offset.
      const at = bytes.indexOf('trun') + 4;
      if (at < 4) return [];
      return Array.from({ length: bytes.readUInt32BE(at + 4) }, (_, i) => bytes.readUInt32BE(at + 12 + i * 16));
    });
  add('header', 0, avc);
  for (const at of [0, 40, 80]) add('frame', at, 'a1a1', at === 0);
  add('header', 90, avc.replace('42c01e', '42c01f'));
  expect(durations()).toEqual([40, 40]);
  // Nothing of the new configuration may come before what is still to be shown of the old one.
  expect(track.take()).toEqual([]);
  add('frame', 120, 'b1b1');
  add('frame', 980, 'b2b2', true);
  add('frame', 1020, 'b3b3');
  expect(durations()).toEqual([900, 40]);
});

it('jumps from where the browser stands although there is more, ever less often, and never where it is paused', () => {
  const element = {
    currentTime: 3,
    paused: false,
    seeking: false,
    readyState: 2,
    playbackRate: 1,
    HAVE_CURRENT_DATA: 2,
  };
  const ends = { length: 1, start: () => 0, end: () => 6 };
  const edge = new LiveEdge(Object.assign(element, { buffered: ends }));
  for (let now = 0; now <= 2000; now += 250) edge.keep(now);
  expect(element.currentTime).toBe(3);
  element.seeking = true;
  edge.keep(2250);
  expect(element.currentTime).toBeCloseTo(5.2);
  // It stands there again, with more behind it.
  ends.end = () => 7;
  for (let now = 2500; now <= 6250; now += 250) edge.keep(now);
  expect(element.currentTime).toBeCloseTo(5.2);
  edge.keep(6500);
  expect(element.currentTime).toBeCloseTo(6.2);
  element.paused = true;
  ends.end = () => 9;
  for (let now = 6750; now < 60_000; now += 250) edge.keep(now);
  expect(element.currentTime).toBeCloseTo(6.2);
});

it('leaves MP3 as it is for browsers that want it so, and says where it is after a gap', () => {
  const track = new TrackRemuxer(
    'audio',
    () => ({ width: 0, height: 0 }),
    (mime) => mime === 'audio/mpeg',
  );
  const frame = (at: number, data: string): void =>
    track.add({ codec: 'mp3', role: 'frame', data: hex(data), isKey: true, compositionMs: 0 }, at);
  // 1152 samples at 48,000 Hz are 24 ms.
  for (const at of [1000, 1024, 1048, 2000, 2024]) frame(at, 'fffb94c4');
  expect(track.mime).toBe('audio/mpeg');
  expect(track.take()).toEqual([
    { data: hex('fffb94c4'.repeat(3)), startMs: 1000 },
    { data: hex('fffb94c4'.repeat(2)), startMs: 2000 },
  ]);
  expect(track.waitingBytes).toBe(0);
  // Sound of another codec is MP4 again, and comes by itself.
  frame(2048, 'fffb94c4');
  track.add({ codec: 'aac', role: 'header', data: hex('1210'), isKey: true, compositionMs: 0 }, 2072);
  for (const at of [2072, 2095]) {
    track.add({ codec: 'aac', role: 'frame', data: hex('2110'), isKey: true, compositionMs: 0 }, at);
  }
  expect([track.take().length, track.takenMime]).toEqual([1, 'audio/mpeg']);
  expect([track.take().length, track.takenMime]).toEqual([2, 'audio/mp4; codecs="mp4a.40.2"']);
  expect(track.take()).toEqual([]);
});

it('says of FLAC how many bits its samples have, since browsers compare', () => {
  const of = (bits: number): unknown => {
    const info = Buffer.from('1200120000000e00000e0bb802f0000012c0281d1df6a4cae29b127dd617fe461ce4', 'hex');
    info.writeUInt16BE((0x02 << 8) | ((((bits - 1) >> 4) & 1) << 8) | (((bits - 1) & 15) << 4), 12);
    return audioFormat('flac', info)?.sampleBits;
  };
  expect([of(16), of(24)]).toEqual([16, 24]);
});
