import { cpus, release, totalmem } from 'node:os';
import { digits, markdownTable } from './markdown.js';
import { median } from './measure/stats.js';
import { disturbance, type Latency, type RunResult } from './result.js';

type RowLatency = Omit<Latency, 'samples'>;

/** The rounds of one system under one scenario, put together by their medians. */
export interface Row {
  readonly system: string;
  readonly scenario: string;
  readonly void: string | null;
  /** CPU seconds of the server per 10^9 bytes, user and system. */
  readonly cpuPerGbIn: number;
  readonly cpuPerGbOut: number;
  readonly userPerGbOut: number;
  readonly systemPerGbOut: number;
  /** Percent of one core. */
  readonly cpuPercent: number;
  /** Of that, what was not in the first thread. */
  readonly helpersPercent: number;
  /** `cpuPerGbOut` of this system to the reference's in the same round; NaN without one. */
  readonly ratio: number;
  readonly mbitOut: number;
  readonly messagesOutPerSecond: number;
  readonly readsPerMessageIn: number;
  readonly writesPerMessageOut: number;
  readonly rssMb: number;
  /** Resident memory that came with the load, kilobytes a camera. */
  readonly rssPerCameraKb: number;
  /** Of all messages; of video and of audio by themselves. */
  readonly latencyMs: RowLatency;
  readonly videoLatencyMs: RowLatency;
  readonly audioLatencyMs: RowLatency;
  readonly firstPictureMs: { readonly median: number; readonly max: number };
  readonly lost: number;
  readonly generatorCpuPercent: number;
  readonly lateP99Ms: number;
  /** Of interrupts, network packets on their way included; percent of one core. */
  readonly interruptPercent: number;
  /** CPU of other programs and of the host, percent of one core: how calm the machine was. */
  readonly otherCpuPercent: number;
}

export interface Report {
  readonly takenAt: string;
  readonly revision: string;
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly memoryGb: number;
    readonly kernel: string;
  };
  readonly node: string;
  readonly reference: string;
  readonly rows: readonly Row[];
  readonly runs: readonly RunResult[];
}

export function costPerGbOut(run: RunResult): number {
  return (run.cpuUser + run.cpuSystem) / (run.bytesOut / 1e9);
}

/** Cost to that of the reference, round against round: what disturbed the machine then disturbed both. */
export function ratiosOf(runs: readonly RunResult[], reference: readonly RunResult[]): number[] {
  return runs.flatMap((run, round) => {
    const other = reference[round];
    const both = other !== undefined && run.void === null && other.void === null;
    return both ? [costPerGbOut(run) / costPerGbOut(other)] : [];
  });
}

/** @param reference the system that ratios are taken to */
export function createReport(
  runs: readonly RunResult[],
  cameras: ReadonlyMap<string, number>,
  options: {
    readonly reference: string;
    readonly revision: string;
  },
): Report {
  const keys = [...new Set(runs.map(({ scenario, system }) => JSON.stringify([scenario, system])))];
  const rows = keys.map((key) => {
    const [scenario, system] = JSON.parse(key) as [string, string];
    const of = (name: string): RunResult[] => runs.filter((run) => run.scenario === scenario && run.system === name);
    return createRow(of(system), of(options.reference), cameras.get(scenario) ?? 1);
  });
  const [first] = cpus();
  return {
    takenAt: new Date().toISOString(),
    revision: options.revision,
    machine: {
      ...{ cpu: first?.model ?? 'unknown', cores: cpus().length },
      ...{ memoryGb: Math.round(totalmem() / 2 ** 30), kernel: release() },
    },
    node: process.version,
    ...{ reference: options.reference, rows, runs },
  };
}

