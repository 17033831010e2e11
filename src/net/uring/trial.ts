import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { messageOf } from '../../errors.js';

/** The trial takes a tenth of a second; after so long it counts as failed. */
const patienceMs = 10_000;

/** A filter may end one thread alone. Then the process stays, without the thread that began it. */
const lookMs = 20;

/** How long it must have stayed so. A process that ends well looks the same until its other threads have ended, too. */
const staysMs = 1000;

/** True when system calls of this process are filtered: a container, or a service manager. */
export function isFiltered(): boolean {
  return fieldOf('/proc/self/status', /^Seccomp:\s+(\d)/m) === '2';
}

/**
 * Has another process try io_uring where system calls are filtered: most filters refuse a call, but some end who makes it.
 * @param program what that process runs, and `limitMs` for how long at most; for tests
 * @returns why it must not be tried here; null: it may be
 */
export async function tryApart(
  program = fileURLToPath(new URL('./probe.js', import.meta.url)),
  { node = process.execPath, limitMs = patienceMs } = {},
): Promise<string | null> {
  // Not built, which it is wherever it is installed.
  if (!existsSync(program)) return null;
  let child: ChildProcess;
  try {
    child = spawn(node, [program], { stdio: 'ignore', env: {} });
  } catch (error) {
    // Some errors of the system are thrown: no memory, or a filter that allows no other program.
    return couldNot(messageOf(error));
  }
  return new Promise((resolve) => {
    const over = (why: string | null): void => {
      clearTimeout(deadline);
      clearInterval(looking);
      child.removeAllListeners().on('error', () => {});
      child.kill('SIGKILL');
      child.unref();
      resolve(why);
    };
    const deadline = setTimeout(() => over('io_uring was tried in another process, which did not end'), limitMs);
    const looking = setInterval(() => {
      if (child.pid !== undefined && fieldOf(`/proc/${child.pid}/status`, /^State:\s+(\w)/m) === 'Z') lookAgain();
    }, lookMs);
    let deadLooks = 0;
    const lookAgain = (): void => {
      // One that has ended is told by `exit`. Looks are counted, since a clock runs on while this process has no turn.
      if (++deadLooks > staysMs / lookMs) over(endedByFilter);
    };
    child.once('error', ({ message }) => over(couldNot(message)));
    child.once('exit', (code, signal) => {
      if (signal === 'SIGSYS') over(endedByFilter);
      else over(code === 0 ? null : couldNot(`it ended with ${signal ?? code}`));
    });
  });
}

function couldNot(why: string): string {
  return `io_uring could not be tried in another process (${why})`;
}

const endedByFilter = 'io_uring is refused by the seccomp profile, which ends the process that asks for it';

function fieldOf(file: string, pattern: RegExp): string | undefined {
  try {
    return pattern.exec(readFileSync(file, 'utf8'))?.[1];
  } catch {
    return undefined;
  }
}
