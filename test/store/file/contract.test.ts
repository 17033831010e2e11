import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, vi } from 'vitest';
import { silentLogger } from '../../../src/log/log.js';
import { openFileStore } from '../../../src/store/file/file-store.js';
import { describeStoreContract } from '../contract.js';

afterEach(() => vi.restoreAllMocks());

describeStoreContract('the file store', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'aggregator-contract-'));
  const openStore = () => openFileStore({ dataDir: folder, log: silentLogger });
  return {
    store: await openStore(),
    reopen: openStore,
    breakWrites: async () => {
      const handle = await open(folder, 'r');
      await handle.close();
      const prototype: { datasync(): Promise<void>; sync(): Promise<void> } = Object.getPrototypeOf(handle);
      const fail = async () => {
        throw Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });
      };
      const spies = [
        vi.spyOn(prototype, 'datasync').mockImplementation(fail),
        vi.spyOn(prototype, 'sync').mockImplementation(fail),
      ];
      return async () => {
        for (const spy of spies) spy.mockRestore();
      };
    },
    clean: () => rm(folder, { recursive: true, force: true }),
  };
});
