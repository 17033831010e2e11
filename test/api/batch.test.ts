import { afterEach, describe, expect, it } from 'vitest';
import { Client } from '../../src/client/index.js';
import { backupState } from '../../src/store/file/backup.js';
import { longestHoldMs } from '../support/loop-holds.js';
import { figure } from '../support/wait.js';
import { startTestApi, type TestApi } from './harness.js';
import { rawGet } from './large-node.js';

let api: TestApi | undefined;
afterEach(async () => {
  await api?.close();
  api = undefined;
});

interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: what the tests look into is different each time
  readonly body: any;
}

async function start(...settings: Parameters<typeof startTestApi>): Promise<TestApi> {
  api = await startTestApi(...settings);
  return api;
}

async function batch(changes: unknown, further: object = {}): Promise<Answer> {
  const answer = await fetch(`${api?.base}/v1/cameras:batch`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ changes, ...further }),
  });
  return { status: answer.status, body: await answer.json() };
}

const names = () => [...(api?.store.state.cameras.keys() ?? [])].sort();
const outcomes = ({ body }: Answer) => body.results.map(({ outcome }: { outcome: string }) => outcome);

describe('many changes in one call', () => {
  it('each operation does what it does alone, on what the one before left, in one commit', async () => {
    const { store } = await start();
    let commits = 0;
    store.subscribe(() => {
      commits += 1;
    });
    const made = await batch([
      { operation: 'addEngine', engine: 'paris', body: { host: '10.0.0.7' } },
      { operation: 'declareEngine', engine: 'rome', body: { host: '10.0.0.8', location: 'rome' } },
      { operation: 'addCamera', camera: 'a', body: { type: '360', pushes: [{ engine: 'paris' }, { engine: 'rome' }] } },
      { operation: 'declareCamera', camera: 'b', body: {} },
      { operation: 'addPush', camera: 'b', body: { url: 'rtmp://10.0.0.9/live/b', id: 'p' } },
      { operation: 'declarePush', camera: 'b', body: { engine: 'paris', enabled: false } },
      { operation: 'changeCamera', camera: 'b', body: { type: 'plane' } },
      { operation: 'changePush', camera: 'b', push: 'p', body: { queueMaxAgeMs: 1000 } },
      { operation: 'changeEngine', engine: 'rome', body: { location: null } },
      { operation: 'addCamera', camera: 'gone', body: {} },
      { operation: 'removePush', camera: 'b', push: 'p' },
      { operation: 'removeCamera', camera: 'gone' },
    ]);
    expect(made.status).toBe(200);
    expect(made.body).toMatchObject({ changed: 12, unchanged: 0, failed: 0, dryRun: false });
    expect(commits).toBe(1);
    expect(made.body.results[2]).toMatchObject({
      outcome: 'created',
      camera: 'a',
      endpoint: 'rtmp://127.0.0.1:1935/a/a',
      pushes: [{ outcome: 'created' }, { outcome: 'created' }],
    });
    expect(made.body.results[6]).toMatchObject({ outcome: 'changed', fields: ['type'] });
    expect(made.body.results[7]).toMatchObject({ outcome: 'changed', fields: ['queueMaxAgeMs'], push: 'p' });
    expect(names()).toEqual(['a', 'b']);
    const b = store.state.cameras.get('b');
    expect(Object.values(b?.pushes ?? {})).toMatchObject([{ engine: 'paris', enabled: false }]);
    expect(store.state.engines.get('rome')?.location).toBeUndefined();

    // The same again changes nothing, and commits nothing.
    const again = await batch([
      { operation: 'addCamera', camera: 'a', body: { type: '360', pushes: [{ engine: 'paris' }] } },
      { operation: 'declarePush', camera: 'b', body: { engine: 'paris', enabled: false } },
      { operation: 'addEngine', engine: 'paris', body: { host: '10.0.0.7' } },
    ]);
    expect(again.body).toMatchObject({ changed: 0, unchanged: 3 });
    expect(commits).toBe(1);
  });

  it('all or nothing: every change that cannot be made is told, and nothing is changed', async () => {
    await start();
    await batch([{ operation: 'addCamera', camera: 'there', body: {} }]);
    const refused = await batch([
      { operation: 'addCamera', camera: 'a', body: {} },
      { operation: 'removeCamera', camera: 'nobody' },
      { operation: 'addCamera', camera: 'b', body: { pushes: [{ url: 'rtmp://h/a/b' }, { url: 'http://h/a' }] } },
      { operation: 'addCamera', camera: 'bad name', body: {} },
      { operation: 'turnAround', camera: 'a' },
      { operation: 'addPush', camera: 'a', body: { url: 'rtmp://h/a/b', colour: 'red' } },
      7,
    ]);
    expect(refused.status).toBe(404);
    expect(refused.body).toMatchObject({ code: 'CAMERA_NOT_FOUND', failed: 6, field: 'changes.1.name' });
    expect(refused.body.detail).toContain('nothing was changed');
    expect(refused.body.errors).toMatchObject([
      { index: 1, code: 'CAMERA_NOT_FOUND' },
      { index: 2, code: 'INVALID_ADDRESS', field: 'changes.2.pushes.1.url' },
      { index: 3, code: 'INVALID_NAME', field: 'changes.3.camera' },
      { index: 4, code: 'INVALID_REQUEST', field: 'changes.4.operation' },
      { index: 5, code: 'INVALID_REQUEST', field: 'changes.5.body.colour' },
      { index: 6, code: 'INVALID_REQUEST', field: 'changes.6.operation' },
    ]);
    expect(names()).toEqual(['there']);
  });

  it('each for itself: what can be made is made, a camera with its pushes whole or not at all', async () => {
    await start({ maxCameras: 3 });
    const answer = await batch(
      [
        { operation: 'addCamera', camera: 'a', body: {} },
        { operation: 'addCamera', camera: 'b', body: { pushes: [{ url: 'rtmp://h/a/b' }, { engine: 'nobody' }] } },
        { operation: 'addPush', camera: 'b', body: { url: 'rtmp://h/a/b' } },
        { operation: 'addCamera', camera: 'c', body: {} },
        { operation: 'addCamera', camera: 'd', body: {} },
        { operation: 'addCamera', camera: 'e', body: {} },
        { operation: 'addCamera', camera: 'c', body: { type: 'plane' } },
      ],
      { mode: 'each' },
    );
    expect(answer.status).toBe(200);
    expect(outcomes(answer)).toEqual(['created', 'failed', 'failed', 'created', 'created', 'failed', 'failed']);
    expect(answer.body.results.flatMap(({ error }: { error?: { code: string } }) => error?.code ?? [])).toEqual([
      'ENGINE_NOT_FOUND',
      'CAMERA_NOT_FOUND',
      'LIMIT_REACHED',
      'CAMERA_CONFLICT',
    ]);
    expect(answer.body.results[5].error).toMatchObject({ status: 409, detail: expect.stringContaining('max-cameras') });
    expect(names()).toEqual(['a', 'c', 'd']);
  });

  it('a dry run tells the same and changes nothing', async () => {
    const { store } = await start();
    await batch([{ operation: 'addCamera', camera: 'a', body: {} }]);
    const { state } = store;
    const changes = [
      { operation: 'declareCamera', camera: 'a', body: { type: 'x', pushes: [{ id: 'p', url: 'rtmp://h/a/b' }] } },
      { operation: 'removeCamera', camera: 'b' },
    ];
    const dry = await batch(changes, { mode: 'each', dryRun: true });
    expect(dry.body).toMatchObject({ dryRun: true, changed: 1, failed: 1 });
    expect(dry.body.results[0]).toEqual({
      camera: 'a',
      outcome: 'changed',
      fields: ['type'],
      pushes: [{ id: 'p', outcome: 'created' }],
    });
    expect((await batch(changes, { dryRun: true })).status).toBe(404);
    expect(store.state).toBe(state);
  });

  it('takes entity tags for each change', async () => {
    await start();
    await batch([{ operation: 'addCamera', camera: 'a', body: {} }]);
    const etag = (await fetch(`${api?.base}/v1/cameras/a`)).headers.get('etag');
    const change = (ifMatch: string | null) => ({
      operation: 'changeCamera',
      camera: 'a',
      body: { type: 'x' },
      ifMatch,
    });
    expect((await batch([change('"other"')])).status).toBe(412);
    expect((await batch([{ operation: 'addCamera', camera: 'a', body: {}, ifNoneMatch: '*' }])).status).toBe(412);
    expect((await batch([change(etag)])).body).toMatchObject({ changed: 1 });
  });

  it('answers new cameras with their keys, to callers who may publish', async () => {
    await start({ media: { publishAuth: 'key', playAuth: 'off' } });
    const { body } = await batch(['a', 'b'].map((camera) => ({ operation: 'addCamera', camera, body: {} })));
    const keys = body.results.map(({ endpoint }: { endpoint: string }) => new URL(endpoint).searchParams.get('key'));
    expect(new Set(keys).size).toBe(2);
    expect(keys[0]).toMatch(/^[\w-]{32}$/);
    // The client's types know the call.
    const client = new Client({ base: api?.base ?? '' });
    const { body: typed } = await client.call('batchChange', {
      body: { mode: 'each', changes: [{ operation: 'removeCamera', camera: 'a' }] },
    });
    expect(typed.results[0]?.outcome).toBe('removed');
  });

  it('refuses too much before any of it is looked at', async () => {
    await start({ maxEngines: 5 });
    const many = (count: number, change: object) => Array.from({ length: count }, () => change);
    expect((await batch([])).body).toMatchObject({ code: 'INVALID_REQUEST', field: 'changes' });
    expect((await batch(many(50_001, {}))).body).toMatchObject({ code: 'INVALID_REQUEST', field: 'changes' });
    const pushes = many(6000, { url: 'rtmp://h/a/b' });
    const nested = await batch(many(9, { operation: 'addCamera', camera: 'a', body: { pushes } }), { mode: 'each' });
    expect([nested.status, nested.body.detail]).toEqual([400, expect.stringContaining('54009 changes')]);
    const engines = many(1001, { operation: 'removeEngine', engine: 'e' });
    expect((await batch(engines)).body.detail).toContain('1001 changes of engines');
    const large = await batch([{ operation: 'addCamera', camera: 'x'.repeat(17 << 20), body: {} }]);
    expect(large).toMatchObject({ status: 413, body: { detail: expect.stringContaining(String(16 << 20)) } });
    expect(names()).toEqual([]);
  }, 120_000);
});

