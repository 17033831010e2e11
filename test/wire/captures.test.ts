import { describe, expect, test } from 'vitest';
import { AmfEcmaArray, type AmfValue, decodeAmf0 } from '../../src/wire/amf0.js';
import { audioHeaderKey, isVideoFrame, isVideoKeyFrame, videoHeaderKey } from '../../src/wire/flv.js';
import { audioCodecName, videoCodecName } from '../../src/wire/flv-codecs.js';
import { FlvTagReader } from '../../src/wire/flv-reader.js';
import { type HandshakeResult, ServerHandshake } from '../../src/wire/handshake.js';
import { answersDigest, findDigest } from '../../src/wire/handshake-digest.js';
import { MessageType, type RtmpMessage } from '../../src/wire/message.js';
import { collectingReader, comparable, cutAt, inBytes, readCapture, readPieces } from './support.js';

const handshakeBytes = 1 + 1536 + 1536;

function messagesOf(capture: string): RtmpMessage[] {
  return readPieces([readCapture(capture).subarray(handshakeBytes)]);
}

function mediaOf(capture: string): RtmpMessage[] {
  return messagesOf(capture).filter(({ type }) => type === MessageType.Audio || type === MessageType.Video);
}

function commandsOf(capture: string): AmfValue[][] {
  return messagesOf(capture)
    .filter(({ type }) => type === MessageType.CommandAmf0)
    .map(({ payload }) => decodeAmf0(payload));
}

function tagsOf(capture: string): RtmpMessage[] {
  const tags: RtmpMessage[] = [];
  const reader = new FlvTagReader((type, timestampMs, payload) =>
    tags.push({ type, timestampMs, streamId: 1, payload: Buffer.from(payload) }),
  );
  reader.feed(readCapture(capture));
  expect(reader.pendingBytes).toBe(0);
  return tags;
}

const clients = [
  'ffmpeg-publish-client',
  'ffmpeg-extended-client',
  'nginx-push-client',
  'nginx-extended-client',
  'rtmpdump-play-client',
];
const servers = ['ffmpeg-publish-server', 'nginx-push-server', 'rtmpdump-play-server', 'rtmpdump-extended-server'];

describe.each([...clients, ...servers])('%s', (capture) => {
  test('reads alike in one piece, in pieces and byte by byte', () => {
    const bytes = readCapture(capture).subarray(handshakeBytes);
    const whole = readPieces([bytes]);
    expect(whole.length).toBeGreaterThan(5);
    expect(readPieces(inBytes(bytes))).toEqual(whole);
    expect(readPieces(cutAt(bytes, [7, 11, 300, 301, 302, 1000, 2500]))).toEqual(whole);
  });

  test('every command and data message decodes to its end', () => {
    for (const { type, payload } of messagesOf(capture)) {
      if (type === MessageType.CommandAmf0 || type === MessageType.DataAmf0) {
        expect(typeof decodeAmf0(payload)[0]).toBe('string');
      }
    }
  });
});

test('the commands of ffmpeg as a publisher', () => {
  expect(commandsOf('ffmpeg-publish-client')).toEqual([
    [
      'connect',
      1,
      {
        app: 'live',
        type: 'nonprivate',
        flashVer: 'FMLE/3.0 (compatible; Lavf59.27.100)',
        tcUrl: 'rtmp://127.0.0.1:29352/live',
      },
    ],
    ['releaseStream', 2, null, 'cam'],
    ['FCPublish', 3, null, 'cam'],
    ['createStream', 4, null],
    ['publish', 5, null, 'cam', 'live'],
    ['FCUnpublish', 6, null, 'cam'],
    ['deleteStream', 7, null, 1],
  ]);
});

test('the metadata of ffmpeg', () => {
  const metadata = messagesOf('ffmpeg-publish-client').find(({ type }) => type === MessageType.DataAmf0);
  const [command, name, values] = decodeAmf0(metadata!.payload);
  expect([command, name]).toEqual(['@setDataFrame', 'onMetaData']);
  expect(values).toBeInstanceOf(AmfEcmaArray);
  expect((values as AmfEcmaArray).properties).toMatchObject({
    width: 48,
    height: 32,
    framerate: 10,
    videocodecid: 7,
    audiocodecid: 10,
    stereo: false,
  });
});

test('the commands of rtmpdump as a player', () => {
  expect(commandsOf('rtmpdump-play-client').map((values) => values[0])).toEqual([
    'connect',
    'createStream',
    'FCSubscribe',
    'play',
    'deleteStream',
  ]);
});

test.each([
  ['rtmpdump-play-server', 'rtmpdump-play-flv', 39],
  ['rtmpdump-extended-server', 'rtmpdump-extended-flv', 10],
])('what rtmpdump wrote to its file is what is read from %s', (capture, file, count) => {
  const written = tagsOf(file).filter(({ type }) => type !== MessageType.DataAmf0);
  const read = mediaOf(capture);
  expect(written.length).toBeGreaterThanOrEqual(count);
  // rtmpdump ends before the last of what it has received, and moves timestamps.
  const plain = (messages: RtmpMessage[]) => messages.map(({ type, payload }) => [type, payload.toString('hex')]);
  expect(plain(read).slice(0, written.length)).toEqual(plain(written));
});

