import { stat } from 'node:fs/promises';
import { messageOf } from '../errors.js';
import type { Logger } from '../log/log.js';
import { type Certificate, type CertificateFiles, type CertificateProblem, readCertificate } from './certificate.js';

export interface WatchCertificateOptions extends CertificateFiles {
  readonly log: Logger;
  /** Called with each new certificate that can be used, not with the first one: that is `current`. */
  readonly onChange: (certificate: Certificate) => void;
  /** How often the files are looked at, milliseconds. */
  readonly pollMs?: number;
}

export interface WatchedCertificate {
  /** The one that is in use. */
  readonly current: Certificate;
  /** What is wrong with its files, or with itself: it has expired. */
  readonly problem: CertificateProblem | null;
  /** Ends the watching. */
  close(): void;
}

const defaultPollMs = 2000;
/** Files that do not fit together are complained of only when they still do not after so many looks. */
const looksBeforeComplaint = 3;
/** An end that comes within this is warned of, once a day. */
const expiryWarningMs = 14 * 86_400_000;
const warnEveryMs = 86_400_000;

/**
 * Reads a certificate and looks after it: when its files change, `onChange` gets what is new, for `setSecureContext`,
 * which leaves connections that are open alone. Files that cannot be used, as when the certificate is new and its key
 * not yet, change nothing.
 *
 * The files are looked at every 2 s. Events of the file system would miss what is replaced behind a symbolic link
 * (Kubernetes, certbot) and on network file systems, and a certificate has the time. Keeps no process alive.
 * @throws ConfigError TLS_CERTIFICATE when the first one cannot be used
 */
export function watchCertificate(options: WatchCertificateOptions): WatchedCertificate {
  const { certFile, keyFile, log, onChange, pollMs = defaultPollMs } = options;
  let current = readCertificate(options);
  let lastMarks: string | undefined;
  let failures = 0;
  let warnedAtMs = Number.NEGATIVE_INFINITY;
  let looking = false;
  let closed = false;
  let failed: CertificateProblem | null = null;

  const warnOfEnd = () => {
    const leftMs = current.validTo.getTime() - Date.now();
    if (leftMs > expiryWarningMs || performance.now() - warnedAtMs < warnEveryMs) return;
    warnedAtMs = performance.now();
    const text = leftMs <= 0 ? 'the certificate has expired' : 'the certificate expires soon';
    log.warn(text, { file: certFile, validTo: current.validTo.toISOString() });
  };

  const reload = () => {
    const next = readCertificate(options);
    failures = 0;
    failed = null;
    if (next.fingerprint === current.fingerprint && next.key.equals(current.key) && next.cert.equals(current.cert)) {
      return;
    }
    current = next;
    warnedAtMs = Number.NEGATIVE_INFINITY;
    log.info('loaded a new certificate', { file: certFile, names: next.names, validTo: next.validTo.toISOString() });
    onChange(next);
  };

  const look = async () => {
    const marks = await marksOf(certFile, keyFile);
    // What failed is tried again also when nothing changed since: the second file may have come in between.
    if (closed || (marks === lastMarks && failures === 0)) return;
    lastMarks = marks;
    try {
      reload();
    } catch (error) {
      failures += 1;
      if (failures >= looksBeforeComplaint) {
        const message = `${messageOf(error)} The previous certificate stays in use; a restart would fail. Correct the files: they are checked every few seconds`;
        failed = { code: 'TLS_CERTIFICATE', message, since: failed?.since ?? new Date().toISOString() };
      }
      if (failures === looksBeforeComplaint) {
        log.warn('the new certificate cannot be used; the previous one stays in use', { error: messageOf(error) });
      }
    }
  };

  warnOfEnd();
  const timer = setInterval(() => {
    if (looking) return;
    looking = true;
    look()
      .catch((error: unknown) => log.warn('the certificate cannot be checked', { error: messageOf(error) }))
      .finally(() => {
        looking = false;
        if (!closed) warnOfEnd();
      });
  }, pollMs).unref();

  return {
    get current() {
      return current;
    },
    get problem() {
      const { validTo } = current;
      if (failed !== null || validTo.getTime() > Date.now()) return failed;
      const message = `The certificate in ${certFile} has expired, so clients refuse it; put a new one there: it is loaded automatically`;
      return { code: 'TLS_CERTIFICATE' as const, message, since: validTo.toISOString() };
    },
    close: () => {
      closed = true;
      clearInterval(timer);
    },
  };
}

/** Tells versions of the files apart without reading them; a file that is gone is a version too. */
async function marksOf(...files: readonly string[]): Promise<string> {
  const marks = files.map(async (file) => {
    try {
      // The time of a change tells also of an owner or a mode by which it cannot be read any more.
      const { ino, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true });
      return `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
    } catch {
      return 'none';
    }
  });
  return (await Promise.all(marks)).join(', ');
}
