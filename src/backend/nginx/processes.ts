import { readdir, readFile, readlink } from 'node:fs/promises';

/** A process as Linux's /proc shows it. */
export interface ProcessFacts {
  readonly pid: number;
  readonly parentPid: number;
  /** Clock ticks after the boot: with the pid it names one process for ever. */
  readonly startTicks: string;
  /** nginx writes what a process is into its title: `nginx: worker process is shutting down`. */
  readonly title: string;
}

const pageBytes = 4096;

/** What /proc says of a process; undefined when there is none, or no /proc. */
export async function readProcess(pid: number): Promise<ProcessFacts | undefined> {
  try {
    const [stat, command] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile(`/proc/${pid}/cmdline`),
    ]);
    // The name in parentheses may hold anything, spaces and parentheses too.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie has ended; only its parent has not looked yet.
    if (fields[0] === 'Z') return undefined;
    const title = command.subarray(0, 4096).toString('utf8').replace(/\0+/g, ' ').trim();
    return { pid, parentPid: Number(fields[1]), startTicks: fields[19] ?? '', title };
  } catch {
    return undefined;
  }
}

/** Resident memory, bytes; null when it cannot be told. */
export async function residentBytes(pid: number): Promise<number | null> {
  try {
    return Number((await readFile(`/proc/${pid}/statm`, 'utf8')).split(' ')[1]) * pageBytes;
  } catch {
    return null;
  }
}

/** All processes that look like nginx's; undefined without /proc. */
export async function nginxProcesses(): Promise<ProcessFacts[] | undefined> {
  let names: string[];
  try {
    names = await readdir('/proc');
  } catch {
    return undefined;
  }
  const pids = names.filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(pids.map(readProcess));
  const processes = found.filter((each) => each !== undefined);
  return processes.length === 0 ? undefined : processes.filter(({ title }) => title.startsWith('nginx: '));
}

export function isWorker(process: ProcessFacts): boolean {
  return process.title.startsWith('nginx: worker process');
}

/** An old worker: it takes no new connections, and ends when its last one has. */
export function isShuttingDown(process: ProcessFacts): boolean {
  return process.title.startsWith('nginx: worker process is shutting down');
}

/**
 * Workers that write to this error log, but whose master is gone: they go on taking connections with the configuration
 * they have, and nobody can reload or stop them.
 */
export async function orphansOf(processes: readonly ProcessFacts[], errorLog: string): Promise<ProcessFacts[]> {
  const masters = new Set(processes.filter((each) => !isWorker(each)).map(({ pid }) => pid));
  const alone = processes.filter((each) => isWorker(each) && !masters.has(each.parentPid));
  const own = await Promise.all(alone.map(async ({ pid }) => writesTo(pid, errorLog)));
  return alone.filter((_, index) => own[index]);
}

/** Standard error, and the log's own descriptor, are among the first. */
const descriptorsToLookAt = 32;

async function writesTo(pid: number, file: string): Promise<boolean> {
  for (let descriptor = 0; descriptor < descriptorsToLookAt; descriptor++) {
    const target = await readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => '');
    // A log that was rotated or removed meanwhile keeps its name, with something behind it.
    if (target === file || target.startsWith(`${file}.`) || target.startsWith(`${file} (`)) return true;
  }
  return false;
}

/** False when there is no such process, or it is another's. */
export function sendSignal(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}
