import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { audioHeaderKey, isVideoFrame, isVideoKeyFrame, videoHeaderKey } from '../../src/wire/flv.js';
import { audioCodecName, videoCodecName } from '../../src/wire/flv-codecs.js';
import { hex } from './support.js';

const ascii = (text: string) => Buffer.from(text, 'latin1').toString('hex');
const [avc1, hvc1, av01, vp09] = ['avc1', 'hvc1', 'av01', 'vp09'].map(ascii);

/** what, payload, codec, key of the header, frame, key frame */
type VideoCase = [string, string, string | null, string | null, boolean, boolean];

const N = null;
describe('video', () => {
  test.each<VideoCase>([
    ['H.264 sequence header', '17 00 000000 01640028', 'h264', 'video', false, false],
    ['H.264 key frame', '17 01 000000 00000002 65', 'h264', N, true, true],
    ['H.264 inter frame', '27 01 000028 00000002 41', 'h264', N, true, false],
    ['H.264 end of sequence', '17 02 000000', 'h264', N, false, false],
    ['H.264 generated key frame', '47 01 000000 65', 'h264', N, true, true],
    ['H.264 disposable frame', '37 01 000000 01', 'h264', N, true, false],
    ['command frame', '57 00', 'h264', N, false, false],
    ['HEVC of Chinese encoders: header', '1c 00 000000 01', 'hevc', 'video', false, false],
    ['HEVC of Chinese encoders: key frame', '1c 01 000000 26', 'hevc', N, true, true],
    ['AV1 in the same manner: header', '1d 00 000000', 'av1', 'video', false, false],
    ['VVC in the same manner: inter frame', '2e 01 000000', 'vvc', N, true, false],
    ['Sorenson H.263 key frame', '12 00 00 84', 'h263', N, true, true],
    ['Sorenson H.263 inter frame', '22 00 00 84', 'h263', N, true, false],
    ['screen video', '13 00', 'screen', N, true, true],
    ['VP6', '14 00', 'vp6', N, true, true],
    ['VP6 with alpha', '25 00', 'vp6a', N, true, false],
    ['screen video 2', '16 00', 'screen2', N, true, true],
    ['an unknown codec', '1f 00', N, N, true, true],
    ['frame type 0', '07 01', 'h264', N, false, false],
    ['frame type 6', '67 01', 'h264', N, false, false],
    ['empty', '', N, N, false, false],
    ['one byte', '17', 'h264', N, false, false],

    ['HEVC SequenceStart', `90 ${hvc1} 01`, 'hevc', 'video', false, false],
    ['HEVC CodedFrames, key', `91 ${hvc1} 000000 26`, 'hevc', N, true, true],
    ['HEVC CodedFramesX, inter', `a3 ${hvc1} 02`, 'hevc', N, true, false],
    ['HEVC SequenceEnd', `92 ${hvc1}`, 'hevc', N, false, false],
    ['H.264 by FourCC', `93 ${avc1} 65`, 'h264', N, true, true],
    ['AV1 Metadata, whatever the frame type says', `d4 ${av01} 02`, 'av1', 'video:metadata', false, false],
    ['AV1 MPEG-2 TS SequenceStart', `95 ${av01}`, 'av1', 'video', false, false],
    ['VP9 key frame', `91 ${vp09} 00`, 'vp9', N, true, true],
    ['VP8', `91 ${ascii('vp08')} 00`, 'vp8', N, true, true],
    ['VVC', `91 ${ascii('vvc1')} 00`, 'vvc', N, true, true],
    ['a FourCC of tomorrow', `91 ${ascii('xyz9')} 00`, 'xyz9', N, true, true],
    ['a FourCC that nobody can read', '91 00010203 00', N, N, true, true],
    ['extended command frame', `d1 ${hvc1} 00`, 'hevc', N, false, false],
    ['a reserved packet type', `98 ${hvc1}`, 'hevc', N, false, false],
    ['extended header alone', '91', N, N, false, false],
    ['half a FourCC', '91 687663', N, N, false, false],

    ['ModEx with a nanosecond offset, then a key frame', `97 02 0f4240 01 ${hvc1} 000000`, 'hevc', N, true, true],
    ['ModEx, then SequenceStart', `97 02 0f4240 00 ${hvc1} 01`, 'hevc', 'video', false, false],
    ['two ModEx', `a7 02 000001 07 00 ff 03 ${hvc1} 00`, 'hevc', N, true, false],
    ['ModEx of 256 bytes and more', `97 ff 00ff ${'00'.repeat(256)} 01 ${hvc1} 00`, 'hevc', N, true, true],
    ['ModEx that is cut off', '97 02 0f42', N, N, false, false],
    ['ModEx without a size', '97', N, N, false, false],
    ['long ModEx without its size', '97 ff 00', N, N, false, false],

    ['Multitrack, one track: SequenceStart of track 1', `96 00 ${hvc1} 01 01`, 'hevc', 'video:1', false, false],
    ['Multitrack, one track: key frame of track 0', `96 01 ${hvc1} 00 000000`, 'hevc', N, true, true],
    ['Multitrack, one track: key frame of track 1', `96 01 ${hvc1} 01 000000`, 'hevc', N, true, true],
    ['Multitrack, many tracks: SequenceStart', `96 10 ${av01} 00 000001 aa 01 000001 bb`, 'av1', 'video', false, false],
    ['Multitrack, many tracks: key frames', `96 13 ${av01} 01 000001 aa 02 000001 bb`, 'av1', N, true, true],
    [
      'Multitrack, many codecs: SequenceStart',
      `96 20 ${av01} 02 000001 aa ${hvc1} 01 000001 bb`,
      'av1',
      'video:2',
      false,
      false,
    ],
    ['Multitrack, Metadata of a track', `96 04 ${hvc1} 03`, 'hevc', 'video:metadata:3', false, false],
    ['ModEx, then Multitrack', `97 02 0f4240 06 01 ${hvc1} 00 000000`, 'hevc', N, true, true],
    ['Multitrack in Multitrack', `96 06 ${hvc1} 00`, N, N, false, false],
    ['an unknown kind of Multitrack', `96 31 ${hvc1} 00`, N, N, false, false],
    ['Multitrack without a track', `96 01 ${hvc1}`, N, N, false, false],
  ])('%s', (_, bytes, codec, key, frame, keyFrame) => {
    const payload = hex(bytes);
    expect({
      codec: videoCodecName(payload),
      key: videoHeaderKey(payload),
      frame: isVideoFrame(payload),
      keyFrame: isVideoKeyFrame(payload),
    }).toEqual({ codec, key, frame, keyFrame });
  });
});

