import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Reconciler } from '../../src/control/reconcile.js';
import type { ControlSettings } from '../../src/control/settings.js';
import { TargetError } from '../../src/errors.js';
import type { Logger } from '../../src/log/log.js';
import { stateFileSettled } from '../support/state.js';
import { changeState } from '../support/store.js';
import { cameraSnapshot, FakeBackend, pushSnapshot } from './fake-backend.js';
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
    await control.engines.add({ name: 'e1', host: 'one' });
    await control.engines.add({ name: 'e2', host: 'two' });
    for (const name of ['a', 'b', 'c']) await control.cameras.add({ name }, undefined);
    await control.pushes.add('a', { engine: 'e1' });
    await control.pushes.add('b', { engine: 'e2' });
    backend.calls.length = 0;

    await control.pushes.add('c', { url: 'rtmp://x/live/c' });
    expect(backend.calls.splice(0)).toEqual(['set c']);
    await control.pushes.add('c', { url: 'rtmp://x:1935/live/c' });
    await control.cameras.add({ name: 'c' }, undefined);
    expect(backend.calls.splice(0)).toEqual([]);
    await control.engines.declare({ name: 'e1', host: 'uno' });
    expect(backend.calls.splice(0)).toEqual(['set a']);
    expect(backend.cameras.get('a')?.pushes.map((push) => push.url)).toEqual(['rtmp://uno:1935/live/a']);
    await control.cameras.remove('a');
    expect(backend.calls.splice(0)).toEqual(['remove a']);
    await control.engines.declare({ name: 'e1', host: 'one' });
    expect(backend.calls.splice(0)).toEqual([]);
  });

  it('follows an edit by hand', async () => {
    const { control, backend, folder } = await start();
    await control.cameras.add({ name: 'a' }, undefined);
    await stateFileSettled(folder);
    await writeFile(
      join(folder, 'state.json'),
      '{"version":1,"cameras":{"hand":{"pushes":{"p":{"url":"rtmp://h/live/x"}}}}}',
    );
    await vi.waitFor(() => expect([...backend.cameras.keys()]).toEqual(['hand']), { timeout: 20_000 });
  });

  it('declares everything that the store holds when it starts, and nothing after it is closed', async () => {
    const { control, backend, store } = await start();
    await control.cameras.add({ name: 'a' }, undefined);
    control.close();
    await changeState(store, (state) => ({ ...state, cameras: new Map() }));
    expect(backend.calls).toEqual(['set a']);
  });

  it('goes on with the other cameras when the backend fails on one', async () => {
    const { control, backend } = await start();
    vi.spyOn(backend, 'setCamera').mockImplementationOnce(() => {
      throw new Error('no');
    });
    await control.cameras.add({ name: 'a' }, undefined);
    await control.cameras.add({ name: 'b' }, undefined);
    expect([...backend.cameras.keys()]).toEqual(['b']);
  });
});

