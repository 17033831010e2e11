import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { sourcePolicy } from '../../src/address/push-policy.js';
import { parseSourceUrl } from '../../src/address/source-url.js';
import { Dialer } from '../../src/net/dialer.js';
import { RtspRelay } from '../../src/pull/rtsp-relay.js';
import { waitFor } from '../support/wait.js';

/** A relay between a server and a client that a test speaks for. */
async function makeRelay(transport?: 'udp') {
  const far = createServer();
  await once(far.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => void far.close());
  const { port } = far.address() as AddressInfo;
  let redirects = 0;
  const arrived = once(far, 'connection') as Promise<[Socket]>;
  const url = parseSourceUrl(`rtsp://127.0.0.1:${port}/x`);
  const whys: string[] = [];
  const relay = await RtspRelay.open(url, new Dialer({ policy: sourcePolicy({}) }), {
    timeoutMs: 5000,
    transport,
    onRefused: (why) => {
      redirects++;
      whys.push(why);
    },
  });
  onTestFinished(() => relay.close());
  const [server] = await arrived;
  const client = connect(await relay.listen(), '127.0.0.1');
  onTestFinished(() => {
    client.destroy();
    server.destroy();
  });
  const got = { client: '', server: '', isClosed: false };
  client.on('data', (data) => {
    got.client += data.toString('latin1');
  });
  client.on('error', () => {});
  client.on('close', () => {
    got.isClosed = true;
  });
  server.on('data', (data) => {
    got.server += data.toString('latin1');
  });
  server.on('error', () => {});
  return { client, server, got, whys, redirects: () => redirects };
}

test('what both sides say goes to and fro', async () => {
  const { client, server, got, redirects } = await makeRelay();
  client.write('OPTIONS rtsp://127.0.0.1/x RTSP/1.0\r\nCSeq: 1\r\n\r\n');
  await waitFor(() => got.server.endsWith('\r\n\r\n'), { what: 'the question' });
  server.write('RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n');
  await waitFor(() => got.client.startsWith('RTSP/1.0 200 OK'), { what: 'the answer' });
  expect(redirects()).toBe(0);
});

test.each([
  ['RTSP/1.0 302 Found\r\n'],
  ['RTSP/1.0 200 OK\r\n\r\nRTSP/1.0 301 Moved\r\n'],
  ['RTSP/2.0\t  0305 Use Proxy\r\n'],
  ['RT\rSP/1.0 3\r02 Found\n'],
  ['RTSP/1.0 \v302 Found\n'],
  ['RTSP/1.0 4294967598 Found\n'],
  ['a=xRTSP/1.0 302 Found\n'],
])('%j in any pieces ends it before the client has all of the line', async (answer) => {
  const { client, server, got, redirects } = await makeRelay();
  client.write('DESCRIBE rtsp://127.0.0.1/x RTSP/1.0\r\n\r\n');
  await waitFor(() => got.server !== '', { what: 'the question' });
  for (const char of answer) {
    if (server.destroyed) break;
    server.write(char);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await waitFor(() => got.isClosed && redirects() === 1, { what: 'its end' });
  expect(got.client).not.toMatch(/(?:302|305|598) [A-Z][^\n]*\n/);
});

test.each([
  [`RTSP/${'1'.repeat(300)}`, ' 302 Found\r\n'],
  [`RTSP/1.0${' '.repeat(3000)}`, '302 Found\r\n'],
  [`RTSP/1.0 ${'0'.repeat(3000)}`, '302 Found\r\n'],
])('one that is spread over reads ends it, too', async (first, second) => {
  const { client, server, got, redirects } = await makeRelay();
  client.write('DESCRIBE rtsp://127.0.0.1/x RTSP/1.0\r\n\r\n');
  await waitFor(() => got.server !== '', { what: 'the question' });
  server.write(first);
  await waitFor(() => got.client.length === first.length, { what: 'its first part' });
  server.write(second);
  await waitFor(() => got.isClosed && redirects() === 1, { what: 'its end' });
});

test('a name that looks like an answer is none, and a path that looks like PLAY neither', async () => {
  const { client, server, got, redirects } = await makeRelay();
  // The last 160 bytes begin with PLAY.
  const rest = ` RTSP/1.0\r\nCSeq: 3\r\n\r\n`;
  client.write(`SETUP rtsp://127.0.0.1/PLAY ${'x'.repeat(155 - rest.length)}${rest}`);
  await waitFor(() => got.server.endsWith('\r\n\r\n'), { what: 'the question' });
  const sdp = 'v=0\r\ns=RTSP/RTP stream from IPNC\r\ns=RTSP/1.0 stream 300\r\n';
  server.write(
    `RTSP/1.0 200 OK\r\nContent-Length: ${sdp.length}\r\n\r\n${sdp}RTSP/1.0 401\r\nRTSP/1.0 404 Not Found\r\n`,
  );
  await waitFor(() => got.client.endsWith('Not Found\r\n'), { what: 'the answer' });
  expect(redirects()).toBe(0);
  client.write('x');
  await waitFor(() => got.server.endsWith('x'), { what: 'what follows' });
  server.write('RTSP/1.0 302 Found\r\n');
  await waitFor(() => got.isClosed && redirects() === 1, { what: 'its end' });
});

test('media that looks like an answer does no harm', async () => {
  const { client, server, got, redirects } = await makeRelay();
  client.write('PLAY rtsp://127.0.0.1/x RTSP/1.0\r\n\r\n');
  await waitFor(() => got.server !== '', { what: 'the question' });
  server.write('$..RTSP/1.0 302 Found\r\n');
  await waitFor(() => got.client.includes('302'), { what: 'the media' });
  expect(redirects()).toBe(0);
});

test.each([
  ['udp', 'Transport: RTP/AVP;unicast;source=10.0.0.9;server_port=53-54', ['media-elsewhere']],
  ['udp', 'transport: RTP/AVP ; source = "router.lan";server_port=1900-1901', ['media-elsewhere']],
  ['udp', 'Transport: RTP/AVP;unicast;source=127.0.0.1;server_port=6970-6971', []],
  [undefined, 'Transport: RTP/AVP/TCP;source=10.0.0.9;interleaved=0-1', []],
] as const)('by %s, %s: datagrams go to no other host', async (transport, header, expected) => {
  const { client, server, got, whys } = await makeRelay(transport);
  client.write('SETUP rtsp://127.0.0.1/x RTSP/1.0\r\n\r\n');
  server.write(`RTSP/1.0 200 OK\r\n${header}\r\n\r\n`);
  await waitFor(() => whys.length > 0 || got.client.endsWith('\r\n\r\n'), { what: 'the answer' });
  expect(whys).toEqual(expected);
});
