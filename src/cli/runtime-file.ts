import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isRunning, namespaceOf, processIdentity } from '../files/process-identity.js';
import { readRegular, readRegularSync } from '../files/read.js';
import { answered } from '../files/silent-disk.js';

const maxRuntimeBytes = 64 * 1024;

/** What a running aggregator tells the other commands, in `DATA_DIR/runtime.json`. */
export interface Runtime {
  readonly pid: number;
  /** Which of all processes that ever had this pid; empty where the system does not tell. */
  readonly process: string;
  readonly rtmpPort: number;
  /** Of the listener with TLS, where there is one. */
  readonly rtmpsPort?: number;
  readonly srtPort?: number;
  readonly apiPort: number;
  /** What it listens on: `0.0.0.0` is every address. */
  readonly host: string;
  /** PEM; undefined: the API speaks plain HTTP. */
  readonly apiCertFile?: string | undefined;
  /** Where the admin token is; undefined: nobody is asked for one. */
  readonly adminTokenFile?: string | undefined;
  readonly version: string;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
}

/** An aggregator that may be told something. */
export interface FoundRuntime extends Runtime {
  /** True when its process is known to live: no other one can have its port. Not where the system does not tell. */
  readonly isCertain: boolean;
}

function runtimePath(dataDir: string): string {
  return join(dataDir, 'runtime.json');
}

/** Whoever reads it sees a whole file or none. It need not outlive a power cut, so nothing is synced. */
export async function writeRuntime(dataDir: string, runtime: Runtime): Promise<void> {
  await answered(placeRuntime(dataDir, runtime), runtimePath(dataDir));
}

async function placeRuntime(dataDir: string, runtime: Runtime): Promise<void> {
  await mkdir(dataDir, { recursive: true });
  const temporary = `${runtimePath(dataDir)}.${runtime.pid}.tmp`;
  try {
    await writeFile(temporary, `${JSON.stringify(runtime, null, 2)}\n`);
    await rename(temporary, runtimePath(dataDir));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
}

/** Removes the file of this process; that of another one stays. Media goes on meanwhile, whatever the disk does. */
export async function removeRuntime(dataDir: string, pid: number): Promise<void> {
  const content = await readRegular(runtimePath(dataDir), maxRuntimeBytes).catch(() => undefined);
  if (parseRuntime(content?.bytes.toString() ?? '')?.pid === pid) await rm(runtimePath(dataDir), { force: true });
}

/**
 * The aggregator that runs on this folder; undefined when none does, or the file is of one that was killed, whoever has
 * its pid by now.
 */
export function findRuntime(dataDir: string): FoundRuntime | undefined {
  const runtime = readRuntime(dataDir);
  if (runtime === undefined) return undefined;
  const here = processIdentity('self');
  if (runtime.process === '' || here === '') {
    return isRunning(runtime.pid) ? { ...runtime, isCertain: false } : undefined;
  }
  // Of another container, or of another machine on the same folder: its pid means nothing here.
  if (namespaceOf(runtime.process) !== namespaceOf(here)) return { ...runtime, isCertain: false };
  return processIdentity(runtime.pid) === runtime.process ? { ...runtime, isCertain: true } : undefined;
}

function readRuntime(dataDir: string): Runtime | undefined {
  try {
    return parseRuntime(readRegularSync(runtimePath(dataDir), maxRuntimeBytes).toString());
  } catch {
    return undefined;
  }
}

function parseRuntime(text: string): Runtime | undefined {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isRuntime(content)) return undefined;
  const { process, apiCertFile, adminTokenFile, ...rest } = content;
  return {
    ...rest,
    process: typeof process === 'string' ? process : '',
    ...(typeof apiCertFile === 'string' ? { apiCertFile } : {}),
    ...(typeof adminTokenFile === 'string' ? { adminTokenFile } : {}),
  };
}

function isRuntime(value: unknown): value is Runtime {
  if (typeof value !== 'object' || value === null || !('pid' in value && 'rtmpPort' in value && 'apiPort' in value)) {
    return false;
  }
  const numbers = [value.pid, value.rtmpPort, value.apiPort];
  if (!numbers.every((each) => Number.isSafeInteger(each)) || !('host' in value)) return false;
  return Number(value.pid) > 0 && typeof value.host === 'string';
}