describe('choosing an engine', () => {
  const url = async (test: TestControl, name: string, location?: string) =>
    (await test.control.redirector.getStream({ name, location })).push.engine;

  it('takes the viewer’s location, then the node’s, then the least loaded, then the first by name', async () => {
    const test = await start({ location: 'madrid' });
    const { control } = test;
    for (const name of ['a', 'b', 'c', 'd', 'e']) await control.cameras.add({ name }, undefined);
    await control.engines.add({ name: 'far', host: 'h1', location: 'oslo' });
    expect(await url(test, 'a')).toBe('far');
    await control.engines.add({ name: 'near-2', host: 'h3', location: 'Madrid' });
    await control.engines.add({ name: 'near-1', host: 'h2', location: 'madrid' });
    expect(await url(test, 'b')).toBe('near-1');
    expect(await url(test, 'c')).toBe('near-2');
    expect(await url(test, 'd', 'OSLO')).toBe('far');
    expect(await url(test, 'e', 'nowhere')).toBe('near-1');
  });

  it('stays with the engine that the camera goes to already, whatever the load became', async () => {
    const test = await start();
    for (const name of ['a', 'b', 'c']) await test.control.cameras.add({ name }, undefined);
    await test.control.engines.add({ name: 'e1', host: 'h1' });
    expect(await url(test, 'a')).toBe('e1');
    expect(await url(test, 'b')).toBe('e1');
    await test.control.engines.add({ name: 'e2', host: 'h2' });
    expect(await url(test, 'a')).toBe('e1');
    expect(await url(test, 'c')).toBe('e2');
  });

  it('avoids an engine whose pushes cannot connect, as long as there is another', async () => {
    const test = await start();
    const { control } = test;
    for (const name of ['a', 'b']) await control.cameras.add({ name }, undefined);
    await control.engines.add({ name: 'e1', host: 'h1', location: 'here' });
    const { push } = await control.redirector.getStream({ name: 'a' });
    breakPush(test, 'a', push.id);
    expect(await url(test, 'b', 'here')).toBe('e1');
    await control.pushes.remove('b', (await control.pushes.list('b', {})).items[0]?.id ?? '');
    await control.engines.add({ name: 'e2', host: 'h2' });
    await sleep(1100);
    expect(await url(test, 'b', 'here')).toBe('e2');
  });

  it('does not enable a push that was disabled by hand, and prefers another engine', async () => {
    const test = await start();
    await test.control.cameras.add({ name: 'a' }, undefined);
    await test.control.engines.add({ name: 'e1', host: 'h1' });
    const { push } = await test.control.redirector.getStream({ name: 'a' });
    await test.control.pushes.change('a', push.id, { enabled: false });
    expect((await test.control.redirector.getStream({ name: 'a' })).push.enabled).toBe(false);
    await test.control.engines.add({ name: 'e2', host: 'h2' });
    expect(await url(test, 'a')).toBe('e2');
  });

  it('changes nothing when the playback URL cannot be made', async () => {
    const test = await start();
    await test.control.cameras.add({ name: 'a' }, undefined);
    await test.control.engines.add({ name: 'e1', host: 'h1', playbackUrl: 'http://{host}/{type}/{name}' });
    const before = test.store.state;
    await expect(test.control.redirector.getStream({ name: 'a' })).rejects.toMatchObject({ code: 'INVALID_ADDRESS' });
    expect(test.store.state).toBe(before);
  });
});

