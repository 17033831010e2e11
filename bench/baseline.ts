import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './paths.js';
import type { Report, Row } from './report.js';

const file = join(root, 'bench/baseline.json');

/** A cost beyond so many times the recorded ratio fails. */
export const toleratedFactor = 2;

interface Baseline {
  readonly recordedAt: string;
  readonly machine: string;
  readonly revision: string;
  readonly node: string;
  /** By scenario: CPU per byte out of ours to that of nginx-rtmp. */
  readonly ratios: Readonly<Record<string, number>>;
}

export function readBaseline(): Baseline | undefined {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Baseline) : undefined;
}

/** @throws Error when a row of the aggregator is void */
export function recordBaseline(report: Report): void {
  const mine = report.rows.filter(({ system }) => system.startsWith('ours'));
  const spoilt = mine.find((row) => row.void !== null || !Number.isFinite(row.ratio));
  if (spoilt !== undefined) throw new Error(`${spoilt.scenario} gave no ratio that could be recorded`);
  const { takenAt, revision, node, machine } = report;
  const baseline: Baseline = {
    recordedAt: takenAt,
    machine: `${machine.cpu}, ${machine.cores} cores`,
    ...{ revision, node },
    ratios: Object.fromEntries(mine.map(({ scenario, ratio }) => [scenario, Math.round(ratio * 100) / 100])),
  };
  writeFileSync(file, `${JSON.stringify(baseline, null, 2)}\n`);
}

/** What is wrong with these rows of the aggregator: lost messages, or a cost far beyond the recorded one. */
export function findRegressions(rows: readonly Row[], ratios: Readonly<Record<string, number>>): string[] {
  return rows
    .filter(({ system }) => system.startsWith('ours'))
    .flatMap((row) => {
      if (row.void !== null) return [`${row.scenario}, ${row.system}: ${row.void}`];
      const recorded = ratios[row.scenario];
      if (recorded === undefined || !Number.isFinite(row.ratio) || row.ratio <= recorded * toleratedFactor) return [];
      const cost = `${row.ratio.toFixed(2)} times the CPU of nginx-rtmp per byte sent`;
      return [
        `${row.scenario}, ${row.system}: ${cost}; recorded is ${recorded}, allowed ${toleratedFactor} times that`,
      ];
    });
}
