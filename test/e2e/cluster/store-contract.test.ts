import { afterAll, inject, test } from 'vitest';
import { EtcdClient } from '../../../src/etcd/client.js';
import { silentLogger } from '../../../src/log/log.js';
import { EtcdStore } from '../../../src/store/etcd/etcd-store.js';
import { describeStoreContract } from '../../store/contract.js';
import { TestEtcd } from '../../support/etcd.js';
import { Scope } from '../../support/scope.js';
import { waitFor } from '../../support/wait.js';

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
    const client = new EtcdClient({ endpoints: etcd.endpoints });
    scope.defer(() => client.close());
    const options = {
      client,
      prefix: `/contract-${count}`,
      dataDir: scope.temporaryFolder(),
      nodeId: 'n1',
      log: silentLogger,
    };
    const store = await EtcdStore.open(options);
    return {
      store,
      reopen: () => EtcdStore.open(options),
      breakWrites: async () => {
        await etcd.kill();
        // What is asked before it is known that etcd is gone may be uncertain.
        await waitFor(() => store.problems.length > 0, { what: 'the store to know that etcd is away' });
        return async () => {
          etcd.run();
          await waitFor(() => store.problems.length === 0, {
            what: 'the store to have found etcd again',
            timeoutMs: 30_000,
          });
        };
      },
      refusal: 'CLUSTER_UNAVAILABLE',
      clean: () => scope.close(),
    };
  });
}
