import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { ControlSettings } from '../../src/control/settings.js';
import { cameraSnapshot, pushSnapshot } from './fake-backend.js';
import { startControl, type TestControl } from './harness.js';

const running: TestControl[] = [];
async function start(settings: Partial<ControlSettings> = {}): Promise<TestControl> {
  const test = await startControl(settings);
  running.push(test);
  return test;
}
afterEach(async () => {
  for (const test of running.splice(0)) await test.close();
});

/** Lets a push of a camera look as if its target refused it. */
function breakPush(test: TestControl, camera: string, id: string): void {
  const lastError = { code: 'TARGET_REFUSED' as const, message: 'refused', at: '2026-01-01T00:00:00.000Z' };
  const pushes = [pushSnapshot({ id, state: 'waiting', lastError })];
  test.backend.snapshots.set(camera, cameraSnapshot({ name: camera, pushes }));
}

describe('reconciling', () => {
  it('tells the backend of a camera only when that camera changed, or its engine did', async () => {
    const { control, backend } = await start();
    await control.addEngine({ name: 'e1', host: 'one' });
    await control.addEngine({ name: 'e2', host: 'two' });
    for (const name of ['a', 'b', 'c']) await control.addCamera({ name }, undefined);
    await control.addPush('a', { engine: 'e1' });
    await control.addPush('b', { engine: 'e2' });
    backend.calls.length = 0;

    await control.addPush('c', { url: 'rtmp://x/live/c' });
    expect(backend.calls.splice(0)).toEqual(['set c']);
    await control.addPush('c', { url: 'rtmp://x:1935/live/c' });
    await control.addCamera({ name: 'c' }, undefined);
    expect(backend.calls.splice(0)).toEqual([]);
    await control.declareEngine({ name: 'e1', host: 'uno' });
    expect(backend.calls.splice(0)).toEqual(['set a']);
    expect(backend.cameras.get('a')?.pushes.map((push) => push.url)).toEqual(['rtmp://uno:1935/live/a']);
    await control.removeCamera('a');
    expect(backend.calls.splice(0)).toEqual(['remove a']);
    await control.declareEngine({ name: 'e1', host: 'one' });
    expect(backend.calls.splice(0)).toEqual([]);
  });

  it('follows an edit by hand', async () => {
    const { control, backend, folder } = await start();
    await control.addCamera({ name: 'a' }, undefined);
    await writeFile(
      join(folder, 'state.json'),
      '{"version":1,"cameras":{"hand":{"pushes":{"p":{"url":"rtmp://h/live/x"}}}}}',
    );
    await vi.waitFor(() => expect([...backend.cameras.keys()]).toEqual(['hand']), { timeout: 8000 });
  });

  it('declares everything that the store holds when it starts, and nothing after it is closed', async () => {
    const { control, backend, store } = await start();
    await control.addCamera({ name: 'a' }, undefined);
    control.close();
    await store.update((state) => ({ ...state, cameras: new Map() }));
    expect(backend.calls).toEqual(['set a']);
  });

  it('goes on with the other cameras when the backend fails on one', async () => {
    const { control, backend } = await start();
    vi.spyOn(backend, 'setCamera').mockImplementationOnce(() => {
      throw new Error('no');
    });
    await control.addCamera({ name: 'a' }, undefined);
    await control.addCamera({ name: 'b' }, undefined);
    expect([...backend.cameras.keys()]).toEqual(['b']);
  });
});

