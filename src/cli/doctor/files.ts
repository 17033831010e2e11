import { constants } from 'node:fs';
import { access, open, stat, statfs } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Settings } from '../../config/index.js';
import { messageOf } from '../../errors.js';
import { isErrno } from '../../files/errno.js';
import { type CertificateFiles, readCertificate } from '../../tls/certificate.js';
import { readTrust } from '../../tls/trust.js';
import { formatBytes } from '../format.js';
import { type Check, fail, ok, warn } from './check.js';

/** A certificate that ends within this is warned of. */
const expiryWarningMs = 14 * 86_400_000;
const freeWarnBytes = 100 << 20;

/** The files that settings name: certificates, certificates to trust, the log. Those that are not named are no check. */
export async function checkFiles(settings: Settings, cwd: string): Promise<Check[]> {
  const checks: Check[] = [];
  const { apiTlsCert, apiTlsKey, rtmpsCert, rtmpsKey, logFile, media } = settings;
  const certificate = (name: string, flags: string, cert: string | undefined, key: string | undefined): void => {
    if (cert === undefined || key === undefined) return;
    const files = { certFile: resolve(cwd, cert), keyFile: resolve(cwd, key) };
    checks.push(checkCertificate(name, { ...files, certFlag: `--${flags}-cert`, keyFlag: `--${flags}-key` }));
  };
  certificate('API certificate', 'api-tls', apiTlsCert, apiTlsKey);
  certificate('RTMPS certificate', 'rtmps', rtmpsCert, rtmpsKey);
  if (media.pushTlsCa !== undefined) checks.push(checkTrusted(resolve(cwd, media.pushTlsCa)));
  if (logFile !== undefined) checks.push(await checkLog(resolve(cwd, logFile)));
  return checks;
}

function checkCertificate(name: string, files: CertificateFiles): Check {
  try {
    const { validTo, validFrom, names } = readCertificate(files);
    const until = validTo.toISOString();
    const advice = 'Put a new certificate and its key there; a running aggregator takes them by itself.';
    const leftMs = validTo.getTime() - Date.now();
    if (leftMs <= 0) return fail(name, `${files.certFile} has expired on ${until}: clients refuse it`, advice);
    if (validFrom.getTime() > Date.now()) {
      const text = `${files.certFile} is valid from ${validFrom.toISOString()} on: clients refuse it until then`;
      return fail(name, text, 'Set the clock, or use another certificate.');
    }
    if (leftMs < expiryWarningMs) return warn(name, `${files.certFile} expires on ${until}`, advice);
    return ok(name, `${files.certFile} is for ${names || 'no name'}, valid until ${until}`);
  } catch (error) {
    return fail(name, messageOf(error), 'The aggregator does not start with it: mend the file, its owner or its mode.');
  }
}

function checkTrusted(file: string): Check {
  const name = 'trusted certificates';
  try {
    readTrust(file, '--push-tls-ca');
    return ok(name, `${file} can be used`);
  } catch (error) {
    return fail(name, messageOf(error), 'The aggregator does not start with it: mend the file, its owner or its mode.');
  }
}

/** Whether lines can be appended. Makes no file. */
async function checkLog(file: string): Promise<Check> {
  const name = 'log';
  try {
    const found = await stat(file).catch((error: unknown) => {
      if (isErrno(error, 'ENOENT')) return undefined;
      throw error;
    });
    if (found === undefined) await access(dirname(file), constants.W_OK | constants.X_OK);
    else await checkAppend(file);
    if (found !== undefined && !found.isFile()) return ok(name, `${file} is no file of a disk, and can be written`);
    const { bavail, bsize } = await statfs(dirname(file));
    const message = `${file} can be written; ${formatBytes(bavail * bsize)} are free there`;
    if (bavail * bsize >= freeWarnBytes) return ok(name, message);
    return warn(name, message, 'Make room, or rotate the log: on a full disk its lines are lost, and media goes on.');
  } catch (error) {
    // A FIFO that nobody reads is opened once somebody does.
    if (isErrno(error, 'ENXIO')) {
      return warn(name, `${file} is a pipe that nobody reads`, 'Start its reader; lines are lost until then.');
    }
    const advice =
      'The aggregator does not start with it: name another file with --log-file, or make its folder writable.';
    return fail(name, `${file} cannot be written: ${messageOf(error)}`, advice);
  }
}

async function checkAppend(file: string): Promise<void> {
  const { O_APPEND, O_NONBLOCK, O_NOCTTY, O_WRONLY } = constants;
  await (await open(file, O_APPEND | O_NONBLOCK | O_NOCTTY | O_WRONLY)).close();
}
