import { silentLogger } from '../../../src/log/log.js';
import { MemoryStore } from '../../../src/store/memory/memory-store.js';
import { describeStoreContract } from '../contract.js';

describeStoreContract('the memory store', async () => ({
  store: new MemoryStore(silentLogger),
  clean: async () => {},
}));