describe('choosing an engine', () => {
  const url = async (test: TestControl, name: string, location?: string) =>
    (await test.control.getStream({ name, location })).push.engine;

  it('takes the viewer’s location, then the node’s, then the least loaded, then the first by name', async () => {
    const test = await start({ location: 'madrid' });
    const { control } = test;
    for (const name of ['a', 'b', 'c', 'd', 'e']) await control.addCamera({ name }, undefined);
    await control.addEngine({ name: 'far', host: 'h1', location: 'oslo' });
    expect(await url(test, 'a')).toBe('far');
    await control.addEngine({ name: 'near-2', host: 'h3', location: 'Madrid' });
    await control.addEngine({ name: 'near-1', host: 'h2', location: 'madrid' });
    expect(await url(test, 'b')).toBe('near-1');
    expect(await url(test, 'c')).toBe('near-2');
    expect(await url(test, 'd', 'OSLO')).toBe('far');
    expect(await url(test, 'e', 'nowhere')).toBe('near-1');
  });

  it('stays with the engine that the camera goes to already, whatever the load became', async () => {
    const test = await start();
    for (const name of ['a', 'b', 'c']) await test.control.addCamera({ name }, undefined);
    await test.control.addEngine({ name: 'e1', host: 'h1' });
    expect(await url(test, 'a')).toBe('e1');
    expect(await url(test, 'b')).toBe('e1');
    await test.control.addEngine({ name: 'e2', host: 'h2' });
    expect(await url(test, 'a')).toBe('e1');
    expect(await url(test, 'c')).toBe('e2');
  });

  it('avoids an engine whose pushes cannot connect, as long as there is another', async () => {
    const test = await start();
    const { control } = test;
    for (const name of ['a', 'b']) await control.addCamera({ name }, undefined);
    await control.addEngine({ name: 'e1', host: 'h1', location: 'here' });
    const { push } = await control.getStream({ name: 'a' });
    breakPush(test, 'a', push.id);
    expect(await url(test, 'b', 'here')).toBe('e1');
    await control.removePush('b', (await control.pushes('b', {})).items[0]?.id ?? '');
    await control.addEngine({ name: 'e2', host: 'h2' });
    await sleep(1100);
    expect(await url(test, 'b', 'here')).toBe('e2');
  });

  it('does not enable a push that was disabled by hand, and prefers another engine', async () => {
    const test = await start();
    await test.control.addCamera({ name: 'a' }, undefined);
    await test.control.addEngine({ name: 'e1', host: 'h1' });
    const { push } = await test.control.getStream({ name: 'a' });
    await test.control.changePush('a', push.id, { enabled: false });
    expect((await test.control.getStream({ name: 'a' })).push.enabled).toBe(false);
    await test.control.addEngine({ name: 'e2', host: 'h2' });
    expect(await url(test, 'a')).toBe('e2');
  });

  it('changes nothing when the playback URL cannot be made', async () => {
    const test = await start();
    await test.control.addCamera({ name: 'a' }, undefined);
    await test.control.addEngine({ name: 'e1', host: 'h1', playbackUrl: 'http://{host}/{type}/{name}' });
    const before = test.store.state;
    await expect(test.control.getStream({ name: 'a' })).rejects.toMatchObject({ code: 'INVALID_ADDRESS' });
    expect(test.store.state).toBe(before);
  });
});

describe('pushes', () => {
  it('have an id that is derived from the target, however it is written', async () => {
    const { control } = await start();
    await control.addCamera({ name: 'a' }, undefined);
    const first = await control.addPush('a', { url: 'rtmp://Host/live/a' });
    expect(first.view.id).toMatch(/^p-[0-9a-f]{8}$/);
    expect(await control.addPush('a', { url: 'rtmp://host:1935/live/a' })).toMatchObject({
      created: false,
      view: { id: first.view.id },
    });
    await control.addEngine({ name: 'e', host: 'host' });
    expect(await control.addPush('a', { engine: 'e' })).toMatchObject({ created: false, view: { id: first.view.id } });
  });

  it('may be called like a property of Object', async () => {
    const { control } = await start();
    await control.addCamera({ name: 'constructor' }, undefined);
    expect(() => control.push('constructor', 'toString')).toThrow(expect.objectContaining({ code: 'PUSH_NOT_FOUND' }));
    await control.addPush('constructor', { id: 'toString', url: 'rtmp://h/live/x' });
    expect(control.push('constructor', 'toString').id).toBe('toString');
  });

  it.each([
    [{ id: 'p', url: 'rtmp://other/live/a' }, 'PUSH_CONFLICT'],
    [{ id: 'q', url: 'rtmp://h/live/a' }, 'PUSH_CONFLICT'],
    [{ url: 'rtmp://h/live/a', enabled: false }, 'PUSH_CONFLICT'],
    [{ url: 'rtmp://h/live/a', engine: 'e' }, 'INVALID_REQUEST'],
    [{}, 'INVALID_REQUEST'],
    [{ engine: 'nobody' }, 'ENGINE_NOT_FOUND'],
    [{ url: 'http://h/live/a' }, 'INVALID_ADDRESS'],
    [{ id: '../x', url: 'rtmp://h/live/b' }, 'INVALID_NAME'],
  ])('%o is refused with %s', async (input, code) => {
    const { control, store } = await start();
    await control.addCamera({ name: 'a' }, undefined);
    await control.addPush('a', { id: 'p', url: 'rtmp://h/live/a' });
    const before = store.state;
    await expect(control.addPush('a', input)).rejects.toMatchObject({ code });
    expect(store.state).toBe(before);
  });
});

describe('limits', () => {
  it('hold for cameras, pushes and engines, and what is there may still be repeated', async () => {
    const { control } = await start({ maxCameras: 1, maxPushesPerCamera: 1, maxEngines: 1 });
    await control.addCamera({ name: 'a' }, undefined);
    await control.addEngine({ name: 'e', host: 'h' });
    await control.addPush('a', { engine: 'e' });
    await expect(control.addCamera({ name: 'b' }, undefined)).rejects.toMatchObject({ code: 'LIMIT_REACHED' });
    await expect(control.addEngine({ name: 'f', host: 'h' })).rejects.toMatchObject({ code: 'LIMIT_REACHED' });
    await expect(control.addPush('a', { url: 'rtmp://x/live/a' })).rejects.toMatchObject({ code: 'LIMIT_REACHED' });
    expect(await control.addCamera({ name: 'a' }, undefined)).toMatchObject({ created: false });
    expect(await control.addPush('a', { engine: 'e' })).toMatchObject({ created: false });
  });
});

