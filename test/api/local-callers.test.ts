import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConnectionTable, peerUserOf } from '../../src/access/peer-user.js';
import { waitFor } from '../support/wait.js';
import { type Asked, ask, askRaw, type Question } from './ask.js';
import { startTestApi, type TestApi } from './harness.js';

let test: TestApi;
const call = (question: Question): Promise<Asked> => ask(test.api.port, question);
const getStream = '/getStream?name=cam&se_ip=127.0.0.7';
const adminToken = () => readFileSync(join(test.folder, 'admin-token'), 'utf8').trim();
const isRoot = process.geteuid?.() === 0;

/** What curl, run as another user of this machine, gets: the status. */
function curlAs(uid: number, ...args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { uid, gid: uid, cwd: '/' };
    const child = spawn('curl', ['-s', '-o', '/dev/null', '-w', '%{http_code}', '--max-time', '10', ...args], options);
    let output = '';
    child.stdout.on('data', (data: Buffer) => {
      output += data.toString();
    });
    child.once('error', reject);
    child.once('close', () => resolve(output));
  });
}

describe('a call over loopback without a token', () => {
  beforeAll(async () => {
    test = await startTestApi();
    await call({ method: 'PUT', path: '/v1/cameras/cam', body: {} });
  });
  afterAll(() => test.close());

  it('of the own user operates, and makes no tokens: a proxy of that user would', async () => {
    expect((await call({ path: '/v1/cameras' })).status).toBe(200);
    expect((await call({ path: '/stats' })).status).toBe(200);
    for (const question of [
      { path: '/v1/tokens' },
      { path: '/v1/tokens/x' },
      { method: 'POST', path: '/v1/tokens', body: { name: 'x', scope: 'admin' } },
      { method: 'DELETE', path: '/v1/tokens/x' },
    ]) {
      const answer = await call(question);
      expect([answer.status, answer.json?.code]).toEqual([401, 'UNAUTHENTICATED']);
      expect(answer.headers['www-authenticate']).toBe('Bearer realm="media-aggregator"');
    }
    const headers = { authorization: `Bearer ${adminToken()}` };
    expect((await call({ path: '/v1/tokens', headers })).status).toBe(200);
  });

  it.runIf(isRoot)('of another user is not local, whatever it sends: such are proxies', async () => {
    const base = `http://127.0.0.1:${test.api.port}`;
    for (const path of ['/v1/cameras', '/stats', '/status', getStream, '/v1/tokens', '/metrics']) {
      expect(await curlAs(65_534, base + path), path).toBe('401');
    }
    expect(await curlAs(65_534, '-X', 'DELETE', `${base}/v1/cameras/cam`)).toBe('401');
    expect(await curlAs(65_534, '-H', `authorization: Bearer ${adminToken()}`, `${base}/v1/tokens`)).toBe('200');
    expect(await curlAs(65_534, `${base}/healthz`)).toBe('200');
    expect(await curlAs(0, `${base}/v1/cameras`)).toBe('200');
  });

  it.runIf(isRoot)('of another user makes the four calls once api-allow names the address', async () => {
    const allowing = await startTestApi({ apiAllow: ['127.0.0.1'] });
    try {
      const base = `http://127.0.0.1:${allowing.api.port}`;
      expect(await curlAs(65_534, `${base}/stats`)).toBe('200');
      const body = ['-H', 'content-type: application/json', '-d', '{"name":"cam"}'];
      expect(await curlAs(65_534, ...body, `${base}/registerCamera`)).toBe('200');
      expect(await curlAs(65_534, '-X', 'GET', ...body, `${base}/getStream`)).toBe('409');
      expect(await curlAs(65_534, `${base}/v1/cameras`)).toBe('401');
    } finally {
      await allowing.close();
    }
  });

  it.each([
    ['x-forwarded-for', '127.0.0.1'],
    ['X-Forwarded-Host', 'x'],
    ['x_forwarded_for', '127.0.0.1'],
    ['forwarded', 'for=_hidden'],
    ['via', '1.1 varnish'],
    ['x-real-ip', '127.0.0.1'],
    ['x-original-forwarded-for', '192.0.2.1'],
    ['x-client-ip', '192.0.2.1'],
    ['x-cluster-client-ip', '192.0.2.1'],
    ['x-envoy-external-address', '192.0.2.1'],
    ['x-amzn-trace-id', 'Root=1'],
    ['true-client-ip', '192.0.2.1'],
    ['cf-ray', 'x'],
    ['cdn-loop', 'x'],
    ['proxy-connection', 'close'],
    ['ngrok-trace-id', 'x'],
    ['tailscale-user-login', 'x'],
  ])('that has a header of proxies (%s) is not local', async (name, value) => {
    expect((await call({ path: '/v1/cameras', headers: { [name]: value } })).status).toBe(401);
  });
});

