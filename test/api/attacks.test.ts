import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLogger } from '../../src/log/pino.js';
import { type Asked, ask, askRaw, type Question } from './ask.js';
import { startTestApi, type TestApi } from './harness.js';

let test: TestApi;
const call = (question: Question): Promise<Asked> => ask(test.api.port, question);
const post = (path: string, body: unknown, headers: Question['headers'] = {}) =>
  call({ method: 'POST', path, body, headers });
/** Tokens are made with a token, on this machine too. */
const asAdmin = () => ({
  authorization: `Bearer ${readFileSync(join(test.folder, 'admin-token'), 'utf8').trim()}`,
});

describe('pages of other sites, and names that are not ours', () => {
  beforeAll(async () => {
    const own = {
      advertiseHost: 'cameras.example.org',
      apiNames: ['media.example.net'],
      apiCorsOrigin: ['https://dashboard.example.org'],
    };
    test = await startTestApi(own);
    await call({ method: 'PUT', path: '/v1/cameras/cam', body: {} });
  });
  afterAll(() => test.close());

  const evil = 'https://evil.example';
  it.each<[string, Record<string, string>]>([
    ['rebinding Host', { host: 'evil.example:5000' }],
    [
      'rebinding Host of the same site, to the browser',
      { host: 'evil.example', origin: 'http://evil.example', 'sec-fetch-site': 'same-origin' },
    ],
    ['a Host that begins like an address', { host: '127.0.0.1.evil.example' }],
    ['a Host that begins like localhost', { host: 'localhost.evil.example' }],
    ['a Host that ends like ours', { host: 'evil-cameras.example.org' }],
    ['a Host with user info', { host: 'localhost@evil.example' }],
    ['cross-site Origin', { origin: evil }],
    ['cross-site Origin null', { origin: 'null' }],
    ['cross-site Origin with another port', { host: 'localhost:5000', origin: 'http://localhost:3000' }],
    ['cross-site image or link', { 'sec-fetch-site': 'cross-site' }],
    ['same-site page of another port', { 'sec-fetch-site': 'same-site' }],
    ['an Origin that begins like a listed one', { origin: 'https://dashboard.example.org.evil.example' }],
  ])('%s: 403, and nothing is changed', async (_, headers) => {
    const { state } = test.store;
    for (const question of [
      { method: 'POST', path: '/registerCamera', body: { name: 'evil' } },
      { path: '/getStream?name=cam&se_ip=127.0.0.7' },
      { method: 'DELETE', path: '/v1/cameras/cam' },
      { path: '/v1/config' },
      { path: '/v1/events' },
    ]) {
      const answer = await call({ ...question, headers });
      expect([answer.status, answer.json?.code], answer.text).toEqual([403, 'CROSS_SITE']);
      expect(answer.headers).not.toHaveProperty('access-control-allow-origin');
    }
    expect(test.store.state).toBe(state);
  });

  it.each<[string, Record<string, string>]>([
    ['localhost', { host: 'localhost:5000' }],
    ['a loopback address', { host: '127.0.0.7:5000' }],
    ['the loopback address of IPv6', { host: '[::1]:5000' }],
    ['the name of the machine', { host: `${hostname().toUpperCase()}:5000` }],
    ['the short name of the machine', { host: hostname().split('.')[0] ?? '' }],
    ['a further name of the settings', { host: 'media.example.net' }],
    ['a name below localhost', { host: 'aggregator.localhost' }],
    ['the advertised host, in any case', { host: 'Cameras.Example.org.:5000' }],
    ['the own page', { host: 'localhost:5000', origin: 'http://localhost:5000', 'sec-fetch-site': 'same-origin' }],
    ['an address that was typed', { 'sec-fetch-site': 'none' }],
    ['a page whose origin is listed', { origin: 'https://dashboard.example.org', 'sec-fetch-site': 'cross-site' }],
  ])('%s is one of the operator', async (_, headers) => {
    expect((await call({ path: '/v1/cameras', headers })).status).toBe(200);
  });

  it('CORS: only for the origins that are listed, and without credentials', async () => {
    const origin = 'https://dashboard.example.org';
    const asks = { 'access-control-request-method': 'PUT', 'access-control-request-headers': 'authorization' };
    const allowed = await call({ method: 'OPTIONS', path: '/v1/cameras/cam', headers: { origin, ...asks } });
    expect(allowed).toMatchObject({
      status: 204,
      headers: {
        'access-control-allow-origin': origin,
        'access-control-allow-methods': 'GET, HEAD, POST, PUT, PATCH, DELETE',
        vary: 'origin',
      },
    });
    expect(allowed.headers).not.toHaveProperty('access-control-allow-credentials');
    const other = await call({ method: 'OPTIONS', path: '/v1/cameras/cam', headers: { origin: evil, ...asks } });
    expect(other.status).toBe(405);
    expect(other.headers).not.toHaveProperty('access-control-allow-origin');
  });

  it('no Host at all, as HTTP/1.0 allows: an old monitor, and no browser', async () => {
    const ask1 = (head: string) => askRaw(test.api.port, `${head}\r\n\r\n`);
    expect(await ask1('GET /v1/config HTTP/1.0')).toMatch(/^HTTP\/1\.1 200 /);
    expect(await ask1('GET /v1/config HTTP/1.0\r\nhost: evil.example')).toMatch(/^HTTP\/1\.1 403 [\s\S]*CROSS_SITE/);
    expect(await ask1('GET /v1/config HTTP/1.0\r\nhost:')).toMatch(/^HTTP\/1\.1 403 /);
    expect(await ask1('GET /v1/config HTTP/1.0\r\norigin: http://x')).toMatch(/^HTTP\/1\.1 403 /);
    expect(await ask1('GET /getStream?name=cam HTTP/1.0\r\naccept: image/*')).toMatch(/^HTTP\/1\.1 403 /);
    expect(await ask1('GET /v1/config HTTP/1.1')).toMatch(/^HTTP\/1\.1 400 /);
  });

  it('a form of a page is no JSON, and no change', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
      const answer = await post('/v1/cameras', '{"name":"evil"}', { 'content-type': type });
      expect([answer.status, answer.json?.code]).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE']);
    }
    expect(test.store.state.cameras.has('evil')).toBe(false);
  });

  it('every answer has its security headers', async () => {
    for (const path of ['/v1/cameras', '/v1/nothing', '/status', '/openapi.json']) {
      expect((await call({ path })).headers, path).toMatchObject({
        'cache-control': 'no-store',
        'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
        'referrer-policy': 'no-referrer',
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
      });
    }
  });
});

