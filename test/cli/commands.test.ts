import { existsSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { testScope } from '../support/scope.js';
import { cli, leaveDeadSocket, startTestAggregator, writeStaleRuntime } from './support.js';

describe('finding the aggregator', () => {
  test('by runtime.json, by --api and by the variable', async (context) => {
    const scope = testScope(context);
    const { dataDir, apiUrl } = await startTestAggregator(scope);
    await cli(['camera', 'add', 'here', '--api', apiUrl]);
    const ways = [
      await cli(['camera', 'list', '--json', '--data-dir', dataDir]),
      await cli(['camera', 'list', '--json'], { env: { MEDIA_AGGREGATOR_DATA_DIR: dataDir } }),
      await cli(['camera', 'list', '--json', '--api', `${apiUrl}/`]),
      await cli(['camera', 'list', '--json'], { env: { MEDIA_AGGREGATOR_API: apiUrl } }),
    ];
    for (const { code, out } of ways) {
      expect(code).toBe(0);
      expect(JSON.parse(out)).toMatchObject([{ name: 'here' }]);
    }
  });

  test('a runtime.json that a killed aggregator left is none', async (context) => {
    const dataDir = testScope(context).temporaryFolder();
    await writeStaleRuntime(dataDir);
    const { code, err } = await cli(['status', '--data-dir', dataDir]);
    expect(err).toContain('NOT_RUNNING');
    expect(code).toBe(3);
  });

  test('by its socket alone where a full disk has taken no runtime.json, and by no dead socket', async (context) => {
    const scope = testScope(context);
    const { dataDir } = await startTestAggregator(scope);
    rmSync(join(dataDir, 'runtime.json'));
    expect((await cli(['camera', 'add', 'here', '--data-dir', dataDir])).code).toBe(0);
    const dead = scope.temporaryFolder();
    await leaveDeadSocket(dead);
    const { code, err } = await cli(['status', '--data-dir', dead]);
    expect(err).toContain('NOT_RUNNING: No aggregator runs on the data folder');
    expect(code).toBe(3);
  });

  test('runtime.json says where it listens, and goes with it', async (context) => {
    const scope = testScope(context);
    const aggregator = await startTestAggregator(scope);
    const file = join(aggregator.dataDir, 'runtime.json');
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({
      pid: process.pid,
      process: expect.stringMatching(/^[0-9a-f-]{36}\/pid:\[\d+\]\/\d+$/),
      rtmpPort: aggregator.rtmpPort,
      apiPort: aggregator.apiPort,
      host: '127.0.0.1',
      adminTokenFile: join(aggregator.dataDir, 'admin-token'),
      version: '0.0.0-test',
      startedAt: expect.stringMatching(/^\d{4}-.*Z$/),
    });
    await aggregator.stop();
    expect(existsSync(file)).toBe(false);
  });

  test('something else that listens there is not taken for an aggregator', async (context) => {
    const scope = testScope(context);
    const server = createServer((_, response) => response.end('<html>hello</html>'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    scope.defer(() => server.close());
    const { port } = server.address() as AddressInfo;
    const { code, err } = await cli(['camera', 'list', '--api', `127.0.0.1:${port}`]);
    expect(err).toMatch(/^error: API_UNREACHABLE: .*other than JSON/);
    expect(code).toBe(3);
  });
});

describe('cameras, pushes and engines', () => {
  test('a camera is told with its address for SRT where there is one, alone and of a list', async (context) => {
    const { apiUrl } = await startTestAggregator(testScope(context), { 'srt-port': '0' });
    const env = { MEDIA_AGGREGATOR_API: apiUrl };
    const one = await cli(['camera', 'add', 'yard'], { env });
    expect(one.out).toMatch(/ publishes to rtmp:\/\/\S+\/yard\/yard, or by SRT to srt:\/\/\S+:\d+\?streamid=yard\n$/);
    const many = await cli(['camera', 'add', 'a', 'b'], { env });
    expect(many.out).toMatch(/, or by SRT to srt:\/\/\S+\?streamid=b\n/);
  });

  test('a life of each, for people and for programs', async (context) => {
    const { apiUrl, rtmpPort } = await startTestAggregator(testScope(context));
    const env = { MEDIA_AGGREGATOR_API: apiUrl };
    const say = async (...args: string[]) => cli(args, { env });
    const ask = async (...args: string[]) => JSON.parse((await cli([...args, '--json'], { env })).out);

    expect((await say('camera', 'list')).out).toContain('No camera is registered');
    const endpoint = `rtmp://127.0.0.1:${rtmpPort}/gate/gate`;
    expect(await say('camera', 'add', 'gate', '--type', '360')).toEqual({
      code: 0,
      out: `Camera gate is registered. It publishes to ${endpoint}\n`,
      err: '',
    });
    expect((await say('camera', 'add', 'gate', '--type', '360')).out).toContain('was registered already');
    expect(await ask('camera', 'list')).toMatchObject([
      { name: 'gate', type: '360', endpoint, live: false, pushes: [] },
    ]);

    expect((await say('push', 'list')).out).toContain('There is no push');
    const push = await ask('push', 'add', 'gate', 'rtmp://127.0.0.1:9/live/gate');
    expect(push).toMatchObject({ id: expect.stringMatching(/^p-/), enabled: true });
    expect((await say('push', 'add', 'gate', 'rtmp://127.0.0.1:9/live/gate')).out).toContain('was there already');
    expect((await say('push', 'list', 'gate')).out).toMatch(new RegExp(`^CAMERA +ID .*\n^gate +${push.id} `, 'm'));

    expect((await say('engine', 'add', 'paris', '--host', '10.0.0.7', '--location', 'fr')).code).toBe(0);
    expect(await ask('engine', 'list')).toMatchObject([{ name: 'paris', host: '10.0.0.7', location: 'fr' }]);
    expect((await say('engine', 'list')).out).toMatch(/^paris +10\.0\.0\.7 +fr +0 +rtmp:/m);
    const second = await ask('push', 'add', 'gate', '--engine', 'paris', '--id', 'to-paris');
    expect(second).toMatchObject({ id: 'to-paris', engine: 'paris', url: expect.stringContaining('10.0.0.7') });
    expect(await say('engine', 'remove', 'paris')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^error: ENGINE_IN_USE: /),
    });

    expect((await ask('push', 'list')).map((each: { id: string }) => each.id)).toEqual([push.id, 'to-paris']);
    expect((await say('push', 'remove', 'gate', 'to-paris')).code).toBe(0);
    expect((await say('engine', 'remove', 'paris')).code).toBe(0);
    expect((await say('camera', 'remove', 'gate')).out).toBe('Camera gate was removed.\n');
    expect(await ask('camera', 'list')).toEqual([]);
    expect(await ask('engine', 'list')).toEqual([]);
  });

  test.for([
    [['camera', 'remove', 'none'], 'CAMERA_NOT_FOUND'],
    [['camera', 'add', '../x'], 'INVALID_NAME'],
    [['push', 'add', 'none', 'rtmp://h/a/b'], 'CAMERA_NOT_FOUND'],
    [['push', 'remove', 'none', 'x/y'], 'INVALID_NAME'],
    [['push', 'remove', 'none', 'x?'], 'CAMERA_NOT_FOUND'],
    [['push', 'remove', 'none', 'xyz'], 'CAMERA_NOT_FOUND'],
    [['engine', 'remove', 'none'], 'ENGINE_NOT_FOUND'],
  ] as const)('%j: exit code 1', async ([args, error], context) => {
    const { apiUrl } = await startTestAggregator(testScope(context));
    const result = await cli([...args, '--api', apiUrl]);
    expect(result.err).toMatch(new RegExp(`^error: ${error}: .+\n$`));
    expect(result).toMatchObject({ code: 1, out: '' });
  });

  test('lists of more than one page are whole', async (context) => {
    const { apiUrl } = await startTestAggregator(testScope(context));
    const names = Array.from({ length: 230 }, (_, index) => `cam-${String(index).padStart(3, '0')}`);
    const added = names.map((name) =>
      fetch(`${apiUrl}/v1/cameras`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ name }),
      }),
    );
    await Promise.all(added);
    const { out } = await cli(['camera', 'list', '--json', '--api', apiUrl]);
    expect(JSON.parse(out).map((camera: { name: string }) => camera.name)).toEqual(names);
  });
});