describe('pushes', () => {
  it('have an id that is derived from the target, however it is written', async () => {
    const { control } = await start();
    await control.cameras.add({ name: 'a' }, undefined);
    const first = await control.pushes.add('a', { url: 'rtmp://Host/live/a' });
    expect(first.view.id).toMatch(/^p-[0-9a-f]{8}$/);
    expect(await control.pushes.add('a', { url: 'rtmp://host:1935/live/a' })).toMatchObject({
      created: false,
      view: { id: first.view.id },
    });
    await control.engines.add({ name: 'e', host: 'host' });
    expect(await control.pushes.add('a', { engine: 'e' })).toMatchObject({
      created: false,
      view: { id: first.view.id },
    });
  });

  it('may be called like a property of Object', async () => {
    const { control } = await start();
    await control.cameras.add({ name: 'constructor' }, undefined);
    expect(() => control.pushes.get('constructor', 'toString')).toThrow(
      expect.objectContaining({ code: 'PUSH_NOT_FOUND' }),
    );
    await control.pushes.add('constructor', { id: 'toString', url: 'rtmp://h/live/x' });
    expect(control.pushes.get('constructor', 'toString').id).toBe('toString');
  });

  it('that are there with another budget are a conflict, not ignored', async () => {
    const { control } = await start();
    await control.cameras.add({ name: 'a' }, undefined);
    const push = { id: 'p', url: 'rtmp://h/live/a', queueMaxBytes: 100_000 };
    await control.pushes.add('a', push);
    const again = (change: object) => control.pushes.add('a', { ...push, ...change });
    expect(await again({})).toMatchObject({ created: false });
    expect(await again({ queueMaxBytes: undefined })).toMatchObject({ created: false });
    const refused = { code: 'PUSH_CONFLICT', field: 'queueMaxBytes', message: expect.stringContaining('PATCH') };
    await expect(again({ queueMaxBytes: 100_001 })).rejects.toMatchObject(refused);
    await expect(again({ queueMaxAgeMs: 700 })).rejects.toMatchObject({ ...refused, field: 'queueMaxAgeMs' });
  });

  it('are looked at once for a list, and alone for one, however many the camera has', async () => {
    const { control, backend } = await start({ maxPushesPerCamera: 20 });
    await control.cameras.add({ name: 'a' }, undefined);
    const ids = Array.from({ length: 20 }, (_, index) => `p${index}`);
    for (const id of ids) await control.pushes.add('a', { id, url: `rtmp://h/live/${id}` });
    const pushes = ids.map((id) => pushSnapshot({ id, bytesOut: 7 }));
    backend.snapshots.set('a', cameraSnapshot({ name: 'a', pushes }));
    const looks = vi.spyOn(backend, 'camera');
    const list = control.pushes.list('a', {});
    expect(list.items.map(({ bytesOut }) => bytesOut)).toEqual(ids.map(() => 7));
    expect(looks).toHaveBeenCalledTimes(1);
    expect(control.pushes.get('a', 'p3').bytesOut).toBe(7);
    expect(looks).toHaveBeenCalledTimes(1);
  });

  it('that the backend could never make are refused, by URL, engine and test; what a file holds is not', async () => {
    const { control, backend, folder, store } = await start();
    await control.cameras.add({ name: 'a' }, undefined);
    await control.engines.add({ name: 'e', host: 'h' });
    const before = store.state;
    backend.refuses = (url) =>
      url.startsWith('rtmps:') ? new TargetError('TARGET_UNSUPPORTED', 'no encryption here') : undefined;
    const message = expect.stringContaining('no encryption here');
    const refused = (field: string) => ({ code: 'TARGET_UNSUPPORTED', field, message });
    const url = 'rtmps://h/live/a';
    const engine = { name: 'e', host: 'h', pushUrl: 'rtmps://{host}/live/{name}' };
    await expect(control.pushes.add('a', { url })).rejects.toMatchObject(refused('url'));
    await expect(control.pushes.test('a', { url })).rejects.toMatchObject(refused('url'));
    await expect(control.engines.declare(engine)).rejects.toMatchObject(refused('pushUrl'));
    await expect(control.engines.add({ ...engine, name: 'f' })).rejects.toMatchObject(refused('pushUrl'));
    expect(store.state).toBe(before);

    const { name: _, ...entry } = engine;
    const cameras = { a: { pushes: { p: { url } } } };
    await stateFileSettled(folder);
    await writeFile(join(folder, 'state.json'), JSON.stringify({ version: 1, cameras, engines: { e: entry } }));
    await vi.waitFor(() => expect(backend.cameras.get('a')?.pushes[0]?.url).toBe(url), { timeout: 20_000 });
    await expect(control.pushes.add('a', { id: 'q', url: 'rtmps://g/live/a' })).rejects.toMatchObject(refused('url'));
    expect(await control.pushes.add('a', { id: 'p', url })).toMatchObject({ created: false });
  });

  it('a target with a password is meant by who names none; another password is declared', async () => {
    const { control, store } = await start();
    await control.cameras.add({ name: 'a' }, undefined);
    await control.pushes.add('a', { id: 'p', url: 'rtmp://user:word@h/live/a' });
    expect(await control.pushes.add('a', { url: 'rtmp://h/live/a' })).toMatchObject({
      created: false,
      view: { id: 'p' },
    });
    expect(await control.pushes.add('a', { url: 'rtmp://user:word@h/live/a' })).toMatchObject({ created: false });
    for (const user of ['user:hidden', 'hidden:word', 'user']) {
      const message = expect.stringMatching(/^(?!.*hidden).*"p".*another user name or password.*PUT/);
      await expect(control.pushes.add('a', { url: `rtmp://${user}@h/live/a` })).rejects.toMatchObject({ message });
    }
    await control.pushes.declare('a', { id: 'p', url: 'rtmp://user:other@h/live/a' });
    expect(store.state.cameras.get('a')?.pushes.p?.url).toBe('rtmp://user:other@h/live/a');
  });

  it.each([
    [{ id: 'p', url: 'rtmp://other/live/a' }, 'PUSH_CONFLICT'],
    [{ id: 'q', url: 'rtmp://h/live/a' }, 'PUSH_CONFLICT'],
    [{ url: 'rtmp://h/live/a', enabled: false }, 'PUSH_CONFLICT'],
    [{ url: 'rtmp://user:word@h/live/a' }, 'PUSH_CONFLICT'],
    [{ id: 'p', url: 'rtmp://user:word@h/live/a' }, 'PUSH_CONFLICT'],
    [{ url: 'rtmp://h/live/a', engine: 'e' }, 'INVALID_REQUEST'],
    [{}, 'INVALID_REQUEST'],
    [{ engine: 'nobody' }, 'ENGINE_NOT_FOUND'],
    [{ url: 'http://h/live/a' }, 'INVALID_ADDRESS'],
    [{ url: 'rtmp://h/live2/ab***' }, 'INVALID_ADDRESS'],
    [{ id: '../x', url: 'rtmp://h/live/b' }, 'INVALID_NAME'],
  ])('%o is refused with %s', async (input, code) => {
    const { control, store } = await start();
    await control.cameras.add({ name: 'a' }, undefined);
    await control.pushes.add('a', { id: 'p', url: 'rtmp://h/live/a' });
    const before = store.state;
    await expect(control.pushes.add('a', input)).rejects.toMatchObject({ code });
    expect(store.state).toBe(before);
  });
});

