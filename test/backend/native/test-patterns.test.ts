import { expect, test } from 'vitest';
import { NativeTestPatterns } from '../../../src/backend/native/test-patterns.js';
import type { Ingest } from '../../../src/ingest/source.js';
import { silentLogger } from '../../../src/log/log.js';

/** A camera that may be fed only when it is told so, and what became of its ingest. */
function waitingCamera() {
  const ends: string[] = [];
  const written: number[] = [];
  const ingest = {
    write: (_type: number, timestampMs: number) => written.push(timestampMs) > 0,
    end: (reason: string) => void ends.push(reason),
  } as unknown as Ingest;
  let open: () => void = () => {};
  const mayOpen = new Promise<void>((resolve) => {
    open = resolve;
  });
  let ask: () => void = () => {};
  const asked = new Promise<void>((resolve) => {
    ask = resolve;
  });
  const patterns = new NativeTestPatterns(async () => {
    ask();
    await mayOpen;
    return ingest;
  }, silentLogger);
  return { patterns, ends, written, open, asked };
}

test.each(['stop', 'close'] as const)('%s while a test pattern waits for its camera: it never plays', async (how) => {
  const { patterns, ends, written, open, asked } = waitingCamera();
  const ended: string[] = [];
  const started = patterns.start('cam', 60_000, () => ended.push('ended'));
  started.catch(() => undefined);
  await asked;
  await (how === 'stop' ? patterns.stop('cam') : patterns.close());
  open();
  await expect(started).rejects.toMatchObject({ code: 'PUBLISH_FORBIDDEN', message: 'it was stopped before it began' });
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect({ ends, written, ended }).toEqual({ ends: ['the test pattern was stopped'], written: [], ended: [] });
});

test('stopped before the clip is read, it does not ask for its camera', async () => {
  let asked = 0;
  const patterns = new NativeTestPatterns(() => {
    asked += 1;
    throw new Error('unexpected');
  }, silentLogger);
  const started = patterns.start('cam', 60_000, () => undefined);
  started.catch(() => undefined);
  await patterns.stop('cam');
  await expect(started).rejects.toMatchObject({ code: 'PUBLISH_FORBIDDEN' });
  expect(asked).toBe(0);
});
