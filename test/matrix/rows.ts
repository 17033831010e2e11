import { programPath } from '../support/aggregator.js';
import { publish } from '../support/ffmpeg.js';
import type { RunningProcess } from '../support/process.js';
import { runOk, startProcess } from '../support/process.js';
import type { Scope } from '../support/scope.js';
import { type Encoder, makeTracks, once, type TrackSpec } from './clips.js';
import { publishByFfmpeg8, writeByFfmpeg8 } from './ffmpeg8.js';
import { classic, extended, type Part, partsOf, together, writeFlv } from './retag.js';

/** One line of the matrix: a publisher, and what it sends. */
export interface Row {
  /** Name of the camera. */
  readonly id: string;
  readonly publisher: string;
  readonly sends: string;
  /** The tracks, as the API is to name them, in its order. */
  readonly tracks: readonly { readonly kind: 'video' | 'audio'; readonly id: number; readonly codec: string }[];
  /** FLV with the very packets that are sent, as FFmpeg 8 can read it. */
  readonly reference: () => Promise<string>;
  /** FLV as the publisher writes it. */
  readonly written: () => Promise<string>;
  readonly publish: (scope: Scope, url: string) => Promise<RunningProcess>;
}

const codecOf = (encoder: Encoder): string => encoder.split(' ')[0] ?? encoder;
const isVideo = ({ encoder }: TrackSpec): boolean => /^(h264|hevc|av1|vp9)/.test(encoder);

/** Ids from 0 on for each kind. */
function numbered(specs: readonly TrackSpec[], first = 0): Row['tracks'] {
  const kinds = [specs.filter(isVideo), specs.filter((spec) => !isVideo(spec))];
  return kinds.flatMap((list, at) =>
    list.map(
      ({ encoder }, i) => ({ kind: at === 0 ? 'video' : 'audio', id: first + i, codec: codecOf(encoder) }) as const,
    ),
  );
}

const specsOf = (...encoders: Encoder[]): TrackSpec[] => encoders.map((encoder, voice) => ({ encoder, voice }));

const asFfmpeg8Writes = (specs: readonly TrackSpec[]): Promise<string> =>
  once(`8 ${JSON.stringify(specs)}`, 'flv', async (file) => writeByFfmpeg8(await makeTracks(specs), file));

function ffmpeg8(id: string, sends: string, specs: readonly TrackSpec[]): Row {
  return {
    ...{ id: `ffmpeg8-${id}`, publisher: 'FFmpeg 8.1', sends, tracks: numbered(specs) },
    reference: () => asFfmpeg8Writes(specs),
    written: () => asFfmpeg8Writes(specs),
    publish: async (scope, url) => publishByFfmpeg8(scope, await makeTracks(specs), url),
  };
}

function ffmpeg5(id: string, sends: string, ...encoders: Encoder[]): Row {
  const reference = (): Promise<string> =>
    once(`5 ${encoders}`, 'flv', async (file) => {
      const clip = await makeTracks(specsOf(...encoders));
      await runOk('ffmpeg', ['-v', 'error', '-y', '-i', clip, '-map', '0', '-c', 'copy', file]);
    });
  return {
    ...{ id: `ffmpeg5-${id}`, publisher: 'ffmpeg 5.1', sends, tracks: numbered(specsOf(...encoders)) },
    ...{ reference, written: reference },
    publish: async (scope, url) => publish(scope, await reference(), url),
  };
}

/** What stands between demuxer and muxer. */
const parsers: Partial<Record<Encoder, readonly string[]>> = {
  aac: ['!', 'aacparse'],
  mp3: ['!', 'mpegaudioparse'],
};

function gstreamer(id: string, sends: string, sound: Encoder): Row {
  const specs = specsOf('h264', sound);
  const pipeline = (clip: string, output: readonly string[]): string[] => [
    ...['-q', 'filesrc', `location=${clip}`, '!', 'flvdemux', 'name=in'],
    ...['flvmux', 'name=out', 'streamable=true', '!', ...output],
    ...['in.video', '!', 'queue', '!', 'h264parse', '!', 'out.video'],
    ...['in.audio', '!', 'queue', ...(parsers[sound] ?? []), '!', 'out.audio'],
  ];
  const clip = ffmpeg5('', '', 'h264', sound).reference;
  const reference = (): Promise<string> =>
    once(`gst ${sound}`, 'flv', async (file) =>
      runOk('gst-launch-1.0', pipeline(await clip(), ['filesink', `location=${file}`])),
    );
  return {
    ...{ id: `gstreamer-${id}`, publisher: 'GStreamer 1.22', sends, tracks: numbered(specs) },
    ...{ reference, written: reference },
    publish: async (scope, url) => {
      const output = ['identity', 'sync=true', '!', 'rtmp2sink', `location=${url}`];
      return startProcess(scope, 'gst-launch-1.0', pipeline(await clip(), output), { name: 'GStreamer (camera)' });
    },
  };
}

type Rewrite = (parts: readonly Part[]) => { part: Part; payload: Buffer }[];

/** What FFmpeg 8 wrote, as others write it; published by the `publish` command. */
function rewritten(
  publisher: string,
  id: string,
  sends: string,
  specs: readonly TrackSpec[],
  rewrite: Rewrite,
  firstTrack = 0,
): Row {
  const file = (): Promise<string> =>
    once(`re ${id}`, 'flv', async (path) => {
      const source = await asFfmpeg8Writes(specs);
      writeFlv(path, source, rewrite(partsOf(source)));
    });
  return {
    ...{ id, publisher, sends, tracks: numbered(specs, firstTrack), written: file },
    reference: () => asFfmpeg8Writes(specs),
    publish: async (scope, url) =>
      startProcess(scope, process.execPath, [programPath, 'publish', await file(), url], { name: 'publish' }),
  };
}

