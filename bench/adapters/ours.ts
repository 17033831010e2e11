import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Child, orStop, until } from '../child.js';
import type { Adapter } from './adapter.js';

export interface OursOptions {
  readonly name: string;
  /** The compiled program. */
  readonly dist: string;
  /** Further flags of `serve`. */
  readonly flags: readonly string[];
  /** What the program is run by: `node`, and its own flags. */
  readonly runtime: readonly string[];
}

/** How many requests are under way at once while cameras and pushes are registered. */
const requestsAtOnce = 16;

interface Runtime {
  readonly rtmpPort: number;
  readonly apiPort: number;
}

/** The aggregator itself, in any revision, with any flags. */
export function ours(options: OursOptions): Adapter {
  const program = join(options.dist, 'cli/bin.cjs');
  return {
    name: options.name,
    unavailable: () => (existsSync(program) ? undefined : `${program} is not there: npm run build`),
    start: async (folder, cameras) => {
      const [command = process.execPath, ...runtimeFlags] = options.runtime;
      const child = new Child(command, [
        ...[...runtimeFlags, program, 'serve', '--host', '127.0.0.1', '--advertise-host', '127.0.0.1'],
        ...['--data-dir', folder, '--rtmp-port', '0', '--api-port', '0', '--log-format', 'json', '--log-level', 'warn'],
        ...['--max-connections-per-address', '100000', '--max-connections', '100000'],
        ...['--max-pushes-per-camera', '1000'],
        ...options.flags,
      ]);
      const runtime = { rtmpPort: 0, apiPort: 0 };
      const addPush = (camera: string, url: string): Promise<void> =>
        post(runtime.apiPort, `/v1/cameras/${camera}/pushes`, { url });
      await orStop(child, async () => {
        Object.assign(runtime, await served(child, folder));
        await atOnce(cameras, ({ name }) => post(runtime.apiPort, '/v1/cameras', { name }));
        const pushes = cameras.flatMap(({ name, targets }) => targets.map((url) => ({ name, url })));
        await atOnce(pushes, ({ name, url }) => addPush(name, url));
      });
      return {
        pid: child.pid,
        publishUrl: (camera) => `rtmp://127.0.0.1:${runtime.rtmpPort}/${camera}/${camera}`,
        addPush,
        output: () => child.output,
        stop: () => child.stop(),
      };
    },
  };
}

/** Waits until it serves, and tells on which ports. @throws Error when it does not */
async function served(child: Child, folder: string): Promise<Runtime> {
  let runtime: Runtime | undefined;
  await until(
    'the aggregator to serve',
    async () => {
      if (child.hasEnded) throw new Error(`the aggregator ended: ${child.output}`);
      runtime = readRuntime(folder);
      return runtime !== undefined && (await isReady(runtime.apiPort));
    },
    30_000,
  );
  if (runtime === undefined) throw new Error('the aggregator told no ports');
  return runtime;
}

function readRuntime(folder: string): Runtime | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, 'runtime.json'), 'utf8')) as Runtime;
  } catch {
    return undefined; // not written yet
  }
}

async function isReady(apiPort: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${apiPort}/readyz`)).ok;
  } catch {
    return false;
  }
}

async function post(apiPort: number, path: string, body: unknown): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${apiPort}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`POST ${path} ${JSON.stringify(body)}: ${response.status} ${text}`);
}

/** Does it for all items, a few at a time. */
async function atOnce<T>(items: readonly T[], does: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await does(item);
  };
  await Promise.all(Array.from({ length: requestsAtOnce }, worker));
}
