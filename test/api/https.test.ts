import { once } from 'node:events';
import { copyFileSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { connect as connectPlain } from 'node:net';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readCertificate } from '../../src/tls/certificate.js';
import { cli, startTestAggregator } from '../cli/support.js';
import { makeCertificate, type TestCertificate } from '../support/certificates.js';
import { Scope } from '../support/scope.js';
import { waitFor } from '../support/wait.js';
import { ask } from './ask.js';
import { startTestApi } from './harness.js';

let scope: Scope;
let folder: string;
let own: TestCertificate;
beforeEach(() => {
  scope = new Scope();
  folder = scope.temporaryFolder();
  own = makeCertificate(folder, 'own');
});
afterEach(() => scope.close());

const files = () => ({ apiTlsCert: own.certFile, apiTlsKey: own.keyFile });

async function start(settings: Parameters<typeof startTestApi>[0] = {}) {
  const test = await startTestApi({ ...files(), ...settings });
  scope.defer(() => test.close());
  return test;
}

async function open(port: number, options: object = {}): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options });
  scope.defer(() => socket.destroy());
  await once(socket, 'secureConnect');
  return socket;
}

function get(port: number, options: object): Promise<{ status: number; reused: boolean }> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path: '/v1/cameras', ...options }, (response) => {
      response.resume();
      response.on('end', () => resolve({ status: response.statusCode ?? 0, reused: sent.reusedSocket }));
    });
    sent.on('error', reject);
    sent.end();
  });
}

describe('HTTPS', () => {
  it('is spoken with the certificate of the settings, to those who trust it, and nothing else is', async () => {
    const ca = makeCertificate(folder, 'ca', { isCa: true });
    own = makeCertificate(folder, 'leaf', { ca });
    const { api } = await start();
    const trusting = { ca: readCertificate(ca).cert };
    expect(await get(api.port, trusting)).toMatchObject({ status: 200 });
    expect(await get(api.port, { ...trusting, servername: 'localhost' })).toMatchObject({ status: 200 });
    await expect(get(api.port, {})).rejects.toThrow(/certificate/);
    await expect(get(api.port, { ...trusting, servername: 'evil.example' })).rejects.toThrow(/does not match/);
    await expect(ask(api.port, { path: '/healthz' })).rejects.toThrow();
  });

  it('is not spoken in versions before 1.2', async () => {
    const { api } = await start();
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' };
    await expect(open(api.port, old)).rejects.toMatchObject({ code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' });
    expect((await open(api.port, { maxVersion: 'TLSv1.2' })).getProtocol()).toBe('TLSv1.2');
    expect((await open(api.port)).getProtocol()).toBe('TLSv1.3');
  });

  it('a new certificate is taken, and a connection that is open goes on', async () => {
    const next = makeCertificate(folder, 'next');
    const { api } = await start();
    const agent = new Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false });
    scope.defer(() => agent.destroy());
    expect(await get(api.port, { agent })).toEqual({ status: 200, reused: false });
    copyFileSync(next.certFile, own.certFile);
    copyFileSync(next.keyFile, own.keyFile);
    const { fingerprint } = readCertificate(next);
    const isNew = async () => (await open(api.port)).getPeerCertificate().fingerprint256 === fingerprint;
    await waitFor(isNew, { what: 'the new certificate', intervalMs: 200 });
    expect(await get(api.port, { agent })).toEqual({ status: 200, reused: true });
  });

  it('a peer that does not shake hands is cut off, and costs the others nothing', async () => {
    const { api } = await start();
    const silent = connectPlain(api.port, '127.0.0.1');
    scope.defer(() => silent.destroy());
    silent.on('error', () => undefined);
    await once(silent, 'connect');
    silent.write('\x16\x03\x01');
    expect(await get(api.port, { rejectUnauthorized: false })).toMatchObject({ status: 200 });
    await once(silent, 'close');
  }, 30_000);

  it('says at the start which file is wrong', async () => {
    await expect(start({ apiTlsKey: makeCertificate(folder, 'x').keyFile })).rejects.toMatchObject({
      code: 'TLS_CERTIFICATE',
      message: expect.stringContaining('--api-tls-key'),
    });
  });

  it('the commands find an aggregator of this machine that speaks it, whatever name the certificate is for', async () => {
    own = makeCertificate(folder, 'named', { names: ['aggregator.example.org'] });
    const further = { 'api-tls-cert': own.certFile, 'api-tls-key': own.keyFile, 'api-auth': 'on' };
    const { dataDir, apiPort } = await startTestAggregator(scope, further);
    const added = await cli(['camera', 'add', 'gate-1', '--data-dir', dataDir]);
    expect(added).toMatchObject({ code: 0, err: '' });
    expect(await cli(['camera', 'list', '--api', `https://127.0.0.1:${apiPort}`])).toMatchObject({
      code: 3,
      err: expect.stringMatching(/API_UNREACHABLE: .*certificate is not trusted .*NODE_EXTRA_CA_CERTS/),
    });
    // Where the socket cannot be used they come by the port.
    rmSync(join(dataDir, 'api.sock'));
    expect((await cli(['camera', 'list', '--data-dir', dataDir])).code).toBe(0);
    // A certificate in the file that the aggregator does not show: somebody else may be there.
    copyFileSync(makeCertificate(folder, 'stranger').certFile, own.certFile);
    expect(await cli(['camera', 'list', '--data-dir', dataDir])).toMatchObject({
      code: 3,
      err: expect.stringContaining('another certificate'),
    });
  });
});

describe('IPv6', () => {
  it('the API answers on ::1, where calls are of this machine', async () => {
    const test = await startTestApi({ host: '::1' });
    scope.defer(() => test.close());
    const answer = await ask(test.api.port, {
      host: '::1',
      path: '/v1/session',
      headers: { host: `[::1]:${test.api.port}` },
    });
    expect(answer.json).toMatchObject({ caller: 'local' });
    const made = await ask(test.api.port, {
      host: '::1',
      method: 'POST',
      path: '/registerCamera',
      body: { name: 'cam' },
    });
    expect(made.json).toMatchObject({ endpoint: 'rtmp://[::1]:1935/cam/cam' });
  });

  it('on :: IPv4 addresses come mapped, and are of this machine all the same', async () => {
    const test = await startTestApi({ host: '::' });
    scope.defer(() => test.close());
    for (const host of ['127.0.0.1', '::1']) {
      expect((await ask(test.api.port, { host, path: '/v1/session' })).json).toMatchObject({ caller: 'local' });
    }
  });

  it('by HTTPS too', async () => {
    own = makeCertificate(folder, 'six', { names: ['::1'] });
    const { api } = await start({ host: '::1' });
    const trusting = { host: '::1', ca: readCertificate(own).cert };
    expect(await get(api.port, trusting)).toMatchObject({ status: 200 });
  });

  it('the commands reach an aggregator that listens on IPv6 only', async () => {
    const { dataDir } = await startTestAggregator(scope, { host: '::1' });
    expect(await cli(['camera', 'add', 'gate-1', '--data-dir', dataDir])).toMatchObject({
      code: 0,
      out: expect.stringContaining('rtmp://[::1]:'),
    });
  });
});
