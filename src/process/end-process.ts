import { setTimeout as sleep } from 'node:timers/promises';

/** How long work of the thread pool that is nearly done may still take. */
const graceMs = 500;

/** Requests that Node's thread pool works on, by the names that Node gives them. */
const poolWork = /^(FSReq|FileHandle|GetAddrInfo|GetNameInfo)/;

/**
 * Ends the process, whatever it waits for. `process.exit` waits for the threads of Node's pool, and one of them may hang
 * for as long as a frozen disk, a distant file system or a name server likes: the process ends by a signal then, by
 * SIGTERM where all is well, which service managers take for an orderly end, and else by SIGKILL.
 */
export async function endProcess(code: number): Promise<void> {
  const untilMs = performance.now() + graceMs;
  while (isPoolBusy() && performance.now() < untilMs) await sleep(20);
  endNow(code);
}

/** As `endProcess`, but without waiting for anything. */
export function endNow(code: number): void {
  if (!isPoolBusy()) process.exit(code);
  const signal = code === 0 ? 'SIGTERM' : 'SIGKILL';
  if (signal === 'SIGTERM') process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}

function isPoolBusy(): boolean {
  return process.getActiveResourcesInfo().some((name) => poolWork.test(name));
}
