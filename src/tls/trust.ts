import { X509Certificate } from 'node:crypto';
import { ConfigError, messageOf } from '../errors.js';
import { readRegularSync } from '../files/read.js';

/** Bytes that such a file may have. */
export const maxTrustBytes = 4 << 20;
const block = /-----BEGIN (?:TRUSTED )?CERTIFICATE-----[\s\S]*?-----END (?:TRUSTED )?CERTIFICATE-----/g;

/**
 * Reads a file of certificates that are to be trusted, as `tls.createSecureContext` takes it for `ca`.
 * @param flag what the setting is called, for messages
 * @throws ConfigError TLS_CERTIFICATE, which says what is wrong with the file
 */
export function readTrust(file: string, flag: string): Buffer {
  const wrong = (problem: string, cause?: unknown): ConfigError =>
    new ConfigError('TLS_CERTIFICATE', `${file} (${flag}) ${problem}.`, { field: flag, cause });
  let bytes: Buffer;
  try {
    bytes = readRegularSync(file, maxTrustBytes);
  } catch (error) {
    throw wrong(`cannot be read: ${messageOf(error)}`, error);
  }
  return checkTrust(bytes, file, flag);
}

/** The bytes of such a file, when they can be used. @throws ConfigError TLS_CERTIFICATE, which says what is wrong */
export function checkTrust(bytes: Buffer, file: string, flag: string): Buffer {
  const wrong = (problem: string, cause?: unknown): ConfigError =>
    new ConfigError('TLS_CERTIFICATE', `${file} (${flag}) ${problem}.`, { field: flag, cause });
  if (bytes.length > maxTrustBytes) throw wrong(`has ${bytes.length} bytes; at most ${maxTrustBytes} are read`);
  const certificates = bytes.toString('latin1').match(block) ?? [];
  if (certificates.length === 0) throw wrong('holds no certificate (PEM)');
  for (const [index, certificate] of certificates.entries()) {
    try {
      new X509Certificate(certificate);
    } catch (error) {
      throw wrong(`has a certificate that cannot be read, number ${index + 1}: ${messageOf(error)}`, error);
    }
  }
  return bytes;
}
