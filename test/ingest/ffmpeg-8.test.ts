import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { Outlet } from '../../src/relay/outlet.js';
import { defaultTracks } from '../../src/relay/track-choice.js';
import { FlvTagReader } from '../../src/wire/flv-reader.js';
import { MessageType } from '../../src/wire/message.js';
import { readAudio, readVideo } from '../../web/src/media/flv-packet.js';
import { TrackRemuxer } from '../../web/src/media/remuxer.js';
import { makeStream, roomyLimits, TestSink, targetFormat, viewerFormat } from '../relay/fixtures.js';

const { Audio, Video } = MessageType;

/** What FFmpeg 8.1 writes of a codec: headers, and three frames. See test/wire/fixtures/README.md. */
function messagesOf(name: string): { type: number; timestampMs: number; payload: Buffer }[] {
  const text = readFileSync(new URL(`../wire/fixtures/ffmpeg-8.1-${name}.b64`, import.meta.url), 'utf8');
  const messages: { type: number; timestampMs: number; payload: Buffer }[] = [];
  const reader = new FlvTagReader((type, timestampMs, payload) => {
    messages.push({ type, timestampMs, payload: Buffer.from(payload) });
  });
  reader.feed(Buffer.from(text, 'base64'));
  return messages;
}

it.each([
  ['hevc', { codec: 'hevc', profile: 'Main', width: 64, height: 64, hdr: 'pq' }, 'video/mp4; codecs="hvc1.1.6.L30.90"'],
  ['av1', { codec: 'av1', profile: 'Main', width: 64, height: 64, hdr: null }, 'video/mp4; codecs="av01.0.00M.08"'],
  [
    'vp9',
    { codec: 'vp9', profile: 'Profile 0', width: 64, height: 64, hdr: null },
    'video/mp4; codecs="vp09.00.10.08"',
  ],
  ['opus', { codec: 'opus', channels: 1 }, 'audio/mp4; codecs="opus"'],
  ['flac', { codec: 'flac', channels: 1 }, 'audio/mp4; codecs="flac"'],
  ['ac3', { codec: 'ac3', channels: 1 }, 'audio/mp4; codecs="ac-3"'],
])('%s of FFmpeg 8.1 is passed on bit for bit, has its names, and is known to the page', (name, facts, mime) => {
  const sent = messagesOf(name);
  const media = sent.filter(({ type }) => type === Audio || type === Video);
  expect(media.length).toBeGreaterThanOrEqual(5);
  const stream = makeStream();
  const [target, viewer] = [new TestSink(4096), new TestSink(4096)];
  stream.attach(new Outlet({ sink: target, format: targetFormat, limits: roomyLimits }), 0);
  stream.attach(new Outlet({ sink: viewer, format: viewerFormat, limits: roomyLimits, tracks: defaultTracks }), 0);
  for (const { type, timestampMs, payload } of sent) {
    expect(stream.publish(type, timestampMs, payload, timestampMs)).toBe(true);
    stream.flush(timestampMs);
  }
  const got = ({ messages }: TestSink): Buffer[] =>
    messages.filter(({ type }) => type === Audio || type === Video).map(({ payload }) => payload);
  expect(got(target)).toEqual(media.map(({ payload }) => payload));
  // Who knows no channel configurations gets none.
  const isChannels = ({ type, payload }: (typeof media)[number]) => type === Audio && (payload[0] ?? 0) === 0x94;
  expect(got(viewer)).toEqual(media.filter((message) => !isChannels(message)).map(({ payload }) => payload));
  expect(stream.ingest.figures(1000).tracks).toEqual([expect.objectContaining({ id: 0, isDefault: true, ...facts })]);

  const isVideo = media[0]?.type === Video;
  const remuxer = new TrackRemuxer(isVideo ? 'video' : 'audio', () => ({ width: 64, height: 64 }));
  for (const { payload, timestampMs } of media) {
    const packet = isVideo ? readVideo(payload) : readAudio(payload);
    if (packet !== null) remuxer.add(packet, timestampMs);
  }
  expect(remuxer.mime).toBe(mime);
  expect(remuxer.take().length).toBe(2);
});
