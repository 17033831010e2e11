import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { freePort } from '../../support/ports.js';
import { type Scope, testScope } from '../../support/scope.js';
import { figure } from '../../support/wait.js';
import { type CliOptions, cli, startTestAggregator } from '../support.js';

async function start(scope: Scope, further: Readonly<Record<string, string>> = {}) {
  const { apiUrl } = await startTestAggregator(scope, { 'push-allow': '127.0.0.0/8', ...further });
  const env = { MEDIA_AGGREGATOR_API: apiUrl };
  const say = (args: string, options: CliOptions = {}) => cli(args.split(' '), { env, ...options });
  // biome-ignore lint/suspicious/noExplicitAny: what the tests look into is different each time
  const ask = async (args: string): Promise<any> => JSON.parse((await say(`${args} --json`)).out);
  const names = async () => (await say('camera ls -o name')).out.split('\n').filter(Boolean);
  return { say, ask, names, env, apiUrl };
}

const table = (count: number) =>
  [
    'name,type,engine,engine,url',
    ...Array.from({ length: count }, (_, at) => `cam-${at + 1},360,paris,rome,rtmp://127.0.0.1:9/live/cam-${at + 1}`),
  ].join('\n');

test('200 cameras with 3 pushes each by one command, from a CSV on standard input', async (context) => {
  const { say, ask, names } = await start(testScope(context));
  await say('engine add paris --host 127.0.0.2');
  await say('engine add rome --host 127.0.0.3');
  const beganMs = performance.now();
  const { code, out, err } = await say('camera add -', { input: table(200) });
  figure('200 cameras with 3 pushes from a CSV, in this process', performance.now() - beganMs, 'ms');
  expect([code, err]).toEqual([0, '']);
  expect(out).toMatch(/^Camera cam-1 is registered\. It publishes to rtmp:\/\/\S+; pushes p-/);
  expect(out).toMatch(/\n200 cameras and 600 pushes added\.\n$/);
  expect(await names()).toEqual(Array.from({ length: 200 }, (_, at) => `cam-${at + 1}`));
  expect(await ask('push list')).toHaveLength(600);

  // The same again changes nothing.
  expect((await say('camera add -', { input: table(200) })).out).toMatch(/\n200 cameras and 600 pushes as before\.\n$/);

  // And by pattern.
  const disabled = await say('push disable cam-* --engine paris');
  expect([disabled.code, disabled.out.split('\n').at(-2)]).toEqual([0, '200 pushes changed.']);
  expect(await ask('push ls --state disabled')).toHaveLength(200);
  expect(await ask('camera ls --state disabled cam-1?')).toHaveLength(10);
  const dry = await say('push remove cam-* --engine rome --dry-run');
  expect(dry.out).toMatch(
    /^Push p-\w+ of cam-1 to rome would be removed\n[\s\S]*Dry run: 200 pushes would be removed\. Nothing was changed\.\n$/,
  );
  expect(await ask('push list')).toHaveLength(600);
  expect((await say('push rm cam-* --engine rome')).out).toMatch(/\n200 pushes removed\.\n$/);
  expect((await say('push enable cam-*')).out).toMatch(/\n200 pushes changed, 200 pushes as before\.\n$/);
  expect((await say('camera rm cam-1* --dry-run')).out).toContain('Dry run: 111 cameras would be removed');
  expect((await say('camera rm cam-1* cam-2')).out).toMatch(/\n112 cameras removed\.\n$/);
  expect(await names()).toHaveLength(88);
}, 60_000);

test('a failure in the middle is told with its place and reason, and changes nothing else', async (context) => {
  const { say, names, ask } = await start(testScope(context), { 'max-cameras': '4' });
  await say('camera add there --type 360');
  const input = 'name,type,url\na,,rtmp://127.0.0.1:9/x/a\nthere,plane,\nb,,http://nowhere/\n../c,,\nd,,\ne,,\nf,,\n';
  const { code, out, err } = await say('camera add -', { input });
  expect(code).toBe(1);
  expect(await names()).toEqual(['a', 'd', 'e', 'there']);
  expect(out).toMatch(/3 cameras and 1 push added, 4 cameras failed\.\n$/);
  const failures = err.trim().split('\n');
  expect(failures).toHaveLength(4);
  expect(failures[0]).toMatch(
    /^failed: line 3: camera there: CAMERA_CONFLICT: camera "there" is registered with type "360"/,
  );
  expect(failures[1]).toMatch(/^failed: line 4: camera b: INVALID_ADDRESS: pushes\.0: The URL /);
  expect(failures[2]).toMatch(/^failed: line 5: camera \.\.\/c: INVALID_NAME: /);
  expect(failures[3]).toMatch(/^failed: line 8: camera f: LIMIT_REACHED: .*max-cameras/);

  // All or nothing.
  await say('camera rm a d e');
  const whole = await say('camera add - --all-or-nothing', { input: 'name,url\nx,\ny,http://nowhere/\n' });
  expect(whole).toMatchObject({
    code: 1,
    out: '',
    err: expect.stringMatching(/^error: INVALID_ADDRESS: changes\.1: .*nothing was changed\n$/),
  });
  expect(await names()).toEqual(['there']);
  expect(await ask('camera add x y --engine nobody')).toMatchObject({
    failed: 2,
    results: [{ outcome: 'failed', error: { code: 'ENGINE_NOT_FOUND' } }, {}],
  });
});

