import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { StreamKeys } from '../../src/admission/stream-keys.js';
import { NativeBackend } from '../../src/backend/native/native-backend.js';
import { defaultSettings } from '../../src/config/index.js';
import { Control } from '../../src/control/control.js';
import type { ControlSettings } from '../../src/control/settings.js';
import { silentLogger } from '../../src/log/log.js';
import { MemoryStore } from '../../src/store/memory/memory-store.js';
import { testSettings } from '../control/harness.js';
import { until } from '../push/targets.js';
import { PacedCamera } from '../soak/health/paced-camera.js';

const cleanups: (() => Promise<unknown> | undefined)[] = [];
afterEach(async () => {
  while (cleanups.length > 0) await cleanups.pop()?.();
});

/** A node of real parts but the state, which is in memory. */
async function startNode(settings: Partial<ControlSettings> = {}, media: object = {}) {
  const all = { ...defaultSettings().media, publishGraceMs: 0, ...media };
  const secret = randomBytes(32);
  const own = { host: '127.0.0.1', rtmpPort: 0, media: all, streamSecret: secret.toString('hex') };
  const backend = new NativeBackend({ settings: own, log: silentLogger });
  const { port } = await backend.start();
  const store = new MemoryStore(silentLogger);
  const control = new Control({
    ...{ store, backend, log: silentLogger, streamKeys: new StreamKeys(secret) },
    settings: { ...testSettings, rtmpPort: port, ...settings, media: all },
  });
  await control.start();
  cleanups.push(() => backend.stop(1000));
  cleanups.push(async () => control.close());
  const events: Record<string, unknown>[] = [];
  control.feed.subscribe(({ json }) => events.push(JSON.parse(json) as Record<string, unknown>));
  await control.cameras.add({ name: 'gate' }, undefined);
  const camera = new PacedCamera(`rtmp://127.0.0.1:${port}/gate/gate`);
  cleanups.push(() => camera.stop());
  const codes = (): string[] => control.cameras.get('gate', undefined).conditions?.map(({ code }) => code) ?? [];
  return { control, camera, codes, events, url: (path: string) => `rtmp://127.0.0.1:${port}/${path}` };
}

async function refusedAs(url: string): Promise<void> {
  const camera = new PacedCamera(url);
  await camera.start().catch(() => undefined);
  await camera.stop();
}

describe('a camera over a real socket', { timeout: 120_000 }, () => {
  it('that sends sound and no more video has the condition, an event, and both end', async () => {
    const { camera, codes, events, control } = await startNode({ cameraNoVideoMs: 1500, cameraSilentMs: 0 });
    await camera.start();
    await until(() => (control.cameras.get('gate', undefined).frameRate ?? 0) > 0, 30_000, 'video');
    camera.shape.fps = 0;
    await until(() => codes().includes('CAMERA_NO_VIDEO'), 60_000, 'the condition');
    const [condition] = control.cameras.get('gate', undefined).conditions ?? [];
    expect(condition).toMatchObject({ label: 'no picture', message: expect.stringContaining('stopped sending video') });
    expect(Date.parse(condition?.since ?? '')).toBeLessThan(Date.now() - 1000);
    expect(control.cameras.list({ trouble: true }, undefined).items.map(({ name }) => name)).toEqual(['gate']);
    expect(control.cameras.list({ trouble: false }, undefined).items).toEqual([]);
    camera.shape.fps = 25;
    await until(() => codes().length === 0, 60_000, 'its end');
    const told = events.filter(({ code }) => code === 'CAMERA_NO_VIDEO');
    expect(told.map(({ type }) => type)).toEqual(['problem.raised', 'problem.cleared']);
    expect(told[0]).toMatchObject({ camera: 'gate', label: 'no picture', advice: expect.any(String) });
  });

  it('that freezes is called frozen before its connection is given up', async () => {
    const { camera, codes, control } = await startNode({ cameraSilentMs: 1000 });
    await camera.start();
    await until(() => (control.cameras.get('gate', undefined).frameRate ?? 0) > 0, 30_000, 'video');
    camera.shape.isFrozen = true;
    await until(() => codes().includes('CAMERA_SILENT'), 25_000, 'the condition');
    await camera.stop();
    await until(() => codes().length === 0, 30_000, 'its end');
    const { lastLive, live } = control.cameras.get('gate', undefined);
    expect(live).toBe(false);
    expect(lastLive).toMatchObject({ until: expect.any(String), lastFrameAt: expect.any(String) });
  });

  it('of an unknown name is listed as refused, and can be registered', async () => {
    const { control, events, url } = await startNode();
    await refusedAs(url('unknown/unknown?key=secret'));
    await refusedAs(url('gate/other'));
    await refusedAs(url('no%20name/x'));
    await until(() => control.refusedPublishers().length === 3, 30_000, 'three entries');
    const byName = new Map(control.refusedPublishers().map((each) => [each.name, each]));
    expect(byName.get('unknown')).toMatchObject({
      registerable: true,
      camera: null,
      asked: 'connect',
      address: '127.0.0.1',
    });
    expect(byName.get('gate')).toMatchObject({ registerable: false, camera: 'gate', asked: 'publish' });
    expect([...byName.values()].filter(({ registerable }) => registerable)).toHaveLength(1);
    expect(JSON.stringify([...byName.values(), ...events])).not.toContain('secret');
    expect(events.filter(({ type }) => type === 'publisher.refused')).toHaveLength(3);
    await control.cameras.add({ name: 'unknown' }, undefined);
    expect(control.refusedPublishers().some(({ name }) => name === 'unknown')).toBe(false);
  });

  it('with a wrong key is in trouble, and well when it is let in', async () => {
    const { control, codes, url } = await startNode({}, { publishAuth: 'key' });
    const { endpoint } = control.cameras.get('gate', undefined, true);
    await refusedAs(url('gate/gate?key=wrong'));
    await until(() => codes().includes('CAMERA_PUBLISHER_REFUSED'), 30_000, 'the condition');
    const right = new PacedCamera(url(`gate/gate${new URL(endpoint.replace('rtmp', 'http')).search}`));
    cleanups.push(() => right.stop());
    await right.start();
    await until(() => codes().length === 0, 30_000, 'its end');
  });
});
