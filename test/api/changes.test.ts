import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { cameraSnapshot, pushSnapshot } from '../control/fake-backend.js';
import { type Asked, ask, type Question } from './ask.js';
import { startTestApi, type TestApi } from './harness.js';

let test: TestApi;
const call = (method: string, path: string, body?: unknown, headers: Question['headers'] = {}): Promise<Asked> =>
  ask(test.api.port, { method, path, headers, ...(body === undefined ? {} : { body }) });
const tagOf = async (path: string) => String((await call('GET', path)).headers.etag);

beforeAll(async () => {
  test = await startTestApi();
});
afterAll(() => test.close());

const camera = '/v1/cameras/cam';
const push = `${camera}/pushes/p`;
const engine = '/v1/engines/eng';
beforeEach(async () => {
  await call('DELETE', camera);
  await call('DELETE', engine);
  await call('PUT', camera, { type: '360' });
  await call('PUT', push, { url: 'rtmp://h.example/live/x?key=SECRET' });
  await call('PUT', engine, { host: 'e.example', location: 'here' });
});

describe('If-Match', () => {
  it.each([
    ['PUT', camera, { type: 'plane' }],
    ['PATCH', camera, { type: null }],
    ['DELETE', camera, undefined],
    ['PUT', push, { url: 'rtmp://other.example/live/x' }],
    ['PATCH', push, { enabled: false }],
    ['DELETE', push, undefined],
    ['PUT', engine, { host: 'other.example' }],
    ['PATCH', engine, { location: null }],
    ['DELETE', engine, undefined],
  ])('%s %s: 412 with an old tag and nothing changed, done with the new one', async (method, path, body) => {
    const before = (await call('GET', path)).json;
    const tag = await tagOf(path);
    expect(tag).toMatch(/^"[0-9a-f]{20}"$/);
    const { state } = test.store;
    const refused = await call(method, path, body, { 'if-match': '"0123456789abcdef0123"' });
    expect([refused.status, refused.json?.code]).toEqual([412, 'PRECONDITION_FAILED']);
    expect(refused.text).toContain(JSON.stringify(tag).slice(1, -1));
    expect(test.store.state).toBe(state);
    expect((await call('GET', path)).json).toEqual(before);
    const done = await call(method, path, body, { 'if-match': `"x", W/${tag}` });
    expect(done.status).toBe(method === 'DELETE' ? 204 : 200);
    expect(test.store.state).not.toBe(state);
    if (method === 'DELETE') return;
    expect(done.headers.etag).toBe(await tagOf(path));
    expect(done.headers.etag).not.toBe(tag);
    expect((await call(method, path, body, { 'if-match': tag })).status).toBe(412);
  });

  it('of two that read the same, one changes it', async () => {
    const tag = await tagOf(camera);
    const both = await Promise.all(['a', 'b'].map((type) => call('PUT', camera, { type }, { 'if-match': tag })));
    expect(both.map(({ status }) => status).sort()).toEqual([200, 412]);
  });

  it('what does not exist matches nothing; If-None-Match: * makes, and never changes', async () => {
    expect((await call('PUT', '/v1/cameras/new', {}, { 'if-match': '*' })).status).toBe(412);
    expect((await call('PUT', '/v1/cameras/new', {}, { 'if-none-match': '*' })).status).toBe(201);
    expect((await call('PUT', '/v1/cameras/new', {}, { 'if-none-match': '*' })).status).toBe(412);
    expect((await call('PUT', '/v1/cameras/new', {}, { 'if-match': '*' })).status).toBe(200);
    expect((await call('DELETE', '/v1/cameras/none', undefined, { 'if-match': '*' })).status).toBe(404);
    await call('DELETE', '/v1/cameras/new');
  });

  it('the tag is of what was declared: not of what is observed, and of secrets that are masked', async () => {
    const tag = await tagOf(push);
    test.backend.snapshots.set(
      'cam',
      cameraSnapshot({ name: 'cam', pushes: [pushSnapshot({ id: 'p', bytesOut: 99 })] }),
    );
    expect(await tagOf(push)).toBe(tag);
    test.backend.snapshots.clear();
    await call('PUT', push, { url: 'rtmp://h.example/live/x?key=OTHER' });
    expect(await tagOf(push)).not.toBe(tag);
    await call('PUT', push, { url: 'rtmp://h.example/live/x?key=SECRET' });
    expect(await tagOf(push)).toBe(tag);
  });

  it('a camera has another tag when its pushes change', async () => {
    const tag = await tagOf(camera);
    await call('PATCH', push, { enabled: false });
    expect(await tagOf(camera)).not.toBe(tag);
  });
});

