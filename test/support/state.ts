import { vi } from 'vitest';
import { readFolder } from '../../src/store/file/recover.js';
import type { Sealing } from '../../src/store/sealing.js';

/** Resolves when state.json holds all and its journal began anew, as is so soon after a change. */
export async function stateFileSettled(folder: string, sealing?: Sealing): Promise<void> {
  await vi.waitFor(
    async () => {
      const { journal } = await readFolder(folder, sealing);
      const lines = journal?.entries.length ?? 0;
      if (lines > 0) throw new Error(`${lines} lines wait in the journal`);
    },
    { timeout: 30_000, interval: 20 },
  );
}