test('names on the command line and from JSON lines, with pushes for all', async (context) => {
  const { say, ask } = await start(testScope(context));
  await say('engine add paris --host 127.0.0.2');
  const added = await say(
    'camera add gate-2 gate-10 gate-1 --type 360 --engine paris --url rtmp://127.0.0.1:9/live/{name}',
  );
  expect([added.code, added.out.split('\n').at(-2)]).toEqual([0, '3 cameras and 6 pushes added.']);
  const lines = '{"name":"door","type":"plane","pushes":[{"engine":"paris","enabled":false}]}\n{"name":"hall"}\n';
  expect((await say('camera add - --type 360', { input: lines })).code).toBe(0);
  expect((await ask('camera ls')).map(({ name, type }: { name: string; type: string }) => `${name} ${type}`)).toEqual([
    ...['door plane', 'gate-1 360', 'gate-2 360', 'gate-10 360', 'hall 360'],
  ]);
  expect((await ask('push ls gate-10')).map(({ url }: { url: string }) => url).sort()).toEqual([
    ...['rtmp://127.0.0.1:9/live/gate-10', 'rtmp://127.0.0.2:1935/live/gate-10'],
  ]);
  expect(await say('camera add -')).toMatchObject({ code: 2, err: expect.stringContaining('no standard input') });
  expect(await say('camera add -', { input: '\n' })).toMatchObject({ code: 1 });
  expect(await say('camera add -', { input: Buffer.from([0xff, 0xfe, 0x00]) })).toMatchObject({
    code: 1,
    err: expect.stringContaining('UTF-8'),
  });
});

test('pushes by pattern: added, moved to another engine, given budgets, retried', async (context) => {
  const { say, ask } = await start(testScope(context));
  await say('engine add paris --host 127.0.0.2');
  await say('engine add rome --host 127.0.0.3');
  await say('camera add cam-1 cam-2 other');
  expect((await say('push add cam-* --engine paris')).out).toMatch(
    /^Push of cam-1 to paris is added\n.*\n2 pushes added\.\n$/s,
  );
  expect(await say('push add cam-* rtmp://127.0.0.1:9/live/one')).toMatchObject({
    code: 2,
    err: expect.stringContaining('rtmp://127.0.0.1:9/live/{name}'),
  });
  expect((await say('push add cam-* rtmp://127.0.0.1:9/live/{name} --id second')).code).toBe(0);
  expect((await say('push set * --from-engine paris --engine rome --queue-max-bytes 1MB')).out).toContain(
    '2 pushes changed',
  );
  expect(await ask('push ls --engine rome')).toMatchObject([
    { camera: 'cam-1', queueMaxBytes: 1 << 20, url: 'rtmp://127.0.0.3:1935/live/cam-1' },
    { camera: 'cam-2' },
  ]);
  expect((await say('push set cam-1 second --queue-max-age 2s --enabled no')).code).toBe(0);
  expect((await say('push set cam-1 second --queue-max-age default')).code).toBe(0);
  const [second] = await ask('push ls cam-1 --state disabled');
  expect(second).toMatchObject({ id: 'second', enabled: false });
  expect(second.queueMaxAgeMs).toBeUndefined();
  expect(await say('push set cam-1 second --queue-max-age soon')).toMatchObject({ code: 2 });
  expect(await say('push set cam-1 second')).toMatchObject({
    code: 2,
    err: expect.stringContaining('Say what to change'),
  });
  expect(await say('push remove cam-1')).toMatchObject({ code: 2, err: expect.stringContaining('--all') });
  expect((await say('push retry cam-*')).out).toBe('0 pushes retried.\n');
  expect(await say('push disable nobody-*')).toMatchObject({
    code: 1,
    err: expect.stringContaining('CAMERA_NOT_FOUND'),
  });
  expect(await say('push disable cam-1 nothing')).toMatchObject({
    code: 1,
    err: expect.stringContaining('PUSH_NOT_FOUND'),
  });
  expect((await say('push disable other')).out).toBe('No push matches; nothing was changed.\n');
  expect((await say('push rm cam-* --all')).out).toContain('4 pushes removed');
  expect((await say('engine set rome --host 127.0.0.9 --location it')).out).toContain('127.0.0.9');
  expect((await ask('engine ls'))[1]).toMatchObject({ name: 'rome', host: '127.0.0.9', location: 'it' });
  await say('engine set rome --location=');
  expect((await ask('engine ls'))[1].location).toBeUndefined();
  expect((await say('engine ls -o name')).out).toBe('paris\nrome\n');
  expect((await say('camera ls -o wide')).out).toMatch(/^NAME .* ENGINES\n/);
  expect((await say('push ls -o wide')).code).toBe(0);
});

