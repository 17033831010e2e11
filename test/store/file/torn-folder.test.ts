import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { silentLogger } from '../../../src/log/log.js';
import { openFileStore } from '../../../src/store/file/file-store.js';
import { Random } from '../../fuzz/random.js';
import { BusyStore, type TearCounts, tearOnce, tears } from '../../soak/torn/tears.js';

// `npm run soak -- --torn` does it longer, and kills the program besides.
it('a folder that is copied and torn at random moments has all that was acknowledged, or says that it has not', async () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const root = mkdtempSync(join(tmpdir(), 'media-aggregator-torn-'));
  try {
    const folder = join(root, 'data');
    const store = await openFileStore({ dataDir: folder, log: silentLogger });
    const busy = new BusyStore(store, new Random(seed, 0));
    const counts: TearCounts = { whole: 0, refused: 0, warned: 0 };
    const untilMs = performance.now() + 2500;
    // On a busy machine a few rounds take longer.
    for (let index = 1; performance.now() < untilMs || (counts.whole <= 2 && index < 1000); index++) {
      const random = new Random(seed, index);
      const tear = tears[index % tears.length] ?? 'none';
      const fate = await tearOnce(busy, { folder, copy: join(root, 'copy'), tear, random }).catch((error: unknown) => {
        throw new Error(`seed ${seed}, round ${index}`, { cause: error });
      });
      counts[fate] += 1;
    }
    await busy.end();
    expect(busy.acknowledged).toBeGreaterThan(10);
    expect(counts.whole).toBeGreaterThan(2);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}, 60_000);