test('status: what runs, for people and for programs', async (context) => {
  const { apiUrl, rtmpPort } = await startTestAggregator(testScope(context));
  const { code, out } = await cli(['status', '--json', '--api', apiUrl]);
  expect(JSON.parse(out)).toMatchObject({
    nodes: [{ status: 'ok', rtmp: { port: rtmpPort }, cameras: 0 }],
    problems: [],
  });
  expect(code).toBe(0);
  const people = await cli(['status', '--api', apiUrl]);
  expect(people.out).toMatch(new RegExp(`^NODE +RTMP .*\n.* ok +0\\.0\\.0-test .*127\\.0\\.0\\.1:${rtmpPort} `));
});

test('what a peer says cannot move the cursor of the terminal that shows it', async (context) => {
  const scope = testScope(context);
  const camera = {
    name: 'x\u001b[2J',
    live: true,
    videoCodec: 'h\n264',
    audioCodec: null,
    endpoint: '\u009b',
    viewers: 0,
  };
  const server = createServer((_, response) =>
    response.end(JSON.stringify({ items: [{ ...camera, bitrateInBps: 1, pushes: [] }], next: null })),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  scope.defer(() => server.close());
  const { port } = server.address() as AddressInfo;
  const { out } = await cli(['camera', 'list', '--api', `127.0.0.1:${port}`]);
  expect(out).toContain('x\\u001b[2J');
  expect(out.split('\n')).toHaveLength(3);
  expect(out.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
});
