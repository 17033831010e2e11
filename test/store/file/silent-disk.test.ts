import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { silentLogger } from '../../../src/log/log.js';
import { type DesiredState, emptyPushes } from '../../../src/model/model.js';
import { openFileStore } from '../../../src/store/file/file-store.js';
import type { Store } from '../../../src/store/store.js';
import { changeState } from '../../support/store.js';

/** While it is set, what syncs waits for it. */
const disk = vi.hoisted(() => ({ silence: undefined as Promise<void> | undefined }));
vi.mock('node:fs/promises', async (importOriginal) => {
  const real = await importOriginal<typeof import('node:fs/promises')>();
  const open: typeof real.open = async (...args) => {
    const file = await real.open(...args);
    const sync = file.datasync.bind(file);
    file.datasync = async () => {
      await disk.silence;
      await sync();
    };
    return file;
  };
  return { ...real, open };
});

let folder: string;
let store: Store;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'aggregator-silent-'));
  store = await openFileStore({ dataDir: folder, log: silentLogger, answerLimitMs: 300 });
});
afterEach(async () => {
  disk.silence = undefined;
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

const adding = (name: string) => (state: DesiredState) => ({
  ...state,
  cameras: new Map(state.cameras).set(name, { name, createdAt: '2026-01-01T00:00:00.000Z', pushes: emptyPushes }),
});
const failure = (change: Promise<unknown>) => change.then(String, (error: Error & { code?: string }) => error);

it('a disk that does not answer fails changes in time, says which may still be made, and recovers', async () => {
  await changeState(store, adding('first'));
  let speak: () => void = () => {};
  disk.silence = new Promise((resolve) => {
    speak = resolve;
  });
  const onItsWay = failure(changeState(store, adding('second')));
  await new Promise((resolve) => setTimeout(resolve, 100));
  const behind = failure(changeState(store, adding('third')));
  expect(await onItsWay).toMatchObject({
    code: 'STATE_WRITE_FAILED',
    message: expect.stringContaining('may still be made'),
  });
  expect(await behind).toMatchObject({ message: expect.stringContaining('nothing was changed') });
  // Nobody waits in vain after that.
  const askedMs = performance.now();
  expect(await failure(changeState(store, adding('fourth')))).toMatchObject({ code: 'STATE_WRITE_FAILED' });
  expect(performance.now() - askedMs).toBeLessThan(200);
  expect(store.problems[0]).toMatchObject({
    code: 'STATE_WRITE_FAILED',
    message: expect.stringContaining('not answered'),
  });
  expect([...store.state.cameras.keys()]).toEqual(['first']);

  disk.silence = undefined;
  speak();
  await vi.waitFor(() => expect(store.problems[0]).toBe(undefined), { timeout: 20_000 });
  expect([...store.state.cameras.keys()]).toEqual(['first', 'second']);
  await changeState(store, adding('third'));
  expect([...store.state.cameras.keys()]).toEqual(['first', 'second', 'third']);
});
