import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { Control } from '../../src/control/control.js';
import { silentLogger } from '../../src/log/log.js';
import { type Camera, emptyState } from '../../src/model/model.js';
import { withEntry } from '../../src/model/persistent-map.js';
import { MemoryStore } from '../../src/store/memory/memory-store.js';
import { FakeBackend } from './fake-backend.js';
import { testSettings } from './harness.js';

const createdAt = '2026-01-01T00:00:00.000Z';

/** A control with so many cameras, each with a push to engine "edge" and one to a URL of its own. */
async function withCameras(count: number): Promise<Control> {
  const edge = {
    ...{ name: 'edge', host: 'edge.example', pushUrl: 'rtmp://{host}/live/{name}', createdAt },
    playbackUrl: 'http://{host}/{name}.m3u8',
  };
  let state = { ...emptyState, engines: withEntry(emptyState.engines, 'edge', edge) };
  for (let index = 0; index < count; index++) {
    const name = `camera-${index}`;
    const own = { id: 'own', url: `rtmp://new.example/live/${name}-own`, enabled: true, createdAt };
    const camera: Camera = {
      name,
      createdAt,
      pushes: { edge: { id: 'edge', engine: 'edge', enabled: true, createdAt }, own },
    };
    state = { ...state, cameras: withEntry(state.cameras, name, camera) };
  }
  const store = new MemoryStore(silentLogger, state);
  const settings = { ...testSettings, maxCameras: count };
  const control = new Control({ store, backend: new FakeBackend(), settings, log: silentLogger });
  await control.start();
  onTestFinished(() => control.close());
  return control;
}

/** How often others had their turn meanwhile. */
async function turnsDuring(work: Promise<unknown>): Promise<number> {
  let turns = 0;
  let isOver = false;
  const over = work.finally(() => {
    isOver = true;
  });
  while (!isOver) {
    await nextTurn();
    turns += 1;
  }
  await over;
  return turns;
}

test('while the engine of 5,000 cameras moves, calls and frames have their turns in between', async () => {
  const control = await withCameras(5000);
  const moved = await turnsDuring(control.engines.change('edge', { host: 'new.example' }));
  expect(moved).toBeGreaterThanOrEqual(5);
  const batch = [{ operation: 'changeEngine', engine: 'edge', body: { host: 'third.example' } }] as const;
  const inBatch = await turnsDuring(control.batch.run(batch, { mode: 'all', isDry: false }));
  expect(inBatch).toBeGreaterThanOrEqual(5);
  expect(control.pushes.get('camera-4999', 'edge')).toMatchObject({ url: 'rtmp://third.example/live/camera-4999' });
});

test('an engine that would share a target with another push of a camera is refused, whole', async () => {
  const control = await withCameras(200);
  const change = control.engines.change('edge', { pushUrl: 'rtmp://new.example/live/{name}-own' });
  await expect(change).rejects.toMatchObject({ code: 'ENGINE_CONFLICT' });
  expect(control.engines.get('edge')).toMatchObject({ host: 'edge.example', pushUrl: 'rtmp://{host}/live/{name}' });
});
