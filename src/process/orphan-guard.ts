import { type ChildProcess, spawn } from 'node:child_process';

/**
 * Reads `+ PID` and `- PID`, and when its input ends, since whoever writes it is gone, however that came about, kills the
 * process groups that are left. Nothing else reaches a program whose parent was killed by SIGKILL: it goes on until it next
 * writes into the broken pipe, which one that waits for a camera that says nothing never does.
 */
const script = `
trap '' INT TERM HUP
pids=' '
while read -r sign pid; do
  case $sign in
    +) pids="$pids$pid " ;;
    -) case $pids in *" $pid "*) pids="\${pids%% $pid *} \${pids#* $pid }" ;; esac ;;
  esac
done
for pid in $pids; do kill -9 "-$pid" 2>/dev/null || kill -9 "$pid" 2>/dev/null; done
`;

/**
 * Sees to it that programs end with this process, even where it is killed. One shell does it for all of them: PR_SET_PDEATHSIG,
 * which would need none, is for Linux alone, and out of reach without a program of its own at each start.
 */
class OrphanGuard {
  #guard: ChildProcess | null = null;
  readonly #pids = new Set<number>();

  /** A program runs, as the leader of a process group of its own. */
  watch(pid: number): void {
    this.#pids.add(pid);
    this.#tell(`+ ${pid}\n`);
  }

  /** It is over. */
  forget(pid: number): void {
    if (this.#pids.delete(pid)) this.#guard?.stdin?.write(`- ${pid}\n`);
  }

  #tell(line: string): void {
    if (this.#guard !== null) {
      this.#guard.stdin?.write(line);
      return;
    }
    // In a session of its own: what is sent to the group of this process is not for it.
    const guard = spawn('/bin/sh', ['-c', script], { stdio: ['pipe', 'ignore', 'ignore'], detached: true, env: {} });
    this.#guard = guard;
    const lost = (): void => {
      if (this.#guard === guard) this.#guard = null;
    };
    guard.on('error', lost);
    guard.on('exit', lost);
    guard.stdin?.on('error', lost);
    guard.unref();
    // A pipe of a child is a socket, which would keep this process alive. Without a descriptor left there is none.
    const stdin: unknown = guard.stdin ?? null;
    if (typeof stdin === 'object' && stdin !== null && 'unref' in stdin && typeof stdin.unref === 'function')
      stdin.unref();
    for (const pid of this.#pids) guard.stdin?.write(`+ ${pid}\n`);
  }
}

/** The one of this process. */
export const orphanGuard = new OrphanGuard();