function createRow(all: readonly RunResult[], reference: readonly RunResult[], cameras: number): Row {
  const spoilt = all.find((run) => run.void !== null);
  const good = all.filter((run) => run.void === null);
  const middle = (of: (run: RunResult) => number): number => median(good.map(of));
  const latencyOf = (of: (run: RunResult) => Latency): RowLatency => ({
    p50: middle((run) => of(run).p50),
    p99: middle((run) => of(run).p99),
    max: Math.max(...good.map((run) => of(run).max)),
  });
  const firstPictures = good.flatMap((run) => run.firstPictureMs);
  return {
    system: all[0]?.system ?? '',
    scenario: all[0]?.scenario ?? '',
    void: spoilt?.void ?? null,
    cpuPerGbIn: middle((run) => (run.cpuUser + run.cpuSystem) / (run.bytesIn / 1e9)),
    cpuPerGbOut: middle(costPerGbOut),
    userPerGbOut: middle((run) => run.cpuUser / (run.bytesOut / 1e9)),
    systemPerGbOut: middle((run) => run.cpuSystem / (run.bytesOut / 1e9)),
    cpuPercent: middle((run) => (100 * (run.cpuUser + run.cpuSystem)) / run.seconds),
    helpersPercent: middle((run) => (100 * run.cpuHelpers) / run.seconds),
    ratio: median(ratiosOf(all, reference)),
    mbitOut: middle((run) => (run.bytesOut * 8) / run.seconds / 1e6),
    messagesOutPerSecond: middle((run) => run.messagesOut / run.seconds),
    readsPerMessageIn: middle((run) => run.reads / run.messagesIn),
    writesPerMessageOut: middle((run) => run.writes / run.messagesOut),
    rssMb: middle((run) => run.rssBytes / 2 ** 20),
    rssPerCameraKb: middle((run) => (run.rssBytes - run.rssIdleBytes) / 1024 / cameras),
    latencyMs: latencyOf((run) => run.latencyMs),
    videoLatencyMs: latencyOf((run) => run.videoLatencyMs),
    audioLatencyMs: latencyOf((run) => run.audioLatencyMs),
    firstPictureMs: { median: median(firstPictures), max: Math.max(...firstPictures) },
    lost: all.reduce((sum, run) => sum + run.lost, 0),
    generatorCpuPercent: middle((run) => (100 * (run.generators.publisherCpu + run.generators.sinkCpu)) / run.seconds),
    lateP99Ms: middle((run) => run.generators.lateP99Ms),
    interruptPercent: middle((run) => (100 * run.interruptCpu) / run.seconds),
    otherCpuPercent: middle(disturbance),
  };
}

const columns: readonly (readonly [string, (row: Row) => string])[] = [
  ['scenario', (row) => row.scenario],
  ['system', (row) => row.system],
  ['CPU s/GB out', (row) => digits(row.cpuPerGbOut, 3)],
  ['user + sys', (row) => `${digits(row.userPerGbOut, 2)} + ${digits(row.systemPerGbOut, 2)}`],
  ['CPU s/GB in', (row) => digits(row.cpuPerGbIn, 2)],
  ['ratio', (row) => digits(row.ratio, 2)],
  ['core %', (row) => digits(row.cpuPercent, 1)],
  ['helpers %', (row) => digits(row.helpersPercent, 1)],
  ['Mbit/s out', (row) => digits(row.mbitOut, 0)],
  ['RSS MB', (row) => digits(row.rssMb, 0)],
  ['KB/camera', (row) => digits(row.rssPerCameraKb, 0)],
  ['video p50/p99/max ms', (row) => latencies(row.videoLatencyMs)],
  ['audio p50/p99/max ms', (row) => latencies(row.audioLatencyMs)],
  ['first picture ms', ({ firstPictureMs }) => digits(firstPictureMs.median, 0)],
  ['lost', (row) => String(row.lost)],
  ['generators %', (row) => digits(row.generatorCpuPercent, 0)],
  ['irq %', (row) => digits(row.interruptPercent, 0)],
  ['others %', (row) => digits(row.otherCpuPercent, 0)],
];

function latencies({ p50, p99, max }: RowLatency): string {
  return [p50, p99, max].map((ms) => digits(ms, 1)).join(' / ');
}

/** All columns of the rows, as a table in Markdown; a void row says so instead of figures. */
export function formatTable(rows: readonly Row[]): string {
  const lines = rows.map((row) =>
    columns.map(([title, of]) => (row.void !== null && title === 'CPU s/GB out' ? 'VOID' : of(row))),
  );
  return markdownTable([columns.map(([title]) => title), ...lines], 2);
}