describe('templates', () => {
  it('put in what they name, percent-encoded, IPv6 in brackets', async () => {
    const { control, backend } = await start();
    await control.addCamera({ name: 'cam', type: '360' }, undefined);
    await control.addEngine({
      name: 'e',
      host: '[2001:DB8::7]',
      location: 'San José/1',
      pushUrl: 'rtmp://{host}/{type}/{location}/{name}?k=s3cret',
      playbackUrl: 'https://{host}/{type}/{name}.m3u8',
    });
    const answer = await control.getStream({ name: 'cam' });
    expect(answer.url).toBe('https://[2001:db8::7]/360/cam.m3u8');
    expect(backend.cameras.get('cam')?.pushes[0]?.url).toBe(
      'rtmp://[2001:db8::7]/360/San%20Jos%C3%A9%2F1/cam?k=s3cret',
    );
    expect(JSON.stringify(answer)).not.toContain('s3cret');
  });

  it.each([
    [{ pushUrl: 'rtmp://{host}/live/{nmae}' }, 'pushUrl', '{nmae}'],
    [{ pushUrl: 'rtmp://{host}/live/{name' }, 'pushUrl', 'brace'],
    [{ pushUrl: 'http://{host}/live/{name}' }, 'pushUrl', 'pushUrl'],
    [{ pushUrl: 'rtmp://{host}/{location}/{name}' }, 'pushUrl', '{location}'],
    [{ playbackUrl: 'javascript:alert(1)' }, 'playbackUrl', 'http'],
  ])('%o is refused', async (templates, field, hint) => {
    const { control } = await start();
    const failure = await control.addEngine({ name: 'e', host: 'h', ...templates }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'INVALID_ADDRESS', field });
    expect(String(failure)).toContain(hint);
  });

  it('cannot be changed so that a camera that goes there has no URL; nor can the camera', async () => {
    const { control } = await start();
    await control.addCamera({ name: 'a' }, undefined);
    await control.addEngine({ name: 'e', host: 'h' });
    await control.addPush('a', { engine: 'e' });
    const typed = { name: 'e', host: 'h', pushUrl: 'rtmp://{host}/{type}/{name}' };
    await expect(control.declareEngine(typed)).rejects.toMatchObject({ code: 'INVALID_ADDRESS' });
    await control.declareCamera({ name: 'a', type: '360' }, undefined);
    await control.declareEngine(typed);
    await expect(control.declareCamera({ name: 'a' }, undefined)).rejects.toMatchObject({ code: 'INVALID_ADDRESS' });
    await expect(control.removeEngine('e')).rejects.toMatchObject({ code: 'ENGINE_IN_USE' });
  });
});

describe('the endpoint', () => {
  it.each([
    [{ advertiseHost: 'cams.example.org' }, '10.1.1.1:5000', 'cams.example.org'],
    [{ advertiseHost: '2001:db8::1' }, undefined, '[2001:db8::1]'],
    [{ host: '127.0.0.1' }, 'example.org', '127.0.0.1'],
    [{ host: '0.0.0.0' }, '10.1.1.1:5000', '10.1.1.1'],
    [{ host: '::' }, '[2001:db8::5]:5000', '[2001:db8::5]'],
    [{ host: '10.9.9.9' }, 'localhost:5000', '10.9.9.9'],
    [{ host: '10.9.9.9' }, 'a b"><script>', '10.9.9.9'],
  ])('with %o and the Host header %s is at %s', async (settings, header, expected) => {
    const { control } = await start(settings);
    const { view } = await control.addCamera({ name: 'a' }, header);
    expect(view.endpoint).toBe(`rtmp://${expected}:1935/a/a`);
  });

  it('is never a loopback address when the machine has another and listens on it', async () => {
    const { control } = await start({ host: '0.0.0.0' });
    const { networkInterfaces } = await import('node:os');
    const others = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
    const host = control.advertisedHost('localhost:5000');
    const external = others.filter((one) => !one.internal).map((one) => one.address);
    expect(external.length === 0 ? ['127.0.0.1'] : external).toContain(host);
  });
});

it('the backend is probed once for all who ask within a second', async () => {
  const { control, backend } = await start();
  expect(await Promise.all([control.isUp(), control.isUp(), control.isUp()])).toEqual([true, true, true]);
  await control.isUp();
  expect(backend.probes).toBe(1);
  backend.answer = async () => false;
  await sleep(1100);
  expect(await control.isUp()).toBe(false);
});
