import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import { Dialer } from '../../src/net/dialer.js';
import { HttpProxy } from '../../src/pull/http-proxy.js';
import { loopbackCertificate } from '../../src/pull/loopback-certificate.js';
import { TrustedFile } from '../../src/tls/trusted-file.js';
import { makeCertificate } from '../support/certificates.js';

/** What a program gets through the proxy of `https://127.0.0.1:PORT/`, which looks at no certificate itself. */
async function fetched(proxy: HttpProxy, port: number): Promise<string> {
  const { host, username, password, port: proxyPort } = new URL(await proxy.url());
  expect(host).toContain('127.0.0.1');
  const socket = connect(Number(proxyPort), '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  const login = Buffer.from(`${username}:${password}`).toString('base64');
  socket.write(`CONNECT 127.0.0.1:${port} HTTP/1.1\r\nproxy-authorization: Basic ${login}\r\n\r\n`);
  const head = await new Promise<string>((resolve) => socket.once('data', (data) => resolve(data.toString())));
  if (!head.startsWith('HTTP/1.1 200')) return head.split('\r\n', 1)[0] ?? '';
  const secure = connectTls({ socket, rejectUnauthorized: false });
  secure.write('GET / HTTP/1.0\r\n\r\n');
  let text = '';
  for await (const data of secure) text += String(data);
  return text.split('\r\n\r\n')[1] ?? '';
}

test('programs get HTTPS from servers with a trusted certificate, and from no others', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'proxy-tls-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const { certFile, keyFile } = makeCertificate(folder, 'server');
  const files = { cert: readFileSync(certFile), key: readFileSync(keyFile) };
  const server = createServer(files, (_request, response) => response.end('a playlist'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const trusting = new HttpProxy(new Dialer({ trust: new TrustedFile(certFile, '--push-tls-ca') }), 20_000);
  const strict = new HttpProxy(new Dialer(), 20_000);
  onTestFinished(() => {
    server.close();
    for (const proxy of [trusting, strict]) proxy.close();
  });
  expect(await fetched(trusting, port)).toBe('a playlist');
  expect(await fetched(strict, port)).toBe('HTTP/1.1 564 No Way There');
});

test('the certificate for programs of its own is one that others can read', () => {
  const { cert, key } = loopbackCertificate();
  const read = new X509Certificate(cert);
  expect(read.subject).toBe('CN=media-aggregator');
  expect(read.verify(read.publicKey)).toBe(true);
  expect(key).toContain('PRIVATE KEY');
});
