import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The trial takes a tenth of a second; after so long it counts as failed. */
const patienceMs = 10_000;

/** A filter may end one thread alone. Then the process stays, without the thread that began it. */
const lookMs = 20;

/** True when system calls of this process are filtered: a container, or a service manager. */
export function isFiltered(): boolean {
  return fieldOf('/proc/self/status', /^Seccomp:\s+(\d)/m) === '2';
}

/**
 * Has another process try io_uring where system calls are filtered: most filters refuse a call, but some end who makes it.
 * @param program what that process runs; for tests
 * @returns why it must not be tried here; null: it may be
 */
export async function tryApart(
  program = fileURLToPath(new URL('./probe.js', import.meta.url)),
): Promise<string | null> {
  // Not built, which it is wherever it is installed.
  if (!existsSync(program)) return null;
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [program], { stdio: 'ignore', env: {} });
    const over = (why: string | null): void => {
      clearTimeout(deadline);
      clearInterval(looking);
      child.removeAllListeners().on('error', () => {});
      child.kill('SIGKILL');
      child.unref();
      resolve(why);
    };
    const deadline = setTimeout(() => over('io_uring was tried in another process, which did not end'), patienceMs);
    const looking = setInterval(() => {
      if (child.pid !== undefined && fieldOf(`/proc/${child.pid}/status`, /^State:\s+(\w)/m) === 'Z') lookAgain();
    }, lookMs);
    let deadLooks = 0;
    const lookAgain = (): void => {
      // One that has just ended is told by `exit`.
      if (++deadLooks > 3) over(endedByFilter);
    };
    child.once('error', ({ message }) => over(`io_uring could not be tried in another process (${message})`));
    child.once('exit', (_code, signal) => over(signal === 'SIGSYS' ? endedByFilter : null));
  });
}

const endedByFilter = 'io_uring is refused by the seccomp profile, which ends the process that asks for it';

function fieldOf(file: string, pattern: RegExp): string | undefined {
  try {
    return pattern.exec(readFileSync(file, 'utf8'))?.[1];
  } catch {
    return undefined;
  }
}
