import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { StillWatch } from '../../src/ingest/still-watch.js';
import { isVideoFrame, isVideoKeyFrame } from '../../src/wire/flv.js';
import { FlvTagReader } from '../../src/wire/flv-reader.js';
import { MessageType } from '../../src/wire/message.js';
import { runOk } from '../support/process.js';
import { testScope } from '../support/scope.js';

/** What the watch says at the end of each second of a stream. */
function secondsOf(file: string, seconds: number, from = 0, watch = new StillWatch()): number[] {
  const still: number[] = [];
  let bytes = 0;
  let frames = 0;
  const reader = new FlvTagReader((type, timestampMs, payload) => {
    if (type !== MessageType.Video || !isVideoFrame(payload)) return;
    const atMs = from + timestampMs;
    if (isVideoKeyFrame(payload)) {
      watch.noteKey(payload, atMs, frames === 0 ? 0 : bytes / frames);
      bytes = frames = 0;
    } else {
      bytes += payload.length;
      frames++;
    }
    still[Math.floor(timestampMs / 1000)] = watch.stillForMs(atMs);
  });
  reader.feed(readFileSync(file));
  return still.slice(0, seconds);
}

it('tells a picture that stands still from a scene that does, by what real encoders make of them', {
  timeout: 120_000,
}, async (context) => {
  const folder = testScope(context).temporaryFolder();
  const picture = join(folder, 'picture.png');
  await runOk('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-i', 'testsrc2=size=320x180', '-frames:v', '1', picture]);
  const x264 = ['-c:v', 'libx264', '-pix_fmt', 'yuv420p', '-g', '25'];
  const clip = async (name: string, input: readonly string[], output: readonly string[]): Promise<string> => {
    const file = join(folder, `${name}.flv`);
    await runOk('ffmpeg', ['-v', 'error', ...input, '-t', '24', ...x264, ...output, file]);
    return file;
  };
  const still = ['-loop', '1', '-framerate', '25', '-i', picture];
  const quick = ['-preset', 'ultrafast', '-tune', 'zerolatency'];
  const frozen = await Promise.all([
    clip('quality', still, ['-preset', 'veryfast']),
    clip('average', still, ['-preset', 'veryfast', '-b:v', '500k']),
    clip('limited', still, [...quick, '-b:v', '500k', '-maxrate', '500k', '-bufsize', '500k']),
    clip('black', ['-f', 'lavfi', '-i', 'color=black:size=320x180:rate=25'], quick),
  ]);
  // The rate control of some takes ten seconds until it repeats itself.
  for (const file of frozen) expect(secondsOf(file, 24).at(-1), file).toBeGreaterThan(6000);
  const alive = await Promise.all([
    clip('a still scene with the noise of a sensor', still, ['-vf', 'noise=alls=2:allf=t', ...quick]),
    clip('a scene that moves', ['-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=25'], quick),
  ]);
  for (const file of alive) expect(Math.max(...secondsOf(file, 24)), file).toBe(0);
  // A short clip that is sent over and over has the same key frames, and moves between them.
  const [, moving] = alive;
  const watch = new StillWatch();
  const short = join(folder, 'short.flv');
  await runOk('ffmpeg', ['-v', 'error', '-i', moving ?? '', '-t', '2', '-c', 'copy', short]);
  for (let i = 0; i < 15; i++) expect(Math.max(...secondsOf(short, 2, i * 2000, watch))).toBe(0);
});

it('ends with the next other picture', () => {
  const watch = new StillWatch();
  const key = (value: number): Buffer => Buffer.alloc(20_000, value);
  for (let s = 0; s < 20; s++) watch.noteKey(key(s % 2), s * 1000, 0);
  expect(watch.stillForMs(20_000)).toBeGreaterThan(10_000);
  watch.noteKey(key(7), 20_000, 0);
  expect(watch.stillForMs(20_000)).toBe(0);
});