test('the same frames and timestamps at the publisher, at the push and at the player', () => {
  const frames = (capture: string) =>
    mediaOf(capture)
      .filter(({ type, payload }) => type === MessageType.Video && isVideoFrame(payload))
      .map(({ timestampMs, payload }) => [timestampMs, payload.toString('hex')]);
  for (const [source, others] of [
    ['ffmpeg-publish-client', ['nginx-push-client', 'rtmpdump-play-server']],
    ['ffmpeg-extended-client', ['nginx-extended-client', 'rtmpdump-extended-server']],
  ] as const) {
    const published = frames(source);
    expect(published.length).toBeGreaterThan(10);
    for (const other of others) {
      const seen = frames(other);
      expect(seen.length).toBeGreaterThan(5);
      expect(published).toEqual(expect.arrayContaining(seen));
    }
  }
  expect(frames('ffmpeg-extended-client')[0]![0]).toBe(16_799_800);
});

test('what the payloads are', () => {
  const media = mediaOf('ffmpeg-publish-client');
  const video = media.filter(({ type }) => type === MessageType.Video).map(({ payload }) => payload);
  const audio = media.filter(({ type }) => type === MessageType.Audio).map(({ payload }) => payload);
  expect(new Set(video.map(videoCodecName))).toEqual(new Set(['h264']));
  expect(new Set(audio.map(audioCodecName))).toEqual(new Set(['aac']));
  expect(video.map(videoHeaderKey).filter((key) => key !== null)).toEqual(['video']);
  expect(audio.map(audioHeaderKey).filter((key) => key !== null)).toEqual(['audio']);
  // 14 pictures, a key frame every 5; the first message is the header, the last one the end of the sequence.
  expect(video.map((payload) => (isVideoKeyFrame(payload) ? 'K' : isVideoFrame(payload) ? 'f' : '-')).join('')).toBe(
    '-KffffKffffKfff-',
  );
});

describe('handshakes', () => {
  test.each(['ffmpeg-publish-client', 'nginx-push-client'])(
    'C1 of %s holds a digest, and is answered with one',
    (capture) => {
      const bytes = readCapture(capture);
      const found = findDigest(bytes.subarray(1, 1537), 'client');
      expect(found?.scheme).toBe(0);
      const server = new ServerHandshake();
      const { reply, done }: HandshakeResult = server.receive(bytes.subarray(0, 1537));
      expect(done).toBe(false);
      expect(findDigest(reply!.subarray(1, 1537), 'server')?.scheme).toBe(0);
      expect(answersDigest(reply!.subarray(1537), found!.digest, 'server')).toBe(true);
      const end = server.receive(bytes.subarray(1537));
      expect(end.done).toBe(true);
      expect(end.rest).toEqual(bytes.subarray(handshakeBytes));
    },
  );

  test.each([
    ['ffmpeg-publish-client', 'ffmpeg-publish-server'],
    ['nginx-push-client', 'nginx-push-server'],
  ])('our digest of S2 for %s is that of nginx', (clientCapture, serverCapture) => {
    const c1 = findDigest(readCapture(clientCapture).subarray(1, 1537), 'client');
    const s2 = readCapture(serverCapture).subarray(1537, handshakeBytes);
    expect(answersDigest(s2, c1!.digest, 'server')).toBe(true);
    expect(answersDigest(s2, c1!.digest, 'client')).toBe(false);
  });

  test('our digest of C2 is that of nginx; ffmpeg as a publisher echoes S1 although that has a digest', () => {
    const c2Of = (capture: string) => readCapture(capture).subarray(1537, handshakeBytes);
    const s1Of = (capture: string) => readCapture(capture).subarray(1, 1537);
    const digest = findDigest(s1Of('nginx-push-server'), 'server')!.digest;
    expect(answersDigest(c2Of('nginx-push-client'), digest, 'client')).toBe(true);
    expect(c2Of('ffmpeg-publish-client')).toEqual(s1Of('ffmpeg-publish-server'));
  });

  test('rtmpdump is plain, and gets its C1 back', () => {
    const bytes = readCapture('rtmpdump-play-client');
    expect(findDigest(bytes.subarray(1, 1537), 'client')).toBeNull();
    const { reply } = new ServerHandshake().receive(bytes.subarray(0, 1537));
    expect(reply!.subarray(1537)).toEqual(bytes.subarray(1, 1537));
    expect(findDigest(reply!.subarray(1, 1537), 'server')).toBeNull();
  });
});

test('a capture that is cut off anywhere is no error, only unfinished', () => {
  const bytes = readCapture('ffmpeg-publish-client').subarray(handshakeBytes, handshakeBytes + 3000);
  const whole = comparable(readPieces([bytes]));
  for (let length = 0; length < bytes.length; length += 13) {
    const { reader, messages } = collectingReader();
    reader.feed(bytes.subarray(0, length));
    expect(comparable(messages)).toEqual(whole.slice(0, messages.length));
  }
});
