import { spawnSync } from 'node:child_process';
import { expect, onTestFinished, test } from 'vitest';
import { TsProgram } from '../../src/pull/ts-program.js';
import { waitFor } from '../support/wait.js';

/** What one datagram of SRT has in it. */
const datagramBytes = 7 * 188;

const hasFfmpeg = spawnSync('ffmpeg', ['-version']).status === 0;

test.skipIf(!hasFfmpeg)('a stream goes on behind packets that never came, in picture and sound', async () => {
  const made = spawnSync(
    'ffmpeg',
    [
      ...['-v', 'error', '-f', 'lavfi', '-i', 'testsrc=size=160x120:rate=25', '-f', 'lavfi', '-i', 'sine'],
      ...['-t', '8', '-c:v', 'libx264', '-preset', 'ultrafast', '-g', '25', '-pix_fmt', 'yuv420p'],
      ...['-c:a', 'aac', '-f', 'mpegts', '-'],
    ],
    { maxBuffer: 32 << 20 },
  );
  const clip = made.stdout;
  expect(clip.length).toBeGreaterThan(100 * datagramBytes);
  const ends: Error[] = [];
  const lastMs: Record<number, number> = {};
  const program = new TsProgram({
    ...{ endpoint: '127.0.0.1:1', ffmpeg: 'ffmpeg', maxMessageBytes: 1 << 20, onSoundLeftOut: () => {} },
    listener: {
      onMedia: (type, timestampMs) => {
        lastMs[type] = timestampMs;
      },
      onEnded: (error) => ends.push(error),
    },
  });
  onTestFinished(() => program.close());
  for (let at = 0, index = 0; at < clip.length; at += datagramBytes, index++)
    if (index < 20 || index % 11 !== 0) program.feed(clip.subarray(at, at + datagramBytes));
  // ffmpeg keeps what it cannot put into order yet: the last second is not waited for.
  const isThere = () => ends.length > 0 || ((lastMs[8] ?? 0) > 6000 && (lastMs[9] ?? 0) > 6000);
  await waitFor(isThere, { what: 'the end of the clip' });
  expect(ends).toEqual([]);
});
