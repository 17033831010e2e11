import { setTimeout as sleep } from 'node:timers/promises';

/** How long one request of the thread pool may still take; one that takes longer counts as hanging. */
const graceMs = 500;

/** How long new requests may follow earlier ones, as they do while modules are loaded. */
const busyMaxMs = 1000;

/** Names that Node.js gives to requests of its thread pool. */
const poolWork = /^(FSReq|FileHandle|CloseReq|GetAddrInfo|GetNameInfo)/;

/**
 * Ends the process even if a thread hangs. `process.exit` waits for the threads of Node's pool, and one of them may
 * hang on a frozen disk, a remote file system or a name server. In that case the process ends by a signal: by SIGTERM
 * if the exit code is 0, which service managers accept as a clean exit, else by SIGKILL. A pool that is only busy, with
 * one request after another, does not cause a signal.
 */
export async function endProcess(code: number): Promise<void> {
  const startMs = performance.now();
  /** The requests in progress, each with the time when it was first seen. */
  let seen = new Map<unknown, number>();
  for (;;) {
    const nowMs = performance.now();
    const before = seen;
    seen = new Map(poolRequests().map((request) => [request, before.get(request) ?? nowMs]));
    if (seen.size === 0 || nowMs - startMs > busyMaxMs) process.exit(code);
    if (nowMs - Math.min(...seen.values()) > graceMs) break;
    await sleep(20);
  }
  const signal = code === 0 ? 'SIGTERM' : 'SIGKILL';
  if (signal === 'SIGTERM') process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}

/**
 * The requests of the pool. The documented call (`getActiveResourcesInfo`) gives names only, which do not distinguish
 * an old request from a new one. If nothing better is available, equal names count as the same request.
 */
function poolRequests(): readonly unknown[] {
  const { _getActiveRequests: requests } = process as { _getActiveRequests?: () => readonly object[] };
  if (typeof requests !== 'function') return process.getActiveResourcesInfo().filter((name) => poolWork.test(name));
  return requests.call(process).filter((request) => poolWork.test(request.constructor?.name ?? ''));
}