describe('limits', () => {
  it('hold for cameras, pushes and engines, and what is there may still be repeated', async () => {
    const { control } = await start({ maxCameras: 1, maxPushesPerCamera: 1, maxEngines: 1 });
    await control.cameras.add({ name: 'a' }, undefined);
    await control.engines.add({ name: 'e', host: 'h' });
    await control.pushes.add('a', { engine: 'e' });
    await expect(control.cameras.add({ name: 'b' }, undefined)).rejects.toMatchObject({ code: 'LIMIT_REACHED' });
    await expect(control.engines.add({ name: 'f', host: 'h' })).rejects.toMatchObject({ code: 'LIMIT_REACHED' });
    await expect(control.pushes.add('a', { url: 'rtmp://x/live/a' })).rejects.toMatchObject({ code: 'LIMIT_REACHED' });
    expect(await control.cameras.add({ name: 'a' }, undefined)).toMatchObject({ created: false });
    expect(await control.pushes.add('a', { engine: 'e' })).toMatchObject({ created: false });
  });
});

describe('templates', () => {
  it('put in what they name, percent-encoded, IPv6 in brackets', async () => {
    const { control, backend } = await start();
    await control.cameras.add({ name: 'cam', type: '360' }, undefined);
    await control.engines.add({
      name: 'e',
      host: '[2001:DB8::7]',
      location: 'San José/1',
      pushUrl: 'rtmp://{host}/{type}/{location}/{name}?k=s3cret',
      playbackUrl: 'https://{host}/{type}/{name}.m3u8',
    });
    const answer = await control.redirector.getStream({ name: 'cam' });
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
    const failure = await control.engines.add({ name: 'e', host: 'h', ...templates }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'INVALID_ADDRESS', field });
    expect(String(failure)).toContain(hint);
  });

  it('cannot be changed so that a camera that goes there has no URL; nor can the camera', async () => {
    const { control } = await start();
    await control.cameras.add({ name: 'a' }, undefined);
    await control.engines.add({ name: 'e', host: 'h' });
    await control.pushes.add('a', { engine: 'e' });
    const typed = { name: 'e', host: 'h', pushUrl: 'rtmp://{host}/{type}/{name}' };
    await expect(control.engines.declare(typed)).rejects.toMatchObject({ code: 'INVALID_ADDRESS' });
    await control.cameras.declare({ name: 'a', type: '360' }, undefined);
    await control.engines.declare(typed);
    await expect(control.cameras.declare({ name: 'a' }, undefined)).rejects.toMatchObject({ code: 'INVALID_ADDRESS' });
    await expect(control.engines.remove('e')).rejects.toMatchObject({ code: 'ENGINE_IN_USE' });
  });
});

