import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Jiffies a second, as Linux counts CPU time for programs. */
const ticksPerSecond = 100;
const children: ChildProcess[] = [];

/** Options of every program here. */
export const commonOptions = {
  seconds: { type: 'string', default: '20' },
  help: { type: 'boolean' },
} as const;

export function start(command: string, args: readonly string[]): ChildProcess {
  const child = spawn(command, [...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  return child;
}

/** Kills all that was started. */
export function killAll(): void {
  for (const child of children.splice(0)) child.kill('SIGKILL');
}

export interface Program {
  readonly child: ChildProcess;
  readonly dataDir: string;
  readonly api: (method: string, path: string, body?: unknown) => Promise<unknown>;
  readonly rtmpPort: number;
}

export async function startProgram(flags: readonly string[] = []): Promise<Program> {
  const dataDir = mkdtempSync(join(tmpdir(), 'soak-sources-'));
  const child = start(process.execPath, [
    ...['dist/cli/bin.cjs', 'serve', '--host', '127.0.0.1', '--data-dir', dataDir, '--log-level', 'error'],
    ...['--rtmp-port', '0', '--api-port', '0', ...flags],
  ]);
  const file = join(dataDir, 'runtime.json');
  await until(() => existsSync(file), 'the aggregator');
  const { apiPort, rtmpPort } = JSON.parse(readFileSync(file, 'utf8')) as { apiPort: number; rtmpPort: number };
  const api: Program['api'] = async (method, path, body) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    const answer = await fetch(`http://127.0.0.1:${apiPort}${path}`, init);
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  };
  return { child, dataDir, api, rtmpPort };
}

export async function until(
  isDone: () => boolean | Promise<boolean>,
  what: string,
  limitMs = 180_000,
): Promise<number> {
  const startedMs = performance.now();
  while (!(await isDone())) {
    if (performance.now() - startedMs > limitMs) throw new Error(`waited ${limitMs / 1000} s in vain for ${what}`);
    await sleep(50);
  }
  return performance.now() - startedMs;
}

/** Processes of ffmpeg whose parent is this one. */
function childrenOf(pid: number): number[] {
  const found: number[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const command = readFileSync(`/proc/${name}/comm`, 'utf8').trim();
      if (Number(/\) \S (\d+) /.exec(stat)?.[1]) === pid && command === 'ffmpeg') found.push(Number(name));
    } catch {
      // it is over
    }
  }
  return found;
}

/** Kills an aggregator, and prints how long its ffmpegs outlive it. @throws Error when one is there after 20 s */
export async function killWithPrograms({ child }: Program): Promise<void> {
  const programs = childrenOf(child.pid ?? 0);
  child.kill('SIGKILL');
  const isOver = (): boolean => !programs.some((pid) => existsSync(`/proc/${pid}`));
  const took = await until(isOver, 'the ffmpegs to be gone', 20_000);
  console.log(`  killed: its ${programs.length} ffmpegs were gone ${(took / 1000).toFixed(1)} s later`);
}

export function cpuSeconds(pid: number): number {
  const [, , ...fields] = /\) (\S) (.*)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[0].split(' ') ?? [];
  // utime and stime are the fields 14 and 15, of which 3 is the state.
  return (Number(fields[10]) + Number(fields[11])) / ticksPerSecond;
}

/** Its own share of memory: what it shares with others counts for each in part. */
export function memoryBytes(pid: number): number {
  return Number(/^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0) * 1024;
}

export const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);
export const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;

/** Prints what an aggregator and its ffmpegs take. */
export async function measure(program: Program, seconds: number): Promise<void> {
  const pid = program.child.pid ?? 0;
  const programs = childrenOf(pid);
  const before = { own: cpuSeconds(pid), programs: sum(programs.map(cpuSeconds)) };
  await sleep(seconds * 1000);
  const own = (cpuSeconds(pid) - before.own) / seconds;
  const others = (sum(programs.map(cpuSeconds)) - before.programs) / seconds;
  const percent = (share: number): string => `${(share * 100).toFixed(0)} % of one core`;
  console.log(`  aggregator: ${percent(own)}, ${mb(memoryBytes(pid))}`);
  if (programs.length > 0) {
    const memory = sum(programs.map(memoryBytes));
    console.log(
      `  ${programs.length} ffmpeg: ${percent(others)}, ${mb(memory)} (${mb(memory / programs.length)} each)`,
    );
  }
}
