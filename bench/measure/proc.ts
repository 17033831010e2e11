import { readdirSync, readFileSync } from 'node:fs';

/** The kernel counts CPU time in these (USER_HZ of Linux on every architecture that Node runs on). */
const ticksPerSecond = 100;

/** CPU time, seconds. */
export interface CpuTime {
  readonly user: number;
  readonly system: number;
}

interface ProcessStat extends CpuTime {
  readonly pid: number;
  readonly parentPid: number;
}

/** Reads the text of `/proc/PID/stat`; undefined when it is none. The name in parentheses may hold anything. */
export function parseStat(text: string): ProcessStat | undefined {
  const close = text.lastIndexOf(')');
  const fields = text.slice(close + 2).split(' ');
  const pid = Number.parseInt(text, 10);
  const [parentPid, user, system] = [Number(fields[1]), Number(fields[11]), Number(fields[12])];
  if (close < 0 || ![pid, parentPid, user, system].every(Number.isInteger)) return undefined;
  return { pid, parentPid, user: user / ticksPerSecond, system: system / ticksPerSecond };
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // the process ended meanwhile
  }
}

/** The process and all that it started, as they are now. */
export function processTree(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = parseStat(readText(`/proc/${name}/stat`));
    if (stat !== undefined) children.set(stat.parentPid, [...(children.get(stat.parentPid) ?? []), stat.pid]);
  }
  const all = [root];
  for (const pid of all) all.push(...(children.get(pid) ?? []));
  return all;
}

/** CPU time of the processes, ended ones not counted. */
export function cpuOf(pids: readonly number[]): CpuTime {
  let user = 0;
  let system = 0;
  for (const pid of pids) {
    const stat = parseStat(readText(`/proc/${pid}/stat`));
    user += stat?.user ?? 0;
    system += stat?.system ?? 0;
  }
  return { user, system };
}

/** CPU seconds of the first thread of a process; in Node all JavaScript runs there, and V8's helpers elsewhere. */
export function mainThreadCpu(pid: number): number {
  const stat = parseStat(readText(`/proc/${pid}/task/${pid}/stat`));
  return (stat?.user ?? 0) + (stat?.system ?? 0);
}

/** Resident memory of the processes, bytes; what they share counts in each. */
export function residentBytes(pids: readonly number[]): number {
  let total = 0;
  for (const pid of pids) {
    const match = /^VmRSS:\s+(\d+) kB$/m.exec(readText(`/proc/${pid}/status`));
    total += Number(match?.[1] ?? 0) * 1024;
  }
  return total;
}

/** System calls of the kinds read and write, as `/proc/PID/io` counts them: not those by recv and send. */
export function ioCalls(pids: readonly number[]): { readonly reads: number; readonly writes: number } {
  let reads = 0;
  let writes = 0;
  for (const pid of pids) {
    const text = readText(`/proc/${pid}/io`);
    reads += Number(/^syscr: (\d+)$/m.exec(text)?.[1] ?? 0);
    writes += Number(/^syscw: (\d+)$/m.exec(text)?.[1] ?? 0);
  }
  return { reads, writes };
}

/**
 * CPU seconds that all processes of the machine used, those that its host took away, and those of interrupts: on many
 * kernels the receiving half of the loopback network is among these, and belongs to no process.
 */
export function machineCpu(): { readonly busy: number; readonly stolen: number; readonly interrupts: number } {
  const fields = (readText('/proc/stat').split('\n', 1)[0] ?? '').trim().split(/\s+/).slice(1).map(Number);
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = fields;
  return {
    busy: (user + nice + system) / ticksPerSecond,
    stolen: steal / ticksPerSecond,
    interrupts: (irq + softirq) / ticksPerSecond,
  };
}
