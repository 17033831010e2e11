import { median } from './measure/stats.js';
import { type Report, type Row, ratiosOf } from './report.js';

/** A figure of the benchmark that is to be at most so much. */
export interface Target {
  readonly scenario: string;
  readonly system: string;
  readonly what: string;
  readonly atMost: number;
  /** The system that the cost is compared with; undefined: it is a figure of the row. */
  readonly to?: string;
  readonly of?: (row: Row) => number;
}

function cost(scenario: string, atMost: number, to: string, system = 'ours'): Target {
  return { scenario, system, what: `CPU per GB out to that of ${to}`, atMost, to };
}

/** What the project wants to reach, in the order of docs/performance.md. */
export const targets: readonly Target[] = [
  cost('100x8', 0.9, 'nginx-rtmp'),
  cost('20x8', 1, 'nginx-rtmp'),
  cost('1x100', 1, 'nginx-rtmp'),
  cost('100x1', 1.3, 'nginx-rtmp'),
  cost('500x1', 1.3, 'nginx-rtmp'),
  cost('100x8', 0.8, 'nginx-rtmp+nodelay'),
  cost('20x8', 0.8, 'nginx-rtmp+nodelay'),
  cost('1x100', 0.8, 'nginx-rtmp+nodelay'),
  cost('100x1', 1.1, 'nginx-rtmp+nodelay'),
  cost('500x1', 1.1, 'nginx-rtmp+nodelay'),
  cost('20x8', 1, 'srs', 'ours:--flush-window 350ms'),
  cost('100x1', 0.35, 'node-media-server'),
  cost('100x1', 1.25, 'ours', 'ours:--workers 2'),
  cost('20x8', 1.25, 'ours', 'ours:--workers 2'),
  {
    ...{ scenario: '100x8', system: 'ours', what: 'latency of video, median, ms', atMost: 1 },
    of: (row) => row.videoLatencyMs.p50,
  },
  {
    ...{ scenario: '100x8', system: 'ours', what: 'latency of video, 99th percentile, ms', atMost: 5 },
    of: (row) => row.videoLatencyMs.p99,
  },
];

/** What the rounds showed of a target. */
export interface Outcome {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** Undefined when the report does not have what it takes. */
export function outcomeOf(target: Target, { rows, runs }: Report): Outcome | undefined {
  const row = rows.find(({ scenario, system }) => scenario === target.scenario && system === target.system);
  if (row === undefined || row.void !== null) return undefined;
  if (target.to === undefined) {
    const value = target.of?.(row) ?? Number.NaN;
    return { median: value, least: value, most: value };
  }
  const of = (name: string) => runs.filter((run) => run.scenario === target.scenario && run.system === name);
  const ratios = ratiosOf(of(target.system), of(target.to)).sort((a, b) => a - b);
  return ratios.length === 0 ? undefined : { median: median(ratios), least: ratios[0]!, most: ratios.at(-1)! };
}
