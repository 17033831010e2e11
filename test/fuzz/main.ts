import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { allTargets, type Find, fuzz } from './fuzzer.js';
import { toVector } from './input.js';
import { minimise } from './minimise.js';

/** What may be left on the heap when all is over, above what was there after the first inputs. */
const maxLeakBytes = 48 << 20;
const maxHeapBytes = 256 << 20;

const help = `npm run fuzz -- [options]

  --inputs N       ends after N inputs (default: no limit with --seconds, else 1000000)
  --seconds S      ends after S seconds (default: no limit)
  --seed S         the same seed makes the same inputs (default: the time)
  --from N         begins with the input of this number (to repeat a find: --seed S --from N --inputs 1)
  --target NAME    only this one: server, client, amf0, flv, url, state, body
  --max-finds N    ends after so many different finds (default 5)

A find is made small and written to test/fuzz/regressions/, which the unit tests replay. Exit code 1 when there are any.`;

const { values } = parseArgs({
  options: {
    inputs: { type: 'string' },
    seconds: { type: 'string' },
    seed: { type: 'string' },
    from: { type: 'string' },
    target: { type: 'string' },
    'max-finds': { type: 'string' },
    help: { type: 'boolean' },
  },
});

function numberOf(name: 'inputs' | 'seconds' | 'seed' | 'from' | 'max-finds', missing: number): number {
  const text = values[name];
  const value = text === undefined ? missing : Number(text);
  if (Number.isFinite(value) || text === undefined) return value;
  console.error(`--${name}: "${text}" is no number`);
  process.exit(2);
}

async function main(root: string): Promise<number> {
  const seconds = numberOf('seconds', Number.POSITIVE_INFINITY);
  const inputs = numberOf('inputs', values.seconds === undefined ? 1_000_000 : Number.POSITIVE_INFINITY);
  const seed = numberOf('seed', Date.now() & 0x7fffffff);
  const all = allTargets(root);
  const targets = all.filter(({ name }) => values.target === undefined || name === values.target);
  if (targets.length === 0) {
    console.error(`--target: "${values.target}" is none of ${all.map(({ name }) => name).join(', ')}`);
    return 2;
  }
  console.log(`fuzz: seed ${seed}, targets ${targets.map(({ name }) => name).join(', ')}`);
  await fuzz(targets, { seed: seed + 1, inputs: 2000, seconds: 5 }); // warms up, so that memory can be compared
  const heapBefore = heapAfterCollection();
  let saidAtSeconds = 0;
  const figures = await fuzz(targets, {
    ...{ seed, inputs, seconds, from: numberOf('from', 0), maxFinds: numberOf('max-finds', 5) },
    onFind: (find) => report(root, seed, find, targets),
    onProgress(done, elapsed) {
      if (elapsed - saidAtSeconds < 30) return;
      saidAtSeconds = elapsed;
      console.log(`fuzz: ${done} inputs in ${Math.round(elapsed)} s`);
    },
  });
  const leaked = heapAfterCollection() - heapBefore;
  const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);
  const line = (name: string, value: string | number, unit: string): void =>
    console.log(`figure: ${name}: ${value} ${unit}`);
  line('fuzz inputs', figures.inputs, `in ${figures.seconds.toFixed(1)} s`);
  line('fuzz inputs per second', Math.round(figures.inputs / figures.seconds), '1/s');
  line('fuzz bytes fed', mib(figures.bytes), 'MiB');
  line('fuzz worst pause', figures.worstPauseMs.toFixed(1), `ms (${figures.worstPauseTarget})`);
  line('fuzz heap at its highest', mib(figures.heapPeakBytes), 'MiB');
  line('fuzz resident memory at its highest', mib(figures.rssPeakBytes), 'MiB');
  line('fuzz heap left behind', mib(leaked), 'MiB');
  console.log(`fuzz: ${[...figures.byTarget].map(([name, count]) => `${name} ${count}`).join(', ')}`);
  const tooMuch = leaked > maxLeakBytes || figures.heapPeakBytes > maxHeapBytes;
  if (tooMuch) console.error('fuzz: MEMORY is above its bounds');
  return figures.finds.length > 0 || tooMuch ? 1 : 0;
}

function heapAfterCollection(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

function report(root: string, seed: number, find: Find, targets: ReturnType<typeof allTargets>): void {
  const target = targets.find(({ name }) => name === find.target)!;
  console.error(`fuzz: FOUND ${find.kind} by input ${find.index} (--seed ${seed} --from ${find.index} --inputs 1)`);
  console.error(find.message.split('\n').slice(0, 12).join('\n'));
  const small = minimise(target, find.input, find.kind, 30);
  const folder = join(root, 'test/fuzz/regressions');
  const file = join(folder, `${find.target}-${find.kind.replaceAll(' ', '-')}-${seed}-${find.index}.json`);
  mkdirSync(folder, { recursive: true });
  const was = `${find.kind}: ${find.message.split('\n', 1)[0]}`.slice(0, 300);
  writeFileSync(file, `${JSON.stringify(toVector(find.target, was, small), null, 2)}\n`);
  console.error(`fuzz: written to ${file}`);
}

if (values.help === true) console.log(help);
else process.exitCode = await main(process.cwd());
