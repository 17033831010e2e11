import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, request } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { sourcePolicy } from '../../src/address/push-policy.js';
import { Dialer } from '../../src/net/dialer.js';
import { HttpProxy } from '../../src/pull/http-proxy.js';
import { pullHttp } from '../../src/pull/http-pull.js';

const clip = readFileSync(fileURLToPath(new URL('../../samples/clip.flv', import.meta.url)));
const settings = { connectTimeoutMs: 5000, maxMessageBytes: 1 << 20 };

async function serve(listener: RequestListener): Promise<number> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** What becomes of a pull: how many messages came, and how it ended. */
function pull(url: string): Promise<{ messages: number; end: string }> {
  return new Promise((resolve) => {
    let messages = 0;
    const over = (end: string): void => resolve({ messages, end });
    const life = pullHttp(
      url,
      { settings, dialer: new Dialer({ policy: sourcePolicy({}) }) },
      { onMedia: () => messages++, onEnded: ({ code }) => over(code) },
      over,
    );
    onTestFinished(() => life.close());
  });
}

describe('FLV over HTTP', () => {
  test('comes in pieces, with the password that it asks for, behind a redirect that stays where it may be', async () => {
    const asked: (string | undefined)[] = [];
    const port = await serve(({ url, headers }, response) => {
      asked.push(headers.authorization);
      if (url === '/first') response.writeHead(302, { location: '/second?a=b' }).end();
      else response.end(url === '/second?a=b' ? clip : '');
    });
    const { messages, end } = await pull(`http://me:p%40ss@127.0.0.1:${port}/first`);
    expect([messages > 200, end]).toEqual([true, 'SOURCE_CLOSED']);
    expect(asked).toEqual(Array(2).fill(`Basic ${Buffer.from('me:p@ss').toString('base64')}`));
  });

  test.each([
    ['hls', Buffer.from('#EXTM3U\n#EXT-X-VERSION:3\n')],
    ['ts', Buffer.concat([Buffer.from([0x47]), Buffer.alloc(375, 0xff)])],
    ['SOURCE_CLOSED', clip],
  ])('is told from what else there is, in whatever pieces it comes: %s', async (expected, body) => {
    const port = await serve(async (_, response) => {
      response.socket?.setNoDelay(true);
      for (let at = 0; at < 16; at += 4) {
        response.write(body.subarray(at, at + 4));
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      response.end(body.subarray(16));
    });
    expect((await pull(`http://127.0.0.1:${port}/`)).end).toBe(expected);
  });

  test('a password does not go to the host of a redirect', async () => {
    let told: string | undefined = 'nothing';
    const other = await serve(({ headers }, response) => {
      told = headers.authorization;
      response.end(clip);
    });
    const port = await serve((_, response) =>
      response.writeHead(302, { location: `http://127.0.0.1:${other}/` }).end(),
    );
    expect((await pull(`http://me:secret@127.0.0.1:${port}/`)).messages).toBeGreaterThan(200);
    expect(told).toBe(undefined);
  });

  test.each<[string, RequestListener, string]>([
    [
      'a redirect to a service of clouds',
      (_, to) => to.writeHead(302, { location: 'http://169.254.169.254/' }).end(),
      'SOURCE_FORBIDDEN',
    ],
    ['a redirect to a file', (_, to) => to.writeHead(302, { location: 'file:///etc/passwd' }).end(), 'SOURCE_PROTOCOL'],
    ['redirects without an end', (_, to) => to.writeHead(302, { location: '/' }).end(), 'SOURCE_PROTOCOL'],
    ['no such path', (_, to) => to.writeHead(404).end(), 'SOURCE_NOT_FOUND'],
    ['a wrong password', (_, to) => to.writeHead(401).end(), 'SOURCE_AUTH'],
    ['a page', (_, to) => to.end('<html>hello</html>'), 'SOURCE_PROTOCOL'],
    ['a playlist', (_, to) => to.end('#EXTM3U\n#EXT-X-VERSION:3\n'), 'hls'],
    ['a transport stream', (_, to) => to.end(Buffer.alloc(376, 0x47)), 'ts'],
  ])('%s', async (_, listener, end) => {
    const port = await serve(listener);
    expect(await pull(`http://127.0.0.1:${port}/`)).toMatchObject({ messages: 0, end });
  });
});

describe('the proxy for programs', () => {
  async function ask(url: string, withSecret = true): Promise<{ status: number | undefined; body: string }> {
    const proxy = new HttpProxy(new Dialer({ policy: sourcePolicy({}) }), 5000);
    onTestFinished(() => proxy.close());
    const { hostname: host, port, username, password } = new URL(await proxy.url());
    const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
    const headers = withSecret ? { 'proxy-authorization': authorization } : {};
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      request({ host, port, path: url, headers }, resolve).once('error', reject).end();
    });
    let body = '';
    for await (const data of response) body += String(data);
    return { status: response.statusCode, body };
  }

  test('fetches what may be fetched, and says nothing of itself there', async () => {
    let told: IncomingMessage['headers'] = {};
    const port = await serve(({ headers }, response) => {
      told = headers;
      response.end('#EXTM3U');
    });
    expect(await ask(`http://127.0.0.1:${port}/a.m3u8`)).toEqual({ status: 200, body: '#EXTM3U' });
    expect(told).not.toHaveProperty('proxy-authorization');
  });

  test('a status that is none is an error', async () => {
    const server = createTcpServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => socket.end('HTTP/1.1 099 Odd\r\n\r\n'));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    expect(await ask(`http://127.0.0.1:${port}/`)).toMatchObject({ status: 502 });
  });

  test('neither strangers nor forbidden addresses are served', async () => {
    expect(await ask('http://127.0.0.1:9/', false)).toMatchObject({ status: 407 });
    expect(await ask('http://169.254.169.254/latest')).toMatchObject({ status: 451 });
    expect(await ask('http://127.0.0.1:9/')).toMatchObject({ status: 561 });
    expect(await ask('file:///etc/passwd')).toMatchObject({ status: 502 });
  });
});
