import { expect, test } from 'vitest';
import type { CameraView } from '../../src/control/views.js';
import { testPatternEncoder } from '../../src/ingest/test-pattern.js';
import { PublishClient } from '../../src/rtmp/publish-client.js';
import { testScope } from '../support/scope.js';
import { waitFor } from '../support/wait.js';
import { startTestAggregator } from './support.js';

async function call(base: string, method: string, path: string, body?: unknown) {
  const response = await fetch(base + path, {
    method,
    ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) };
}

test('a test pattern makes its camera live, once, and ends when it is told to', async (context) => {
  const { apiUrl } = await startTestAggregator(testScope(context));
  const camera = async () => (await call(apiUrl, 'GET', '/v1/cameras/cam')).body as unknown as CameraView;
  expect(await call(apiUrl, 'POST', '/v1/test-pattern', { camera: 'cam' })).toMatchObject({
    status: 404,
    body: { code: 'CAMERA_NOT_FOUND' },
  });
  await call(apiUrl, 'POST', '/v1/cameras', { name: 'cam' });

  const started = await call(apiUrl, 'POST', '/v1/test-pattern', { camera: 'cam' });
  expect(started).toMatchObject({ status: 201, body: { camera: 'cam' } });
  expect(await call(apiUrl, 'POST', '/v1/test-pattern', { camera: 'cam' })).toEqual({ ...started, status: 200 });
  await waitFor(async () => (await camera()).videoCodec === 'h264', { what: 'the picture of the test pattern' });
  // More than one pass of the clip, which is 6 s long: it goes on without a break.
  const { liveSince } = await camera();
  await waitFor(async () => ((await camera()).bytesIn ?? 0) > 230_000, { what: 'a second pass', timeoutMs: 30_000 });
  expect(await camera()).toMatchObject({ live: true, liveSince, timestampJumps: 0 });
  expect((await call(apiUrl, 'GET', '/v1/test-pattern')).body).toMatchObject({ items: [{ camera: 'cam' }] });

  expect((await call(apiUrl, 'DELETE', '/v1/test-pattern/cam')).status).toBe(204);
  expect(await camera()).toMatchObject({ live: false });
  expect((await call(apiUrl, 'GET', '/v1/test-pattern')).body).toEqual({ items: [] });
  // Nothing to end is no failure: it is as it was asked for.
  expect((await call(apiUrl, 'DELETE', '/v1/test-pattern/cam')).status).toBe(204);
});

test('there are four at most, none on a camera that is live, and none outlives its camera', async (context) => {
  const { apiUrl } = await startTestAggregator(testScope(context));
  for (const name of ['a', 'b', 'c', 'd', 'e']) await call(apiUrl, 'POST', '/v1/cameras', { name });
  const start = (camera: string) => call(apiUrl, 'POST', '/v1/test-pattern', { camera });
  const answers = await Promise.all(['a', 'b', 'c', 'd', 'e'].map(start));
  expect(answers.map(({ status }) => status).sort()).toEqual([201, 201, 201, 201, 409]);
  expect(answers.find(({ status }) => status === 409)?.body).toMatchObject({ code: 'LIMIT_REACHED' });

  expect((await call(apiUrl, 'DELETE', '/v1/cameras/a')).status).toBe(204);
  const running = async () => (await call(apiUrl, 'GET', '/v1/test-pattern')).body as { items: { camera: string }[] };
  await waitFor(async () => (await running()).items.length === 3, { what: 'the pattern of the removed camera to end' });
});

test('gives way to the camera itself, which gives way to none', async (context) => {
  const scope = testScope(context);
  const { apiUrl } = await startTestAggregator(scope);
  const camera = async () => (await call(apiUrl, 'GET', '/v1/cameras/cam')).body as unknown as CameraView;
  const { endpoint } = (await call(apiUrl, 'POST', '/v1/cameras', { name: 'cam' })).body;
  await call(apiUrl, 'POST', '/v1/test-pattern', { camera: 'cam' });
  await waitFor(async () => (await camera()).encoder === testPatternEncoder, { what: 'the test pattern' });

  const publisher = (flashVer?: string) => {
    const url = String(endpoint).replace(/^rtmp:\/\/[^:]+/, 'rtmp://127.0.0.1');
    const made = new PublishClient({ url, connectTimeoutMs: 5000, ...(flashVer === undefined ? {} : { flashVer }) });
    scope.defer(() => made.close());
    return made;
  };
  await publisher('a camera').connect();
  expect(await camera()).toMatchObject({ live: true, encoder: 'a camera' });
  const patterns = async () => (await call(apiUrl, 'GET', '/v1/test-pattern')).body.items as unknown[];
  await waitFor(async () => (await patterns()).length === 0, { what: 'the test pattern to end' });

  await expect(publisher('another').connect()).rejects.toThrow('is live from');
  await expect(publisher(testPatternEncoder).connect()).rejects.toThrow('is live from');
  expect(await call(apiUrl, 'POST', '/v1/test-pattern', { camera: 'cam' })).toMatchObject({ status: 409 });
  expect(await camera()).toMatchObject({ live: true, encoder: 'a camera' });
});

test('who calls himself a test pattern is none: he does not give way', async (context) => {
  const scope = testScope(context);
  const { apiUrl } = await startTestAggregator(scope);
  const { endpoint } = (await call(apiUrl, 'POST', '/v1/cameras', { name: 'cam' })).body;
  const connect = async (flashVer: string) => {
    const url = String(endpoint).replace(/^rtmp:\/\/[^:]+/, 'rtmp://127.0.0.1');
    const made = new PublishClient({ url, connectTimeoutMs: 5000, flashVer });
    scope.defer(() => made.close());
    await made.connect();
  };
  await connect(testPatternEncoder);
  await expect(connect('a camera')).rejects.toThrow('is live from');
  const started = await call(apiUrl, 'POST', '/v1/test-pattern', { camera: 'cam' });
  expect(started).toMatchObject({ status: 409, body: { code: 'PUBLISH_ALREADY_LIVE' } });
});

test('needs no key where publishers need one, and counts as no connection', async (context) => {
  const { apiUrl } = await startTestAggregator(testScope(context), { 'publish-auth': 'key' });
  await call(apiUrl, 'POST', '/v1/cameras', { name: 'cam' });
  expect(await call(apiUrl, 'POST', '/v1/test-pattern', { camera: 'cam' })).toMatchObject({ status: 201 });
  const { body } = await call(apiUrl, 'GET', '/v1/cameras/cam');
  expect(body).toMatchObject({ live: true, publisher: 'test pattern', encoder: testPatternEncoder });
});

test('ends with the aggregator, which does not wait for it', async (context) => {
  const { apiUrl, stop } = await startTestAggregator(testScope(context));
  for (const camera of ['a', 'b']) {
    await call(apiUrl, 'POST', '/v1/cameras', { name: camera });
    await call(apiUrl, 'POST', '/v1/test-pattern', { camera });
  }
  const beganMs = performance.now();
  await stop();
  expect(performance.now() - beganMs).toBeLessThan(5000);
});
