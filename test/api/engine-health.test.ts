import { afterAll, beforeAll, expect, it } from 'vitest';
import { cli } from '../cli/support.js';
import { cameraSnapshot, pushSnapshot } from '../control/fake-backend.js';
import { startTestApi, type TestApi } from './harness.js';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ maxCameras: 500, maxEngines: 10 });
  const { control, backend } = api;
  await control.engines.add({ name: 'paris', host: '10.0.0.7' });
  await control.engines.add({ name: 'rome', host: '10.0.0.8' });
  for (let index = 0; index < 200; index += 1) {
    const name = `cam-${index}`;
    await control.cameras.add({ name }, undefined);
    for (const engine of index < 150 ? ['paris', 'rome'] : ['paris']) {
      await control.pushes.add(name, { engine, id: engine, enabled: index !== 199 });
    }
    const down = index < 40;
    const paris = {
      id: 'paris',
      state: down ? 'waiting' : 'active',
      downSince: down ? '2026-01-01T00:00:00.000Z' : null,
    } as const;
    const pushes = [pushSnapshot(paris), pushSnapshot({ id: 'rome', state: 'active' })];
    backend.snapshots.set(name, cameraSnapshot({ name, live: true, pushes }));
  }
}, 60_000);
afterAll(() => api.close());

it('an engine says how many of its pushes are down, in the API, by the commands and in the metrics', async () => {
  const get = async (path: string) => (await fetch(`${api.base}${path}`)).json() as Promise<{ items: object[] }>;
  const paris = { total: 200, active: 159, down: 40 };
  expect((await get('/v1/engines')).items).toMatchObject([
    { name: 'paris', pushes: paris },
    { name: 'rome', pushes: { total: 150, active: 150, down: 0 } },
  ]);
  expect(await get('/v1/engines/paris')).toMatchObject({ pushes: paris });
  const metrics = await (await fetch(`${api.base}/metrics`)).text();
  expect(metrics).toContain('media_aggregator_engine_pushes_down{engine="paris"} 40\n');
  expect(metrics).toContain('media_aggregator_engine_pushes_down{engine="rome"} 0\n');
  expect(metrics).toMatch(/media_aggregator_engine_pushes\{engine="paris",state="waiting"\} 40\n/);
  expect(metrics).toMatch(
    /media_aggregator_push_state\{camera="cam-7",push="paris",engine="paris",state="waiting"\} 1\n/,
  );
  const list = await cli(['engine', 'list', '--api', api.base]);
  expect(list.out).toMatch(/^paris +10\.0\.0\.7 +- +40 of 200 down /m);
  expect(list.out).toMatch(/^rome +10\.0\.0\.8 +- +150 /m);
  const status = await cli(['status', '--api', api.base]);
  expect(status.code).toBe(1);
  expect(status.out).toMatch(/^trouble: engine paris: 40 of 200 down\n(trouble: camera |\d+ more)/m);
});