describe('two pushes of one camera to one target', () => {
  it('are not made by a change of an engine, which names the cameras', async () => {
    const { control, store } = await start();
    for (const name of ['a', 'b', 'c']) await control.cameras.add({ name }, undefined);
    await control.engines.add({ name: 'e1', host: 'one' });
    await control.engines.add({ name: 'e2', host: 'two' });
    for (const engine of ['e1', 'e2']) await control.pushes.add('a', { engine });
    await control.pushes.add('b', { engine: 'e2' });
    await control.pushes.add('b', { url: 'rtmp://one/live/b' });
    await control.pushes.add('c', { engine: 'e2' });
    const before = store.state;
    const failure = await control.engines.declare({ name: 'e2', host: 'ONE' }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'ENGINE_CONFLICT' });
    expect(String(failure)).toMatch(/a \(p-\w+ and p-\w+\), b \(p-\w+ and p-\w+\);/);
    expect(store.state).toBe(before);
    await control.engines.declare({ name: 'e2', host: 'three' });
  });

  it('are not made by a change of the camera’s type', async () => {
    const { control } = await start();
    await control.cameras.add({ name: 'a', type: '360' }, undefined);
    await control.engines.add({ name: 'e', host: 'h', pushUrl: 'rtmp://{host}/{type}/{name}' });
    await control.pushes.add('a', { engine: 'e' });
    await control.pushes.add('a', { url: 'rtmp://h/plane/a' });
    const change = control.cameras.declare({ name: 'a', type: 'plane' }, undefined);
    await expect(change).rejects.toMatchObject({ code: 'CAMERA_CONFLICT', field: 'type' });
  });

  it('from an edit by hand do not stand in the way of other changes', async () => {
    const { control, backend, folder } = await start();
    const pushes = { p: { engine: 'e' }, q: { engine: 'e' } };
    const state = { version: 1, cameras: { a: { pushes } }, engines: { e: { host: 'h' } } };
    await writeFile(join(folder, 'state.json'), JSON.stringify(state));
    await vi.waitFor(() => expect(backend.cameras.has('a')).toBe(true), { timeout: 20_000 });
    await control.engines.declare({ name: 'e', host: 'other' });
  });
});

