import { ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { orphanGuard } from './orphan-guard.js';

/** How long a program that was asked to end may take, until it is killed. */
const endMs = 2000;
/** What is remembered of what a program says: so many lines of so many characters, the newest. */
const maxLines = 50;
const maxLineChars = 500;
/** What waits for a program to read it at most. */
const maxUnreadBytes = 256 * 1024;

/** How a program ended. */
export interface ProgramEnd {
  /** Null: by a signal, or it never ran. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** It could not be started: no such file, no permission, no memory. */
  readonly failure: NodeJS.ErrnoException | null;
  /** The newest lines of its standard error. */
  readonly lines: readonly string[];
}

export interface ProgramOptions {
  readonly file: string;
  /** Anybody on the machine can read them: nothing secret. */
  readonly args: readonly string[];
  /** Its whole environment. Only this user can read it. */
  readonly env: Readonly<Record<string, string>>;
  /** What it reads from its standard input, where secrets may stand; null: what `write` gives it. */
  readonly input: string | null;
  /** So much that `write` gave it may be unread before nothing more is taken, bytes. */
  readonly maxUnreadBytes?: number;
  /** What it writes to its standard output; not called once it was stopped. */
  readonly onOutput: (data: Buffer) => void;
  /** A line of its standard error, cut; not called once it was stopped. */
  readonly onLine?: (line: string) => void;
  /** It is over, exactly once, also where it could not be started; not called once it was stopped. */
  readonly onEnd: (end: ProgramEnd) => void;
}

/**
 * One run of a program beside this process, from its start to its end: its output is handed on as it comes and not kept,
 * of what it says the newest lines stay, and it never outlives this process (`orphanGuard`). Whether it does its work, and
 * when it is started again, is for its owner to say.
 */
export class SupervisedProgram {
  readonly #options: ProgramOptions;
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  #rest = '';
  #failure: NodeJS.ErrnoException | null = null;
  #isStopped = false;
  #killTimer: NodeJS.Timeout | null = null;
  /** Resolves when the process is gone. */
  readonly gone: Promise<void>;

  /** Starts it. */
  constructor(options: ProgramOptions) {
    this.#options = options;
    // A group of its own, so that what is sent to ours (Ctrl-C) is ours to hand on, and its children go with it.
    const child = spawnOrFail(options.file, options.args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...options.env },
      detached: true,
    });
    this.#child = child;
    if (child.pid !== undefined) orphanGuard.watch(child.pid);
    this.gone = new Promise((resolve) => {
      child.on('error', (error) => {
        this.#failure = error;
        if (child.pid === undefined) this.#ended(null, null, resolve);
      });
      // 'close' comes when its pipes are read to their ends, too; a child of its own may keep them open.
      child.once('exit', (code, signal) => {
        const timer = setTimeout(() => this.#ended(code, signal, resolve), endMs);
        child.once('close', () => {
          clearTimeout(timer);
          this.#ended(code, signal, resolve);
        });
      });
    });
    child.stdin?.on('error', () => {});
    if (options.input !== null) child.stdin?.end(options.input);
    child.stdout?.on('data', (data: Buffer) => {
      if (!this.#isStopped) options.onOutput(data);
    });
    child.stdout?.on('error', () => {});
    child.stderr?.setEncoding('utf8');
    child.stderr?.on('data', (text: string) => this.#say(text));
    child.stderr?.on('error', () => {});
  }

  /** Undefined: it could not be started. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /**
   * Gives it something to read, where its `input` is null.
   * @returns false: nothing was given, since it has not read what it has, or is over
   */
  write(data: Buffer): boolean {
    // Where no descriptor was left for its pipes, Node.js has none of them.
    const stdin = this.#child.stdin ?? null;
    const most = this.#options.maxUnreadBytes ?? maxUnreadBytes;
    if (this.#isStopped || stdin === null || !stdin.writable || stdin.writableLength > most) return false;
    stdin.write(data);
    return true;
  }

  /** Bytes that `write` gave it and that it has not read; 0 when it is over. */
  get unreadBytes(): number {
    const { stdin } = this.#child;
    return stdin?.writable === true ? stdin.writableLength : 0;
  }

  /** Asks it to end, and kills it when it does not. Its owner hears no more of it; `gone` says when it is. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#child.stdout?.resume();
    // One that waits for more to read, as ffmpeg does, hears of a signal only then.
    this.#child.stdin?.destroy();
    this.#signal('SIGTERM');
    this.#killTimer = setTimeout(() => this.#signal('SIGKILL'), endMs);
  }

  #signal(signal: NodeJS.Signals): void {
    const { pid, exitCode, signalCode } = this.#child;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    try {
      process.kill(-pid, signal);
    } catch {
      this.#child.kill(signal);
    }
  }

  #say(text: string): void {
    if (this.#isStopped) return;
    const parts = (this.#rest + text).split(/[\r\n]+/);
    this.#rest = (parts.pop() ?? '').slice(0, maxLineChars);
    for (const part of parts) this.#note(part);
  }

  #note(line: string): void {
    if (line.trim() === '') return;
    const cut = line.slice(0, maxLineChars);
    this.#lines.push(cut);
    if (this.#lines.length > maxLines) this.#lines.shift();
    this.#options.onLine?.(cut);
  }

  #ended(code: number | null, signal: NodeJS.Signals | null, resolve: () => void): void {
    const { pid, stdin, stdout, stderr } = this.#child;
    if (pid !== undefined) orphanGuard.forget(pid);
    if (this.#killTimer !== null) clearTimeout(this.#killTimer);
    for (const pipe of [stdin, stdout, stderr]) pipe?.destroy();
    if (!this.#isStopped) {
      this.#note(this.#rest);
      this.#isStopped = true;
      this.#options.onEnd({ code, signal, failure: this.#failure, lines: this.#lines });
    }
    resolve();
  }
}

/** Node.js tells some failures by an event, and throws for others (no memory for a process): here all are told by the event. */
function spawnOrFail(file: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  try {
    return spawn(file, [...args], options);
  } catch (error) {
    const child = new ChildProcess();
    process.nextTick(() => child.emit('error', error));
    return child;
  }
}
