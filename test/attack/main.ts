import { parseArgs } from 'node:util';
import { attack, kindsOf, type Row } from './attack.js';
import { floods, shortKinds } from './floods.js';

const help = `npm run attack -- [options]

Floods the built program, on this machine alone, with 50 hostile peers of each kind, one kind after the other, beside a
healthy camera whose frames are numbered, hashed and timed at a target.

  --short          a few kinds, two seconds each, held against what this machine does beside a busy process
  --kind NAME      this kind only; may be repeated
  --seconds S      how long each kind lasts (default 4)
  --peers N        hostile peers at once (default 50)
  --cameras N      cameras that are registered besides (default 10000)
  --workers N      with media workers
  --program FILE   what is attacked (default dist/cli/bin.cjs): another build, to compare with
  --list           the kinds

Exit code 1 when the goal is not met: 99 of 100 answers of /healthz within 100 ms, 99 of 100 frames at the target within
50 ms, none lost. With --short, which runs on machines that others use too: within 250 ms, or five times what was seen
beside a process that is as busy as the flood, but never more than 1 s; what misses that is looked at once more.`;

const { values } = parseArgs({
  options: {
    short: { type: 'boolean', default: false },
    kind: { type: 'string', multiple: true },
    seconds: { type: 'string' },
    peers: { type: 'string', default: '50' },
    cameras: { type: 'string' },
    workers: { type: 'string', default: '0' },
    program: { type: 'string', default: 'dist/cli/bin.cjs' },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const { short } = values;
const goal = { healthMs: 100, cameraMs: 50 };
const columns = ['kind', 'pause', 'loop', 'healthz p99', 'camera p99', 'memory', 'lost', 'frames', 'sent', 'ended'];
const widths = [30, 8, 8, 11, 10, 9, 5, 6, 9, 6];

function line(cells: readonly string[]): string {
  return cells.map((cell, index) => (index === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[index]!))).join('  ');
}

function cellsOf(row: Row): string[] {
  const ms = (value: number): string => `${value.toFixed(value < 10 ? 1 : 0)} ms`;
  return [
    ...[
      row.kind,
      ms(row.pauseMs),
      row.loopMs === null ? '-' : ms(row.loopMs),
      ms(row.healthP99Ms),
      ms(row.cameraP99Ms),
    ],
    ...[`${row.memoryMb} MB`, String(row.lost), String(row.frames), `${row.sentMb.toFixed(1)} MB`, String(row.ended)],
  ];
}

/** What is asked of a row. @param calm what the same machine did beside a busy process that sends nothing */
function boundsFor(calm: Row): typeof goal {
  if (!short) return goal;
  const within = (calmMs: number): number => Math.min(1000, Math.max(250, 5 * calmMs));
  return { healthMs: within(calm.healthP99Ms), cameraMs: within(calm.cameraP99Ms) };
}

/** What of the goal was not met. */
function failuresOf({ kind, healthP99Ms, cameraP99Ms, lost, frames }: Row, calm: Row): string[] {
  const { healthMs, cameraMs } = boundsFor(calm);
  const failures: string[] = [];
  if (healthP99Ms > healthMs) failures.push(`${kind}: /healthz p99 is above ${healthMs.toFixed(0)} ms`);
  if (cameraP99Ms > cameraMs) {
    failures.push(`${kind}: p99 of the healthy camera's frames is above ${cameraMs.toFixed(0)} ms`);
  }
  if (lost > 0 || frames === 0) failures.push(`${kind}: ${lost} frames of the healthy camera lost, ${frames} seen`);
  return failures;
}

async function main(): Promise<number> {
  const kinds = kindsOf(values.kind ?? (short ? shortKinds : undefined));
  const seconds = Number(values.seconds ?? (short ? 2 : 4));
  const [peers, cameras, workers] = [values.peers, values.cameras ?? (short ? '500' : '10000'), values.workers].map(
    Number,
  );
  if (kinds === undefined || !(seconds > 0) || !(peers! > 0) || !(cameras! >= 0) || !(workers! >= 0)) {
    console.error(help);
    return 2;
  }
  console.log(line(columns));
  const { rows } = await attack({
    ...{ program: values.program, kinds, seconds, peers: peers!, cameras: cameras!, workers: workers! },
    onRow: (row) => console.log(line(cellsOf(row))),
    isDoubtful: (row, beside) => short && failuresOf(row, beside).length > 0,
  });
  const failures = rows.flatMap(({ row, calm }) => failuresOf(row, calm));
  for (const failure of failures) console.error(`attack: FAILED: ${failure}`);
  if (failures.length === 0) console.log('attack: the goal is met, and nothing was lost');
  return failures.length > 0 ? 1 : 0;
}

// What runs is ended with this process (`exit`), however that ends.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(1));

if (values.help) console.log(help);
else if (values.list) console.log(Object.keys(floods).join('\n'));
else {
  const code = await main().catch((error: unknown) => {
    console.error(error);
    return 1;
  });
  process.exit(code);
}
