import { EventEmitter } from 'node:events';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { CameraClaims } from '../../src/cluster/claims.js';
import { LiveCameras } from '../../src/cluster/live-cameras.js';
import type { ClusterNodes } from '../../src/cluster/nodes.js';
import type { EtcdClient } from '../../src/etcd/client.js';
import type { KeyValue, WatchEvent } from '../../src/etcd/protocol.js';
import { silentLogger } from '../../src/log/log.js';

type Txn = Parameters<EtcdClient['txn']>[0];

/** As much of etcd as claims need, in memory. Its watches are told when the test says so. */
class FakeEtcd {
  readonly keys = new Map<string, KeyValue>();
  readonly streams: EventEmitter[] = [];
  clusterId = '1';
  revision = 1;
  isAway = false;
  isLate = false;
  asked = 0;
  #untold: WatchEvent[] = [];

  get client(): EtcdClient {
    const fake: Partial<EtcdClient> = {
      txn: async (request) => await this.#txn(request),
      range: async () => ({ header: this.#header, kvs: [...this.keys.values()], more: false, count: '0' }),
      watch: async () => {
        const stream = Object.assign(new EventEmitter(), { write: () => true, cancel: () => undefined });
        this.streams.push(stream);
        return stream as unknown as Awaited<ReturnType<EtcdClient['watch']>>;
      },
      next: () => undefined,
    };
    return Object.assign(Object.create(null), fake, { endpoint: 'fake' });
  }

  nodesIn(kind: string): string[] {
    return [...this.keys].filter(([key]) => key.startsWith(`/x/claims/${kind}/`)).map(([, kv]) => String(kv.value));
  }

  /** Somebody else writes, or removes, the claim of a camera. */
  other(camera: string, node: string | null): void {
    this.#put(`/x/claims/live/${camera}`, node === null ? null : JSON.stringify({ node }), 'other');
    if (!this.isLate) this.tell();
  }

  /** A node asks for a camera. */
  wants(camera: string, value: string): void {
    this.#put(`/x/claims/wanted/${camera}`, value, 'other');
    this.tell();
  }

  tell(events = this.#untold): void {
    this.#untold = [];
    this.streams.at(-1)?.emit('data', { header: this.#header, canceled: false, compactRevision: '0', events });
  }

  get #header() {
    return { clusterId: this.clusterId, memberId: '1', revision: String(this.revision) };
  }

  async #txn({ compare, success, failure }: Txn) {
    await new Promise((resolve) => setImmediate(resolve));
    this.asked += 1;
    if (this.isAway) throw new Error('etcd does not answer');
    const succeeded = compare.every((each) => {
      const kv = this.keys.get(String(each.key));
      if (each.target === 'CREATE') return Number(kv?.createRevision ?? 0) === Number(each.createRevision);
      return each.target === 'MOD' && Number(kv?.modRevision ?? 0) === Number(each.modRevision);
    });
    const responses = (succeeded ? success : failure).map((each) => {
      if ('requestPut' in each)
        this.#put(String(each.requestPut.key), String(each.requestPut.value), each.requestPut.lease);
      if ('requestDeleteRange' in each) this.#put(String(each.requestDeleteRange.key), null);
      if (!('requestRange' in each)) return {};
      const kv = this.keys.get(String(each.requestRange.key));
      return { responseRange: { header: this.#header, kvs: kv === undefined ? [] : [kv], more: false, count: '0' } };
    });
    if (!this.isLate) this.tell();
    return { header: this.#header, succeeded, responses } as Awaited<ReturnType<EtcdClient['txn']>>;
  }

  #put(key: string, value: string | null, lease: unknown = ''): void {
    const before = this.keys.get(key);
    if (before === undefined && value === null) return;
    this.revision += 1;
    const kv = {
      ...{ key: Buffer.from(key), value: Buffer.from(value ?? ''), version: '1', lease: String(lease) },
      createRevision: value === null ? '0' : (before?.createRevision ?? String(this.revision)),
      modRevision: String(this.revision),
    } as KeyValue;
    if (value === null) this.keys.delete(key);
    else this.keys.set(key, kv);
    this.#untold.push({ type: value === null ? 'DELETE' : 'PUT', kv } as WatchEvent);
  }
}

/** A node with live cameras. */
function nodeOf(etcd: FakeEtcd, cameras: readonly string[]) {
  const live = new Set(cameras);
  const all = new LiveCameras({ client: etcd.client, prefix: '/x/', log: silentLogger });
  const letGo: string[] = [];
  const leases: (() => void)[] = [];
  const nodes = {
    ...{ self: { id: 'a' }, leaseId: '7', leaseSoon: async () => '7', all: [{ id: 'a' }, { id: 'b' }] },
    onLease: (listener: () => void) => leases.push(listener),
  } as unknown as ClusterNodes;
  const claims = new CameraClaims({
    ...{ client: etcd.client, prefix: '/x/', nodes, log: silentLogger },
    live: all,
    cameras: {
      isLive: (camera) => live.has(camera),
      isSilent: () => false,
      letGo: (camera) => {
        live.delete(camera);
        letGo.push(camera);
      },
      live: () => live,
    },
  });
  const close = (): void => {
    claims.close();
    all.close();
  };
  return { claims, live, letGo, close };
}

describe('claims of cameras', () => {
  let etcd = new FakeEtcd();
  beforeEach((context) => {
    etcd = new FakeEtcd();
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    context.onTestFinished(() => void vi.useRealTimers());
  });
  const rest = async (): Promise<void> => {
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  };

  // A source that is pulled at two nodes had the one that does not own the camera ask etcd, and the owner, at every retry.
  test('who can wait asks nobody while another node is known to have the camera, and never the node that has it', async (context) => {
    const { claims, close } = nodeOf(etcd, []);
    context.onTestFinished(close);
    await rest();
    etcd.other('gate', 'b');
    etcd.other('old', 'gone');
    etcd.isLate = true;
    etcd.other('yard', 'b');
    const before = etcd.asked;
    await expect(claims.claim('gate', true)).rejects.toMatchObject({ code: 'PUBLISH_ALREADY_LIVE' });
    expect(etcd.asked).toBe(before);
    // Not known here yet: etcd says so, and the node that has it is not asked to give it away.
    await expect(claims.claim('yard', true)).rejects.toMatchObject({ code: 'PUBLISH_ALREADY_LIVE' });
    expect(etcd.asked).toBe(before + 1);
    expect(etcd.nodesIn('wanted')).toEqual([]);
    // A node that is gone has nothing.
    await claims.claim('old', true);
    expect(claims.epochOf('old')).toBeGreaterThan(0);
  });

  test('a camera that was let in while etcd was away is claimed when it answers, though the lease lasted', async (context) => {
    const { claims, live, close } = nodeOf(etcd, []);
    context.onTestFinished(close);
    await rest();
    etcd.isAway = true;
    await claims.claim('gate');
    live.add('gate');
    expect(claims.epochOf('gate')).toBe(0);
    vi.advanceTimersByTime(5000);
    await rest();
    expect(etcd.nodesIn('live')).toEqual([]);
    etcd.isAway = false;
    vi.advanceTimersByTime(5000);
    await rest();
    expect(etcd.nodesIn('live')).toEqual([expect.stringContaining('"a"')]);
    expect(claims.epochOf('gate')).toBeGreaterThan(0);
  });

  // Its node's lease went on, and all other nodes refused the camera's publisher for as long as that node lived.
  test('a claim that could not be given back while etcd was away is given back when it answers', async (context) => {
    const { claims, close } = nodeOf(etcd, []);
    context.onTestFinished(close);
    await rest();
    await claims.claim('gate');
    etcd.isAway = true;
    claims.release('gate');
    vi.advanceTimersByTime(5000);
    await rest();
    expect(etcd.nodesIn('live')).toHaveLength(1);
    etcd.isAway = false;
    vi.advanceTimersByTime(5000);
    await rest();
    expect(etcd.nodesIn('live')).toEqual([]);
  });

  test('and is let go where another node has it meanwhile', async (context) => {
    etcd.other('gate', 'b');
    const { letGo, close } = nodeOf(etcd, ['gate']);
    context.onTestFinished(close);
    vi.advanceTimersByTime(5000);
    await rest();
    expect(letGo).toEqual(['gate']);
  });

  test('what is told late of an older claim does not touch the newer one', async (context) => {
    const { claims, live, close } = nodeOf(etcd, []);
    context.onTestFinished(close);
    await rest();
    await claims.claim('gate');
    etcd.isLate = true;
    claims.release('gate');
    await rest();
    await claims.claim('gate');
    live.add('gate');
    const epoch = claims.epochOf('gate');
    etcd.tell();
    await rest();
    expect(epoch).toBeGreaterThan(0);
    expect(claims.epochOf('gate')).toBe(epoch);
  });

  test('a node is told of each claim once: there is one watch', async (context) => {
    const { claims, close } = nodeOf(etcd, []);
    context.onTestFinished(close);
    await rest();
    expect(etcd.streams).toHaveLength(1);
    // What a stranger wrote as the node that wants a camera is nobody, and the camera stays.
    await claims.claim('gate');
    etcd.wants('gate', '{"node":"../b"}');
    await rest();
    expect(claims.epochOf('gate')).toBeGreaterThan(0);
    // One that is asked for by a node, and whose publisher is gone, is given away.
    etcd.wants('gate', '{"node":"b"}');
    await rest();
    expect(claims.epochOf('gate')).toBe(0);
    expect([etcd.nodesIn('live'), etcd.nodesIn('wanted')]).toEqual([[], []]);
  });

  // Whoever asked for the camera then took it for free, and the publisher that sent was ended.
  test('what a stranger writes over a claim is claimed anew', async (context) => {
    const { claims, live, letGo, close } = nodeOf(etcd, []);
    context.onTestFinished(close);
    await rest();
    await claims.claim('gate');
    live.add('gate');
    const epoch = claims.epochOf('gate');
    etcd.other('gate', '../nobody');
    await rest();
    expect(letGo).toEqual([]);
    expect(etcd.nodesIn('live')).toEqual([expect.stringContaining('"a"')]);
    expect(claims.epochOf('gate')).toBeGreaterThan(epoch);
  });

  test('another etcd in its place is watched from where it is', async (context) => {
    const { letGo, close } = nodeOf(etcd, ['gate']);
    context.onTestFinished(close);
    await rest();
    etcd.revision = 100;
    etcd.tell([]);
    const streams = etcd.streams.length;
    etcd.clusterId = '2';
    etcd.revision = 5;
    etcd.tell([]);
    await rest();
    expect(etcd.streams.length).toBe(streams + 1);
    etcd.other('gate', null);
    etcd.other('gate', 'b');
    await rest();
    expect(letGo).toEqual(['gate']);
  });
});
