import { parseArgs } from 'node:util';
import { runMain } from './run-main.js';
import { Soak } from './soak.js';
import { InsideSubject, ProcessSubject } from './subject.js';

const help = `npm run soak -- [options]

  --minutes M     how long (default 2), for each variant; both run at once
  --variant NAME  inside: the media backend in this process, with heap, sockets and timers counted
                  process: the whole program, through its API, with memory and files measured from outside
                  (default: both)
  --seed S        the same seed makes the same choices, though not the same times (default: the time)

With --standby: how long targets are without a picture when an encoder fails (see -- --standby --help).
With --cluster: nodes and members of etcd that are killed, frozen and cut off (see -- --cluster --help).
With --cluster-size: what very many nodes and cameras cost (see -- --cluster-size --help).
With --sources: many cameras pulled at once, and what they take (-- --sources --help).
With --churn: thousands of connections that come and are reset beside a healthy target (-- --churn --help).
With --health: how long each condition of a camera takes to be raised and cleared (see -- --health --help).

Exit code 1 when a healthy target missed something, or when something grew.`;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '2' },
    variant: { type: 'string' },
    seed: { type: 'string' },
    help: { type: 'boolean' },
  },
});

async function main(): Promise<number> {
  const minutes = Number(values.minutes);
  const seed = Number(values.seed ?? Date.now() & 0x7fffffff);
  const subjects = [new InsideSubject(), new ProcessSubject()].filter(
    ({ name }) => values.variant === undefined || name === values.variant,
  );
  if (!(minutes > 0) || !Number.isFinite(seed) || subjects.length === 0) {
    console.error(help);
    return 2;
  }
  console.log(`soak: ${minutes} min, seed ${seed}, ${subjects.map(({ name }) => name).join(' and ')}`);
  const results = await Promise.all(
    subjects.map(async (subject, index) => ({ subject, ...(await new Soak(subject, seed + index).run(minutes * 60)) })),
  );
  let failed = false;
  for (const { subject, rows, failures } of results) {
    console.log(`\n${subject.name}`);
    const width = Math.max(...rows.map(([what]) => what.length));
    for (const [what, value] of rows) console.log(`  ${what.padEnd(width)}  ${value}`);
    for (const failure of failures) console.error(`  FAILED: ${failure}`);
    failed ||= failures.length > 0;
  }
  return failed ? 1 : 0;
}

await runMain(values.help === true ? help : undefined, main);