describe('secrets', () => {
  const secrets = ['SECRETUSER', 'SECRETPASS', 'SECRETKEY', 'SECRETNAME'];
  const templates = {
    pushUrl: 'rtmp://SECRETUSER:SECRETPASS@{host}/live/{name}?key=SECRETKEY',
    playbackUrl: 'http://{host}/{name}.m3u8?token=SECRETKEY',
  };
  const shows = (value: unknown) => secrets.filter((secret) => JSON.stringify(value).includes(secret));

  it('of an engine’s templates are in no answer, and used all the same', async () => {
    const { control, backend } = await start();
    await control.cameras.add({ name: 'a' }, undefined);
    const views = [
      await control.engines.add({ name: 'e', host: 'h', ...templates }),
      await control.engines.declare({ name: 'e', host: 'g', ...templates }),
      await control.engines.add({ name: 'k', host: 'h', pushUrl: 'rtmp://{host}/live2/xxSECRETNAME' }),
      control.engines.get('e'),
      control.engines.list({}),
    ];
    expect(shows(views)).toEqual([]);
    expect(control.engines.get('e')).toMatchObject({
      pushUrl: 'rtmp://***@{host}/live/{name}?key=***',
      playbackUrl: 'http://{host}/{name}.m3u8?token=***',
    });
    await control.pushes.add('a', { engine: 'e' });
    expect(backend.cameras.get('a')?.pushes[0]?.url).toBe('rtmp://SECRETUSER:SECRETPASS@g/live/a?key=SECRETKEY');
  });

  it('are not overwritten by what an answer showed in their place', async () => {
    const { control, store } = await start();
    await control.engines.add({ name: 'e', host: 'h', ...templates });
    const before = store.state;
    const { pushUrl, playbackUrl } = control.engines.get('e');
    for (const [field, masked] of Object.entries({ pushUrl, playbackUrl })) {
      const change = control.engines.declare({ name: 'e', host: 'h', ...templates, [field]: masked });
      await expect(change).rejects.toMatchObject({
        code: 'INVALID_ADDRESS',
        field,
        message: expect.stringContaining('***'),
      });
    }
    expect(store.state).toBe(before);
  });

  it('in the path of a push’s URL are in no answer, whoever its backend has seen', async () => {
    const { control } = await start();
    await control.cameras.add({ name: 'a' }, undefined);
    const { view } = await control.pushes.add('a', { url: 'rtmp://h/live2/xxSECRETNAME' });
    expect(view.url).toBe('rtmp://h/live2/xx***');
    expect(
      shows([control.cameras.get('a', undefined), control.pushes.list('a', {}), control.pushes.get('a', view.id)]),
    ).toEqual([]);
  });

  it('of a template that gives no URL are not logged', () => {
    const lines: unknown[] = [];
    const note = (...line: unknown[]) => void lines.push(line);
    const log: Logger = { debug: note, info: note, warn: note, error: note, child: () => log };
    const createdAt = '2026-01-01T00:00:00.000Z';
    const push = { id: 'p', engine: 'e', enabled: true, createdAt };
    const pushUrl = 'rtmp://SECRETUSER:SECRETPASS@{host}/{type}/SECRETNAME{name}';
    const engine = { name: 'e', host: 'h', pushUrl, playbackUrl: 'http://h/x', createdAt };
    new Reconciler(new FakeBackend(), log).applyAll({
      cameras: new Map([['a', { name: 'a', createdAt, pushes: { p: push } }]]),
      engines: new Map([['e', engine]]),
    });
    expect(lines).toHaveLength(1);
    expect(shows(lines)).toEqual([]);
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
    const { view } = await control.cameras.add({ name: 'a' }, header);
    expect(view.endpoint).toBe(`rtmp://${expected}:1935/a/a`);
  });

  it('is never a loopback address when the machine has another and listens on it', async () => {
    const { control } = await start({ host: '0.0.0.0' });
    const { networkInterfaces } = await import('node:os');
    const others = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
    const host = control.cameras.advertisedHost('localhost:5000');
    const external = others.filter((one) => !one.internal).map((one) => one.address);
    expect(external.length === 0 ? ['127.0.0.1'] : external).toContain(host);
  });
});

it('the backend is probed once for all who ask within a second', async () => {
  const { control, backend } = await start();
  expect(await Promise.all([control.node.isUp(), control.node.isUp(), control.node.isUp()])).toEqual([
    true,
    true,
    true,
  ]);
  await control.node.isUp();
  expect(backend.probes).toBe(1);
  backend.answer = async () => false;
  await sleep(1100);
  expect(await control.node.isUp()).toBe(false);
});