const each =
  (write: (part: Part) => Buffer): Rewrite =>
  (parts) =>
    parts.map((part) => ({ part, payload: write(part) }));

/** OBS 30.2 to 32.2, by its code: H.264 and AAC of track 0 by number, other tracks wrapped, one a message. */
const asObs = (part: Part): Buffer => {
  if (part.track > 0) return extended(part, part.track, true);
  if (part.codec === 'avc1') return classic(part, 7);
  if (part.codec === 'mp4a') return classic(part, 10);
  const payload = extended(part, undefined, true);
  // Its colours have frame type 0.
  if (part.packet === 4) payload[0] = (payload[0] ?? 0) & 0x8f;
  return payload;
};
const coloursFirst: Rewrite = (parts) => {
  const isHead = ({ kind, packet }: Part): boolean => kind === 'video' && packet === 4;
  return each(asObs)([...parts.filter(isHead), ...parts.filter((part) => !isHead(part))]);
};
const shifted: readonly TrackSpec[] = [
  { encoder: 'h264' },
  { encoder: 'h264', size: '160x120', shiftKeys: 9 },
  { encoder: 'h264', size: '176x144', shiftKeys: 17 },
  { encoder: 'aac' },
  { encoder: 'aac', voice: 1 },
];
const twentySounds = Array.from({ length: 20 }, (_, voice): TrackSpec => ({ encoder: 'aac', voice }));

export const rows: readonly Row[] = [
  ffmpeg8('h264-aac', 'H.264, AAC', specsOf('h264', 'aac')),
  ffmpeg8('bframes-mp3', 'H.264 with B-frames, MP3', specsOf('h264 with B-frames', 'mp3')),
  ffmpeg8('hevc-opus', 'HEVC, Opus', specsOf('hevc', 'opus')),
  ffmpeg8('hdr-51', 'HEVC Main 10 with HDR, AAC 5.1', specsOf('hevc hdr', 'aac 5.1')),
  ffmpeg8('av1-flac', 'AV1, FLAC', specsOf('av1', 'flac')),
  ffmpeg8('vp9-ac3', 'VP9, AC-3', specsOf('vp9', 'ac3')),
  ffmpeg8('h264-eac3', 'H.264, E-AC-3', specsOf('h264', 'eac3')),
  ffmpeg8('h264-alaw', 'H.264, G.711 A-law', specsOf('h264', 'g711a')),
  ffmpeg8('h264-ulaw', 'H.264, G.711 mu-law', specsOf('h264', 'g711u')),
  ffmpeg8('h264-speex', 'H.264, Speex', specsOf('h264', 'speex')),
  ffmpeg8('tracks', 'H.264, HEVC and AV1; AAC, Opus and FLAC', specsOf('h264', 'hevc', 'av1', 'aac', 'opus', 'flac')),
  ffmpeg8('twenty', 'H.264; AAC on 20 tracks', [{ encoder: 'h264' }, ...twentySounds]),
  ffmpeg5('h264-aac', 'H.264, AAC', 'h264', 'aac'),
  ffmpeg5('bframes-mp3', 'H.264 with B-frames, MP3', 'h264 with B-frames', 'mp3'),
  ffmpeg5('h264-alaw', 'H.264, G.711 A-law', 'h264', 'g711a'),
  ffmpeg5('h264-ulaw', 'H.264, G.711 mu-law', 'h264', 'g711u'),
  ffmpeg5('h264-speex', 'H.264, Speex', 'h264', 'speex'),
  gstreamer('h264-aac', 'H.264, AAC', 'aac'),
  gstreamer('h264-mp3', 'H.264, MP3', 'mp3'),
  gstreamer('h264-alaw', 'H.264, G.711 A-law', 'g711a'),
  gstreamer('h264-ulaw', 'H.264, G.711 mu-law', 'g711u'),
  gstreamer('h264-speex', 'H.264, Speex', 'speex'),
  // FFmpeg 8 finds no HEVC behind colours that come first; test/relay/codec-matrix.test.ts has them.
  rewritten('as OBS', 'obs-hevc', 'HEVC Main 10, AAC', specsOf('hevc hdr', 'aac'), (parts) =>
    each(asObs)(parts.filter(({ packet }) => packet !== 4)),
  ),
  rewritten('as OBS', 'obs-av1', 'AV1, colours first; AAC', specsOf('av1', 'aac'), coloursFirst),
  rewritten('as OBS', 'obs-tracks', 'H.264 on 3 tracks, key frames apart; AAC on 2', shifted, coloursFirst),
  rewritten(
    'hand-made',
    'hand-fourcc',
    'H.264 as `avc1`, AAC as `mp4a`',
    specsOf('h264', 'aac'),
    each((part) => extended(part)),
  ),
  rewritten(...(['hand-made', 'hand-hevc12', 'HEVC by number 12, AAC', specsOf('hevc', 'aac')] as const), (parts) =>
    each((part) => classic(part, part.kind === 'video' ? 12 : 10))(parts.filter(({ packet }) => packet !== 4)),
  ),
  rewritten(
    ...(['hand-made', 'hand-no-track-0', 'tracks from 3 on, none with id 0', shifted] as const),
    (parts) => each((part) => extended(part, part.track + 3))(parts),
    3,
  ),
  rewritten('hand-made', 'hand-many', 'ManyTracks: 3 of H.264, 2 of AAC', shifted, together),
  rewritten(
    ...(['hand-made', 'hand-many-codecs', 'ManyTracksManyCodecs: H.264, VP9, AV1; AAC, Opus'] as const),
    specsOf('h264', 'vp9', 'av1', 'aac', 'opus'),
    together,
  ),
];
