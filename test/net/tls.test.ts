import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, createServer, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { NativeBackend } from '../../src/backend/native/native-backend.js';
import { defaultSettings } from '../../src/config/index.js';
import { codeOf, messageOf } from '../../src/errors.js';
import { silentLogger } from '../../src/log/log.js';
import { Dialer } from '../../src/net/dialer.js';
import { SharedLookups } from '../../src/net/lookup.js';
import { testTarget } from '../../src/push/target-test.js';
import { PublishClient } from '../../src/rtmp/publish-client.js';
import { readTrust } from '../../src/tls/trust.js';
import { TrustedFile } from '../../src/tls/trusted-file.js';
import { MessageType } from '../../src/wire/message.js';
import { healthy, type SickTarget, serve, startTarget, until } from '../push/targets.js';
import { frame, videoHeader } from '../relay/fixtures.js';
import { makeCertificate, type TestCertificate } from '../support/certificates.js';

const folder = mkdtempSync(join(tmpdir(), 'aggregator-tls-'));
let ca: TestCertificate;
const cleanups: (() => Promise<unknown>)[] = [];
beforeAll(() => {
  ca = makeCertificate(folder, 'ca', { isCa: true });
});
afterEach(async () => {
  while (cleanups.length > 0) await cleanups.pop()?.();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const media = () => ({ ...defaultSettings().media, connectTimeoutMs: 5000, pushRetryMinMs: 50 });
/** Every name is on this machine. */
const lookups = new SharedLookups((_host, _options, done) =>
  setImmediate(done, null, [{ address: '127.0.0.1', family: 4 }]),
);

/** A healthy target that speaks RTMP inside TLS, with any certificate. */
async function tlsTarget(certificate: TestCertificate, options: { maxVersion?: 'TLSv1.1' | 'TLSv1.2' } = {}) {
  const seen: { servername: string | false; protocol: string | null }[] = [];
  const sockets: TLSSocket[] = [];
  const inner: SickTarget = await startTarget(() => {});
  const server = createServer(
    {
      cert: readFileSync(certificate.certFile),
      key: readFileSync(certificate.keyFile),
      ...(options.maxVersion === 'TLSv1.1' ? { minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' } : {}),
      ...options,
    },
    (socket: TLSSocket) => {
      socket.on('error', () => {});
      seen.push({
        servername: (socket as { servername?: string | false }).servername ?? false,
        protocol: socket.getProtocol(),
      });
      sockets.push(socket);
      serve(socket, inner, {});
    },
  );
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(async () => {
    await inner.close();
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return { port: (server.address() as AddressInfo).port, media: inner.media, ended: inner.ended, seen, sockets };
}

function backendFor(changes: object = {}, rtmps?: { port: number; certFile: string; keyFile: string }) {
  const settings = { host: '127.0.0.1', rtmpPort: 0, media: { ...media(), ...changes }, ...(rtmps ? { rtmps } : {}) };
  const backend = new NativeBackend({ settings, log: silentLogger, lookups });
  cleanups.push(() => backend.stop(1000));
  return backend;
}

async function camera(url: string, dialer?: Dialer) {
  const publisher = new PublishClient({ url, connectTimeoutMs: 5000, ...(dialer ? { dialer } : {}) });
  await publisher.connect();
  publisher.write(MessageType.Video, 0, videoHeader());
  let number = 0;
  const timer = setInterval(() => {
    publisher.write(MessageType.Video, number * 20, frame(number, number % 25 === 0));
    number++;
  }, 20);
  const stop = async (): Promise<void> => {
    clearInterval(timer);
    await publisher.close();
  };
  cleanups.push(stop);
  return { stop, sent: () => number };
}

describe('rtmps targets', () => {
  it('get the stream inside TLS, by their name, and it is judged by acknowledgements as ever', async () => {
    const certificate = makeCertificate(folder, 'engine', { ca, names: ['engine.invalid'] });
    const target = await tlsTarget(certificate);
    const backend = backendFor({ pushTlsCa: ca.certFile });
    const { port } = await backend.start();
    const url = `rtmps://engine.invalid.:${target.port}/live/gate`;
    backend.setCamera({ name: 'gate', pushes: [{ id: 'p', url, enabled: true }] });
    const { stop, sent } = await camera(`rtmp://127.0.0.1:${port}/gate/gate`);
    await until(() => backend.push('gate', 'p')?.state === 'active' && sent() > 50, 20_000, 'active');
    const push = backend.push('gate', 'p');
    expect(push?.bytesOut).toBeGreaterThan(1000);
    expect(push?.bytesAcknowledged ?? 0).toBeLessThanOrEqual(push?.bytesOut ?? 0);
    expect(target.seen).toEqual([{ servername: 'engine.invalid', protocol: 'TLSv1.3' }]);
    await stop();
    backend.removeCamera('gate');
    await until(() => target.ended.length === 1, 20_000, 'a goodbye');
    const frames = target.media.filter(({ type, payload }) => type === MessageType.Video && payload[1] === 1);
    expect(frames.map(({ payload }) => payload.readUInt32BE(5))).toEqual(Array.from({ length: sent() }, (_, i) => i));
  });

  it('are given up when their program freezes, though their TCP takes all that comes', async () => {
    const target = await tlsTarget(makeCertificate(folder, 'frozen', { ca, names: ['engine.invalid'] }));
    const backend = backendFor({ pushTlsCa: ca.certFile, stallTimeoutMs: 2000 });
    const { port } = await backend.start();
    const url = `rtmps://engine.invalid.:${target.port}/live/gate`;
    backend.setCamera({ name: 'gate', pushes: [{ id: 'p', url, enabled: true }] });
    await camera(`rtmp://127.0.0.1:${port}/gate/gate`);
    await until(() => (backend.push('gate', 'p')?.bytesAcknowledged ?? 0) > 0, 20_000, 'acknowledged');
    // Long enough for it to answer some pings. Of this camera's 10 kB/s its TCP would take a minute.
    await new Promise((resolve) => setTimeout(resolve, 4500));
    for (const socket of target.sockets) socket.pause();
    const failure = () => backend.push('gate', 'p')?.lastError?.code;
    await until(() => failure() !== undefined, 30_000, 'given up');
    expect(failure()).toBe('TARGET_STALLED');
  });

  const trust = () => new Dialer({ lookups, trust: new TrustedFile(ca.certFile, '--push-tls-ca') });
  const verdict = async (url: string, dialer = trust()) => {
    const test = await testTarget(url, media(), dialer);
    const last = test.steps.at(-1);
    return { ok: test.ok, step: last?.step, code: last?.error?.code, message: last?.error?.message ?? '' };
  };

  it('are trusted by NODE_EXTRA_CA_CERTS beside push-tls-ca, which did away with it', async () => {
    const other = makeCertificate(folder, 'other-ca', { isCa: true });
    const target = await tlsTarget(makeCertificate(folder, 'of-other', { ca: other, names: ['engine.invalid'] }));
    const own = await tlsTarget(makeCertificate(folder, 'of-own', { ca, names: ['engine.invalid'] }));
    const extra = new TrustedFile(ca.certFile, '--push-tls-ca', silentLogger, other.certFile);
    expect(extra.certificates.length).toBeGreaterThan(100);
    const dialer = new Dialer({ lookups, trust: extra });
    expect(await verdict(`rtmps://engine.invalid:${target.port}/live/x`, dialer)).toMatchObject({ ok: true });
    expect(await verdict(`rtmps://engine.invalid:${own.port}/live/x`, dialer)).toMatchObject({ ok: true });
    // Without it the other authority is a stranger.
    const without = new Dialer({ lookups, trust: new TrustedFile(ca.certFile, '--push-tls-ca', silentLogger, '') });
    expect(await verdict(`rtmps://engine.invalid:${target.port}/live/x`, without)).toMatchObject({ ok: false });
  });

  it('are trusted by a file that is read again when it changed; one that cannot be used changes nothing', async () => {
    const next = makeCertificate(folder, 'next-ca', { isCa: true });
    const target = await tlsTarget(makeCertificate(folder, 'of-next', { ca: next, names: ['engine.invalid'] }));
    const before = await tlsTarget(makeCertificate(folder, 'of-before', { ca, names: ['engine.invalid'] }));
    const file = join(folder, 'trusted.pem');
    const replace = (text: string | Buffer) => {
      writeFileSync(`${file}.new`, text);
      renameSync(`${file}.new`, file);
    };
    replace(readFileSync(ca.certFile));
    const lines: string[] = [];
    const log = { ...silentLogger, warn: (line: string) => void lines.push(line) };
    const trusted = new TrustedFile(file, '--push-tls-ca', log);
    const dialer = new Dialer({ lookups, trust: trusted });
    const works = async (port: number) => (await verdict(`rtmps://engine.invalid:${port}/live/x`, dialer)).ok;
    expect([await works(target.port), await works(before.port)]).toEqual([false, true]);
    for (const broken of ['', 'no certificate', readFileSync(next.certFile).subarray(0, 300)]) {
      replace(broken);
      await trusted.reload();
      await trusted.reload();
      expect(await works(before.port)).toBe(true);
    }
    rmSync(file);
    await trusted.reload();
    await trusted.reload();
    expect(await works(before.port)).toBe(true);
    expect(lines.length).toBe(4);
    replace(Buffer.concat([readFileSync(ca.certFile), readFileSync(next.certFile)]));
    // By itself: a try that fails has it looked at, and a later one goes through.
    let ok = false;
    for (let tries = 0; tries < 40 && !ok; tries++) {
      ok = await works(target.port);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect([ok, await works(before.port)]).toEqual([true, true]);
  });

  it('are tested with a step of its own', async () => {
    const target = await tlsTarget(makeCertificate(folder, 'tested', { ca, names: ['engine.invalid', '127.0.0.1'] }));
    const steps = async (host: string) =>
      (await testTarget(`rtmps://${host}:${target.port}/live/x`, media(), trust())).steps.map(({ step, ok }) => [
        step,
        ok,
      ]);
    const after = [
      ['tcp', true],
      ['tls', true],
      ['handshake', true],
      ['connect', true],
      ['publish', true],
    ];
    expect(await steps('engine.invalid')).toEqual([['dns', true], ...after]);
    // By an address, which must stand in the certificate.
    expect(await steps('127.0.0.1')).toEqual(after);
    expect(target.seen.at(-1)?.servername).toBe(false);
  });

  it.each([
    ['expired', { days: -1, names: ['engine.invalid'] }, 'it has expired'],
    ['for another host', { names: ['other.invalid'] }, 'for another host'],
    ['for a host whose name only begins so', { names: ['engine.invalid.example'] }, 'for another host'],
  ])('with a certificate that is %s are refused with the reason', async (name, request, message) => {
    const target = await tlsTarget(makeCertificate(folder, name.replaceAll(' ', '-'), { ca, ...request }));
    const { step, code, message: said } = await verdict(`rtmps://engine.invalid:${target.port}/live/x`);
    expect({ step, code }).toEqual({ step: 'tls', code: 'TARGET_TLS_CERTIFICATE' });
    expect(said).toContain(message);
    expect(target.media).toEqual([]);
  });

  it('whose authority or self-made certificate nobody named are refused; naming a self-made one is enough', async () => {
    const selfMade = makeCertificate(folder, 'self', { names: ['engine.invalid'] });
    const target = await tlsTarget(selfMade);
    const url = `rtmps://engine.invalid:${target.port}/live/x`;
    expect(await verdict(url)).toMatchObject({ step: 'tls', code: 'TARGET_TLS_CERTIFICATE' });
    const signed = await tlsTarget(makeCertificate(folder, 'signed', { ca, names: ['engine.invalid'] }));
    const unknown = await verdict(`rtmps://engine.invalid:${signed.port}/live/x`, new Dialer({ lookups }));
    expect(unknown).toMatchObject({ step: 'tls', code: 'TARGET_TLS_CERTIFICATE' });
    expect(unknown.message).toContain('push-tls-ca');
    expect(await verdict(url, new Dialer({ lookups, trust: new TrustedFile(selfMade.certFile, '--x') }))).toMatchObject(
      {
        ok: true,
      },
    );
  });

  it('that speak plain RTMP, or TLS 1.1 at most, are told apart from bad certificates', async () => {
    const certificate = makeCertificate(folder, 'old', { ca, names: ['engine.invalid'] });
    const old = await tlsTarget(certificate, { maxVersion: 'TLSv1.1' });
    expect(await verdict(`rtmps://engine.invalid:${old.port}/live/x`)).toMatchObject({
      step: 'tls',
      code: 'TARGET_TLS',
    });
    const plain = backendFor();
    const { port } = await plain.start();
    expect(await verdict(`rtmps://engine.invalid:${port}/live/x`)).toMatchObject({ step: 'tls', code: 'TARGET_TLS' });
  });

  it('with a bad certificate wait the longest pause', async () => {
    const target = await tlsTarget(makeCertificate(folder, 'slow', { ca, names: ['other.invalid'] }));
    const backend = backendFor({ pushTlsCa: ca.certFile });
    const { port } = await backend.start();
    const url = `rtmps://engine.invalid:${target.port}/live/gate`;
    backend.setCamera({ name: 'gate', pushes: [{ id: 'p', url, enabled: true }] });
    await camera(`rtmp://127.0.0.1:${port}/gate/gate`);
    await until(() => backend.push('gate', 'p')?.state === 'waiting', 20_000, 'waiting');
    const push = backend.push('gate', 'p');
    expect(push?.lastError?.code).toBe('TARGET_TLS_CERTIFICATE');
    expect(Date.parse(push?.nextRetryAt ?? '') - Date.parse(push?.lastError?.at ?? '')).toBeGreaterThan(10_000);
  });

  it('a file of push-tls-ca that cannot be used stops the start, and the message names it', () => {
    const broken = join(folder, 'broken.pem');
    writeFileSync(broken, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
    for (const [file, problem] of [
      [join(folder, 'missing.pem'), 'cannot be read'],
      [ca.keyFile, 'holds no certificate'],
      [broken, 'number 1'],
    ]) {
      try {
        readTrust(file ?? '', '--push-tls-ca');
        expect.unreachable();
      } catch (error) {
        expect([codeOf(error), messageOf(error)]).toEqual(['TLS_CERTIFICATE', expect.stringContaining(problem ?? '')]);
        expect(messageOf(error)).toContain(`${file} (--push-tls-ca)`);
      }
    }
  });
});

describe('the listener with TLS', () => {
  const trusting = () => new Dialer({ lookups, trust: new TrustedFile(ca.certFile, '--push-tls-ca') });

  async function listener(changes: object = {}) {
    const files = makeCertificate(folder, 'server', { ca, names: ['127.0.0.1'] });
    const backend = backendFor(changes, { port: 0, ...files });
    const { port, rtmpsPort = 0 } = await backend.start();
    backend.setCamera({ name: 'gate', pushes: [] });
    return { backend, files, port, rtmpsPort };
  }

  /** What openssl's client says: whether the handshake succeeded. */
  const openssl = (port: number, ...args: string[]) =>
    new Promise<boolean>((resolve) => {
      const options = ['s_client', '-connect', `127.0.0.1:${port}`, '-CAfile', ca.certFile, '-verify_return_error'];
      const child = execFile('openssl', [...options, ...args], { timeout: 20_000 }, (error) => resolve(error === null));
      child.stdin?.end();
    });

  const fingerprint = (port: number) =>
    new Promise<string>((resolve, reject) => {
      const socket = connectTls({ host: '127.0.0.1', port, ca: readFileSync(ca.certFile) }, () => {
        resolve(socket.getPeerCertificate().fingerprint256);
        socket.destroy();
      });
      socket.on('error', reject);
    });

  it('speaks TLS 1.2 and 1.3 with openssl, and nothing older', async () => {
    const { rtmpsPort } = await listener();
    expect(await openssl(rtmpsPort, '-tls1_3')).toBe(true);
    expect(await openssl(rtmpsPort, '-tls1_2')).toBe(true);
    expect(await openssl(rtmpsPort, '-tls1_1', '-cipher', 'DEFAULT@SECLEVEL=0')).toBe(false);
  });

  it('takes a new certificate without touching a camera that is live', async () => {
    const { backend, files, rtmpsPort } = await listener();
    const target = await startTarget(healthy);
    cleanups.push(() => target.close());
    backend.setCamera({ name: 'gate', pushes: [{ id: 'p', url: target.url, enabled: true }] });
    const { stop, sent } = await camera(`rtmps://127.0.0.1:${rtmpsPort}/gate/gate`, trusting());
    const before = await fingerprint(rtmpsPort);
    const next = makeCertificate(folder, 'next', { ca, names: ['127.0.0.1'] });
    // As tools do it: one file after the other.
    renameSync(next.certFile, files.certFile);
    await new Promise((resolve) => setTimeout(resolve, 300));
    renameSync(next.keyFile, files.keyFile);
    const endMs = performance.now() + 20_000;
    while ((await fingerprint(rtmpsPort)) === before) {
      if (performance.now() > endMs) throw new Error('the new certificate was not taken');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const atChange = sent();
    await until(() => sent() > atChange + 50, 20_000, 'a second more');
    await stop();
    backend.removeCamera('gate');
    await until(() => target.ended.length === 1, 20_000, 'a goodbye');
    const frames = target.media.filter(({ type, payload }) => type === MessageType.Video && payload[1] === 1);
    expect(frames.map(({ payload }) => payload.readUInt32BE(5))).toEqual(Array.from({ length: sent() }, (_, i) => i));
    expect(target.connectedMs.length).toBe(1);
  });

  it('counts connections before their handshake, together with those without TLS, and ends idle handshakes', async () => {
    const { rtmpsPort, port } = await listener({ maxConnections: 3, handshakeTimeoutMs: 3000 });
    const closed = (to: number) =>
      new Promise<number>((resolve) => {
        const startMs = performance.now();
        const socket = connect(to, '127.0.0.1');
        socket.on('error', () => {});
        socket.on('close', () => resolve(performance.now() - startMs));
        cleanups.push(async () => socket.destroy());
        socket.resume();
      });
    const held = [closed(rtmpsPort), closed(rtmpsPort), closed(port)];
    await new Promise((resolve) => setTimeout(resolve, 200));
    const refused = closed(rtmpsPort).then(() => 'refused');
    expect(await Promise.race([refused, ...held])).toBe('refused');
    for (const ms of await Promise.all(held)) expect(ms).toBeGreaterThan(2000);
    expect(await openssl(rtmpsPort)).toBe(true);
  });

  it('says which file is wrong, and which port is taken', async () => {
    const files = makeCertificate(folder, 'wrong', { ca });
    const failure = async (rtmps: { port: number; certFile: string; keyFile: string }) => {
      const error: unknown = await backendFor({}, rtmps)
        .start()
        .catch((reason: unknown) => reason);
      return [codeOf(error), messageOf(error)];
    };
    expect(await failure({ port: 0, certFile: files.keyFile, keyFile: files.keyFile })).toEqual([
      'TLS_CERTIFICATE',
      expect.stringContaining(`${files.keyFile} (--rtmps-cert)`),
    ]);
    expect(await failure({ port: 0, certFile: files.certFile, keyFile: ca.keyFile })).toEqual([
      'TLS_CERTIFICATE',
      expect.stringContaining('--rtmps-key'),
    ]);
    const { rtmpsPort } = await listener();
    expect(await failure({ port: rtmpsPort, ...files })).toEqual([
      'ADDRESS_IN_USE',
      expect.stringContaining(String(rtmpsPort)),
    ]);
  });
});