describe('api-allow and api-auth', () => {
  it('networks that are allowed make the four calls without a token, and no others; a proxy is none of them', async () => {
    // On this machine with api-auth on: the loopback address is then an address like any other.
    test = await startTestApi({ apiAuth: 'on', apiAllow: ['127.0.0.0/8'] });
    try {
      expect((await post('/registerCamera', { name: 'cam' })).status).toBe(200);
      expect((await call({ path: '/stats', headers: { host: 'aggregator:5000' } })).status).toBe(200);
      for (const path of ['/v1/cameras', '/metrics', '/v1/tokens']) expect((await call({ path })).status).toBe(401);
      expect((await call({ path: '/stats', headers: { 'x-forwarded-for': '127.0.0.1' } })).status).toBe(401);
      expect((await call({ path: '/stats', headers: { host: 'evil.example' } })).status).toBe(403);
      expect((await call({ path: '/stats', headers: { origin: 'https://evil.example' } })).status).toBe(403);
    } finally {
      await test.close();
    }
  });

  it('an address that is not in the list needs a token', async () => {
    test = await startTestApi({ apiAuth: 'on', apiAllow: ['10.0.0.0/8', 'fd00::/8'] });
    try {
      expect((await post('/registerCamera', { name: 'cam' })).status).toBe(401);
    } finally {
      await test.close();
    }
  });

  it('off asks nobody, and says so at the start; pages of other sites are refused even so', async () => {
    const lines: string[] = [];
    const target = { write: (line: string) => void lines.push(line), flush: () => {} };
    const log = createLogger({ level: 'info', format: 'json', isTerminal: false, target });
    test = await startTestApi({ apiAuth: 'off' }, log);
    try {
      expect(lines.join('')).toMatch(/"level":"warn".*api-auth off/);
      const headers = { 'x-forwarded-for': '192.0.2.1', host: '192.0.2.7' };
      expect((await call({ path: '/v1/tokens', headers })).status).toBe(200);
      const rebound = { host: 'evil.example' };
      for (const path of ['/v1/tokens', '/v1/cameras', '/stats']) {
        expect((await call({ path, headers: rebound })).status).toBe(403);
      }
      expect((await post('/v1/tokens', { name: 'x', scope: 'admin' }, rebound)).status).toBe(403);
      expect((await call({ path: '/v1/tokens', headers: { origin: 'https://evil.example' } })).status).toBe(403);
    } finally {
      await test.close();
    }
  });

  it('calls of other machines are limited for each address, and those of this machine are not', async () => {
    test = await startTestApi({ apiRateLimit: 1 });
    try {
      const elsewhere = { 'x-forwarded-for': '192.0.2.1' };
      const statuses: number[] = [];
      for (let index = 0; index < 15; index += 1) {
        statuses.push((await call({ path: '/healthz', headers: elsewhere })).status);
      }
      expect(statuses.slice(0, 10)).toEqual(Array(10).fill(200));
      const refused = await call({ path: '/v1/cameras', headers: elsewhere });
      expect([refused.status, refused.json?.code, refused.headers['retry-after']]).toEqual([429, 'RATE_LIMITED', '1']);
      for (let index = 0; index < 30; index += 1) expect((await call({ path: '/healthz' })).status).toBe(200);
    } finally {
      await test.close();
    }
  });
});

