import Type from 'typebox';
import { Compile } from 'typebox/compile';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CameraViewSchema } from '../../src/api/camera-schemas.js';
import { ConfigViewSchema, NodeViewSchema } from '../../src/api/node-schemas.js';
import { ProblemSchema, pageSchema } from '../../src/api/schemas.js';
import { TargetError } from '../../src/errors.js';
import { askRaw } from './ask.js';
import { startTestApi, type TestApi } from './harness.js';

let test: TestApi;
beforeAll(async () => {
  test = await startTestApi({ location: 'here' });
});
afterAll(() => test.close());

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly headers: Headers;
  readonly json: unknown;
}

async function call(method: string, path: string, body?: unknown): Promise<Answer> {
  const response = await fetch(test.base + path, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  const text = await response.text();
  const type = response.headers.get('content-type') ?? '';
  return { status: response.status, type, headers: response.headers, json: text === '' ? undefined : JSON.parse(text) };
}

describe('a life of a camera', () => {
  it('POST, PUT, GET, list and DELETE say what they did', async () => {
    const created = await call('POST', '/v1/cameras', { name: 'one', type: '360' });
    expect(created.status).toBe(201);
    expect(created.headers.get('location')).toBe('/v1/cameras/one');
    expect(Compile(CameraViewSchema).Errors(created.json)).toEqual([]);
    expect((await call('POST', '/v1/cameras', { name: 'one', type: '360' })).status).toBe(200);
    expect(await call('POST', '/v1/cameras', { name: 'one' })).toMatchObject({
      status: 409,
      json: { code: 'CAMERA_CONFLICT' },
    });
    expect(await call('PUT', '/v1/cameras/one', { type: 'plane' })).toMatchObject({
      status: 200,
      json: { type: 'plane' },
    });
    expect((await call('PUT', '/v1/cameras/two', {})).status).toBe(201);
    expect(await call('PUT', '/v1/cameras/two', { name: 'three' })).toMatchObject({
      status: 400,
      json: { field: 'name' },
    });
    expect(await call('GET', '/v1/cameras/one')).toMatchObject({ status: 200, json: { name: 'one', live: false } });
    const list = await call('GET', '/v1/cameras');
    expect(Compile(pageSchema(CameraViewSchema)).Errors(list.json)).toEqual([]);
    expect(list.json).toMatchObject({ items: [{ name: 'one' }, { name: 'two' }], next: null });
    const named = await call('GET', '/v1/cameras?names=two,nobody');
    expect(named.json).toMatchObject({ items: [{ name: 'two' }], next: null });
    expect(Reflect.get(Object(named.json), 'items')).toHaveLength(1);
    const gone = await call('DELETE', '/v1/cameras/two');
    expect([gone.status, gone.json]).toEqual([204, undefined]);
    expect(await call('DELETE', '/v1/cameras/two')).toMatchObject({ status: 404, json: { code: 'CAMERA_NOT_FOUND' } });
  });

  it('pushes are added, disabled and removed; URLs are masked', async () => {
    await call('POST', '/v1/cameras', { name: 'pushed' });
    const url = 'rtmp://user:secret@10.0.0.1/live/x?key=hidden';
    const created = await call('POST', '/v1/cameras/pushed/pushes', { url });
    expect(created).toMatchObject({ status: 201, json: { enabled: true, state: 'idle' } });
    expect(JSON.stringify(created.json)).not.toMatch(/secret|hidden/);
    const path = created.headers.get('location') ?? '';
    expect(path).toMatch(/^\/v1\/cameras\/pushed\/pushes\/p-[0-9a-f]{8}$/);
    expect((await call('POST', '/v1/cameras/pushed/pushes', { url })).status).toBe(200);
    expect(test.backend.cameras.get('pushed')?.pushes).toEqual([{ id: path.split('/').at(-1), url, enabled: true }]);
    expect(await call('PATCH', path, { enabled: false })).toMatchObject({ status: 200, json: { enabled: false } });
    expect(test.backend.cameras.get('pushed')?.pushes[0]?.enabled).toBe(false);
    expect(await call('GET', '/v1/cameras/pushed/pushes')).toMatchObject({ json: { items: [{}], next: null } });
    expect((await call('DELETE', path)).status).toBe(204);
    expect(await call('GET', path)).toMatchObject({ status: 404, json: { code: 'PUSH_NOT_FOUND' } });
    expect(test.backend.cameras.get('pushed')?.pushes).toEqual([]);
  });

  it('pushes have budgets of their own, which change without a break and go back to the settings', async () => {
    await call('POST', '/v1/cameras', { name: 'budget' });
    const path = '/v1/cameras/budget/pushes';
    const url = 'rtmp://h.example/live/x';
    expect(await call('POST', path, { id: 'p', url, queueMaxBytes: 100_000 })).toMatchObject({
      status: 201,
      json: { queueMaxBytes: 100_000 },
    });
    expect(await call('PATCH', `${path}/p`, { queueMaxBytes: null, queueMaxAgeMs: 700 })).toMatchObject({
      status: 200,
      json: { queueMaxAgeMs: 700, enabled: true },
    });
    expect((await call('GET', `${path}/p`)).json).not.toHaveProperty('queueMaxBytes');
    expect(test.backend.cameras.get('budget')?.pushes).toEqual([{ id: 'p', url, enabled: true, queueMaxAgeMs: 700 }]);
    expect(await call('PATCH', `${path}/p`, { queueMaxAgeMs: 1 })).toMatchObject({
      status: 400,
      json: { field: 'queueMaxAgeMs' },
    });
  });

  it('pushes are retried and tested, and tell what they did', async () => {
    await call('POST', '/v1/cameras', { name: 'helped' });
    const path = '/v1/cameras/helped/pushes';
    await call('POST', path, { id: 'p', url: 'rtmp://h.example/live/x' });
    expect(await call('POST', `${path}/p/retry`)).toMatchObject({ status: 200, json: { id: 'p' } });
    expect(test.backend.calls).toContain('retry helped p');
    expect(await call('POST', `${path}/q/retry`)).toMatchObject({ status: 404, json: { code: 'PUSH_NOT_FOUND' } });
    const tested = await call('POST', `${path}:test`, { url: 'rtmp://h.example/live/y?key=secret' });
    expect(tested).toMatchObject({ status: 200, json: { ok: false, steps: [{ error: { code: 'TARGET_REFUSED' } }] } });
    expect(test.backend.calls).toContain('test rtmp://h.example/live/y?key=secret');
    expect(await call('POST', `${path}:test`, {})).toMatchObject({ status: 400, json: { code: 'INVALID_REQUEST' } });
    expect(await call('POST', '/v1/cameras/none/pushes:test', { url: 'rtmp://h/a/b' })).toMatchObject({ status: 404 });
    expect(await call('GET', `${path}/p/events`)).toMatchObject({
      status: 200,
      json: { items: [{ text: 'helped p' }] },
    });
    expect(await call('GET', '/v1/cameras/helped/events')).toMatchObject({ status: 200, json: { items: [{}] } });
    expect(await call('GET', `${path}/q/events`)).toMatchObject({ status: 404 });
  });

  it('engines are added, declared and removed', async () => {
    expect((await call('POST', '/v1/engines', { name: 'e', host: 'h.example' })).status).toBe(201);
    expect(await call('POST', '/v1/engines', { name: 'e', host: 'other' })).toMatchObject({
      status: 409,
      json: { code: 'ENGINE_CONFLICT' },
    });
    expect(await call('PUT', '/v1/engines/e', { host: '10.0.0.9', location: 'x' })).toMatchObject({
      status: 200,
      json: { host: '10.0.0.9', pushUrl: 'rtmp://{host}:1935/live/{name}' },
    });
    await call('POST', '/v1/cameras/one/pushes', { engine: 'e', id: 'to-e' });
    expect(await call('DELETE', '/v1/engines/e')).toMatchObject({ status: 409, json: { code: 'ENGINE_IN_USE' } });
    await call('DELETE', '/v1/cameras/one/pushes/to-e');
    expect((await call('DELETE', '/v1/engines/e')).status).toBe(204);
  });

  it('secrets of engines are in no answer; a target that the backend cannot make is a fault of the request', async () => {
    const secret = { host: 'h.example', pushUrl: 'rtmp://u:SECRET1@{host}/live/{name}?key=SECRET2' };
    const answers = [
      await call('POST', '/v1/engines', { name: 'secret', ...secret }),
      await call('PUT', '/v1/engines/secret', { ...secret, location: 'x' }),
      await call('GET', '/v1/engines/secret'),
      await call('GET', '/v1/engines'),
    ];
    expect(answers.map(({ status }) => status)).toEqual([201, 200, 200, 200]);
    expect(JSON.stringify(answers.map(({ json }) => json))).not.toContain('SECRET');
    const { host, pushUrl } = Object(answers[2]?.json);
    expect(await call('PUT', '/v1/engines/secret', { host, pushUrl })).toMatchObject({
      status: 400,
      json: { code: 'INVALID_ADDRESS', field: 'pushUrl' },
    });
    await call('POST', '/v1/cameras', { name: 'unencrypted' });
    test.backend.refuses = () => new TargetError('TARGET_UNSUPPORTED', 'never');
    expect(await call('POST', '/v1/cameras/unencrypted/pushes', { url: 'rtmps://h.example/live/x' })).toMatchObject({
      status: 400,
      json: { code: 'TARGET_UNSUPPORTED', field: 'url' },
    });
    test.backend.refuses = () => undefined;
    await call('DELETE', '/v1/engines/secret');
    await call('DELETE', '/v1/cameras/unencrypted');
  });

  it('keys and tokens that the settings ask nobody for are not made; what is asked for them is checked', async () => {
    await call('POST', '/v1/cameras', { name: 'open' });
    const refused = { status: 409, json: { code: 'KEYS_NOT_USED' } };
    expect(await call('POST', '/v1/cameras/open/keys:rotate', {})).toMatchObject(refused);
    expect(await call('POST', '/v1/cameras/open/play-tokens', {})).toMatchObject(refused);
    const invalid = { status: 400, json: { code: 'INVALID_REQUEST' } };
    for (const body of [{ key: 'short' }, { key: 'with space inside' }, { overlapSeconds: -1 }, { overlap: 1 }]) {
      expect(await call('POST', '/v1/cameras/open/keys:rotate', body)).toMatchObject(invalid);
    }
    expect(await call('POST', '/v1/cameras/open/play-tokens', { seconds: 0 })).toMatchObject(invalid);
    expect(await call('POST', '/v1/cameras/none/play-tokens', {})).toMatchObject({ status: 404 });
    await call('DELETE', '/v1/cameras/open');
  });

  it('lists are paged, without gaps and repeats', async () => {
    for (let index = 0; index < 7; index += 1) await call('PUT', `/v1/cameras/page-${index}`, {});
    const all = (await call('GET', '/v1/cameras')).json;
    const names: string[] = [];
    let after = '';
    do {
      const { items, next } = Compile(pageSchema(Type.Object({ name: Type.String() }))).Parse(
        (await call('GET', `/v1/cameras?limit=2${after === '' ? '' : `&after=${after}`}`)).json,
      ) as { items: { name: string }[]; next: string | null };
      names.push(...items.map((item) => item.name));
      after = next ?? '';
    } while (after !== '');
    expect(all).toMatchObject({ items: names.map((name) => ({ name })) });
    expect(names.length).toBeGreaterThan(6);
  });
});

describe('refusals are problem documents', () => {
  const cases: [string, string, unknown, number, string, string | undefined][] = [
    ['POST', '/v1/cameras', { name: 'a b' }, 400, 'INVALID_NAME', 'name'],
    ['POST', '/v1/cameras', { nam: 'a' }, 400, 'INVALID_REQUEST', 'nam'],
    ['POST', '/v1/cameras', undefined, 400, 'INVALID_REQUEST', undefined],
    ['GET', '/v1/cameras/a%20b', undefined, 400, 'INVALID_NAME', 'name'],
    ['GET', `/v1/cameras/${'a'.repeat(300)}`, undefined, 414, 'INVALID_REQUEST', undefined],
    ['GET', '/v1/cameras/__proto__', undefined, 400, 'INVALID_NAME', 'name'],
    ['GET', '/v1/cameras/constructor', undefined, 404, 'CAMERA_NOT_FOUND', 'name'],
    ['GET', '/v1/cameras?limit=0', undefined, 400, 'INVALID_REQUEST', 'limit'],
    ['GET', '/v1/cameras?limit=x', undefined, 400, 'INVALID_REQUEST', 'limit'],
    ['GET', '/v1/cameras?limit=1&limit=2', undefined, 400, 'INVALID_REQUEST', 'limit'],
    ['GET', '/v1/cameras?__proto__=1', undefined, 400, 'INVALID_REQUEST', '__proto__'],
    ['POST', '/v1/engines', { name: 'e', host: 'h:80' }, 400, 'INVALID_ADDRESS', 'host'],
    ['POST', '/v1/engines', { name: 'e', host: 'h', pushUrl: 'rtmp://{hos}/a/b' }, 400, 'INVALID_ADDRESS', 'pushUrl'],
    ['PATCH', '/v1/cameras/one/pushes/p', { enabled: 1 }, 400, 'INVALID_REQUEST', 'enabled'],
    ['POST', '/v1/cameras/nobody/pushes', { url: 'rtmp://h/a/b' }, 404, 'CAMERA_NOT_FOUND', 'name'],
    ['POST', '/v1/cameras/one/pushes', { url: 'rtmp://h/a/b', engine: 'e' }, 400, 'INVALID_REQUEST', 'url'],
    ['POST', '/v1/cameras/one/pushes', { url: `rtmp://h/${'a'.repeat(5000)}` }, 400, 'INVALID_ADDRESS', 'url'],
    ['GET', '/v1/nothing', undefined, 404, 'NOT_FOUND', undefined],
    ['DELETE', '/v1/cameras', undefined, 405, 'NOT_FOUND', undefined],
  ];
  const titled = cases.map((one) => [`${one[0]} ${one[1].slice(0, 60)}: ${one[4]} ${one[5] ?? ''}`, ...one] as const);
  it.each(titled)('%s', async (_, method, path, body, status, code, field) => {
    const answer = await call(method, path, body);
    expect([answer.status, answer.type]).toEqual([status, 'application/problem+json; charset=utf-8']);
    expect(Compile(ProblemSchema).Errors(answer.json)).toEqual([]);
    expect(answer.json).toMatchObject({ status, code, ...(field === undefined ? {} : { field }) });
    if (status === 405) expect(answer.headers.get('allow')).toBe('GET, HEAD, POST');
  });
});

describe('the node', () => {
  it('shows itself, its settings with their sources, and its health', async () => {
    const nodes = await call('GET', '/v1/nodes');
    expect(Compile(pageSchema(NodeViewSchema)).Errors(nodes.json)).toEqual([]);
    expect(nodes.json).toMatchObject({ items: [{ name: 'node-1', self: true, status: 'ok', location: 'here' }] });
    const config = await call('GET', '/v1/config');
    expect(Compile(ConfigViewSchema).Errors(config.json)).toEqual([]);
    expect(config.json).toMatchObject({
      settings: {
        rtmpPort: { value: 1935, source: 'flag --rtmp-port' },
        maxCameras: { value: 50, source: 'default' },
        // It is not set, and can be found all the same.
        rtmpsPort: { value: null, source: 'default', names: ['rtmps-port', 'MEDIA_AGGREGATOR_RTMPS_PORT'] },
      },
      problems: [],
    });
    expect((await call('GET', '/healthz')).status).toBe(200);
    expect((await call('GET', '/readyz')).status).toBe(200);
  });

  it.each(['/v1/cameras', '/healthz', '/stats', '/status', '/openapi.json'])('HEAD %s has no body', async (path) => {
    const response = await fetch(test.base + path, { method: 'HEAD' });
    expect([response.status, await response.text()]).toEqual([200, '']);
  });

  it('describes every route, with its failures, in OpenAPI 3.1', async () => {
    const { json } = await call('GET', '/openapi.json');
    const document = json as {
      openapi: string;
      paths: Record<string, Record<string, { responses: Record<string, unknown>; summary?: string }>>;
    };
    expect(document.openapi).toBe('3.1.0');
    expect(Object.keys(document.paths).sort()).toEqual([
      '/Status',
      '/getStream',
      '/healthz',
      '/live/{name}.flv',
      '/metrics',
      '/readyz',
      '/registerCamera',
      '/resgisterCamera',
      '/stats',
      '/status',
      '/v1/cameras',
      '/v1/cameras/{name}',
      '/v1/cameras/{name}/debug',
      '/v1/cameras/{name}/events',
      '/v1/cameras/{name}/history',
      '/v1/cameras/{name}/keys:rotate',
      '/v1/cameras/{name}/picture',
      '/v1/cameras/{name}/play-tokens',
      '/v1/cameras/{name}/pushes',
      '/v1/cameras/{name}/pushes/{id}',
      '/v1/cameras/{name}/pushes/{id}/events',
      '/v1/cameras/{name}/pushes/{id}/retry',
      '/v1/cameras/{name}/pushes:test',
      '/v1/cameras/{name}/switch',
      '/v1/cameras:batch',
      '/v1/cluster',
      '/v1/cluster/accept',
      '/v1/cluster/holders',
      '/v1/cluster/seal',
      '/v1/config',
      '/v1/discovery',
      '/v1/discovery/add',
      '/v1/discovery/picture',
      '/v1/discovery/scan',
      '/v1/engines',
      '/v1/engines/{name}',
      '/v1/events',
      '/v1/log',
      '/v1/log/lines',
      '/v1/nodes',
      '/v1/nodes/{id}/drain',
      '/v1/refused-publishers',
      '/v1/session',
      '/v1/state/seal',
      '/v1/targets:test',
      '/v1/test-pattern',
      '/v1/test-pattern/{name}',
      '/v1/tokens',
      '/v1/tokens/{name}',
    ]);
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        expect(operation.summary, `${method} ${path}`).toBeTruthy();
        expect(Object.keys(operation.responses), `${method} ${path}`).toContain('500');
        if (['post', 'put', 'patch'].includes(method)) {
          const changes = !/\/retry$|:test$|\/session$|\/play-tokens$/.test(path);
          for (const status of ['400', '413', '415', ...(changes ? ['503'] : [])])
            expect(operation.responses).toHaveProperty(status);
        }
      }
    }
  });

  it('answers what is no HTTP in its own words', async () => {
    expect(await askRaw(test.api.port, '\x16\x03\x01 nonsense\r\n\r\n')).toMatch(
      /^HTTP\/1\.1 400 [\s\S]*"code":"INVALID_REQUEST"/,
    );
    expect(await askRaw(test.api.port, `GET / HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`)).toMatch(
      /^HTTP\/1\.1 431 /,
    );
  });
});
