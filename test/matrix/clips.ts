import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inject } from 'vitest';
import { runOk } from '../support/process.js';

/** What the tracks of the matrix are encoded by, all by Debian's ffmpeg. Every packet of a clip is another one. */
const encoders = {
  h264: ['libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-bf', '0'],
  'h264 with B-frames': ['libx264', '-preset', 'fast', '-pix_fmt', 'yuv420p', '-bf', '2', '-sc_threshold', '0'],
  hevc: ['libx265', '-preset', 'ultrafast', '-x265-params', 'log-level=error:bframes=0:open-gop=0'],
  'hevc hdr': [
    ...['libx265', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p10le', '-color_primaries', 'bt2020'],
    ...['-color_trc', 'smpte2084', '-colorspace', 'bt2020nc', '-x265-params'],
    'log-level=error:bframes=0:open-gop=0:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:max-cll=1000,400:' +
      'master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)',
  ],
  av1: ['libsvtav1', '-preset', '12'],
  vp9: ['libvpx-vp9', '-deadline', 'realtime', '-cpu-used', '8', '-lag-in-frames', '0', '-auto-alt-ref', '0'],
  aac: ['aac', '-b:a', '64k'],
  'aac 5.1': ['aac', '-ac', '6'],
  mp3: ['libmp3lame', '-ar', '44100'],
  opus: ['libopus', '-ar', '48000'],
  flac: ['flac', '-ar', '48000'],
  ac3: ['ac3', '-ar', '48000'],
  eac3: ['eac3', '-ar', '48000'],
  g711a: ['pcm_alaw', '-ar', '8000'],
  g711u: ['pcm_mulaw', '-ar', '8000'],
  speex: ['libspeex', '-ar', '16000'],
} as const;

export type Encoder = keyof typeof encoders;

/** One track of a clip. */
export interface TrackSpec {
  readonly encoder: Encoder;
  /** Default: 320x240. */
  readonly size?: string;
  /** Key frames come this many frames later than those of other tracks. */
  readonly shiftKeys?: number;
  /** Of sound: makes tracks of one encoder different. */
  readonly voice?: number;
}

const clipSeconds = 12;
const framesPerSecond = 25;
const cache = fileURLToPath(new URL('../../node_modules/.cache/matrix', import.meta.url));

const made = new Map<string, Promise<string>>();
let files = 0;

/** Runs `make` once for each key in a run of tests; resolves to its file. */
export function once(key: string, extension: string, make: (file: string) => Promise<unknown>): Promise<string> {
  let file = made.get(key);
  if (file === undefined) {
    const path = join(inject('clipFolder'), `matrix-${process.pid}-${files++}.${extension}`);
    file = make(path).then(() => path);
    made.set(key, file);
  }
  return file;
}

function makeTrack(spec: TrackSpec): Promise<string> {
  const { encoder, size = '320x240', shiftKeys = 0, voice = 0 } = spec;
  const [name, ...options] = encoders[encoder];
  const isVideo = /^(h264|hevc|av1|vp9)/.test(encoder);
  const keys = `expr:not(mod(n-${shiftKeys},${framesPerSecond}))`;
  const isForced = encoder === 'h264' && shiftKeys > 0;
  const [source, ...more] = isVideo
    ? [
        // With noise, so that it has the bitrate: a slow target has to be too slow for it.
        `testsrc2=size=${size}:rate=${framesPerSecond},noise=alls=12:allf=t`,
        ...['-c:v', name, '-b:v', '2500k', '-g', isForced ? '1000' : `${framesPerSecond}`],
        ...(isForced ? ['-force_key_frames', keys] : []),
      ]
    : [`aevalsrc=0.2*sin(2*PI*(${300 + 37 * voice}+20*t)*t):s=48000`, '-c:a', name];
  // Where decoding order differs from display order, only MP4 says both times of each frame.
  const container = encoder === 'h264 with B-frames' ? 'mp4' : 'mkv';
  const args = ['-v', 'error', '-y', '-f', 'lavfi', '-i', source, '-t', `${clipSeconds}`, ...more, ...options];
  return kept(args, container);
}

/** Encoding takes minutes in all, so what is encoded is kept for the next run, under what it was encoded by. */
async function kept(args: readonly string[], container: string): Promise<string> {
  const file = join(cache, `${createHash('sha256').update(args.join('\n')).digest('hex').slice(0, 16)}.${container}`);
  if (existsSync(file)) return file;
  mkdirSync(cache, { recursive: true });
  const unfinished = join(cache, `${process.pid}-${files++}.${container}`);
  await runOk('ffmpeg', [...args, unfinished], { timeoutMs: 240_000 });
  renameSync(unfinished, file);
  return file;
}

/** Joins the tracks in this order, without coding them anew. */
export function makeTracks(specs: readonly TrackSpec[]): Promise<string> {
  const container = specs.some(({ encoder }) => encoder === 'h264 with B-frames') ? 'mp4' : 'mkv';
  return once(JSON.stringify(specs), container, async (file) => {
    const tracks: string[] = [];
    // One encoder at a time: several at once are no faster here, and each wants threads and memory.
    for (const spec of specs) tracks.push(await makeTrack(spec));
    const inputs = tracks.flatMap((track) => ['-i', track]);
    const maps = tracks.flatMap((_, i) => ['-map', `${i}`]);
    await runOk('ffmpeg', ['-v', 'error', '-y', ...inputs, ...maps, '-c', 'copy', '-strict', '-2', file]);
  });
}
