import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FlushScheduler } from '../../src/relay/flush-scheduler.js';
import { FedStream } from '../support/fed-stream.js';
import { readFlvTags } from '../support/flv-file.js';
import { makeOutlet, targetFormat } from './fixtures.js';

const hasFfmpeg = spawnSync('ffmpeg', ['-version']).status === 0;

/** 45 s of x264 with intra refresh: one key frame at the beginning, and then none. */
function encode(): ReturnType<typeof readFlvTags> {
  const folder = mkdtempSync(join(tmpdir(), 'intra-refresh-'));
  try {
    const file = join(folder, 'clip.flv');
    const input = ['-f', 'lavfi', '-i', 'testsrc2=size=128x96:rate=10', '-t', '45'];
    const codec = ['-c:v', 'libx264', '-preset', 'ultrafast', '-bf', '0', '-pix_fmt', 'yuv420p'];
    const refresh = ['-x264-params', 'intra-refresh=1:keyint=9999:scenecut=0'];
    execFileSync('ffmpeg', ['-v', 'error', '-y', ...input, ...codec, ...refresh, file]);
    return readFlvTags(file);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describe.skipIf(!hasFfmpeg)('a real encoder with intra refresh', () => {
  const tags = encode();
  const isFrame = (payload: Buffer): boolean => payload[1] === 1;
  const frames = tags.filter(({ type, payload }) => type === 9 && isFrame(payload));

  /** @param skip frames at the beginning that are lost on the way */
  const live = (mode: 'drop' | 'pass', skip: number) => {
    const conditions: [number, boolean][] = [];
    let nowMs = 0;
    const stream = new FedStream(
      {
        format: targetFormat,
        gopMaxBytes: 20_000,
        scheduler: new FlushScheduler(),
        withoutKeyFrames: mode,
        onKeyFrames: (missing) => conditions.push([nowMs, missing]),
      },
      0,
    );
    const sinks: { atMs: number; sink: ReturnType<typeof makeOutlet>['sink'] }[] = [];
    let seen = 0;
    for (const { type, timestampMs, payload } of tags) {
      nowMs = timestampMs;
      if (sinks.length < Math.floor(nowMs / 10_000) + 1) {
        const { outlet, sink } = makeOutlet();
        sinks.push({ atMs: nowMs, sink });
        stream.attach(outlet, nowMs);
      }
      if (type === 9 && isFrame(payload) && seen++ < skip) continue;
      stream.publish(type, timestampMs, payload, nowMs);
      stream.flush(nowMs);
    }
    return { conditions, sinks };
  };
  const videoOf = (sink: ReturnType<typeof makeOutlet>['sink']): Buffer[] =>
    sink.messages.filter(({ type }) => type === 9).map(({ payload }) => payload);

  it('marks its first frame as a key frame, and no other', () => {
    expect(frames.map(({ payload }) => payload[0]! >>> 4)).toEqual([1, ...Array(frames.length - 1).fill(2)]);
  });

  it.each(['pass', 'drop'] as const)(
    'with all its frames, mode %s: who was there misses none; who joins later',
    (mode) => {
      const { conditions, sinks } = live(mode, 0);
      expect(videoOf(sinks[0]!.sink).filter(isFrame)).toEqual(frames.map(({ payload }) => payload));
      // The key frame is not kept any more, and for 30 s there was no other.
      expect(conditions).toHaveLength(1);
      expect(conditions[0]![0]).toBeGreaterThanOrEqual(30_000);
      const late = videoOf(sinks.at(-1)!.sink);
      if (mode === 'drop') expect(late.filter(isFrame)).toEqual([]);
      else {
        expect(late[0]?.[1]).toBe(0);
        expect(late.filter(isFrame).length).toBeGreaterThan(40);
        expect(late.filter(isFrame).at(-1)).toEqual(frames.at(-1)!.payload);
      }
    },
  );

  it.each(['pass', 'drop'] as const)('without its first frame, mode %s', (mode) => {
    const { conditions, sinks } = live(mode, 1);
    expect(conditions).toEqual([[expect.any(Number), true]]);
    expect(conditions[0]![0]).toBeLessThanOrEqual(5300);
    for (const { sink } of sinks) {
      const video = videoOf(sink);
      if (mode === 'drop') expect(video.filter(isFrame)).toEqual([]);
      else {
        expect(video[0]?.[1]).toBe(0);
        expect(video.filter(isFrame).at(-1)).toEqual(frames.at(-1)!.payload);
      }
    }
  });
});
