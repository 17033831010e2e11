import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Report, Row } from './report.js';
import { barChart } from './svg.js';

/** Writes what the report shows as SVG files into the folder. */
export function writePlots(report: Report, folder: string): void {
  mkdirSync(folder, { recursive: true });
  const groups = [...new Set(report.rows.map(({ scenario }) => scenario))];
  const series = [...new Set(report.rows.map(({ system }) => system))];
  const chart = (file: string, title: string, unit: string, of: (row: Row) => number): void => {
    const values = series.map((system) =>
      groups.map((scenario) => {
        const row = report.rows.find((each) => each.system === system && each.scenario === scenario);
        return row === undefined || row.void !== null ? Number.NaN : of(row);
      }),
    );
    writeFileSync(join(folder, file), barChart({ title, unit, groups, series, values }));
  };
  chart('cpu-per-gb.svg', 'CPU of the server per GB sent', 'seconds', (row) => row.cpuPerGbOut);
  chart('latency-p50.svg', 'Added latency, median', 'ms', (row) => row.latencyMs.p50);
  chart('latency-p99.svg', 'Added latency, 99th percentile', 'ms', (row) => row.latencyMs.p99);
  chart('memory.svg', 'Resident memory under load', 'MB', (row) => row.rssMb);
}
