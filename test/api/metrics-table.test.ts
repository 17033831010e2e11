import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { metricPrefix, SeriesGroup } from '../../src/api/metrics/series.js';
import { cameraSeries, metricTables, pushSeries } from '../../src/api/metrics/tables.js';
import { pushStates } from '../../src/backend/backend.js';
import { cameraSnapshot, pushSnapshot } from '../control/fake-backend.js';
import { startTestApi } from './harness.js';

it('docs/metrics.md has a row for every metric, and no other', () => {
  const text = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8');
  const rows = text.split('\n').filter((line) => line.startsWith(`| \`${metricPrefix}`));
  const expected = metricTables.flatMap(({ of, table }) =>
    table.map(({ name, type, labels = [], help }) => {
      const all = [...of, ...labels].map((label) => `\`${label}\``).join(', ');
      return `| \`${metricPrefix}${name}\` | ${type} | ${all} | ${help} |`;
    }),
  );
  expect(rows).toEqual(expected);
});

it('names follow the conventions: counters and only they end with _total, units are base units', () => {
  for (const { table } of metricTables) {
    for (const { name, type } of table) {
      expect(name.endsWith('_total'), name).toBe(type === 'counter');
      expect(name, name).toMatch(/^[a-z_]+$/);
      expect(name, name).not.toMatch(/bits|_ms|millis|kilo|percent/);
    }
  }
});

it('series are bounded: whole cameras and pushes are left out beyond the limit, and counted', async () => {
  const ofCamera = cameraSeries.reduce((sum, { perThing = 1 }) => sum + perThing, 0);
  const ofPush = pushSeries.reduce((sum, { perThing = 1 }) => sum + perThing, 0);
  // As the setting's description and docs/metrics.md say.
  expect([ofCamera, ofPush]).toEqual([15, 21]);
  const test = await startTestApi({ metricsMaxSeries: 2 * ofCamera + ofPush } as object);
  try {
    const call = (path: string, body: object): Promise<Response> =>
      fetch(test.base + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    for (const name of ['a', 'b', 'c']) {
      await call('/v1/cameras', { name });
      await call(`/v1/cameras/${name}/pushes`, { id: 'p', url: 'rtmp://h.invalid/live/x' });
      const facts = { jitterMs: 1, keyFrameIntervalMs: 1, frameRate: 1, lastFrameAt: '2026-01-01T00:00:00.000Z' };
      const since = '2026-01-01T00:00:00.000Z';
      const unknown = {
        profile: null,
        width: null,
        height: null,
        hdr: null,
        frameRate: null,
        keyFrameIntervalMs: null,
      };
      const tracks = (['video', 'audio'] as const).flatMap((kind) =>
        // Further tracks are not counted.
        [0, 1].map((id) => ({ kind, id, isDefault: id === 0, codec: null, channels: null, ...unknown })),
      );
      const conditions = [{ code: 'CAMERA_NO_VIDEO', message: 'no video', since } as const];
      const push = pushSnapshot({ id: 'p', roundTripMs: 1 });
      test.backend.snapshots.set(name, cameraSnapshot({ name, ...facts, tracks, conditions, pushes: [push] }));
    }
    const lines = (await (await fetch(`${test.base}/metrics`)).text()).split('\n');
    expect(lines.filter((line) => line.includes('{camera="')).length).toBe(2 * ofCamera + ofPush);
    expect(lines).toContain('media_aggregator_metrics_left_out{kind="cameras"} 1');
    expect(lines).toContain('media_aggregator_metrics_left_out{kind="pushes"} 2');
    // The totals count them all.
    expect(lines).toContain('media_aggregator_pushes{state="active"} 3');
    expect(lines.filter((line) => line.startsWith('media_aggregator_pushes{')).length).toBe(pushStates.length);
  } finally {
    await test.close();
  }
});

it('labels are escaped, and what one reader left is not given to the next', () => {
  const group = new SeriesGroup<number>([
    { name: 'x_total', type: 'counter', help: 'A \\ and\na break.', read: (value) => [{ value, labels: { b: 'c' } }] },
    { name: 'y', type: 'gauge', help: 'None.', read: () => null },
  ]);
  group.add(1, { a: 'never taken' });
  group.clear();
  group.add(2.5, { a: 'say "\\"\n' });
  const text = [
    '# HELP media_aggregator_x_total A \\\\ and\\na break.',
    '# TYPE media_aggregator_x_total counter',
    'media_aggregator_x_total{a="say \\"\\\\\\"\\n",b="c"} 2.5',
    '# HELP media_aggregator_y None.',
    '# TYPE media_aggregator_y gauge',
    '',
  ];
  expect([...group.take()].join('')).toBe(text.join('\n'));
  expect([...group.take()].join('')).not.toContain('2.5');
});
