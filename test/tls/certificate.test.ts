import { copyFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CodedError } from '../../src/errors.js';
import { silentLogger } from '../../src/log/log.js';
import { type Certificate, readCertificate } from '../../src/tls/certificate.js';
import { watchCertificate } from '../../src/tls/watch-certificate.js';
import { makeCertificate, type TestCertificate } from '../support/certificates.js';
import { Scope } from '../support/scope.js';
import { waitFor } from '../support/wait.js';

let scope: Scope;
let folder: string;
let first: TestCertificate;
beforeEach(() => {
  scope = new Scope();
  folder = scope.temporaryFolder();
  first = makeCertificate(folder, 'first');
});
afterEach(() => scope.close());

describe('readCertificate', () => {
  it('gives what servers need, with its names and its end', () => {
    const certificate = readCertificate(first);
    expect(certificate.names).toBe('DNS:localhost, IP Address:127.0.0.1');
    expect(certificate.validTo.getTime()).toBeGreaterThan(Date.now() + 29 * 86_400_000);
    expect(certificate.cert).toEqual(readFileSync(first.certFile));
  });

  it('takes one that has expired: who runs a server needs it all the more', () => {
    const certificate = readCertificate(makeCertificate(folder, 'old', { days: -1 }));
    expect(certificate.validTo.getTime()).toBeLessThan(Date.now());
  });

  const files = (certFile: string, keyFile: string) => ({ certFile, keyFile, certFlag: '--cert', keyFlag: '--key' });
  it.each([
    ['no certificate', () => files('/nonexistent.crt', first.keyFile), '--cert', /nonexistent.*no such file/],
    ['no key', () => files(first.certFile, '/nonexistent.key'), '--key', /nonexistent\.key \(--key\).*no such file/],
    ['a folder', () => files(folder, first.keyFile), '--cert', /cannot be read/],
    ['exchanged files', () => files(first.keyFile, first.certFile), '--cert', /are the two files exchanged\?/],
    ['two certificates', () => files(first.certFile, first.certFile), '--key', /holds a certificate/],
    ['no PEM', () => files(text('x.crt', 'hello'), first.keyFile), '--cert', /is no PEM file/],
    ['a broken certificate', () => files(text('y.crt', pem('CERTIFICATE')), first.keyFile), '--cert', /no certificate/],
    ['a broken key', () => files(first.certFile, text('y.key', pem('PRIVATE KEY'))), '--key', /no private key/],
    ['a password', () => files(first.certFile, text('z.key', pem('ENCRYPTED PRIVATE KEY'))), '--key', /a password/],
    ['the key of another', () => files(first.certFile, other().keyFile), '--key', /CN=first.*must come first/],
  ])('says which file is wrong, and why: %s', (_, make, field, message) => {
    const error = caught(() => readCertificate(make()));
    expect(error).toBeInstanceOf(CodedError);
    expect(error).toMatchObject({ code: 'TLS_CERTIFICATE', field, message: expect.stringMatching(message) });
    expect(String(error)).not.toContain(readFileSync(first.keyFile, 'utf8').split('\n')[1]);
  });
});

describe('watchCertificate', () => {
  it('takes a new certificate, once both of its files are there, and no sooner', async () => {
    const seen: Certificate[] = [];
    const next = other();
    const watched = watchCertificate({
      ...first,
      log: silentLogger,
      onChange: (certificate) => seen.push(certificate),
      pollMs: 20,
    });
    scope.defer(async () => watched.close());
    const before = watched.current.fingerprint;
    copyFileSync(next.certFile, `${first.certFile}.new`);
    renameSync(`${first.certFile}.new`, first.certFile);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(seen).toEqual([]);
    expect(watched.current.fingerprint).toBe(before);
    copyFileSync(next.keyFile, first.keyFile);
    await waitFor(() => seen.length === 1, { what: 'the new certificate' });
    expect(watched.current).toBe(seen[0]);
    expect(seen[0]?.fingerprint).toBe(readCertificate(next).fingerprint);
    // The same once more is none.
    writeFileSync(first.certFile, readFileSync(next.certFile));
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(seen).toHaveLength(1);
  });

  it('throws at once when the first cannot be used', () => {
    const options = { certFile: '/nonexistent.crt', keyFile: first.keyFile, log: silentLogger, onChange: () => {} };
    expect(() => watchCertificate(options)).toThrow(/nonexistent/);
  });
});

function other(): TestCertificate {
  return makeCertificate(folder, 'other');
}

function text(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

function pem(label: string): string {
  return `-----BEGIN ${label}-----\nMIIB\n-----END ${label}-----\n`;
}

function caught(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  return undefined;
}
