import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { searchPath } from '../../scripts/peers.mjs';
import type { Scope } from './scope.js';
import { within } from './wait.js';

export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface StartOptions {
  cwd?: string;
  env?: Readonly<Record<string, string>>;
  /** Name in the logs of a failed test; the command by default. */
  name?: string;
}

/** Groups that still run. Killed when the test process exits, whatever happened to the tests. */
const liveGroups = new Set<number>();

process.on('exit', () => {
  for (const pid of liveGroups) signalGroup(pid, 'SIGKILL');
});

/** With it the kernel ends the children even of a test process that was killed hard. Part of util-linux. */
const hasSetpriv = spawnSync('setpriv', ['--pdeathsig', 'KILL', 'true'], { stdio: 'ignore' }).status === 0;

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // The group is gone already.
  }
}

/** A child in a process group of its own. */
export class RunningProcess {
  readonly pid: number;
  readonly exited: Promise<ProcessExit>;
  exit: ProcessExit | undefined;
  readonly #child: ChildProcess;
  #stdout = '';
  #stderr = '';

  constructor(command: string, args: readonly string[], options: StartOptions) {
    const [file, fileArgs] = hasSetpriv ? ['setpriv', ['--pdeathsig', 'KILL', command, ...args]] : [command, [...args]];
    this.#child = spawn(file, fileArgs, {
      cwd: options.cwd,
      env: { ...process.env, PATH: searchPath, ...options.env },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const pid = this.#child.pid;
    if (pid === undefined) throw new Error(`${command} could not be started`);
    this.pid = pid;
    liveGroups.add(pid);
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    this.exited = new Promise((resolve) => {
      // 'close', not 'exit': the output is complete then.
      this.#child.once('close', (code, signal) => {
        liveGroups.delete(pid);
        this.exit = { code, signal };
        resolve(this.exit);
      });
    });
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  signal(signal: NodeJS.Signals): void {
    if (this.exit === undefined) signalGroup(this.pid, signal);
  }

  /** Sends the signal and waits for the end; SIGKILL follows after the deadline. */
  async stop(signal: NodeJS.Signals = 'SIGTERM', deadlineMs = 5000): Promise<ProcessExit> {
    this.signal(signal);
    if (signal === 'SIGSTOP') throw new Error('SIGSTOP ends nothing');
    try {
      return await within(this.exited, deadlineMs, `process ${this.pid} to end`);
    } catch {
      this.signal('SIGKILL');
      return this.exited;
    }
  }
}

/** Starts a program that is killed, with its children, when the scope closes. */
export function startProcess(
  scope: Scope,
  command: string,
  args: readonly string[],
  options: StartOptions = {},
): RunningProcess {
  const child = new RunningProcess(command, args, options);
  scope.attachLog(options.name ?? command, () => `$ ${command} ${args.join(' ')}\n${child.stdout}${child.stderr}`);
  scope.defer(() => child.stop('SIGKILL'));
  return child;
}

export interface RunResult extends ProcessExit {
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. */
export async function run(
  command: string,
  args: readonly string[],
  options: StartOptions & { timeoutMs?: number } = {},
): Promise<RunResult> {
  const child = new RunningProcess(command, args, options);
  try {
    const exit = await within(child.exited, options.timeoutMs ?? 30_000, `${command} ${args.join(' ')} to end`);
    return { ...exit, stdout: child.stdout, stderr: child.stderr };
  } finally {
    if (child.exit === undefined) await child.stop('SIGKILL');
  }
}

/** As `run`, but anything other than exit code 0 is an error that holds what the program said. */
export async function runOk(
  command: string,
  args: readonly string[],
  options: StartOptions & { timeoutMs?: number } = {},
): Promise<RunResult> {
  const result = await run(command, args, options);
  if (result.code !== 0) {
    throw new Error(`${command} ${args.join(' ')} ended with ${result.code ?? result.signal}:\n${result.stderr}`);
  }
  return result;
}