describe('heads that are not whole, or that two readers understand in two ways', () => {
  beforeAll(async () => {
    test = await startTestApi();
    await call({ method: 'PUT', path: '/v1/cameras/cam', body: {} });
  });
  afterAll(() => test.close());
  const raw = (...lines: string[]) => askRaw(test.api.port, `${lines.join('\r\n')}\r\n\r\n`);
  const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);
  const end = 'Connection: close';

  it.each([0, 200, 257, 900, 990, 996, 997, 998, 999, 1000, 1010, 2000, 3500])(
    '%i short headers in front hide no header of a proxy',
    async (count) => {
      for (const path of ['/v1/cameras', '/v1/tokens', '/stats', '/live/cam.flv']) {
        const filler = Array<string>(count).fill('a:');
        const upgrade = path.endsWith('.flv') ? ['Upgrade: websocket', 'Connection: upgrade'] : [end];
        const proxy = ['X-Forwarded-For: 203.0.113.9', 'X-Real-IP: 203.0.113.9'];
        const answer = await raw(`GET ${path} HTTP/1.1`, 'Host: 127.0.0.1', ...upgrade, ...filler, ...proxy);
        const expected = count > 250 ? 431 : 401;
        expect(statusOf(answer), `${path}: ${answer.slice(0, 200)}`).toBe(expected);
      }
    },
  );

  it('names that all differ are counted as well; what a browser and three proxies send is not too much', async () => {
    const many = (count: number) => Array.from({ length: count }, (_, index) => `x-${index}: 1`);
    expect(statusOf(await raw('GET /v1/cameras HTTP/1.1', 'Host: localhost', end, ...many(300)))).toBe(431);
    expect(statusOf(await raw('GET /v1/cameras HTTP/1.1', 'Host: localhost', end, ...many(200)))).toBe(200);
  });

  it.each([
    ['Host: localhost', 'Host: localhost'],
    ['Host: localhost', 'Host: evil.example'],
    ['host: evil.example', 'HOST: localhost'],
    ['Host: localhost', 'Authorization: Bearer a', 'authorization: Bearer b'],
    ['Host: localhost', 'Origin: http://localhost', 'Origin: http://evil.example'],
    ['Host: localhost', 'Sec-Fetch-Site: same-origin', 'Sec-Fetch-Site: cross-site'],
    ['Host: localhost', 'Content-Type: application/json', 'Content-Type: text/plain'],
    ['Host: localhost', 'User-Agent: curl', 'User-Agent: Mozilla/5.0'],
  ])('%s and %s: 400', async (...lines) => {
    expect(statusOf(await raw('GET /v1/cameras HTTP/1.1', ...lines, end))).toBe(400);
    expect(statusOf(await raw('GET /healthz HTTP/1.1', ...lines, end))).toBe(400);
    const upgrade = ['Upgrade: websocket', 'Connection: upgrade', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: x'];
    expect(statusOf(await raw('GET /live/cam.flv HTTP/1.1', ...lines, ...upgrade))).toBe(400);
    expect(statusOf(await raw('GET /v1/cameras HTTP/1.1', ...lines, 'Upgrade: h2c', 'Connection: close'))).toBe(400);
  });

  it('a target with a host must have that of Host', async () => {
    const get = (target: string, host: string) => raw(`GET ${target} HTTP/1.1`, `Host: ${host}`, end);
    expect(statusOf(await get('http://evil.example/v1/cameras', 'localhost'))).toBe(400);
    expect(statusOf(await get('http://localhost/v1/cameras', 'evil.example'))).toBe(400);
    expect(statusOf(await get('http://u@localhost/v1/cameras', 'localhost'))).toBe(400);
    expect(statusOf(await get('http://evil.example/v1/cameras', 'evil.example'))).toBe(403);
    expect([200, 404]).toContain(statusOf(await get('http://LOCALHOST/v1/cameras', 'localhost')));
  });
});

