import { EventEmitter } from 'node:events';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { ClusterNodes } from '../../src/cluster/nodes.js';
import { ClusterSecret } from '../../src/cluster/secret.js';
import type { EtcdClient } from '../../src/etcd/client.js';
import { silentLogger } from '../../src/log/log.js';
import { waitFor } from '../support/wait.js';

const header = { clusterId: '1', memberId: '1', revision: '1' };
type Put = { readonly success: readonly { readonly requestPut: { readonly value: Buffer } }[] };

/** An etcd that answers writes when, and in the order in which, a test says so; what it answered counts. */
class SlowEtcd {
  readonly waiting: { readonly value: string; readonly answer: () => void }[] = [];
  readonly watch = Object.assign(new EventEmitter(), { write: () => true, cancel: () => undefined });
  stored = '';
  writes = 0;
  /** Told that a lease is to be granted. */
  onGrant = (): void => undefined;
  /** Keepalives wait for a test to answer them, too. */
  isSilent = false;
  answerKeepalive = (): void => undefined;

  get client(): EtcdClient {
    const keepAlive = Object.assign(new EventEmitter(), { cancel: () => undefined });
    const write = ({ ID }: { ID: string }): boolean => {
      const answer = (): unknown => keepAlive.emit('data', { header, ID, TTL: '60' });
      if (this.isSilent) this.answerKeepalive = () => void answer();
      else setImmediate(answer);
      return true;
    };
    return {
      endpoint: 'fake',
      next: () => undefined,
      watch: async () => this.watch,
      range: async () => ({ header, kvs: [], more: false, count: '0' }),
      leaseGrant: async () => {
        this.onGrant();
        return { header, ID: '7', TTL: '60' };
      },
      leaseKeepAlive: async () => Object.assign(keepAlive, { write }),
      leaseRevoke: async () => ({ header }),
      txn: (request: Put) => this.#txn(request.success[0]!.requestPut.value.toString()),
    } as unknown as EtcdClient;
  }

  /** The watch tells what this node's key is now. */
  tell(value: string): void {
    const kv = { key: Buffer.from('/x/nodes/a'), value: Buffer.from(value), modRevision: '9', createRevision: '1' };
    this.watch.emit('data', { header, canceled: false, compactRevision: '0', events: [{ type: 'PUT', kv }] });
  }

  #txn(value: string): Promise<unknown> {
    return new Promise((resolve) => {
      const answer = (): void => {
        this.stored = value;
        this.writes += 1;
        resolve({ header, succeeded: true, responses: [] });
      };
      this.waiting.push({ value, answer });
    });
  }
}

describe('what a node tells the others of itself', () => {
  let nodes: ClusterNodes | undefined;
  afterEach(() => nodes?.close(10));

  const start = async (etcd: SlowEtcd): Promise<ClusterNodes> => {
    nodes = new ClusterNodes({
      ...{ client: etcd.client, prefix: '/x/', leaseMs: 60_000, log: silentLogger },
      secret: ClusterSecret.fromText('5ec2e7'.padEnd(64, '0')),
      self: { id: 'a', rtmp: 'rtmp://h:1', api: 'http://h:2', version: '1', startedAt: '' },
    });
    await nodes.start(false);
    await waitFor(() => etcd.waiting.length > 0, { what: 'the first write' });
    return nodes;
  };

  // What was told last was gone when etcd took two writes in the other order: the others then knew for ever that a node could
  // not be reached which could, and a push ran nowhere.
  test('is what it told last, in whatever order etcd would take writes', async () => {
    const etcd = new SlowEtcd();
    const told = await start(etcd);
    void told.tell({ cannotReach: ['b'] });
    void told.tell({ cannotReach: ['b', 'c'] });
    void told.tell({ cannotReach: ['c'] });
    void told.tell({ cannotReach: [] });
    // The newest that waits is answered first.
    for (let turn = 0; turn < 20; turn += 1) {
      etcd.waiting.pop()?.answer();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(JSON.parse(etcd.stored)).toMatchObject({ id: 'a', cannotReach: [] });
    // What changed meanwhile went with the next write.
    expect(etcd.writes).toBeLessThan(4);
  });

  test('leaves its lease in force while it is written: cameras can be claimed', async () => {
    const etcd = new SlowEtcd();
    const told = await start(etcd);
    expect(told.leaseId).toBeUndefined();
    etcd.waiting.pop()?.answer();
    await waitFor(() => told.leaseId === '7', { what: 'the lease' });
    void told.tell({ load: { outMbps: 5, cameras: 5 } });
    expect(told.leaseId).toBe('7');
  });

  // A camera that came back while its node started again was let in without a claim: two nodes could have it.
  test('has who claims wait for its first lease, and for no other', async () => {
    const etcd = new SlowEtcd();
    const told = await start(etcd);
    const lease = told.leaseSoon(20_000);
    etcd.waiting.pop()?.answer();
    expect(await lease).toBe('7');
    const silent = await start(new SlowEtcd());
    expect(await silent.leaseSoon(50)).toBeUndefined();
    const before = performance.now();
    expect(await silent.leaseSoon(20_000)).toBeUndefined();
    expect(performance.now() - before).toBeLessThan(10_000);
  });

  test('is put right when it is something else in etcd', async () => {
    const etcd = new SlowEtcd();
    const told = await start(etcd);
    etcd.waiting.pop()?.answer();
    await waitFor(() => told.leaseId === '7', { what: 'the lease' });
    etcd.tell(etcd.stored);
    etcd.tell('{"id":"a","rtmp":"rtmp://stranger:1"}');
    await waitFor(() => etcd.waiting.length > 0, { what: 'it to be written again' });
    etcd.waiting.pop()?.answer();
    expect(JSON.parse(etcd.stored)).toMatchObject({ rtmp: 'rtmp://h:1' });
  });

  // That a node drains, told in such a moment, no other node ever heard.
  test('is written later when its lease was in doubt for a moment, and holds', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
    try {
      const etcd = new SlowEtcd();
      etcd.isSilent = true;
      // It holds for 60 s from when it was asked for; a quarter of that after it came, and so on, it is looked after.
      etcd.onGrant = () => void vi.advanceTimersByTime(10);
      const told = await start(etcd);
      etcd.waiting.pop()?.answer();
      const turn = async (): Promise<unknown> => await new Promise((resolve) => setImmediate(resolve));
      await turn();
      expect(told.leaseId).toBe('7');
      const load = { outMbps: 0, cameras: 0 };
      void told.tell({ load });
      etcd.waiting.pop()?.answer();
      await turn();
      for (let beat = 0; beat < 3; beat += 1) {
        vi.advanceTimersByTime(15_000);
        await turn();
      }
      vi.advanceTimersByTime(14_995);
      expect(told.leaseId).toBeUndefined();
      void told.tell({ isDraining: true });
      etcd.answerKeepalive();
      expect(told.leaseId).toBe('7');
      expect(etcd.waiting).toHaveLength(0);
      // It tells this every 10 s.
      void told.tell({ load });
      expect(etcd.waiting).toHaveLength(1);
      expect(etcd.waiting[0]?.value).toContain('"isDraining":true');
    } finally {
      vi.useRealTimers();
    }
  });
});
