import { existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { inject } from 'vitest';
import { type RunningProcess, run, runOk, startProcess } from './process.js';
import type { Scope } from './scope.js';

export interface ClipOptions {
  seconds: number;
  /** `plain`: no B-frames. `bframes`: decoding order differs from display order. `none`: audio only. */
  video?: 'plain' | 'bframes' | 'none';
  audio?: boolean;
  /** Seconds between key frames. */
  keyFrameSeconds?: number;
}

const clips = new Map<string, Promise<string>>();

/** A clip with the wanted properties; made at the first request of a test run, then reused. Each packet is unique. */
export function makeClip({
  seconds,
  video = 'plain',
  audio = true,
  keyFrameSeconds = 1,
}: ClipOptions): Promise<string> {
  const name = `clip-${seconds}s-${video}-${audio ? 'audio' : 'silent'}-k${keyFrameSeconds}.flv`;
  const file = join(inject('clipFolder'), name);
  let clip = clips.get(file);
  if (clip === undefined) {
    clip = existsSync(file) ? Promise.resolve(file) : encodeClip(file, { seconds, video, audio, keyFrameSeconds });
    clips.set(file, clip);
  }
  return clip;
}

async function encodeClip(
  file: string,
  { seconds, video, audio, keyFrameSeconds }: Required<ClipOptions>,
): Promise<string> {
  const inputs: string[] = [];
  const codecs: string[] = [];
  if (video !== 'none') {
    inputs.push('-f', 'lavfi', '-i', 'testsrc2=size=320x240:rate=25');
    const frames = String(Math.round(keyFrameSeconds * 25));
    codecs.push('-c:v', 'libx264', '-preset', video === 'bframes' ? 'fast' : 'ultrafast', '-pix_fmt', 'yuv420p');
    codecs.push('-bf', video === 'bframes' ? '2' : '0', '-b:v', '300k');
    codecs.push('-g', frames, '-keyint_min', frames, '-sc_threshold', '0');
  }
  if (audio) {
    inputs.push('-f', 'lavfi', '-i', 'aevalsrc=0.2*sin(2*PI*(300+20*t)*t):s=44100');
    codecs.push('-c:a', 'aac', '-b:a', '64k');
  }
  const unfinished = `${file}.${process.pid}.part`;
  await runOk('ffmpeg', ['-v', 'error', '-y', ...inputs, '-t', String(seconds), ...codecs, '-f', 'flv', unfinished]);
  renameSync(unfinished, file);
  return file;
}

export interface PublishOptions {
  /** Options before `-i`. */
  inputOptions?: readonly string[];
  /** Options before the output's URL; `-c copy` is set already. */
  outputOptions?: readonly string[];
}

/** ffmpeg as a camera: sends the clip's own packets at their own pace. Ends with the clip. */
export function publish(scope: Scope, clip: string, url: string, options: PublishOptions = {}): RunningProcess {
  const input = [...(options.inputOptions ?? []), '-i', clip];
  const output = ['-c', 'copy', ...(options.outputOptions ?? []), '-f', 'flv', url];
  return startProcess(scope, 'ffmpeg', ['-nostdin', '-v', 'warning', '-re', ...input, ...output], {
    name: 'ffmpeg (camera)',
  });
}

/** ffmpeg as a player: writes what it gets, packet by packet, as framemd5 (see `parseFrameMd5`) to `file`. */
export function playToFrameMd5(
  scope: Scope,
  url: string,
  file: string,
  inputOptions: readonly string[] = [],
): RunningProcess {
  const output = ['-map', '0', '-c', 'copy', '-copyts', '-flush_packets', '1', '-f', 'framemd5', file];
  return startProcess(
    scope,
    'ffmpeg',
    ['-nostdin', '-v', 'warning', '-copyts', ...inputOptions, '-i', url, ...output],
    {
      name: 'ffmpeg (player)',
    },
  );
}

/** Decodes all of it. @throws Error with what ffmpeg complained about. */
export async function decodeCleanly(input: string, inputOptions: readonly string[] = []): Promise<void> {
  const args = ['-nostdin', '-v', 'error', '-xerror', ...inputOptions, '-i', input, '-f', 'null', '-'];
  const { code, stderr } = await run('ffmpeg', args, { timeoutMs: 60_000 });
  if (code !== 0 || stderr !== '')
    throw new Error(`ffmpeg cannot decode ${input} cleanly (exit code ${code}):\n${stderr}`);
}

export interface Probe {
  readonly streams: readonly {
    readonly codec_type: string;
    readonly codec_name: string;
    readonly width?: number;
    readonly height?: number;
  }[];
  readonly format: { readonly tags?: Readonly<Record<string, string>> };
}

/** What ffprobe says of a file or URL. @throws Error when it complains. */
export async function probe(input: string, options: readonly string[] = []): Promise<Probe> {
  const show = ['-show_streams', '-show_format', '-of', 'json'];
  const { stdout, stderr } = await runOk('ffprobe', ['-v', 'error', ...options, ...show, input]);
  if (stderr !== '') throw new Error(`ffprobe complains of ${input}:\n${stderr}`);
  return JSON.parse(stdout) as Probe;
}
