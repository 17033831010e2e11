import { constants } from 'node:fs';
import { access, open, readlink, stat, statfs } from 'node:fs/promises';
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

/** `NODE_EXTRA_CA_CERTS` is read by Node.js itself, which only warns where it cannot: targets are not trusted then. */
export function checkExtraTrust(env: Readonly<Record<string, string | undefined>>, cwd: string): Check[] {
  const file = env.NODE_EXTRA_CA_CERTS;
  if (!file) return [];
  const name = 'NODE_EXTRA_CA_CERTS';
  try {
    readTrust(resolve(cwd, file), name);
    return [ok(name, `${file} can be used`)];
  } catch (error) {
    return [warn(name, messageOf(error), 'Node.js leaves it out: mend the file, or name another.')];
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

/**
 * The disk behind the log where it goes to standard error: that of the running aggregator, else the one that this command
 * has, since `serve` would have the same here. Behind a pipe or a socket nobody can look but into the journal of systemd.
 * @param pid of the aggregator that runs on this data folder
 */
export async function checkStandardError(pid: number | undefined): Promise<Check> {
  const name = 'standard error';
  const whose = pid === undefined ? '' : ` of the running aggregator (pid ${pid})`;
  const link = `/proc/${pid ?? 'self'}/fd/2`;
  try {
    const path = await readlink(link);
    const found = await stat(link);
    if (found.isFile()) return await checkLog(`${path}${whose}`, name, link);
    if (!found.isSocket()) return ok(name, `that${whose} is ${path}, and no file of a disk`);
    return await checkJournal(name, whose);
  } catch (error) {
    return ok(name, `that${whose} cannot be looked at: ${messageOf(error)}`);
  }
}

/** Where systemd's journal keeps lines: on disk, or in memory where there is no such folder. */
async function checkJournal(name: string, whose: string): Promise<Check> {
  const folder = '/var/log/journal';
  const space = await statfs(folder).catch(() => undefined);
  if (space === undefined) return ok(name, `that${whose} is a socket; what is behind it cannot be seen`);
  const free = formatBytes(space.bavail * space.bsize);
  const message = `that${whose} is a socket, as of the journal; ${free} are free at ${folder}`;
  if (space.bavail * space.bsize >= freeWarnBytes) return ok(name, message);
  return warn(
    name,
    message,
    'Make room ("journalctl --vacuum-size=500M"): without it lines are lost, and media goes on.',
  );
}

/** Whether lines can be appended. Makes no file. @param file as it is shown @param opened how it is opened */
async function checkLog(file: string, name = 'log', opened = file): Promise<Check> {
  try {
    const found = await stat(opened).catch((error: unknown) => {
      if (isErrno(error, 'ENOENT')) return undefined;
      throw error;
    });
    if (found === undefined) await access(dirname(file), constants.W_OK | constants.X_OK);
    else await checkAppend(opened);
    if (found !== undefined && !found.isFile()) return ok(name, `${file} is no file of a disk, and can be written`);
    const { bavail, bsize } = await statfs(found === undefined ? dirname(file) : opened);
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
