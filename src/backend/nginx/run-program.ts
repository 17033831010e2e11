import { execFile } from 'node:child_process';

export interface ProgramResult {
  /** null when it could not be started, or was killed for taking too long. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const maxOutputBytes = 64 * 1024 * 1024;

/** Runs a program to its end. Never rejects. */
export function runProgram(file: string, args: readonly string[], timeoutMs: number): Promise<ProgramResult> {
  return new Promise((resolve) => {
    const options = { timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: maxOutputBytes } as const;
    const env = { ...process.env, LC_ALL: 'C' };
    execFile(file, [...args], { ...options, env }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : null;
      resolve({ code, stdout, stderr: stderr === '' && error !== null && code === null ? error.message : stderr });
    });
  });
}
