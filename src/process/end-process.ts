import { setTimeout as sleep } from 'node:timers/promises';

/** How long one piece of work of the thread pool may still take; one that takes longer is taken to hang. */
const graceMs = 500;

/** How long work may follow on other work, as it does where modules are being loaded. */
const busyMaxMs = 1000;

/** Requests that Node's thread pool works on, by the names that Node gives them. */
const poolWork = /^(FSReq|FileHandle|CloseReq|GetAddrInfo|GetNameInfo)/;

/**
 * Ends the process, whatever it waits for. `process.exit` waits for the threads of Node's pool, and one of them may hang
 * for as long as a frozen disk, a distant file system or a name server likes: the process ends by a signal then, by
 * SIGTERM where all is well, which service managers take for an orderly end, and else by SIGKILL. A pool that is only
 * busy, with one request after the other, is no reason for a signal.
 */
export async function endProcess(code: number): Promise<void> {
  const startMs = performance.now();
  /** Each request that is under way, and when it was first seen. */
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
 * What the pool has to do. Where it is documented (`getActiveResourcesInfo`), Node tells names only, by which an old
 * request cannot be told from a new one; so those are taken for one and the same where Node has no more to say.
 */
function poolRequests(): readonly unknown[] {
  const { _getActiveRequests: requests } = process as { _getActiveRequests?: () => readonly object[] };
  if (typeof requests !== 'function') return process.getActiveResourcesInfo().filter((name) => poolWork.test(name));
  return requests.call(process).filter((request) => poolWork.test(request.constructor?.name ?? ''));
}
