import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { encodeState } from '../../src/model/document/encode.js';
import { curl, startTestApi, type TestApi } from './harness.js';

const json = ['-H', 'content-Type: application/json'];

describe('the seed’s curl lines, word for word', () => {
  let test: TestApi;
  beforeEach(async () => {
    test = await startTestApi();
  });
  afterEach(() => test.close());

  it.each(['resgisterCamera', 'registerCamera'])('POST /%s registers, and again answers the same', async (path) => {
    const line = [...json, '-X', 'POST', '-d', '{"name":"name_of_the_camera"}', `${test.base}/${path}`];
    const first = await curl(...line);
    expect(first.status).toBe(200);
    expect(first.json).toEqual({
      endpoint: 'rtmp://127.0.0.1:1935/name_of_the_camera/name_of_the_camera',
      name: 'name_of_the_camera',
    });
    const { state } = test.store;
    expect(state.cameras.has('name_of_the_camera')).toBe(true);
    expect(await curl(...line)).toEqual(first);
    expect(test.store.state).toBe(state);
  });

  it('GET /getStream with a body redirects, and again changes nothing', async () => {
    await curl(...json, '-X', 'POST', '-d', '{"name":"name_of_the_camera"}', `${test.base}/registerCamera`);
    await curl(...json, '-d', '{"name":"e1","host":"10.0.0.7"}', `${test.base}/v1/engines`);
    const line = [...json, '-X', 'GET', '-d', '{"name":"name_of_the_camera"}', `${test.base}/getStream`];
    const first = await curl(...line);
    expect(first.status).toBe(200);
    expect(first.json).toMatchObject({
      url: 'http://10.0.0.7:80/hls/name_of_the_camera.m3u8',
      name: 'name_of_the_camera',
      push: { engine: 'e1', enabled: true, url: 'rtmp://10.0.0.7:1935/live/name_of_the_camera' },
    });
    expect(test.backend.cameras.get('name_of_the_camera')?.pushes).toHaveLength(1);
    const { state } = test.store;
    expect((await curl(...line)).json).toEqual(first.json);
    expect(test.store.state).toBe(state);
  });

  it('GET /stats has the types of the contract', async () => {
    test.backend.seenTotals = {
      bitrateInBps: 4_396_944.4,
      bitrateOutBps: 4_399_488,
      liveCameras: 2,
      viewers: 0,
      connections: 9,
    };
    const answer = await curl(...json, '-X', 'GET', `${test.base}/stats`);
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({ resource_id: 'node-1', bw_in: '4396944', bw_out: '4399488', input_conn: 2 });
  });

  it.each(['status', 'Status'])('GET /%s says ok, and down when RTMP is not taken', async (path) => {
    const ok = await curl(...json, '-X', 'GET', `${test.base}/${path}`);
    expect([ok.status, ok.json]).toEqual([200, { resource_id: 'node-1', status: 'ok' }]);
    await test.close();
    test = await startTestApi();
    test.backend.answer = () => Promise.reject(new Error('gone'));
    const down = await curl(...json, '-X', 'GET', `${test.base}/${path}`);
    expect([down.status, down.json]).toEqual([200, { resource_id: 'node-1', status: 'down' }]);
  });

  it('answers down within 2 s when the probe never ends', async () => {
    test.backend.answer = () => new Promise(() => {});
    const answer = await curl('--max-time', '4', `${test.base}/status`);
    expect(answer.json).toMatchObject({ status: 'down' });
  });
});

