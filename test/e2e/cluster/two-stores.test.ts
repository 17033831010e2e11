import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import { EtcdClient } from '../../../src/etcd/client.js';
import { silentLogger } from '../../../src/log/log.js';
import { type Camera, emptyPushes } from '../../../src/model/model.js';
import { withEntry } from '../../../src/model/persistent-map.js';
import { EtcdStore } from '../../../src/store/etcd/etcd-store.js';
import { TestEtcd } from '../../support/etcd.js';
import { testWith } from '../../support/peers.js';
import { testScope } from '../../support/scope.js';
import { changeState } from '../../support/store.js';
import { waitFor } from '../../support/wait.js';

const camera = (name: string, type: string): Camera => ({
  ...{ name, type, createdAt: '2026-01-01T00:00:00.000Z' },
  pushes: emptyPushes,
});

describe('two stores in one etcd', () => {
  const test = testWith('etcd');

  test('a long change runs again on what another node, or a hand, changed while it was made', async (context) => {
    const scope = testScope(context);
    const etcd = await TestEtcd.start(scope);
    const open = async (nodeId: string): Promise<EtcdStore> => {
      const client = new EtcdClient({ endpoints: etcd.endpoints });
      scope.defer(() => client.close());
      const dataDir = scope.temporaryFolder();
      const store = await EtcdStore.open({ client, prefix: '/two', dataDir, nodeId, log: silentLogger });
      scope.defer(() => store.close());
      return store;
    };
    const [one, other] = [await open('one'), await open('other')];
    await changeState(one, (state) => ({
      ...state,
      cameras: withEntry(state.cameras, 'gate', camera('gate', 'before')),
    }));

    for (const write of [
      () =>
        changeState(other, (state) => ({
          ...state,
          cameras: withEntry(state.cameras, 'gate', camera('gate', 'other')),
        })),
      () => etcd.ctl('put', '/two/state/cameras/gate', '{"type":"hand"}'),
    ]) {
      const bases: (string | undefined)[] = [];
      let isSeen = false;
      const long = one.updateInSteps(function* (before) {
        bases.push(before.cameras.get('gate')?.type);
        // Goes on until the other change has come, the first time.
        for (const untilMs = performance.now() + 20_000; !isSeen && performance.now() < untilMs; ) yield;
        const type = `${before.cameras.get('gate')?.type}-long`;
        return { state: { ...before, cameras: withEntry(before.cameras, 'gate', camera('gate', type)) }, result: type };
      });
      const known = one.state;
      await sleep(20);
      await write();
      await waitFor(() => one.state !== known, { what: 'the other change to come' });
      isSeen = true;
      const { result } = await long;
      expect(bases).toHaveLength(2);
      expect(result).toBe(`${bases[1]}-long`);
      expect(bases[1]).not.toBe(bases[0]);
      expect(one.state.cameras.get('gate')?.type).toBe(result);
    }
  });
});
