import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Adapter } from './adapters/adapter.js';
import { ours } from './adapters/ours.js';
import { compiled, root } from './paths.js';
import { run } from './run.js';
import { findScenario } from './scenarios.js';

/*
 * What one more live camera takes in memory: two runs with few and with many cameras, garbage collected before each look.
 * From the difference goes what is kept of the media itself (GOPs, and queues), as the aggregator counts it. Loads are
 * TARGETS@MBITS, as arguments.
 */

const few = 20;
const many = 120;
const loads = process.argv.length > 2 ? process.argv.slice(2) : ['1@2.5', '8@2.5', '1@1', '1@0.3'];
const lookEveryMs = 700;
/** Looks count from then on: every GOP has been round, so that its memory is there. */
const settledMs = 8000;
const countedMs = 14_000;

interface Look {
  readonly atMs: number;
  readonly heap: number;
  readonly buffers: number;
  readonly kept: number;
}

const report = join(root, 'bench/dist/heap.json');
process.env.HEAP_REPORT = report;

/** The aggregator, looked at while it runs. */
function watched(looks: Look[]): Adapter {
  const runtime = [process.execPath, '--expose-gc', '--import', join(compiled, 'measure/heap-report.js')];
  const adapter = ours({ name: 'ours', dist: join(root, 'dist'), flags: [], runtime });
  return {
    ...adapter,
    start: async (folder, cameras) => {
      const server = await adapter.start(folder, cameras);
      const { apiPort } = JSON.parse(readFileSync(join(folder, 'runtime.json'), 'utf8')) as { apiPort: number };
      const timer = setInterval(() => void look(server.pid ?? 0, apiPort, looks).catch(console.error), lookEveryMs);
      return {
        ...server,
        stop: async () => {
          clearInterval(timer);
          await server.stop();
        },
      };
    },
  };
}

async function look(pid: number, apiPort: number, looks: Look[]): Promise<void> {
  const metrics = await (await fetch(`http://127.0.0.1:${apiPort}/metrics`)).text();
  const kept = Number(/\{name="mediaKeptBytes"\} (\d+)/.exec(metrics)?.[1]);
  process.kill(pid, 'SIGUSR2');
  await new Promise((resolve) => setTimeout(resolve, lookEveryMs / 2));
  const { heapUsed, arrayBuffers } = JSON.parse(readFileSync(report, 'utf8')) as NodeJS.MemoryUsage;
  looks.push({ atMs: performance.now(), heap: heapUsed, buffers: arrayBuffers, kept });
}

async function measure(cameras: number, load: string): Promise<Omit<Look, 'atMs'>> {
  const looks: Look[] = [];
  const scenario = findScenario(`${cameras}x${load}`);
  const result = await run(watched(looks), scenario, { warmUpMs: 12_000, measureMs: 12_000, sinkProcesses: 1 });
  if (result.void !== null) throw new Error(`${scenario.name}: ${result.void}`);
  const beganMs = looks.find(({ kept }) => kept > 0)?.atMs ?? 0;
  const counted = looks.filter(({ atMs }) => atMs > beganMs + settledMs && atMs < beganMs + settledMs + countedMs);
  if (counted.length === 0) throw new Error(`${scenario.name}: nothing was seen while it ran`);
  const mean = (of: (one: Look) => number) => counted.reduce((sum, one) => sum + of(one), 0) / counted.length;
  return { heap: mean(({ heap }) => heap), buffers: mean(({ buffers }) => buffers), kept: mean(({ kept }) => kept) };
}

console.log('KB for each live camera:');
console.log('| targets@Mbit/s | heap | buffers | of that GOP and queues | beyond |');
console.log('|---|--:|--:|--:|--:|');
for (const load of loads) {
  const [small, large] = [await measure(few, load), await measure(many, load)];
  const each = (of: 'heap' | 'buffers' | 'kept') => (large[of] - small[of]) / (many - few) / 1000;
  const [heap, buffers, kept] = [each('heap'), each('buffers'), each('kept')];
  const cells = [heap, buffers, kept, heap + buffers - kept].map((value) => value.toFixed(0));
  console.log(`| ${load} | ${cells.join(' | ')} |`);
}
process.exit(0);