describe('other ways to ask for a stream', () => {
  let test: TestApi;
  beforeAll(async () => {
    test = await startTestApi();
    await curl(...json, '-d', '{"name":"cam","type":"360"}', `${test.base}/registerCamera`);
  });
  afterAll(() => test.close());

  const url = 'http://10.0.0.7:80/hls/cam.m3u8';
  it.each([
    ['POST', ['-X', 'POST', ...json, '-d', '{"name":"cam","se_ip":"10.0.0.7"}', '/getStream'], url],
    [
      'a port of the engine’s API',
      [...json, '-X', 'GET', '-d', '{"name":"cam","se_ip":"10.0.0.7:5000"}', '/getStream'],
      url,
    ],
    ['a query', ['/getStream?name=cam&se_ip=10.0.0.7'], url],
    ['a query and a JSON header', [...json, '/getStream?name=cam&se_ip=10.0.0.7%3A5000'], url],
    [
      'IPv6',
      [...json, '-d', '{"name":"cam","se_ip":"2001:db8::1"}', '/getStream'],
      'http://[2001:db8::1]:80/hls/cam.m3u8',
    ],
    [
      'IPv6, port',
      [...json, '-d', '{"name":"cam","se_ip":"[2001:DB8::1]:5000"}', '/getStream'],
      'http://[2001:db8::1]:80/hls/cam.m3u8',
    ],
    [
      'a host name',
      [...json, '-d', '{"name":"cam","se_ip":"engine_1.local:5000"}', '/getStream'],
      'http://engine_1.local:80/hls/cam.m3u8',
    ],
  ])('%s', async (_, args, expected) => {
    const answer = await curl(...args.slice(0, -1), test.base + args.at(-1));
    expect([answer.status, answer.json.url]).toEqual([200, expected]);
  });

  it('made one push for each engine, whatever way it was named', () => {
    expect(
      test.backend.cameras
        .get('cam')
        ?.pushes.map((push) => push.url)
        .sort(),
    ).toEqual([
      'rtmp://10.0.0.7:1935/live/cam',
      'rtmp://[2001:db8::1]:1935/live/cam',
      'rtmp://engine_1.local:1935/live/cam',
    ]);
  });

  it('a bare JSON string is the name', async () => {
    await curl(...json, '-d', '{"name":"e1","host":"10.0.0.7"}', `${test.base}/v1/engines`);
    const before = test.store.state;
    const answer = await curl(...json, '-X', 'GET', '-d', '"cam"', `${test.base}/getStream`);
    expect([answer.status, answer.json.url]).toEqual([200, url]);
    expect(test.store.state).toBe(before);
  });
});