describe('audio', () => {
  test.each<[string, string, string | null, string | null]>([
    ['AAC header', 'af 00 1408', 'aac', 'audio'],
    ['AAC frame', 'af 01 21', 'aac', N],
    ['AAC, cut off', 'af', 'aac', N],
    ['MP3', '2f ff', 'mp3', N],
    ['MP3 8 kHz', 'ee 00', 'mp3', N],
    ['PCM', '0e 00', 'pcm', N],
    ['PCM little-endian', '3e 00', 'pcm', N],
    ['ADPCM', '1e 00', 'adpcm', N],
    ['Nellymoser 16 kHz', '4e 00', 'nellymoser', N],
    ['Nellymoser 8 kHz', '5e 00', 'nellymoser', N],
    ['Nellymoser', '6e 00', 'nellymoser', N],
    ['G.711 A', '7e 00', 'g711a', N],
    ['G.711 mu', '8e 00', 'g711u', N],
    ['Speex', 'b2 00', 'speex', N],
    ['Opus of Chinese encoders', 'df 01', 'opus', N],
    ['device-specific', 'f0 00', N, N],
    ['empty', '', N, N],

    ['Opus SequenceStart', `90 ${ascii('Opus')} 4f`, 'opus', 'audio'],
    ['Opus frames', `91 ${ascii('Opus')} 00`, 'opus', N],
    ['FLAC', `91 ${ascii('fLaC')} 00`, 'flac', N],
    ['AC-3', `91 ${ascii('ac-3')} 00`, 'ac3', N],
    ['E-AC-3', `91 ${ascii('ec-3')} 00`, 'eac3', N],
    ['MP3 by FourCC', `91 ${ascii('.mp3')} 00`, 'mp3', N],
    ['AAC by FourCC, SequenceEnd', `92 ${ascii('mp4a')}`, 'aac', N],
    ['multichannel configuration', `94 ${ascii('Opus')} 01 06`, 'opus', 'audio:channels'],
    ['Multitrack, SequenceStart of track 2', `95 00 ${ascii('Opus')} 02 4f`, 'opus', 'audio:2'],
    ['Multitrack, configuration of track 2', `95 04 ${ascii('Opus')} 02 01`, 'opus', 'audio:channels:2'],
    ['Multitrack, many codecs', `95 20 ${ascii('Opus')} 00 000001 aa`, 'opus', 'audio'],
    ['ModEx, then SequenceStart', `97 02 000001 00 ${ascii('Opus')}`, 'opus', 'audio'],
    ['packet type 6, which is Multitrack for video only', `96 ${ascii('Opus')}`, 'opus', N],
    ['extended header alone', '90', N, N],
  ])('%s', (_, bytes, codec, key) => {
    const payload = hex(bytes);
    expect({ codec: audioCodecName(payload), key: audioHeaderKey(payload) }).toEqual({ codec, key });
  });
});

test('any bytes give an answer; the answers do not contradict each other', () => {
  const lead = fc.constantFrom(0x17, 0x90, 0x96, 0x97, 0xa7, 0x95, 0xd4, 0x9f);
  fc.assert(
    fc.property(fc.option(lead, { nil: undefined }), fc.uint8Array({ maxLength: 24 }), (first, bytes) => {
      const payload = Buffer.from(first === undefined ? bytes : [first, ...bytes]);
      const copy = Buffer.from(payload);
      const frame = isVideoFrame(payload);
      const key = videoHeaderKey(payload);
      expect(frame && key !== null).toBe(false);
      expect(isVideoKeyFrame(payload) && !frame).toBe(false);
      expect(key === null || /^video(:metadata)?(:\d{1,3})?$/.test(key)).toBe(true);
      expect(audioHeaderKey(payload) ?? 'audio').toMatch(/^audio(:channels)?(:\d{1,3})?$/);
      expect(videoCodecName(payload) ?? 'none').toMatch(/^[\x21-\x7e]{2,}$/);
      expect(audioCodecName(payload) ?? 'none').toMatch(/^[\x21-\x7e]{3,}$/);
      expect(payload).toEqual(copy);
    }),
    { numRuns: 5000 },
  );
});
