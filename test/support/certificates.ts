import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface CertificateRequest {
  /** DNS names and IP addresses that it is for. */
  readonly names?: readonly string[];
  /** How long it is valid from now on; negative: it expired so many days ago. */
  readonly days?: number;
  /** Who signs it; without one it signs itself. */
  readonly ca?: TestCertificate;
  readonly isCa?: boolean;
}

export interface TestCertificate {
  readonly certFile: string;
  readonly keyFile: string;
}

/** Makes a certificate with its key as PEM files `NAME.crt` and `NAME.key` in the folder, by openssl. */
export function makeCertificate(folder: string, name: string, request: CertificateRequest = {}): TestCertificate {
  const { names = ['localhost', '127.0.0.1'], days = 30, ca, isCa = false } = request;
  const certFile = join(folder, `${name}.crt`);
  const keyFile = join(folder, `${name}.key`);
  const requestFile = join(folder, `${name}.csr`);
  const extensionFile = join(folder, `${name}.ext`);
  const alternatives = names.map((each) => `${/^[\d.]+$|:/.test(each) ? 'IP' : 'DNS'}:${each}`).join(',');
  writeFileSync(
    extensionFile,
    `subjectAltName=${alternatives}\nbasicConstraints=critical,CA:${isCa ? 'TRUE' : 'FALSE'}\n` +
      `keyUsage=critical,digitalSignature${isCa ? ',keyCertSign' : ''}\nsubjectKeyIdentifier=hash\n`,
  );
  openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', keyFile);
  openssl('req', '-new', '-key', keyFile, '-subj', `/CN=${name}`, '-out', requestFile);
  const signer =
    ca === undefined
      ? ['-signkey', keyFile]
      : ['-CA', ca.certFile, '-CAkey', ca.keyFile, '-set_serial', `${Date.now()}${Math.trunc(Math.random() * 1e6)}`];
  const span = ['-days', String(days)];
  openssl('x509', '-req', '-in', requestFile, ...signer, ...span, '-extfile', extensionFile, '-out', certFile);
  return { certFile, keyFile };
}

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
