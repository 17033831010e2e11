import { afterAll, beforeAll, expect, it } from 'vitest';
import { LogLevels, maxDebuggedCameras } from '../../src/log/levels.js';
import type { LogFields, Logger } from '../../src/log/log.js';
import { startTestApi, type TestApi } from './harness.js';

const lines: { readonly message: string; readonly fields: LogFields | undefined }[] = [];
const log: Logger = {
  debug() {},
  info: (message, fields) => void lines.push({ message, fields }),
  warn() {},
  error() {},
  child: () => log,
};
const levels = new LogLevels('info');

let test: TestApi;
beforeAll(async () => {
  test = await startTestApi({}, log, levels);
});
afterAll(() => test.close());

async function call(method: string, path: string, body?: unknown): Promise<{ status: number; json: unknown }> {
  const response = await fetch(test.base + path, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  const text = await response.text();
  return { status: response.status, json: text === '' ? undefined : JSON.parse(text) };
}

it('the level is shown and changed, and nothing else is taken for one', async () => {
  expect(await call('GET', '/v1/log')).toEqual({
    status: 200,
    json: { level: 'info', configured: 'info', cameras: [] },
  });
  expect(await call('PATCH', '/v1/log', { level: 'warn' })).toMatchObject({
    status: 200,
    json: { level: 'warn', configured: 'info' },
  });
  expect(levels.filter.allows('info', undefined)).toBe(false);
  expect(lines).toContainEqual({ message: 'the log level changes', fields: { from: 'info', to: 'warn' } });
  for (const body of [{ level: 'trace' }, { level: 5 }, {}, { level: 'info', more: 1 }, []]) {
    expect(await call('PATCH', '/v1/log', body)).toMatchObject({ status: 400 });
  }
  expect(levels.level).toBe('warn');
});

it('a camera is debugged for a time and a number of them', async () => {
  await call('POST', '/v1/cameras', { name: 'one' });
  const before = Date.now();
  const { status, json } = await call('PUT', '/v1/cameras/one/debug', {});
  expect({ status, json }).toMatchObject({ status: 200, json: { camera: 'one', notice: null } });
  const { endsAt } = json as { endsAt: string };
  expect(Math.abs(Date.parse(endsAt) - before - 900_000)).toBeLessThan(20_000);
  expect(levels.filter.allows('debug', 'one')).toBe(true);
  expect(await call('GET', '/v1/log')).toMatchObject({ json: { cameras: [{ camera: 'one', endsAt, notice: null }] } });

  for (const body of [{ seconds: 0 }, { seconds: 86_401 }, { seconds: '60' }, { minutes: 1 }]) {
    expect(await call('PUT', '/v1/cameras/one/debug', body)).toMatchObject({ status: 400 });
  }
  expect(await call('PUT', '/v1/cameras/nobody/debug', {})).toMatchObject({
    status: 404,
    json: { code: 'CAMERA_NOT_FOUND' },
  });
  expect(await call('DELETE', '/v1/cameras/nobody/debug')).toMatchObject({ status: 404 });

  for (let index = 1; index < maxDebuggedCameras; index++) levels.debug(`filler-${index}`, 60_000);
  await call('POST', '/v1/cameras', { name: 'two' });
  expect(await call('PUT', '/v1/cameras/two/debug', {})).toMatchObject({
    status: 409,
    json: { code: 'LIMIT_REACHED', detail: expect.stringContaining('filler-1') },
  });

  expect((await call('DELETE', '/v1/cameras/one/debug')).status).toBe(204);
  expect(levels.filter.allows('debug', 'one')).toBe(false);
  expect((await call('DELETE', '/v1/cameras/one/debug')).status).toBe(204);
  expect((await call('PUT', '/v1/cameras/two/debug', { seconds: 5 })).status).toBe(200);
  // Its camera is gone, but not its place among those that are debugged.
  await call('DELETE', '/v1/cameras/two');
  expect((await call('DELETE', '/v1/cameras/two/debug')).status).toBe(204);
  expect((await call('DELETE', '/v1/cameras/two/debug')).status).toBe(404);
});

it('who may only read changes nothing of it', async () => {
  const { token } = await test.access.tokens.create({ name: 'reader', scope: 'read', expiresAt: undefined });
  const ask = async (method: string, path: string, body?: string) =>
    (
      await fetch(test.base + path, {
        method,
        headers: { authorization: `Bearer ${token}`, ...(body ? { 'content-type': 'application/json' } : {}) },
        ...(body ? { body } : {}),
      })
    ).status;
  expect(await ask('GET', '/v1/log')).toBe(200);
  expect(await ask('PATCH', '/v1/log', '{"level":"debug"}')).toBe(403);
  expect(await ask('PUT', '/v1/cameras/one/debug', '{}')).toBe(403);
  expect(await ask('DELETE', '/v1/cameras/one/debug')).toBe(403);
});