describe('what a page has the browser of the operator do', () => {
  beforeAll(async () => {
    test = await startTestApi();
    await call({ method: 'PUT', path: '/v1/cameras/cam', body: {} });
  });
  afterAll(() => test.close());
  const mozilla = { 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36' };

  it.each<[string, Record<string, string>]>([
    ['a link that redirects', { ...mozilla, 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate' }],
    ['an address that was typed', { 'sec-fetch-site': 'none' }],
    ['an image at 0.0.0.0', { ...mozilla, host: '0.0.0.0:5000', accept: 'image/avif,image/webp,*/*;q=0.8' }],
    ['an image at a mapped address', { ...mozilla, host: '[::ffff:127.0.0.1]:5000' }],
    ['an image at a mapped address, as browsers write it', { ...mozilla, host: '[::ffff:7f00:1]:5000' }],
    ['an image at ::', { host: '[::]:5000' }],
    ['an old browser: its name alone', mozilla],
    ['an old browser: what it takes', { accept: 'image/png, image/svg+xml, image/*;q=0.8, */*;q=0.5' }],
    ['an old browser: a link', { accept: 'text/html,application/xhtml+xml' }],
    ['an old browser: its language', { 'accept-language': 'en-GB,en;q=0.5' }],
    ['an old browser: where it comes from', { referer: 'http://evil.example/' }],
    ['a browser that looks ahead', { 'sec-fetch-site': 'same-origin', 'sec-purpose': 'prefetch' }],
    ['a browser that looks ahead, in older words', { purpose: 'prefetch' }],
    ['a browser that looks ahead, Firefox', { 'x-moz': 'prefetch' }],
    ['a link on the own page', { ...mozilla, 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'navigate' }],
    ['a frame', { ...mozilla, 'sec-fetch-site': 'same-origin', 'sec-fetch-dest': 'iframe' }],
    ['a page of no origin', { ...mozilla, origin: 'null' }],
    ['a rebound name', { ...mozilla, host: 'evil.example', 'sec-fetch-site': 'same-origin' }],
    ['a rebound name with a port and a dot', { host: 'evil.example.:5000' }],
    ['a decimal address', { host: '2130706433' }],
    ['a hexadecimal address', { host: '0x7f000001' }],
    ['an octal address', { host: '0177.0.0.1' }],
    ['a short address', { host: '127.1' }],
    ['an address with a dot behind it', { host: '127.0.0.1.:5000' }],
    ['a zone', { host: '[::1%lo]:5000' }],
    ['user info', { host: 'localhost:x@evil.example' }],
    ['a port that is none', { host: 'localhost:99999' }],
    ['a name of dots', { host: '..' }],
    ['an address of this network', { host: '192.168.1.5:5000' }],
  ])('%s adds no push', async (_, headers) => {
    const { state } = test.store;
    const answer = await call({ path: getStream, headers });
    expect([answer.status, answer.json?.code], answer.text).toEqual([403, 'CROSS_SITE']);
    expect(test.store.state).toBe(state);
  });

  it.each([{ apiAuth: 'off' as const }, { apiAuth: 'on' as const, apiAllow: ['127.0.0.1'] }])(
    'nor with %j, for an address of the network',
    async (settings) => {
      const open = await startTestApi(settings);
      try {
        await open.control.cameras.add({ name: 'cam' }, undefined);
        const status = async (headers: Record<string, string>) =>
          (await ask(open.api.port, { path: getStream, headers: { host: '192.0.2.7:5000', ...headers } })).status;
        expect(await status(mozilla)).toBe(403);
        expect(await status({ ...mozilla, 'sec-fetch-site': 'none' })).toBe(403);
        expect(await status({ host: '0.0.0.0:5000' })).toBe(403);
        expect(await status({ host: '[::ffff:192.0.2.7]:5000' })).toBe(403);
        expect(await status({ host: 'evil.example' })).toBe(403);
        expect(await status({ host: '3221225991' })).toBe(403);
        expect(await status({})).toBe(200);
        expect(await status({ host: 'aggregator:5000' })).toBe(200);
        expect(await status({ host: '[2001:db8::1]' })).toBe(200);
      } finally {
        await open.close();
      }
    },
  );

  it('a form of a page of no origin, and one without a body, change nothing', async () => {
    const { state } = test.store;
    for (const headers of [mozilla, { ...mozilla, origin: 'null' }, { ...mozilla, 'sec-fetch-site': 'cross-site' }]) {
      for (const [method, path] of [
        ['POST', '/v1/cameras/cam/pushes/p/retry'],
        ['POST', '/v1/session'],
        ['DELETE', '/v1/cameras/cam'],
      ] as const) {
        expect((await call({ method, path, headers })).status, `${method} ${path}`).toBe(403);
      }
    }
    expect(test.store.state).toBe(state);
  });

  it('a WebSocket of another page is refused before the upgrade', async () => {
    const upgrade = `GET /live/cam.flv HTTP/1.1\r\nhost: localhost:${test.api.port}\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n`;
    for (const origin of ['http://evil.example', 'null', 'http://localhost', 'https://localhost.evil.example']) {
      const answer = await askRaw(test.api.port, `${upgrade}origin: ${origin}\r\n\r\n`);
      expect(answer, origin).toMatch(/^HTTP\/1\.1 403 /);
    }
    const own = await askRaw(test.api.port, `${upgrade}origin: http://localhost:${test.api.port}\r\n\r\n`);
    expect(own).toMatch(/^HTTP\/1\.1 501 [\s\S]*VIEW_UNSUPPORTED/);
  });

  it.each<[string, Record<string, string>]>([
    ['curl', { 'user-agent': 'curl/8.5.0', accept: '*/*' }],
    ['requests', { 'user-agent': 'python-requests/2.31.0', accept: '*/*', 'accept-encoding': 'gzip, deflate, br' }],
    ['fetch of Node.js', { 'accept-language': '*', 'sec-fetch-mode': 'cors', 'user-agent': 'node', accept: '*/*' }],
    ['axios', { accept: 'application/json, text/plain, */*', 'user-agent': 'axios/1.6' }],
    ['Java', { 'user-agent': 'Java/17.0.9', accept: 'text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2' }],
    ['PowerShell', { 'user-agent': 'Mozilla/5.0 (Linux; Debian; en-US) PowerShell/7.4.0' }],
    ['the own page', { ...mozilla, 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors' }],
    [
      'the own page, where the browser tells less',
      { ...mozilla, host: 'localhost:5000', origin: 'http://localhost:5000' },
    ],
  ])('the call of %s is made as ever', async (_, headers) => {
    expect((await call({ path: getStream, headers })).status).toBe(200);
  });
});

describe('whose program a connection comes from', () => {
  it('is read from the kernel’s tables, for IPv4, IPv6 and IPv4 inside IPv6', async () => {
    for (const [listening, address] of [
      ['127.0.0.1', '127.0.0.1'],
      ['127.0.0.1', '127.0.0.9'],
      ['::', '127.0.0.1'],
      ['::', '::1'],
      ['::', '::ffff:127.0.0.1'],
    ] as const) {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, address === '127.0.0.9' ? address : listening, resolve));
      const { port } = server.address() as { port: number };
      const accepted = new Promise<import('node:net').Socket>((resolve) => server.once('connection', resolve));
      const client = connect(port, address);
      const socket = await accepted;
      expect(await peerUserOf(socket), `${address} at ${listening}`).toBe('own');
      client.destroy();
      socket.destroy();
      server.close();
    }
  });

  it('a connection whose program is gone is nobody’s, and not root’s', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tables-'));
    const tail = '00000000:00000000 00:00000000 00000000';
    const head = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';
    const look = async (line: string, far = '0100007F:A000') => {
      const others = `   9: 0100007F:1388 0100007F:A000 01 ${tail}     7        0 77 1 0 20 4 30 10 -1\n`.repeat(500);
      writeFileSync(join(folder, 'tcp'), `${head}${others}  10: 0100007F:A000 0100007F:1388 ${line}\n`);
      return new ConnectionTable(join(folder, 'tcp')).find(`${far} 0100007F:1388`);
    };
    expect(await look(`01 ${tail}  1000        0 5 1 0 20 4 30 10 -1`)).toBe(1000);
    expect(await look(`05 ${tail}     0        0 0 1 0 20 4 30 10 -1`)).toBeUndefined();
    expect(await look(`06 ${tail}     0        0 0 3 0`)).toBeUndefined();
    expect(await look('01')).toBeUndefined();
    expect(await look(`01 ${tail}  1000        0 5 1 0 20 4 30 10 -1`, '0100007F:A001')).toBeUndefined();
    expect(await new ConnectionTable(join(folder, 'none')).find('x y')).toBeUndefined();
    rmSync(folder, { recursive: true });
  });

  it('many who connect at once are all known, and the loop is not held up', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const accepted: Promise<string>[] = [];
    server.on('connection', (socket) => void accepted.push(peerUserOf(socket)));
    const clients = Array.from({ length: 300 }, () => connect(port, '127.0.0.1'));
    await waitFor(() => accepted.length === 300, { what: 'all connections' });
    expect(new Set(await Promise.all(accepted))).toEqual(new Set(['own']));
    for (const client of clients) client.destroy();
    server.close();
  });
});
