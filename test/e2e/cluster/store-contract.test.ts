import { afterAll, inject, test } from 'vitest';
import { silentLogger } from '../../../src/log/log.js';
import { EtcdStore } from '../../../src/store/etcd/etcd-store.js';
import { describeStoreContract } from '../../store/contract.js';
import { TestEtcd } from '../../support/etcd.js';
import { Scope } from '../../support/scope.js';

// One etcd for all: a prefix of its own makes a cluster of its own.
const shared = new Scope();
let started: Promise<TestEtcd> | undefined;
let count = 0;

afterAll(() => shared.close());

if (inject('missingPeers').includes('etcd')) test.skip('the contract of a store, kept by the store in etcd');
else {
  describeStoreContract('the store in etcd', async () => {
    started ??= TestEtcd.start(shared);
    const etcd = await started;
    const scope = new Scope();
    count += 1;
    const options = {
      access: { endpoints: etcd.endpoints },
      prefix: `/contract-${count}`,
      dataDir: scope.temporaryFolder(),
      nodeId: 'n1',
      log: silentLogger,
    };
    return {
      store: await EtcdStore.open(options),
      reopen: () => EtcdStore.open(options),
      breakWrites: async () => {
        await etcd.kill();
        return async () => {
          etcd.run();
          await etcd.answers();
        };
      },
      refusal: 'CLUSTER_UNAVAILABLE',
      clean: () => scope.close(),
    };
  });
}
