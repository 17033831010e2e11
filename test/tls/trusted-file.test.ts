import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { silentLogger } from '../../src/log/log.js';
import { TrustedFile } from '../../src/tls/trusted-file.js';
import { watchCertificate } from '../../src/tls/watch-certificate.js';
import { makeCertificate } from '../support/certificates.js';
import { runOk } from '../support/process.js';
import { testScope } from '../support/scope.js';
import { waitFor } from '../support/wait.js';

const isRoot = process.getuid?.() === 0;

test('a file of trust that goes bad is a problem until it is mended, said once, and what was read stays', async (context) => {
  const scope = testScope(context);
  const folder = scope.temporaryFolder();
  const ca = makeCertificate(folder, 'ca', { isCa: true });
  const file = join(folder, 'trusted.pem');
  const put = (text: string | Buffer): void => {
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
  };
  const good = readFileSync(ca.certFile);
  put(good);
  const warnings: string[] = [];
  const log = { ...silentLogger, warn: (line: string) => void warnings.push(line) };
  const trusted = new TrustedFile(file, '--push-tls-ca', log, '');
  expect(trusted.problem).toBe(null);
  const bytes = trusted.certificates.at(-1);

  const goneBad: Record<string, () => unknown> = {
    'is gone': () => {},
    'is a folder': () => mkdirSync(file),
    'is a FIFO': () => runOk('mkfifo', [file]),
    'holds no certificate': () => put('nothing'),
    'is too large': () => put(Buffer.alloc(5 << 20, 0x20)),
  };
  if (!isRoot) goneBad['may not be read'] = () => chmodSync(file, 0);
  for (const [how, make] of Object.entries(goneBad)) {
    rmSync(file, { force: true, recursive: true });
    await make();
    warnings.length = 0;
    await trusted.reload();
    await trusted.reload();
    expect(trusted.problem, how).toMatchObject({ code: 'TLS_CERTIFICATE', message: expect.stringContaining(file) });
    expect(trusted.problem?.message, how).toContain('--push-tls-ca');
    expect(warnings, how).toHaveLength(1);
    expect(trusted.certificates.at(-1), how).toBe(bytes);
    const since = trusted.problem?.since;
    await trusted.reload();
    expect(trusted.problem?.since, how).toBe(since);

    rmSync(file, { force: true, recursive: true });
    put(good);
    await trusted.reload();
    expect(trusted.problem, how).toBe(null);
  }
});

test('a certificate whose new files cannot be used is a problem; so is one that has expired', async (context) => {
  const scope = testScope(context);
  const folder = scope.temporaryFolder();
  const { certFile, keyFile } = makeCertificate(folder, 'own', { names: ['a.invalid'] });
  const good = readFileSync(certFile);
  const watched = watchCertificate({ certFile, keyFile, log: silentLogger, onChange: () => {}, pollMs: 20 });
  scope.defer(() => watched.close());
  expect(watched.problem).toBe(null);
  writeFileSync(certFile, 'broken');
  await waitFor(() => watched.problem !== null, { what: 'the problem' });
  expect(watched.problem).toMatchObject({ code: 'TLS_CERTIFICATE', message: expect.stringContaining(certFile) });
  writeFileSync(certFile, good);
  await waitFor(() => watched.problem === null, { what: 'the end of it' });
  expect(statSync(certFile).size).toBe(good.length);

  const old = makeCertificate(folder, 'old', { names: ['a.invalid'], days: -1 });
  const expired = watchCertificate({ ...old, log: silentLogger, onChange: () => {} });
  scope.defer(() => expired.close());
  expect(expired.problem).toMatchObject({ code: 'TLS_CERTIFICATE', message: expect.stringContaining('expired') });
});
