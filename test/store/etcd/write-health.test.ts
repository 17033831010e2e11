import { status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import type { EtcdClient } from '../../../src/etcd/client.js';
import { EtcdError } from '../../../src/etcd/etcd-error.js';
import { silentLogger } from '../../../src/log/log.js';
import { EtcdWriteHealth } from '../../../src/store/etcd/write-health.js';
import { waitFor } from '../../support/wait.js';

const failure = (code: number, details: string): EtcdError =>
  EtcdError.of(Object.assign(new Error(details), { code, details }), '10.0.0.1:2379');

// A node whose user may only read was well to look at, and neither in the list of nodes nor able to claim a camera.
test.each([
  ['a user who may not write', failure(status.PERMISSION_DENIED, 'etcdserver: permission denied'), /may not do this/],
  ['a full one', failure(status.RESOURCE_EXHAUSTED, 'etcdserver: mvcc: database space exceeded'), /NOSPACE/],
])('an etcd that refuses writes is a problem until it takes them: %s', async (_, error, words) => {
  let isMended = false;
  const client = {
    tryWrite: async () => {
      if (!isMended) throw error;
    },
  } as unknown as EtcdClient;
  const health = new EtcdWriteHealth(client, '/x/head', silentLogger);
  try {
    health.note(failure(status.UNAVAILABLE, 'No connection established. Last error: x. Resolution note: '));
    expect(health.problem).toBeUndefined();
    health.note(error);
    expect(health.problem).toMatchObject({ code: 'CLUSTER_UNAVAILABLE', message: expect.stringMatching(words) });
    isMended = true;
    await waitFor(() => health.problem === undefined, { what: 'it to be well again' });
  } finally {
    health.close();
  }
});

// It was a problem, and none, and one again, every 2 s.
test('a user who may write the state and not the list of nodes is a problem until that is mended', async () => {
  const denied = failure(status.PERMISSION_DENIED, 'etcdserver: permission denied');
  let asked = 0;
  let isMended = false;
  const tryWrite = async (key: Buffer): Promise<void> => {
    asked += 1;
    if (key.toString() === '/x/nodes/a' && !isMended) throw denied;
  };
  const health = new EtcdWriteHealth({ tryWrite } as unknown as EtcdClient, '/x/head', silentLogger);
  try {
    health.note(denied, Buffer.from('/x/nodes/a'));
    await waitFor(() => asked > 0, { what: 'it to be asked' });
    await new Promise((resolve) => setImmediate(resolve));
    expect(health.problem).toBeDefined();
    isMended = true;
    await waitFor(() => health.problem === undefined, { what: 'it to be well again' });
  } finally {
    health.close();
  }
});
