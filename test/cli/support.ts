import { linkSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { run } from '../../src/cli/run.js';
import { writeRuntime } from '../../src/cli/runtime-file.js';
import { type RunningAggregator, startAggregator } from '../../src/cli/serve.js';
import { loadSettings } from '../../src/config/index.js';
import { LogLevels } from '../../src/log/levels.js';
import { type Logger, silentLogger } from '../../src/log/log.js';
import type { Scope } from '../support/scope.js';

export const clip = fileURLToPath(new URL('../../samples/clip.flv', import.meta.url));

export interface CliResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface CliOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly isTTY?: boolean;
  /** What stands on standard input. */
  readonly input?: string | Buffer;
}

/** Runs a command line in this process. */
export async function cli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const out: string[] = [];
  const err: string[] = [];
  const isTTY = options.isTTY ?? false;
  const code = await run(args, {
    out: { write: (text) => void out.push(text), isTTY },
    err: { write: (text) => void err.push(text), isTTY },
    env: options.env ?? {},
    cwd: options.cwd ?? '/nonexistent',
    input: options.input === undefined ? undefined : Readable.from([Buffer.from(options.input)]),
  });
  return { code, out: out.join(''), err: err.join('') };
}

export interface TestAggregator extends RunningAggregator {
  readonly dataDir: string;
  readonly apiUrl: string;
}

/** A real aggregator in this process, on free ports and a folder of its own. */
export async function startTestAggregator(
  scope: Scope,
  further: Readonly<Record<string, string>> = {},
  {
    log = silentLogger,
    levels = new LogLevels('info'),
    prepare,
  }: {
    log?: Logger;
    levels?: LogLevels;
    /** What is put into the data folder before. */
    prepare?: (folder: string) => void;
  } = {},
): Promise<TestAggregator> {
  const dataDir = scope.temporaryFolder();
  prepare?.(dataDir);
  const flags = { 'rtmp-port': '0', 'api-port': '0', host: '127.0.0.1', 'data-dir': dataDir, ...further };
  const { settings, sources } = loadSettings({ flags, env: {}, cwd: dataDir });
  const aggregator = await startAggregator({
    settings,
    sources,
    log,
    logLevels: levels,
    version: '0.0.0-test',
  });
  scope.defer(() => aggregator.stop());
  return { ...aggregator, dataDir, apiUrl: `http://127.0.0.1:${aggregator.apiPort}` };
}

/** A runtime file of a process that is no more. */
export async function writeStaleRuntime(dataDir: string): Promise<void> {
  // The largest process id that Linux can give is 4194304.
  const runtime = {
    pid: 4_194_305,
    process: '',
    rtmpPort: 1,
    apiPort: 1,
    host: '127.0.0.1',
    version: '0',
    startedAt: '',
  };
  await writeRuntime(dataDir, runtime);
}

/** The socket in a data folder on which nobody listens any more. */
export async function leaveDeadSocket(dataDir: string): Promise<void> {
  const server = createServer();
  const path = join(dataDir, 'dying.sock');
  await new Promise<void>((resolve) => server.listen(path, resolve));
  // Node.js removes the file under the name that it knows.
  linkSync(path, join(dataDir, 'api.sock'));
  await new Promise((resolve) => server.close(resolve));
}
