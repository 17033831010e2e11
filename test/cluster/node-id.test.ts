import { EventEmitter } from 'node:events';
import { describe, expect, test } from 'vitest';
import { type NodeIdentity, takeNodeId } from '../../src/cluster/node-id.js';
import { NodeRecords } from '../../src/cluster/node-record.js';
import { ClusterNodes } from '../../src/cluster/nodes.js';
import { ClusterSecret } from '../../src/cluster/secret.js';
import type { EtcdClient } from '../../src/etcd/client.js';
import type { KeyValue, TxnRequest } from '../../src/etcd/protocol.js';
import { silentLogger } from '../../src/log/log.js';
import { Scope } from '../support/scope.js';
import { waitFor } from '../support/wait.js';

const secret = ClusterSecret.fromText('5ec2e7'.padEnd(64, '0'));
const records = new NodeRecords(secret, '/x/');
const folder = '0f'.repeat(16);
const [here, there] = ['aa'.repeat(16), 'bb'.repeat(16)];
const key = '/x/nodes/a';
const idOf = (api: string, copy: string | undefined, of = folder) => ({
  ...{ id: 'a', rtmp: 'rtmp://h:1', api, version: '1', startedAt: '', folder: of },
  ...(copy === undefined ? {} : { copy }),
});

/** As much of etcd as the key of a node needs; leases last until the test ends them. */
class FakeEtcd {
  readonly #leases = new Map<string, number>();
  readonly #watches = new Set<EventEmitter>();
  readonly revoked: string[] = [];
  kv: KeyValue | undefined;
  /** Seconds that the lease has left, each time that somebody looks; the last one stays. */
  left: number[] = [];
  looks = 0;
  #revision = 1;
  #granted = 0;

