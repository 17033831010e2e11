import { existsSync, mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type RunningProcess, run, runOk, startProcess } from '../support/process.js';
import type { Scope } from '../support/scope.js';

/*
 * FFmpeg 8 without a download of binaries: the wheel of PyAV, a binding for Python, has its libraries in it. It is installed
 * into a folder of node_modules, once, where pip and its registry can be reached.
 */

const wheel = 'av==18.1.0';
const folder = fileURLToPath(new URL('../../node_modules/.cache/ffmpeg8', import.meta.url));
const script = fileURLToPath(new URL('ffmpeg8.py', import.meta.url));
const env = { PYTHONPATH: folder, PYTHONDONTWRITEBYTECODE: '1' };

/** A stream as FFmpeg 8 reads it. */
export interface ReadStream {
  readonly kind: 'video' | 'audio';
  readonly codec: string;
  /** Packets of sound that come before the first picture. */
  readonly beforePicture: number;
  /** MD5 of each packet, in order. */
  readonly packets: readonly string[];
  /** Which of them are key frames. */
  readonly keys: readonly number[];
  /** What was decoded. */
  readonly frames: number;
  readonly errors: readonly string[];
  readonly size?: readonly [number, number];
  readonly channels?: number;
}

/** Its version, or why it is not there. @param mayInstall whether it may be fetched: 40 MB, once */
export async function findFfmpeg8(mayInstall: boolean): Promise<{ version: string } | { missing: string }> {
  const ask = (): ReturnType<typeof run> => run('python3', [script, 'version'], { env, timeoutMs: 60_000 });
  let answer = existsSync(folder) ? await ask() : undefined;
  if (answer?.code !== 0 && !mayInstall) return { missing: 'npm run test:matrix installs it' };
  if (answer?.code !== 0) {
    mkdirSync(folder, { recursive: true });
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--only-binary', ':all:'];
    const installed = await run('python3', [...pip, '--target', folder, '--upgrade', wheel], { timeoutMs: 240_000 });
    if (installed.code !== 0) return { missing: `pip cannot install ${wheel}: ${installed.stderr.slice(0, 200)}` };
    answer = await ask();
  }
  return answer.code === 0 ? { version: answer.stdout.trim() } : { missing: answer.stderr.slice(0, 200) };
}

/** Copies the streams of a file into FLV, as it would send them. */
export async function writeByFfmpeg8(input: string, output: string): Promise<void> {
  await runOk('python3', [script, 'write', input, output], { env, timeoutMs: 60_000 });
}

/** Publishes a file at its own pace. */
export function publishByFfmpeg8(scope: Scope, input: string, url: string): RunningProcess {
  return startProcess(scope, 'python3', [script, 'write', input, url], { name: 'FFmpeg 8 (camera)', env });
}

/** Plays a live stream to its end, and writes what it read into a file, as JSON. */
export function playByFfmpeg8(scope: Scope, url: string, result: string): RunningProcess {
  return startProcess(scope, 'python3', [script, 'read', result, url], { name: 'FFmpeg 8 (player)', env });
}

/** What it reads and decodes of files. */
export async function readByFfmpeg8(files: readonly string[]): Promise<ReadStream[][]> {
  const { stdout } = await runOk('python3', [script, 'read', '-', ...files], { env, timeoutMs: 240_000 });
  return JSON.parse(stdout) as ReadStream[][];
}
