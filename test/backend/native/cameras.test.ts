import { setTimeout } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { StreamKeys } from '../../../src/admission/stream-keys.js';
import { NativeCamera } from '../../../src/backend/native/camera.js';
import { NativeCameras } from '../../../src/backend/native/cameras.js';
import { NativeBackend } from '../../../src/backend/native/native-backend.js';
import { defaultSettings } from '../../../src/config/index.js';
import { silentLogger } from '../../../src/log/log.js';
import { PublishClient } from '../../../src/rtmp/publish-client.js';
import { MessageType } from '../../../src/wire/message.js';
import { healthy, startTarget, until } from '../../push/targets.js';
import { frame, videoHeader } from '../../relay/fixtures.js';
import { RawClient } from './raw-client.js';

const media = { ...defaultSettings().media, publishGraceMs: 0 };

function idleCameras() {
  const declare = vi.fn();
  const make = vi.fn((name: string) => ({ name, declare }) as unknown as NativeCamera);
  return { cameras: new NativeCameras(make), make, declare };
}

test('a camera is made when something happens to it first, as it was declared last', () => {
  const { cameras, make, declare } = idleCameras();
  cameras.declare({ name: 'gate', pushes: [{ id: 'old', url: 'rtmp://127.0.0.1/a/b', enabled: true }] });
  const last = { name: 'gate', pushes: [], publishKeys: [] };
  cameras.declare(last);
  expect(cameras.has('gate')).toBe(true);
  expect(cameras.touched('gate')).toBeUndefined();
  expect([...cameras.values()]).toEqual([]);
  expect(make).not.toHaveBeenCalled();
  const camera = cameras.get('gate');
  expect(declare.mock.calls).toEqual([[last]]);
  expect(cameras.get('gate')).toBe(camera);
  expect(cameras.touched('gate')).toBe(camera);
  cameras.declare({ name: 'gate', pushes: [] });
  expect(declare).toHaveBeenCalledTimes(2);
  expect(make).toHaveBeenCalledTimes(1);
});

test.each([
  ['a source', { source: { url: 'rtmp://127.0.0.1/a/b' } }],
  ['several ingests', { ingests: [{ name: 'main' }, { name: 'spare' }] }],
  ['a slate', { slate: { file: 'built-in', durationMs: 1000 } }],
  ['a way back', { switchBackMs: 1000 }],
  ['another node that gets it', { hops: [{ to: 'b', url: 'rtmp://127.0.0.1:1935' }] }],
])('a camera with %s is made at once', (_, desired) => {
  const { cameras } = idleCameras();
  cameras.declare({ name: 'gate', pushes: [], ...desired });
  expect(cameras.touched('gate')).toBeDefined();
});

test('a camera that was removed is known no more, and is made anew', () => {
  const { cameras, make } = idleCameras();
  cameras.declare({ name: 'gate', pushes: [] });
  const first = cameras.get('gate');
  expect(cameras.delete('gate')).toBe(first);
  expect(cameras.has('gate')).toBe(false);
  expect(cameras.get('gate')).toBeUndefined();
  expect(cameras.snapshot('gate', 0)).toBeUndefined();
  cameras.declare({ name: 'gate', pushes: [] });
  expect(cameras.delete('gate')).toBeUndefined();
  expect(cameras.delete('other')).toBeUndefined();
  expect(make).toHaveBeenCalledTimes(1);
});

test('of a camera that nobody came for the same is seen as of one that was looked at', async (context) => {
  const backend = new NativeBackend({ settings: { host: '127.0.0.1', rtmpPort: 0, media }, log: silentLogger });
  context.onTestFinished(() => backend.stop(1000));
  backend.setCamera({ name: 'gate', pushes: [{ id: 'p', url: 'rtmp://127.0.0.1:1/a/b', enabled: true }] });
  const seen = () => ({
    camera: backend.camera('gate'),
    push: backend.push('gate', 'p'),
    events: backend.events('gate'),
    pushEvents: backend.events('gate', 'p'),
    evidence: backend.evidence('gate'),
    retry: backend.retry('gate', 'p'),
    active: [...backend.activeCameras()],
    live: [...backend.yielding.live()],
    isLive: backend.yielding.isLive('gate'),
    isSilent: backend.yielding.isSilent('gate'),
    reconnects: backend.yielding.askToReconnect('gate'),
    totals: backend.totals(),
  });
  const before = seen();
  expect(before.camera).toMatchObject({ name: 'gate', live: false, pushes: [] });
  await expect(backend.switchIngest('gate', 'other')).rejects.toMatchObject({ code: 'INGEST_NOT_FOUND' });
  expect(seen()).toEqual(before);
});