test('a terminal shows how far it is, and no more once it is done', async (context) => {
  const { say } = await start(testScope(context));
  const { err, out } = await say('camera add -', { input: table(600).replaceAll(/,360,.*/g, ',,,,'), isTTY: true });
  expect(err).toBe('\r\u001b[K500 of 600\r\u001b[K600 of 600\r\u001b[K');
  expect(out).toMatch(/600 cameras added\.\n$/);
});

describe('import', () => {
  test('takes CSV and JSON, and says what it found', async (context) => {
    const scope = testScope(context);
    const { names, env } = await start(scope);
    const cwd = scope.temporaryFolder();
    const put = (name: string, content: string | Buffer) => writeFileSync(join(cwd, name), content);
    put('cameras.csv', 'name,type,url\na,360,rtmp://127.0.0.1:9/live/a\nb,,\n');
    put('cameras.json', '[{"name": "c"}, {"name": "d", "colour": "red"}]');
    put('list', 'e,360,rtmp://127.0.0.1:9/live/e\n');
    const run = (args: string) => cli(args.split(' '), { env, cwd });
    const dry = await cli(['import', 'cameras.csv', '--dry-run'], { cwd });
    expect(dry).toMatchObject({ code: 0, out: expect.stringContaining('line 2: camera a with 1 push\n') });
    expect((await run('import cameras.csv')).out).toMatch(/^cameras\.csv: CSV with 2 cameras and 1 push\n/);
    expect(await run('import cameras.json')).toMatchObject({
      code: 1,
      err: expect.stringContaining('entry 2: unknown key "colour"'),
    });
    expect((await run('import list')).code).toBe(0);
    expect(await names()).toEqual(['a', 'b', 'c', 'e']);
    put('state.json', '{"version":1,"cameras":{},"engines":{}}');
    expect(await run('import state.json')).toMatchObject({ code: 1, err: expect.stringContaining('restore') });
    put('mediamtx.yml', 'paths:\n  cam:\n    source: rtsp://h/\n');
    put('page.html', '<!doctype html><p>hello;</p>');
    put('photo.png', Buffer.from([0x89, 0x50, 0, 0]));
    put('empty', '');
    for (const [file, found] of [
      ['mediamtx.yml', 'YAML'],
      ['page.html', 'XML or HTML'],
      ['photo.png', 'a binary file'],
      ['empty', 'an empty file'],
    ] as const) {
      const { code, err } = await run(`import ${file}`);
      expect([file, code, err]).toEqual([
        file,
        1,
        expect.stringMatching(new RegExp(`IMPORT_INVALID: ${file} is ${found}`)),
      ]);
    }
    put('nginx.conf', 'rtmp {\n server {\n  listen 1935\n }\n}\n');
    expect(await run('import nginx.conf')).toMatchObject({ code: 1, err: expect.stringContaining('nginx.conf:') });
  });
});

test('a call that fails in the middle: what was made is told, and what was not', async (context) => {
  const scope = testScope(context);
  // An aggregator that answers the first call, and is gone at the second.
  let calls = 0;
  const server = createServer((request, response) => {
    calls += 1;
    if (calls > 1) return void request.socket.destroy();
    let body = '';
    request.on('data', (block) => {
      body += String(block);
    });
    request.on('end', () => {
      const { changes } = JSON.parse(body) as { changes: { camera: string }[] };
      const results = changes.map(({ camera }) => ({ operation: 'addCamera', camera, outcome: 'created' }));
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ dryRun: false, results }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  scope.defer(() => void server.close());
  const env = { MEDIA_AGGREGATOR_API: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  const input = ['name', ...Array.from({ length: 1300 }, (_, at) => `cam-${at + 1}`)].join('\n');
  const { code, out, err } = await cli(['camera', 'add', '-'], { env, input });
  expect(code).toBe(3);
  expect(out).toMatch(/^Camera cam-1 is registered/);
  expect(out).toMatch(/Camera cam-500 is registered.*\n500 cameras added\.\n$/);
  expect(err.split('\n')).toEqual([
    'failed: line 502: camera cam-501 to line 1001: camera cam-1000 (500 changes): not known whether made; the same command again makes what is missing',
    'failed: line 1002: camera cam-1001 to line 1301: camera cam-1300 (300 changes): not made',
    expect.stringMatching(/^error: API_UNREACHABLE: /),
    '',
  ]);
  calls = 0;
  const asJson = await cli(['camera', 'add', '-', '--json'], { env, input });
  const answer = JSON.parse(asJson.out);
  expect([answer.results.length, answer.unknown.length, answer.notMade.length]).toEqual([500, 500, 300]);
});

test('an aggregator that is not there: that alone is said', async () => {
  const env = { MEDIA_AGGREGATOR_API: `http://127.0.0.1:${await freePort()}` };
  const { code, out, err } = await cli(['camera', 'add', 'a', 'b', 'c'], { env });
  expect([code, out]).toEqual([3, '']);
  expect(err).toMatch(/^error: API_UNREACHABLE: .*the connection was refused\.\n$/);
});