describe('PUT and PATCH', () => {
  it('PUT of a push makes it, changes its target in place, and the same again changes nothing', async () => {
    const made = await call('PUT', `${camera}/pushes/q`, { url: 'rtmp://q.example/live/x', enabled: false });
    expect([made.status, made.headers.location]).toEqual([201, '/v1/cameras/cam/pushes/q']);
    const { state } = test.store;
    expect((await call('PUT', `${camera}/pushes/q`, { url: 'rtmp://q.example/live/x', enabled: false })).status).toBe(
      200,
    );
    expect(test.store.state).toBe(state);
    expect((await call('PUT', `${camera}/pushes/q`, { engine: 'eng', queueMaxAgeMs: 500 })).json).toMatchObject({
      engine: 'eng',
      enabled: true,
      queueMaxAgeMs: 500,
    });
    expect(test.backend.cameras.get('cam')?.pushes.map(({ id, url }) => [id, url])).toEqual([
      ['p', 'rtmp://h.example/live/x?key=SECRET'],
      ['q', 'rtmp://e.example:1935/live/cam'],
    ]);
    expect(await call('PUT', `${camera}/pushes/q`, { url: 'rtmp://h.example/live/x?key=SECRET' })).toMatchObject({
      status: 409,
      json: { code: 'PUSH_CONFLICT', field: 'url' },
    });
    expect((await call('PUT', `${camera}/pushes/q`, {})).status).toBe(400);
    expect((await call('PUT', `${camera}/pushes/q`, { id: 'r', engine: 'eng' })).json).toMatchObject({ field: 'id' });
  });

  it('what a push is told and gets can be chosen, and goes back to the usual by its name', async () => {
    const chosen = { enhanced: 'off', videoTrack: 1, audio: 'silence' };
    await call('PUT', `${camera}/pushes/q`, { engine: 'eng' });
    expect((await call('PATCH', `${camera}/pushes/q`, chosen)).json).toMatchObject(chosen);
    expect(test.backend.cameras.get('cam')?.pushes.find(({ id }) => id === 'q')).toMatchObject(chosen);
    expect((await call('POST', `${camera}/pushes`, { engine: 'eng', videoTrack: 2 })).json).toMatchObject({
      code: 'PUSH_CONFLICT',
      field: 'videoTrack',
    });
    const usual = (await call('PATCH', `${camera}/pushes/q`, { enhanced: 'auto', videoTrack: 'all', audio: 'as-is' }))
      .json;
    for (const name of Object.keys(chosen)) expect(usual).not.toHaveProperty(name);
    for (const wrong of [
      { enhanced: 'on' },
      { videoTrack: 256 },
      { audioTrack: -1 },
      { videoTrack: '1' },
      { audio: 'mp3' },
    ]) {
      expect((await call('PATCH', `${camera}/pushes/q`, wrong)).status).toBe(400);
    }
  });

  it('what an answer masked is not taken for the secret', async () => {
    const { url } = (await call('GET', push)).json ?? {};
    expect(await call('PUT', push, { url })).toMatchObject({ status: 400, json: { field: 'url' } });
  });

  it('PATCH changes what it names, and null takes away or gives the default', async () => {
    expect((await call('PATCH', camera, {})).json).toMatchObject({ type: '360' });
    expect((await call('PATCH', camera, { type: 'plane' })).json).toMatchObject({ type: 'plane' });
    expect((await call('PATCH', camera, { type: null })).json).not.toHaveProperty('type');
    expect((await call('PATCH', '/v1/cameras/none', {})).status).toBe(404);
    expect((await call('PATCH', engine, { pushUrl: 'rtmp://{host}/x/{name}' })).json).toMatchObject({
      host: 'e.example',
      location: 'here',
      pushUrl: 'rtmp://{host}/x/{name}',
    });
    const reset = (await call('PATCH', engine, { pushUrl: null, location: null })).json;
    expect(reset).toMatchObject({ pushUrl: 'rtmp://{host}:1935/live/{name}' });
    expect(reset).not.toHaveProperty('location');
    expect((await call('PATCH', engine, { host: 'h:80' })).json).toMatchObject({ field: 'host' });
    expect((await call('PATCH', '/v1/engines/none', {})).status).toBe(404);
  });
});

describe('filters', () => {
  const names = async (query: string): Promise<string[]> => {
    const found: string[] = [];
    let after: string | null = '';
    do {
      const page: Asked = await call('GET', `/v1/cameras?limit=3&${query}${after ? `&after=${after}` : ''}`);
      expect(page.status, page.text).toBe(200);
      const { items = [], next = null } = Object(page.json) as { items: { name: string }[]; next: string | null };
      expect(items.length).toBeLessThanOrEqual(3);
      found.push(...items.map(({ name }) => name));
      after = next;
    } while (after !== null);
    return found;
  };

  it('by the beginning of the name, by being live, and by the state of a push, page by page', async () => {
    for (const name of ['a1', 'a2', 'a3', 'a4', 'a5', 'b1', 'ab']) await call('PUT', `/v1/cameras/${name}`, {});
    for (const name of ['a2', 'a4', 'b1']) test.backend.snapshots.set(name, cameraSnapshot({ name }));
    test.backend.snapshots.set(
      'cam',
      cameraSnapshot({ name: 'cam', pushes: [pushSnapshot({ id: 'p', state: 'stalled' })] }),
    );
    expect(await names('prefix=a')).toEqual(['a1', 'a2', 'a3', 'a4', 'a5', 'ab']);
    expect(await names('prefix=a&live=true')).toEqual(['a2', 'a4']);
    expect(await names('live=true')).toEqual(['a2', 'a4', 'b1', 'cam']);
    expect(await names('live=false&prefix=b')).toEqual([]);
    expect(await names('pushState=stalled')).toEqual(['cam']);
    expect(await names('pushState=active')).toEqual([]);
    expect(await names('prefix=zzz')).toEqual([]);
    const pushes = await call('GET', `${camera}/pushes?state=stalled`);
    expect(pushes.json).toMatchObject({ items: [{ id: 'p' }], next: null });
    expect((await call('GET', `${camera}/pushes?state=idle`)).json).toMatchObject({ items: [], next: null });
    expect((await call('GET', '/v1/engines?prefix=e')).json).toMatchObject({ items: [{ name: 'eng' }] });
    expect((await call('GET', '/v1/engines?prefix=f')).json).toMatchObject({ items: [] });
    for (const [query, field] of [
      ['live=yes', 'live'],
      ['pushState=broken', 'pushState'],
      ['prefix=a&prefix=b', 'prefix'],
    ] as const) {
      expect(await call('GET', `/v1/cameras?${query}`)).toMatchObject({ status: 400, json: { field } });
    }
  });
});
