import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { silentLogger } from '../../../src/log/log.js';
import { openFileStore } from '../../../src/store/file/file-store.js';
import { Random } from '../../fuzz/random.js';
import { KilledProgram } from './killing.js';
import { BusyStore, type TearCounts, tearOnce, tears } from './tears.js';

const help = `npm run soak -- --torn [options]

Data folders after power cuts and on bad disks: the files of a busy store are copied at random moments, torn at random bytes
and opened; and the built program is killed (SIGKILL) while callers change its state, and started again. Exit code 1 when
something that was acknowledged is missing and nothing says so.

  --tears N    copies that are torn (default 500)
  --kills N    kills, half of them with media workers (default 40)
  --seed S     the same seed makes the same choices, at moments of its own`;

const { values } = parseArgs({
  options: {
    torn: { type: 'boolean' },
    tears: { type: 'string', default: '500' },
    kills: { type: 'string', default: '40' },
    seed: { type: 'string' },
    help: { type: 'boolean' },
  },
});

async function tearCopies(root: string, seed: number, rounds: number): Promise<void> {
  const folder = join(root, 'data');
  const busy = new BusyStore(await openFileStore({ dataDir: folder, log: silentLogger }), new Random(seed, 0));
  const counts = new Map<string, TearCounts>();
  for (let index = 1; index <= rounds; index++) {
    const tear = tears[index % tears.length] ?? 'none';
    const fate = await tearOnce(busy, { folder, copy: join(root, 'copy'), tear, random: new Random(seed, index) });
    const count = counts.get(tear) ?? { whole: 0, refused: 0, warned: 0 };
    count[fate] += 1;
    counts.set(tear, count);
  }
  await busy.end();
  console.log(`${rounds} copies of a store that acknowledged ${busy.acknowledged} changes meanwhile:`);
  console.log('| torn | all there | refused with a code | less, with a warning |');
  console.log('|---|--:|--:|--:|');
  for (const [tear, { whole, refused, warned }] of counts) {
    console.log(`| ${tear} | ${whole} | ${refused} | ${warned} |`);
  }
}

async function kill(root: string, seed: number, rounds: number): Promise<void> {
  const folders = [0, 2].map((workers) => new KilledProgram(join(root, `killed-${workers}`), workers));
  for (let index = 0; index < rounds; index++) {
    await folders[index % 2]?.round(new Random(seed, index));
  }
  // What the last kills left is looked at, too.
  for (const program of folders) await program.round(new Random(seed, rounds));
  const acknowledged = folders.reduce((sum, program) => sum + program.acknowledged, 0);
  console.log(`${rounds} kills, ${acknowledged} changes acknowledged: all of them were there at the next start`);
}

async function main(): Promise<number> {
  const [rounds, kills] = [Number(values.tears), Number(values.kills)];
  const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
  if (values.help === true || !(rounds >= 0) || !(kills >= 0) || !Number.isSafeInteger(seed)) {
    console.error(help);
    return values.help === true ? 0 : 2;
  }
  const root = mkdtempSync(join(tmpdir(), 'media-aggregator-torn-'));
  console.log(`seed ${seed}, in ${root}`);
  try {
    await tearCopies(root, seed, rounds);
    if (kills > 0) await kill(root, seed, kills);
  } catch (error) {
    console.error(error, `\nseed ${seed}; the folders are left in ${root}`);
    return 1;
  }
  rmSync(root, { recursive: true, force: true });
  return 0;
}

process.exit(await main());