describe('hostile paths, headers and bodies', () => {
  beforeAll(async () => {
    test = await startTestApi();
    await call({ method: 'PUT', path: '/v1/cameras/cam', body: {} });
  });
  afterAll(() => test.close());

  it.each([
    '/v1/cameras/../../../etc/passwd',
    '/v1/cameras/..%2f..%2f..%2fetc%2fpasswd',
    '/v1/cameras/%2e%2e/%2e%2e/state.json',
    '/v1/cameras/..%5c..%5cstate.json',
    '/v1/cameras/%252e%252e%252fstate.json',
    '/v1/cameras/cam%00.json',
    '/v1/cameras/cam/pushes/..%2f..%2ftokens.json',
    '/../admin-token',
    '/assets/../../admin-token',
    '//v1/cameras/../tokens.json',
    '/v1/cameras/%',
    '/v1/cameras/%ff%fe',
    '/v1/cameras/;/etc/passwd',
  ])('path traversal: %s is no path of ours', async (path) => {
    const answer = await call({ path });
    expect([400, 404]).toContain(answer.status);
    expect(answer.json).toHaveProperty('code');
    expect(answer.text).not.toMatch(/root:|sha256|mat_/);
  });

  it.each([
    '/v1/cameras/a%0d%0aset-cookie:%20x=1',
    '/v1/cameras?limit=a%0d%0aset-cookie:%20x=1',
    '/%0d%0aset-cookie:%20x=1',
  ])('header injection: CRLF in %s ends in no header', async (path) => {
    const answer = await call({ path });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.headers).not.toHaveProperty('set-cookie');
  });

  it.each([
    ['a name', '/v1/cameras', { name: 'a\r\nset-cookie: x=1' }],
    ['a type', '/v1/cameras', { name: 'a', type: 'x\r\nset-cookie: x=1' }],
    ['an id', '/v1/cameras/cam/pushes', { id: 'p\r\nset-cookie: x=1', url: 'rtmp://h/a/b' }],
    ['a URL', '/v1/cameras/cam/pushes', { url: 'rtmp://h/a/b\r\nset-cookie: x=1' }],
    ['a host', '/v1/engines', { name: 'e', host: 'h\r\nset-cookie: x=1' }],
    ['a location', '/v1/engines', { name: 'e', host: 'h', location: 'x\r\nset-cookie: x=1' }],
    ['a token', '/v1/tokens', { name: 'a\r\nset-cookie: x=1', scope: 'read' }],
  ])('header injection: CRLF in %s is refused', async (_, path, body) => {
    const answer = await post(path, body, asAdmin());
    expect(answer.status).toBe(400);
    expect(answer.headers).not.toHaveProperty('set-cookie');
  });

  it('header injection: a header with a bare CR, a NUL or two lengths is no HTTP', async () => {
    for (const header of ['x: a\rset-cookie: y', 'x: a\0b', 'content-length: 5\r\ncontent-length: 6', 'host : x']) {
      const answer = await askRaw(test.api.port, `GET /v1/cameras HTTP/1.1\r\nhost: localhost\r\n${header}\r\n\r\n`);
      expect(answer, header).toMatch(/^HTTP\/1\.1 400 /);
    }
    const both = 'content-length: 4\r\ntransfer-encoding: chunked';
    expect(
      await askRaw(test.api.port, `POST /v1/cameras HTTP/1.1\r\nhost: localhost\r\n${both}\r\n\r\n0\r\n\r\n`),
    ).toMatch(/^HTTP\/1\.1 400 /);
  });

  it.each([
    '{"__proto__":{"polluted":1},"name":"x"}',
    '{"name":"x","__proto__":{"polluted":1}}',
    '{"name":"x","\\u005f_proto__":{"polluted":1}}',
    '{"constructor":{"prototype":{"polluted":1}},"name":"x"}',
    '{"name":"x","prototype":{"polluted":1}}',
    '{"name":{"__proto__":{"polluted":1}}}',
    '[{"__proto__":{"polluted":1}}]',
  ])('prototype pollution: %s', async (body) => {
    for (const [method, path] of [
      ['POST', '/v1/cameras'],
      ['PUT', '/v1/cameras/x'],
      ['PATCH', '/v1/cameras/cam'],
      ['POST', '/registerCamera'],
      ['GET', '/getStream'],
      ['POST', '/v1/tokens'],
    ] as const) {
      const answer = await call({ method, path, body, headers: asAdmin() });
      expect([400, 404], `${method} ${path} ${answer.text}`).toContain(answer.status);
    }
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  it('prototype pollution: names of the prototype are names like any other', async () => {
    for (const name of ['constructor', 'toString', 'hasOwnProperty', 'valueOf']) {
      expect((await call({ path: `/v1/cameras/${name}` })).status).toBe(404);
      expect((await call({ path: `/v1/cameras/cam/pushes/${name}` })).status).toBe(404);
      expect((await post('/v1/cameras', { name })).status).toBe(201);
      const url = `rtmp://127.0.0.7:9/live/${name}`;
      expect((await post('/v1/cameras/cam/pushes', { id: name, url })).status).toBe(201);
      expect((await post('/v1/tokens', { name, scope: 'read' }, asAdmin())).status).toBe(201);
    }
    expect((await call({ path: '/v1/cameras/cam' })).json?.pushes).toHaveLength(4);
  });

  it.each([
    ['lists', `${'['.repeat(30_000)}${']'.repeat(30_000)}`],
    ['objects', `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`],
    ['an open end', '['.repeat(60_000)],
    ['a deep field', `{"name":${'['.repeat(100)}${']'.repeat(100)}}`],
  ])('deep JSON: %s', async (_, body) => {
    expect(await post('/v1/cameras', body)).toMatchObject({ status: 400, json: { code: 'INVALID_JSON' } });
  });

  it('10 MB bodies: refused by their length, or as soon as they are too long, without being kept', async () => {
    const { port } = test.api;
    const head = 'POST /v1/cameras HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n';
    const megabytes = Buffer.alloc(10 * 1024 * 1024, 'a');
    const before = process.memoryUsage().arrayBuffers;
    const lengths = [`content-length: ${megabytes.length}\r\n\r\n`, 'transfer-encoding: chunked\r\n\r\na00000\r\n'];
    for (const length of lengths) {
      const answer = await sendMuch(port, head + length, megabytes);
      expect(answer).toMatch(/^(?:HTTP\/1\.1 413 [\s\S]*PAYLOAD_TOO_LARGE|$)/);
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * 1024 * 1024);
    expect((await call({ path: '/healthz' })).status).toBe(200);
  });

  it('slow headers, slow bodies and silence are cut off, many at once, while others are served', async () => {
    const slow = [
      ...Array.from({ length: 100 }, () => askRaw(test.api.port, 'POST /v1/cameras HTTP/1.1\r\nhost: x\r\nx: ', 'z')),
      askRaw(
        test.api.port,
        'POST /v1/cameras HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{',
        ' ',
      ),
      askRaw(test.api.port, ''),
    ];
    for (let index = 0; index < 20; index += 1) expect((await call({ path: '/v1/cameras' })).status).toBe(200);
    for (const answer of await Promise.all(slow)) expect(answer).toMatch(/^(?:HTTP\/1\.1 408 |$)/);
  }, 60_000);
});

/** Sends head and body as far as the other side takes them; gives what it answered. */
function sendMuch(port: number, head: string, body: Buffer): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(head);
      socket.write(body);
    });
    socket.on('data', (data) => {
      answer += data.toString('latin1');
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(answer));
    socket.on('end', () => socket.destroy());
  });
}

