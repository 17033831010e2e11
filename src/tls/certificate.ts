import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { ConfigError, messageOf } from '../errors.js';
import { readRegularSync } from '../files/read.js';

/** Where a server's certificate is, in PEM. */
export interface CertificateFiles {
  /** The server's certificate, and those between it and the root, in this order. */
  readonly certFile: string;
  /** Its private key, without a password. */
  readonly keyFile: string;
  /** What the settings call the two, for messages: `--api-tls-cert` and `--api-tls-key`. */
  readonly certFlag?: string;
  readonly keyFlag?: string;
}

/** What is wrong with files of certificates while others are in force, as `/v1/config` shows it. */
export interface CertificateProblem {
  readonly code: 'TLS_CERTIFICATE';
  readonly message: string;
  /** ISO 8601, UTC. */
  readonly since: string;
}

/** A certificate with its key, which belong together. */
export interface Certificate {
  /** PEM, with the certificates between it and the root; for `tls.createSecureContext` and `setSecureContext`. */
  readonly cert: Buffer;
  /** PEM. */
  readonly key: Buffer;
  /** SHA-256 of the server's certificate, as `X509Certificate.fingerprint256` writes it. */
  readonly fingerprint: string;
  /** Until when it is valid. */
  readonly validTo: Date;
  readonly validFrom: Date;
  /** The names it is for, as OpenSSL writes them: `DNS:example.org, IP Address:192.0.2.1`. */
  readonly names: string;
}

const maxFileBytes = 1 << 20;

/**
 * Reads both files and checks that they belong together. An expired certificate is no error: who has one in use needs
 * the server all the more.
 * @throws ConfigError TLS_CERTIFICATE, which says which file is wrong and why
 */
export function readCertificate(files: CertificateFiles): Certificate {
  const cert = readPem(files.certFile, files.certFlag);
  const key = readPem(files.keyFile, files.keyFlag);
  const parsed = parseCertificate(cert, files);
  if (!parsed.checkPrivateKey(parseKey(key, files))) {
    const names = parsed.subject.replaceAll('\n', ', ') || 'without a subject';
    const message =
      `The key in ${shown(files.keyFile, files.keyFlag)} is not that of the first certificate in ` +
      `${shown(files.certFile, files.certFlag)} (${names}); the server's own certificate must come first there.`;
    throw wrong(message, files.keyFlag);
  }
  return {
    cert,
    key,
    fingerprint: parsed.fingerprint256,
    validTo: new Date(parsed.validTo),
    validFrom: new Date(parsed.validFrom),
    names: parsed.subjectAltName ?? '',
  };
}

function readPem(file: string, flag: string | undefined): Buffer {
  let bytes: Buffer;
  try {
    bytes = readRegularSync(file, maxFileBytes);
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    const reason = missing ? 'there is no such file' : messageOf(error);
    throw wrong(`${shown(file, flag)} cannot be read: ${reason}.`, flag, error);
  }
  if (!bytes.includes('-----BEGIN ')) {
    throw wrong(`${shown(file, flag)} is no PEM file: it must hold lines that begin with "-----BEGIN ".`, flag);
  }
  return bytes;
}

function parseCertificate(cert: Buffer, { certFile, certFlag }: CertificateFiles): X509Certificate {
  try {
    return new X509Certificate(cert);
  } catch (error) {
    const hint = cert.includes('PRIVATE KEY') ? ' It holds a private key: are the two files exchanged?' : '';
    throw wrong(`${shown(certFile, certFlag)} holds no certificate: ${messageOf(error)}.${hint}`, certFlag, error);
  }
}

function parseKey(key: Buffer, { keyFile, keyFlag }: CertificateFiles): KeyObject {
  try {
    return createPrivateKey(key);
  } catch (error) {
    const where = shown(keyFile, keyFlag);
    if (key.includes('ENCRYPTED')) {
      throw wrong(`The key in ${where} has a password, which nobody could give at a restart; take it off.`, keyFlag);
    }
    const hint = key.includes('BEGIN CERTIFICATE') ? ' It holds a certificate: are the two files exchanged?' : '';
    throw wrong(`${where} holds no private key: ${messageOf(error)}.${hint}`, keyFlag, error);
  }
}

function shown(file: string, flag: string | undefined): string {
  return flag === undefined ? file : `${file} (${flag})`;
}

function wrong(message: string, flag: string | undefined, cause?: unknown): ConfigError {
  return new ConfigError('TLS_CERTIFICATE', message, {
    ...(flag === undefined ? {} : { field: flag }),
    ...(cause === undefined ? {} : { cause }),
  });
}
