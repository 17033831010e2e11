import { expect, it } from 'vitest';
import type { MediaBackend } from '../../src/backend/backend.js';
import { type Figures, LiveStats } from '../../src/control/live-stats.js';
import { waitFor } from '../support/wait.js';

it('a subscriber who comes while the figures are collected for one who left is told of all cameras', async () => {
  const names = new Set(Array.from({ length: 200 }, (_, index) => `camera-${index}`));
  let looked = 0;
  const backend = {
    camera: (name: string) => {
      looked++;
      // Slow enough that the look rests on its way.
      for (const end = performance.now() + 0.2; performance.now() < end; );
      return { name, liveSince: 1, pushes: [] };
    },
    totals: () => ({}),
  } as unknown as Pick<MediaBackend, 'camera' | 'totals'>;
  const stats = new LiveStats(backend, names);

  stats.subscribe(() => expect.unreachable('who left is told nothing'))();
  expect(looked).toBeGreaterThan(0);
  expect(looked).toBeLessThan(names.size);
  const told: Figures[] = [];
  const unsubscribe = stats.subscribe((figures) => told.push(figures));
  await waitFor(async () => told.length > 0, { what: 'the figures' });
  unsubscribe();

  expect(Object.keys(told[0]?.cameras ?? {})).toHaveLength(names.size);
  expect([...stats.names]).toHaveLength(names.size);
});