describe('what is refused, and changes nothing', () => {
  let test: TestApi;
  let large: string;
  beforeAll(async () => {
    test = await startTestApi();
    large = join(test.folder, 'large.json');
    await writeFile(large, JSON.stringify({ name: 'a', type: 'x'.repeat(70_000) }));
    await curl(...json, '-d', '{"name":"cam","type":"360"}', `${test.base}/registerCamera`);
  });
  afterAll(() => test.close());

  const register = (body: string, ...more: string[]) => [...json, ...more, '-d', body, '/registerCamera'];
  const stream = (body: string) => [...json, '-X', 'GET', '-d', body, '/getStream'];
  const cases: [string, string[], number, string, string][] = [
    ['no body', [...json, '-X', 'POST', '/registerCamera'], 400, 'INVALID_REQUEST', 'body'],
    ['cut off', register('{"name":"a'), 400, 'INVALID_JSON', 'line 1, column 9'],
    ['the trailing comma of the seed’s example', stream('{"name":"cam",}'), 400, 'INVALID_JSON', 'no comma before'],
    ['single quotes', register("{'name':'a'}"), 400, 'INVALID_JSON', 'double quotes'],
    ['a key twice', register('{"name":"a","name":"b"}'), 400, 'INVALID_JSON', 'twice'],
    ['__proto__', register('{"name":"a","__proto__":{"type":"x"}}'), 400, 'INVALID_JSON', '__proto__'],
    ['nested deep', register('['.repeat(5000)), 400, 'INVALID_JSON', 'too deep'],
    ['an array', register('[]'), 400, 'INVALID_REQUEST', 'must be an object, not an array'],
    ['null', register('null'), 400, 'INVALID_REQUEST', 'must be an object, not null'],
    ['a number', stream('5'), 400, 'INVALID_REQUEST', 'must be an object'],
    ['no name', register('{}'), 400, 'INVALID_REQUEST', 'name: is missing'],
    ['no name in getStream', ['/getStream'], 400, 'INVALID_REQUEST', 'name: is missing'],
    ['a number as name', register('{"name":5}'), 400, 'INVALID_REQUEST', 'name: must be a string, not a number'],
    ['an unknown field', register('{"name":"a","typ":"360"}'), 400, 'INVALID_REQUEST', 'did you mean "type"'],
    ['an unknown query', ['/getStream?name=cam&seip=1.1.1.1'], 400, 'INVALID_REQUEST', 'did you mean "se_ip"'],
    ['an empty name', register('{"name":""}'), 400, 'INVALID_NAME', 'name'],
    ['__proto__ as name', register('{"name":"__proto__"}'), 400, 'INVALID_NAME', 'name'],
    ['a path as name', register('{"name":"../etc"}'), 400, 'INVALID_NAME', 'name'],
    ['nginx syntax as name', register('{"name":"x { live on; }"}'), 400, 'INVALID_NAME', 'name'],
    ['a line end in a name', register('{"name":"a\\n"}'), 400, 'INVALID_NAME', 'name'],
    ['65 characters', register(`{"name":"${'a'.repeat(65)}"}`), 400, 'INVALID_NAME', 'name'],
    ['a bad bare name', stream('"a b"'), 400, 'INVALID_NAME', 'body'],
    ['a bad type', register('{"name":"a","type":"a b"}'), 400, 'INVALID_REQUEST', 'type'],
    ['another type', register('{"name":"cam","type":"plane"}'), 409, 'CAMERA_CONFLICT', '360'],
    ['an unknown camera', stream('{"name":"nobody","se_ip":"1.1.1.1"}'), 404, 'CAMERA_NOT_FOUND', 'nobody'],
    ['no engine', stream('{"name":"cam"}'), 409, 'NO_ENGINE', 'se_ip'],
    ['an address with a path', stream('{"name":"cam","se_ip":"1.1.1.1/x"}'), 400, 'INVALID_ADDRESS', 'se_ip'],
    ['an impossible address', stream('{"name":"cam","se_ip":"1.1.1.999"}'), 400, 'INVALID_ADDRESS', 'se_ip'],
    ['an impossible port', stream('{"name":"cam","se_ip":"1.1.1.1:70000"}'), 400, 'INVALID_ADDRESS', 'se_ip'],
    ['an injected address', stream('{"name":"cam","se_ip":"1.1.1.1;x"}'), 400, 'INVALID_ADDRESS', 'se_ip'],
    ['an empty address', stream('{"name":"cam","se_ip":""}'), 400, 'INVALID_ADDRESS', 'se_ip'],
    [
      'not declared as JSON',
      ['-d', '{"name":"a"}', '/registerCamera'],
      415,
      'UNSUPPORTED_MEDIA_TYPE',
      'application/json',
    ],
    [
      'declared as text',
      ['-H', 'content-type: text/plain', '-d', '{"name":"a"}', '/registerCamera'],
      415,
      'UNSUPPORTED_MEDIA_TYPE',
      'application/json',
    ],
    [
      'said to be compressed',
      register('{"name":"a"}', '-H', 'content-encoding: gzip'),
      415,
      'UNSUPPORTED_MEDIA_TYPE',
      'compressed',
    ],
    ['oversized', [...json, '-d', '@LARGE', '/registerCamera'], 413, 'PAYLOAD_TOO_LARGE', '65536'],
    [
      'oversized, chunked',
      [...json, '-H', 'transfer-encoding: chunked', '-d', '@LARGE', '/registerCamera'],
      413,
      'PAYLOAD_TOO_LARGE',
      '65536',
    ],
    ['GET of a POST', ['/registerCamera'], 405, 'NOT_FOUND', 'POST'],
    ['DELETE', ['-X', 'DELETE', '/getStream'], 405, 'NOT_FOUND', 'GET'],
    ['an unknown path', ['/nothing'], 404, 'NOT_FOUND', '/nothing'],
    ['a malformed path', ['/%zz'], 400, 'INVALID_REQUEST', 'zz'],
  ];
  it.each(cases)('%s', async (_, args, status, code, hint) => {
    const before = encodeState(test.store.state);
    const calls = test.backend.calls.length;
    const answer = await curl(
      ...args.slice(0, -1).map((arg) => arg.replace('@LARGE', `@${large}`)),
      test.base + args.at(-1),
    );
    expect([answer.status, answer.json.code]).toEqual([status, code]);
    expect(Object.keys(answer.json).sort()).toEqual(['code', 'error']);
    expect(String(answer.json.error)).toContain(hint);
    expect(answer.body).not.toMatch(/node_modules|\.[jt]s:\d/);
    expect(encodeState(test.store.state)).toBe(before);
    expect(test.backend.calls).toHaveLength(calls);
  });
});