describe('ten thousand cameras with three pushes each', () => {
  const count = 10_000;
  const changes = (prefix: string) =>
    Array.from({ length: count }, (_, index) => {
      const camera = `${prefix}-${index}`;
      const pushes = [
        { engine: 'paris' },
        { engine: 'rome' },
        { url: `rtmp://10.1.2.3:1935/live/${camera}?key=abcdef` },
      ];
      return { operation: 'addCamera', camera, body: { type: '360', pushes } };
    });

  it('are there within seconds, are on disk, and hold up nobody meanwhile', async () => {
    const { store, folder, backend } = await start({ maxCameras: 100_000, apiRateLimit: 0 });
    await batch(
      ['paris', 'rome'].map((engine, at) => ({ operation: 'addEngine', engine, body: { host: `10.0.0.${at}` } })),
    );
    let round = 0;
    let tookMs = Number.POSITIVE_INFINITY;
    let slowestMs = 0;
    const texts = Array.from({ length: 2 }, (_, at) => JSON.stringify({ changes: changes(`cam${at}`) }));
    const port = api?.api.port ?? 0;
    const holdMs = await longestHoldMs(async () => {
      let isOver = false;
      const others = (async () => {
        while (!isOver) {
          const beganMs = performance.now();
          const answer = await rawGet(port, '/healthz');
          expect(answer().status).toBe(200);
          slowestMs = Math.max(slowestMs, performance.now() - beganMs);
        }
      })();
      const beganMs = performance.now();
      const answer = await fetch(`${api?.base}/v1/cameras:batch`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: texts[round] ?? '',
      });
      const blocks: Uint8Array[] = [];
      for await (const block of answer.body ?? []) blocks.push(block);
      tookMs = Math.min(tookMs, performance.now() - beganMs);
      isOver = true;
      await others;
      expect(answer.status).toBe(200);
      round += 1;
    }, 2);
    figure('10,000 cameras with 3 pushes in one call', tookMs, 'ms');
    figure('longest hold of the event loop meanwhile', holdMs, 'ms of processor time');
    figure('slowest /healthz meanwhile', slowestMs, 'ms');
    expect(holdMs).toBeLessThan(100);
    expect(store.state.cameras.size).toBe(round * count);
    expect(backend.cameras.size).toBe(round * count);
    // What was acknowledged is on disk: whoever reads the folder, as after a crash, finds it.
    const { cameras } = await backupState(folder);
    expect(cameras).toBe(round * count);
  }, 300_000);
});
