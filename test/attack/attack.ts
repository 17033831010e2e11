import { setTimeout as sleep } from 'node:timers/promises';
import { AttackedAggregator } from './aggregator.js';
import { Child } from './child.js';
import { floods, neighbourKind } from './floods.js';
import type { Assignment, FromFlood, FromWitness, ToWitness } from './protocol.js';

/** What one kind of flood cost. Times in milliseconds. */
export interface Row {
  readonly kind: string;
  /** The longest answer of `/healthz`. */
  readonly pauseMs: number;
  /** How late the event loop was at worst, by its own metric; null where that could not be asked for. */
  readonly loopMs: number | null;
  readonly healthP99Ms: number;
  readonly cameraP99Ms: number;
  readonly memoryMb: number;
  /** Frames of the healthy camera that did not come, or came changed. */
  readonly lost: number;
  readonly frames: number;
  readonly sentMb: number;
  /** Hostile connections that were ended, or answered. */
  readonly ended: number;
}

export interface AttackOptions {
  readonly program: string;
  readonly kinds: readonly string[];
  readonly seconds: number;
  readonly peers: number;
  readonly cameras: number;
  readonly workers: number;
  readonly onRow: (row: Row) => void;
  /** True for a row that is to be seen once more before it counts: the machine may have been busy elsewhere. */
  readonly isDoubtful?: (row: Row, calm: Row) => boolean;
}

const probeEveryMs = 20;
/** Left alone between two floods, so that each pays for itself. */
const restMs = 500;

/** What an attack showed. */
export interface Attacked {
  readonly nothing: Row;
  /** Each with what was seen beside a busy process before it. */
  readonly rows: readonly { readonly row: Row; readonly calm: Row }[];
}

/** Runs each kind of flood against one aggregator, beside a camera that must not notice. */
export async function attack(options: AttackOptions): Promise<Attacked> {
  const witness = new Child<ToWitness, FromWitness>('witness-child.js', []);
  const aggregator = new AttackedAggregator(options.program, options.workers);
  try {
    const { port } = await witness.next('listening');
    await aggregator.start({
      witness: { target: `rtmp://127.0.0.1:${port}/live/witness` },
      gop: {},
      ...Object.fromEntries(Array.from({ length: options.peers }, (_, index) => [`flood-${index}`, {}])),
      // Those that are listed: with pushes, which are what is long in a list.
      ...Object.fromEntries(
        Array.from({ length: options.cameras }, (_, index) => [
          `idle-${index}`,
          Object.fromEntries([1, 2, 3].map((push) => [`p${push}`, `rtmp://127.0.1.${push}:1/live/idle-${index}`])),
        ]),
      ),
    });
    witness.send({ kind: 'start', rtmpPort: aggregator.rtmpPort });
    await witness.next('seen');
    // The GOP of the other camera is to be long.
    await sleep(Math.min(7000, options.seconds * 2000));
    const measure = async (kind: string): Promise<Row> => {
      const row = await runOne(kind, options, aggregator, witness);
      options.onRow(row);
      await sleep(restMs);
      return row;
    };
    const nothing = await measure('nothing');
    let calm = await measure(neighbourKind);
    const rows: { row: Row; calm: Row }[] = [];
    for (const kind of options.kinds) {
      let row = await measure(kind);
      if (options.isDoubtful?.(row, calm)) {
        calm = await measure(neighbourKind);
        row = await measure(kind);
      }
      rows.push({ row, calm });
    }
    return { nothing, rows };
  } finally {
    await witness.kill();
    await aggregator.stop();
  }
}

async function runOne(
  kind: string,
  { seconds, peers }: AttackOptions,
  aggregator: AttackedAggregator,
  witness: Child<ToWitness, FromWitness>,
): Promise<Row> {
  const { rtmpPort, apiPort } = aggregator;
  const assignment: Assignment = { kind, peers, rtmpPort, apiPort };
  await loopDelay(aggregator);
  witness.send({ kind: 'reset' });
  const flood =
    kind === 'nothing' ? null : new Child<object, FromFlood>('flood-child.js', [JSON.stringify(assignment)]);
  const pushes: string[] = [];
  let [sentBytes, ended] = [0, 0];
  let memoryMb = 0;
  const latenciesMs: number[] = [];
  try {
    const port = flood === null ? 0 : (await flood.next('ready')).port;
    for (let index = 0; port !== 0 && index < peers; index++) {
      const id = `hostile-${index}`;
      pushes.push(id);
      const url = `rtmp://127.0.0.1:${port}/live/${id}`;
      await aggregator.call('POST', '/v1/cameras/witness/pushes', { id, url });
    }
    const untilMs = performance.now() + seconds * 1000;
    while (performance.now() < untilMs) {
      const { ms, status } = await aggregator.call('GET', '/healthz');
      // Whoever gets no answer waits for it.
      latenciesMs.push(status === 200 ? ms : Math.max(ms, 1000));
      memoryMb = Math.max(memoryMb, aggregator.residentMb);
      await sleep(Math.max(0, probeEveryMs - ms));
    }
    if (flood !== null) {
      flood.send({});
      ({ sentBytes, ended } = await flood.next('counts'));
    }
  } finally {
    await flood?.kill();
  }
  const loopMs = await loopDelay(aggregator);
  for (const id of pushes) await aggregator.call('DELETE', `/v1/cameras/witness/pushes/${id}`);
  // What is on its way still counts.
  await sleep(200);
  witness.send({ kind: 'report' });
  const { frames, lost, altered, latenciesMs: camera } = await witness.next('report');
  if (!aggregator.isUp) throw new Error(`${kind}: the aggregator ended`);
  return {
    ...{ kind, loopMs, memoryMb, frames, ended },
    pauseMs: Math.max(...latenciesMs),
    healthP99Ms: quantile(latenciesMs, 0.99),
    // No frame at all is a camera that is held up for good.
    cameraP99Ms: camera.length === 0 ? Number.POSITIVE_INFINITY : quantile(camera, 0.99),
    lost: lost + altered,
    sentMb: sentBytes / 1e6,
  };
}

/** The worst delay of the event loop since it was last asked for, milliseconds. */
async function loopDelay(aggregator: AttackedAggregator): Promise<number | null> {
  const { text } = await aggregator.call('GET', '/metrics');
  const seconds = /^nodejs_eventloop_lag_max_seconds(?:\{[^}]*\})? (\S+)$/m.exec(text)?.[1];
  return seconds === undefined ? null : Number(seconds) * 1000;
}

function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
}

/** The kinds that were asked for; undefined: one is not known. */
export function kindsOf(names: readonly string[] | undefined): string[] | undefined {
  if (names === undefined) return Object.keys(floods);
  return names.every((name) => name in floods) ? [...names] : undefined;
}
