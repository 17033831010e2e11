import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/**
 * `unit` needs nothing but this repository; `e2e` needs the real peers (see scripts/test.mjs) and the built program.
 * Unit tests wait for timers and disks much of their time, so three files run at once even where there are two cores.
 * The end-to-end files run after them and four at a time: they mostly wait for streams that are paced by the clock, and
 * what they measure should not be the machine's load.
 */
export default defineConfig({
  test: {
    retry: 0,
    pool: 'forks',
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/e2e/**'],
          setupFiles: ['test/support/poison-reads.ts'],
          testTimeout: 30_000,
          hookTimeout: 30_000,
          // By itself Vitest leaves a core free, and runs one file at a time where there are two.
          maxWorkers: Math.max(3, availableParallelism() - 1),
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          globalSetup: ['test/support/global-setup.ts'],
          testTimeout: 90_000,
          hookTimeout: 90_000,
          maxWorkers: 4,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