it('log injection: nothing that callers send makes a line, moves the cursor, or shows a secret', async () => {
  for (const format of ['json', 'human'] as const) {
    const written: string[] = [];
    const target = { write: (line: string) => void written.push(line), flush: () => {} };
    const log = createLogger({ level: 'debug', format, isTerminal: false, colors: false, target });
    test = await startTestApi({ apiRateLimit: 0 }, log);
    const token = String((await post('/v1/tokens', { name: 'reader', scope: 'read' })).json?.token);
    const ticket = String((await post('/v1/session', undefined)).json?.token);
    const nasty = 'x\n{"level":"error","message":"forged"}\u001b[2J\u202e';
    const wrong = 'mat_000000000000_WRONGSECRETWRONGSECRETWRONGSECRETWRONGSECRETX';
    const elsewhere = { 'x-forwarded-for': '192.0.2.1\u00a0forged' };
    await call({ path: `/v1/cameras/${encodeURIComponent(nasty)}`, headers: { 'user-agent': 'a\u00a0forged' } });
    await call({ path: `/v1/cameras?token=${token}`, headers: elsewhere });
    await call({ path: `/v1/cameras?token=${ticket}`, headers: elsewhere });
    await call({ path: `/v1/cameras?token=${wrong}`, headers: elsewhere });
    await call({ path: '/v1/cameras', headers: { ...elsewhere, authorization: `Bearer ${wrong}` } });
    await call({ path: '/stats', headers: { ...elsewhere, host: 'evil.example' } });
    await post('/v1/cameras', { name: nasty });
    await post('/v1/engines', { name: 'e', host: nasty, location: nasty });
    await post('/v1/cameras', { name: 'cam', type: nasty });
    await call({ path: `/getStream?name=${encodeURIComponent(nasty)}&se_ip=${encodeURIComponent(nasty)}` });
    await askRaw(test.api.port, 'GET /v1/cameras HTTP/1.1\r\nhost: localhost\r\nuser-agent: \x1b[31mforged\r\n\r\n');
    await askRaw(test.api.port, 'GET /\x1b[31mforged\nforged HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await test.close();
    const all = written.join('');
    expect(written.length).toBeGreaterThan(2);
    for (const line of written) {
      for (const mark of ['\n', '\r', '\u001b', '\u202e']) expect(line.slice(0, -1)).not.toContain(mark);
    }
    if (format === 'json') for (const line of written) expect(() => JSON.parse(line)).not.toThrow();
    expect(all).not.toMatch(/^\{"level":"error","message":"forged"/m);
    for (const secret of [token, ticket, wrong]) expect(all).not.toContain(secret.slice(-20));
  }
});