test('who is refused, or only looks, leaves nothing of a camera behind', async (context) => {
  const made = vi.spyOn(NativeCamera.prototype, 'declare');
  context.onTestFinished(() => made.mockRestore());
  const keys = new StreamKeys(Buffer.alloc(32, 1));
  const settings = { ...media, publishAuth: 'key', playAuth: 'token' } as const;
  const backend = new NativeBackend({
    settings: { host: '127.0.0.1', rtmpPort: 0, media: settings, streamSecret: '01'.repeat(32) },
    log: silentLogger,
  });
  context.onTestFinished(() => backend.stop(1000));
  const { port } = await backend.start();
  const key = keys.generated('gate', 'one');
  backend.setCamera({ name: 'gate', pushes: [], publishKeys: [{ tag: keys.tag('gate', key) }] });
  const publish = async (query: string): Promise<void> => {
    const publisher = new PublishClient({ url: `rtmp://127.0.0.1:${port}/gate/gate${query}`, connectTimeoutMs: 5000 });
    await publisher.connect();
    await publisher.close();
  };
  for (const query of ['', '?key=wrong', '?relay=ticket', `?key=${key}&ingest=other`]) {
    await expect(publish(query), query).rejects.toThrow();
  }
  expect(await RawClient.play(port, 'gate', 'gate?token=wrong')).toContain('NetStream.Play.Failed');
  expect(await backend.picture('gate', undefined)).toBeNull();
  await expect(backend.openFlv('gate', 'x', 'all')).rejects.toMatchObject({ code: 'CAMERA_NOT_LIVE' });
  await expect(backend.openFlv('other', 'x', 'all')).rejects.toMatchObject({ code: 'PLAY_NOT_FOUND' });
  expect(made).not.toHaveBeenCalled();
  await publish(`?key=${key}`);
  expect(made).toHaveBeenCalledTimes(1);
});

test('what happened to a camera is remembered while it is idle again, and forgotten when it is removed', async (context) => {
  const target = await startTarget(healthy);
  const backend = new NativeBackend({ settings: { host: '127.0.0.1', rtmpPort: 0, media }, log: silentLogger });
  context.onTestFinished(async () => {
    await backend.stop(1000);
    await target.close();
  });
  const { port } = await backend.start();
  backend.setCamera({ name: 'gate', pushes: [{ id: 'p', url: target.url, enabled: true }] });
  const publisher = new PublishClient({ url: `rtmp://127.0.0.1:${port}/gate/gate`, connectTimeoutMs: 5000 });
  await publisher.connect();
  publisher.write(MessageType.Video, 0, videoHeader());
  publisher.write(MessageType.Video, 0, frame(0, true));
  await until(() => target.media.length > 1, 20_000, 'its frame at the target');
  await publisher.close();
  await until(() => backend.camera('gate')?.live === false, 20_000, 'the end');

  expect(backend.push('gate', 'p')).toMatchObject({ state: 'idle', connects: 1 });
  expect(await backend.picture('gate', undefined)).not.toBeNull();
  const events = backend.events('gate') ?? [];
  expect(events.length).toBeGreaterThan(1);
  backend.setCamera({ name: 'gate', pushes: [] });
  expect(backend.events('gate')?.length).toBeGreaterThan(events.length);

  backend.removeCamera('gate');
  expect(backend.camera('gate')).toBeUndefined();
  // While its targets are being told.
  backend.setCamera({ name: 'gate', pushes: [] });
  expect(backend.events('gate')).toEqual([]);
  await setTimeout(100);
  backend.removeCamera('gate');
  backend.setCamera({ name: 'gate', pushes: [] });
  expect(await backend.picture('gate', undefined)).toBeNull();
});