  get client(): EtcdClient {
    const fake: Partial<EtcdClient> = {
      range: async ({ rangeEnd }) => {
        const kvs = this.kv === undefined || rangeEnd !== undefined ? [] : [this.kv];
        return { header: this.#header, kvs, more: false, count: '0' };
      },
      txn: async (request) => await this.#txn(request),
      leaseGrant: async () => {
        this.#granted += 1;
        const ID = String(this.#granted);
        this.#leases.set(ID, 60);
        return { header: this.#header, ID, TTL: '60' };
      },
      leaseRevoke: async (id: string) => {
        this.revoked.push(id);
        this.end(id);
      },
      leaseTimeToLive: async () => {
        this.looks += 1;
        return (this.left.length > 1 ? this.left.shift() : this.left[0]) ?? -1;
      },
      watch: async () => {
        const stream = Object.assign(new EventEmitter(), { write: () => true, cancel: () => {} });
        this.#watches.add(stream);
        return stream as never;
      },
      leaseKeepAlive: async () => {
        const stream = Object.assign(new EventEmitter(), { cancel: () => {} });
        const write = ({ ID }: { ID: string }): boolean =>
          setImmediate(() => stream.emit('data', { header: this.#header, ID, TTL: '60' })).hasRef();
        return Object.assign(stream, { write }) as never;
      },
      next: () => {},
    };
    return Object.assign(Object.create(null), fake, { endpoint: 'fake' });
  }

  put(value: string, lease: string): void {
    this.#revision += 1;
    const revision = String(this.#revision);
    this.kv = {
      key: Buffer.from(key),
      value: Buffer.from(value),
      createRevision: revision,
      modRevision: revision,
      lease,
    };
    this.#tell('PUT', this.kv);
  }

  /** A lease is over, and its key gone. */
  end(lease: string): void {
    if (this.kv?.lease !== lease) return;
    this.#revision += 1;
    const gone = { ...this.kv, value: Buffer.alloc(0), modRevision: String(this.#revision), lease: '0' };
    this.kv = undefined;
    this.#tell('DELETE', gone);
  }

  get #header() {
    return { clusterId: '1', memberId: '1', revision: String(this.#revision) };
  }

  #tell(type: string, kv: KeyValue): void {
    const response = { header: this.#header, canceled: false, compactRevision: '0', events: [{ type, kv }] };
    for (const watch of this.#watches) watch.emit('data', response);
  }

  async #txn({ compare, success }: TxnRequest) {
    await new Promise((resolve) => setImmediate(resolve));
    const isSame = compare.every(({ modRevision }) => modRevision === Number(this.kv?.modRevision ?? 0));
    const [op] = success;
    if (isSame && op !== undefined && 'requestPut' in op)
      this.put(String(op.requestPut.value), op.requestPut.lease ?? '0');
    const kvs = this.kv === undefined ? [] : [this.kv];
    const responses = isSame ? [] : [{ responseRange: { header: this.#header, kvs, more: false, count: '0' } }];
    return { header: this.#header, succeeded: isSame, responses } as never;
  }
}

function take(etcd: FakeEtcd, identity: NodeIdentity): Promise<void> {
  return takeNodeId({ client: etcd.client, prefix: '/x/', records, id: 'a', identity, log: silentLogger });
}

describe('the id of a node that starts', () => {
  const other = (copy: string | undefined, of = folder) =>
    JSON.stringify(records.signed(idOf('http://10.0.0.1:8080', copy, of)));

  test('is its own again at once after a kill: what its life before had claimed is free', async () => {
    const etcd = new FakeEtcd();
    etcd.put(other(here), '99');
    etcd.left = [60];
    await take(etcd, { folder, copy: here });
    expect(etcd.revoked).toEqual(['99']);
    expect(etcd.looks).toBe(0);
  });

  test.each([
    ['of a machine that was cloned with its data folder', there, folder, /copy of the data folder/],
    ['of an older version, on the same folder', undefined, folder, /copy of the data folder/],
    ['of a stranger with the same name', there, 'f0'.repeat(16), /lives at http/],
  ])('is taken by the one %s, as long as that keeps its lease alive', async (_, copy, of, words) => {
    const etcd = new FakeEtcd();
    etcd.put(other(copy, of), '99');
    etcd.left = [9, 8, 11];
    const refused = take(etcd, { folder, copy: here });
    await expect(refused).rejects.toMatchObject({ code: 'NODE_ID_TAKEN', message: expect.stringMatching(words) });
    await expect(refused).rejects.toThrow(/node with the id a lives at http:\/\/10\.0\.0\.1:8080.*--node-id/);
    expect(etcd.revoked).toEqual([]);
    expect(etcd.kv?.lease).toBe('99');
  });

  // Of a lease of 3 s that is kept alive there are always more than 2: etcd says 2, in whole seconds, every time.
  test('is taken where the rest of a short lease does not get less', async () => {
    const etcd = new FakeEtcd();
    etcd.put(other(there), '99');
    etcd.left = [2];
    await expect(take(etcd, { folder, copy: here })).rejects.toMatchObject({ code: 'NODE_ID_TAKEN' });
    expect(etcd.kv?.lease).toBe('99');
  });

  test('is free when the lease of the one that had it runs out, which nobody cuts short', async () => {
    const etcd = new FakeEtcd();
    etcd.put(other(there), '99');
    etcd.left = [2, 1, 0, -1];
    const taken = take(etcd, { folder, copy: here });
    await waitFor(() => etcd.looks > 3, { what: 'some looks' });
    etcd.end('99');
    await taken;
    expect(etcd.revoked).toEqual([]);
  });

  // A node that came up on another machine was refused now and then, and its own dead life was said to live.
  test('is free when etcd takes a while to end the lease that is over', async () => {
    const etcd = new FakeEtcd();
    etcd.put(other(there), '99');
    etcd.left = [0];
    const taken = take(etcd, { folder, copy: here });
    await Promise.race([taken, waitFor(() => etcd.looks > 5, { what: 'some looks' })]);
    etcd.end('99');
    await taken;
    expect(etcd.revoked).toEqual([]);
  });

  test.each([
    ['what somebody wrote by hand', '{"id":"a"}', '99'],
    ['a record without a lease', undefined, '0'],
  ])('is not taken by %s', async (_, value, lease) => {
    const etcd = new FakeEtcd();
    etcd.put(value ?? other(there), lease);
    await take(etcd, { folder, copy: here });
    expect(etcd.revoked).toEqual([]);
  });
});

describe('two nodes of one id that both started while etcd was away', () => {
  const nodeAt = (etcd: FakeEtcd, scope: Scope, api: string, copy: string): ClusterNodes => {
    const nodes = new ClusterNodes({
      ...{ client: etcd.client, prefix: '/x/', secret, leaseMs: 60_000, log: silentLogger },
      self: idOf(api, copy),
    });
    scope.defer(() => nodes.close(10));
    return nodes;
  };

  test('the first keeps its key, and the second is told, claims nothing, and takes the id when it is free', async () => {
    const scope = new Scope();
    try {
      const etcd = new FakeEtcd();
      const first = nodeAt(etcd, scope, 'http://10.0.0.1:8080', here);
      await first.start(true);
      await waitFor(() => first.leaseId !== undefined, { what: 'the first to be written' });
      const held = etcd.kv;
      const second = nodeAt(etcd, scope, 'http://10.0.0.2:8080', there);
      await second.start(true);
      await waitFor(() => second.problems.length > 0, { what: 'the second to be told' });
      expect(second.problems).toMatchObject([
        {
          code: 'NODE_ID_TAKEN',
          message: expect.stringContaining('http://10.0.0.1:8080, on a copy of the data folder'),
        },
      ]);
      // What it has to tell changes nothing of that.
      void second.tell({ load: { outMbps: 5, cameras: 5 } });
      await new Promise((resolve) => setTimeout(resolve, 2500));
      expect(etcd.kv).toBe(held);
      expect([first.leaseId, second.leaseId]).toEqual([held?.lease, undefined]);
      expect(first.problems).toEqual([]);
      await first.close(10);
      await waitFor(() => second.leaseId !== undefined, { what: 'the second to take it', timeoutMs: 20_000 });
      expect(second.problems).toEqual([]);
    } finally {
      await scope.close();
    }
  });

  test('the first writes a key that somebody removed before the second does', async () => {
    const scope = new Scope();
    try {
      const etcd = new FakeEtcd();
      const first = nodeAt(etcd, scope, 'http://10.0.0.1:8080', here);
      await first.start(true);
      await waitFor(() => first.leaseId !== undefined, { what: 'the first to be written' });
      const second = nodeAt(etcd, scope, 'http://10.0.0.2:8080', there);
      await second.start(true);
      await waitFor(() => second.problems.length > 0, { what: 'the second to be told' });
      const { lease = '' } = etcd.kv ?? {};
      etcd.end(lease);
      await waitFor(() => etcd.kv !== undefined, { what: 'the key to be written' });
      expect(etcd.kv?.lease).toBe(lease);
    } finally {
      await scope.close();
    }
  });
});
