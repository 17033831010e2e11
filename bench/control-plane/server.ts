import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Child, sleep, until } from '../child.js';
import { compiled, root } from '../paths.js';

const startLimitMs = 120_000;

export interface Memory {
  /** What lives after a garbage collection, bytes: heap, and buffers outside of it. */
  readonly usedBytes: number;
  readonly residentBytes: number;
}

/** The real program on a data folder of its own. */
export class Server {
  readonly folder: string;
  readonly child: Child;
  readonly rtmpPort: number;
  readonly apiPort: number;
  /** From the start of the process to the first answer of /readyz that says 200. */
  readonly startMs: number;

  private constructor(folder: string, child: Child, ports: { rtmpPort: number; apiPort: number }, startMs: number) {
    this.folder = folder;
    this.child = child;
    this.rtmpPort = ports.rtmpPort;
    this.apiPort = ports.apiPort;
    this.startMs = startMs;
  }

  /** @param flags further flags of `serve` @param below where the data folder is made @param nodeFlags of Node */
  static async start(
    state: string,
    flags: readonly string[],
    below = tmpdir(),
    nodeFlags: readonly string[] = [],
  ): Promise<Server> {
    const folder = mkdtempSync(join(below, 'aggregator-control-'));
    writeFileSync(join(folder, 'state.json'), state);
    const startedAtMs = performance.now();
    const child = new Child(
      process.execPath,
      [
        ...nodeFlags,
        ...['--expose-gc', '--import', join(compiled, 'measure/heap-report.js'), join(root, 'dist/cli/bin.cjs')],
        ...['serve', '--host', '127.0.0.1', '--data-dir', folder, '--rtmp-port', '0', '--api-port', '0'],
        ...['--log-format', 'json', '--log-level', 'warn', '--max-cameras', '1000000'],
        ...['--max-connections-per-address', '100000', ...flags],
      ],
      { env: { ...process.env, HEAP_REPORT: join(folder, 'heap.json') } },
    );
    let ports: { rtmpPort: number; apiPort: number } | undefined;
    await until(
      'the aggregator to serve',
      async () => {
        if (child.hasEnded) throw new Error(`the aggregator ended: ${child.output}`);
        ports = readPorts(folder);
        return ports !== undefined && (await fetch(`http://127.0.0.1:${ports.apiPort}/readyz`)).ok;
      },
      startLimitMs,
    );
    return new Server(folder, child, ports ?? { rtmpPort: 0, apiPort: 0 }, performance.now() - startedAtMs);
  }

  async memory(): Promise<Memory> {
    const path = join(this.folder, 'heap.json');
    rmSync(path, { force: true });
    this.child.kill('SIGUSR2');
    await until('the memory report', () => existsSync(path), 30_000);
    await sleep(100);
    const { heapUsed, external, rss } = JSON.parse(readFileSync(path, 'utf8'));
    return { usedBytes: heapUsed + external, residentBytes: rss };
  }

  async stop(): Promise<void> {
    await this.child.stop(30_000);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function readPorts(folder: string): { rtmpPort: number; apiPort: number } | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, 'runtime.json'), 'utf8'));
  } catch {
    return undefined; // not written yet
  }
}
