import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import type { Aggregator } from '../../support/aggregator.js';
import { startNode } from '../../support/cluster.js';
import { TestEtcd } from '../../support/etcd.js';
import { testWith } from '../../support/peers.js';
import { testScope } from '../../support/scope.js';
import { figure, waitFor } from '../../support/wait.js';

/** One change as its client saw it. The value that it writes is written by nobody else. */
interface Call {
  readonly node: Aggregator;
  readonly camera: string;
  readonly value: string;
  readonly beganMs: number;
  readonly endedMs: number;
  readonly outcome: 'made' | 'refused' | 'unknown';
}

/** How many changes; `MEDIA_AGGREGATOR_CLUSTER_CHANGES=5000` for a long run. */
const changes = Number(process.env.MEDIA_AGGREGATOR_CLUSTER_CHANGES ?? 400);
const clients = 20;
const cameras = 50;

async function change(node: Aggregator, camera: string, value: string): Promise<Call> {
  const beganMs = performance.now();
  let outcome: Call['outcome'] = 'unknown';
  try {
    const { status, body } = await node.api('PATCH', `/v1/cameras/${camera}`, { type: value });
    const code = (body as { code?: string }).code;
    if (status === 200) outcome = 'made';
    else if (code !== 'CLUSTER_UNCERTAIN') outcome = 'refused';
    // What a node has answered it shows, or something newer.
    if (status === 200) {
      const { type } = (await node.apiOk('GET', `/v1/cameras/${camera}`)) as { type: string };
      seen.push({ camera, wrote: value, read: type });
    }
  } catch {
    // The connection broke: nobody knows.
  }
  return { node, camera, value, beganMs, endedMs: performance.now(), outcome };
}

const seen: { readonly camera: string; readonly wrote: string; readonly read: string }[] = [];

/** Every version of every camera, in etcd's order: by camera, value and revision. */
async function historyIn(etcd: TestEtcd): Promise<Map<string, Map<string, number>>> {
  const history = new Map<string, Map<string, number>>();
  const text = await etcd.watchAll('/media-aggregator/state/cameras/');
  for (const { key, value, revision } of text) {
    const camera = key.split('/').at(-1)!;
    const { type } = JSON.parse(value) as { type?: string };
    if (type === undefined) continue;
    const versions = history.get(camera) ?? new Map<string, number>();
    expect(versions.has(type), `${type} was written twice`).toBe(false);
    versions.set(type, revision);
    history.set(camera, versions);
  }
  return history;
}

describe('changes of many clients through many nodes', () => {
  const test = testWith('etcd');

  test.concurrent('have one order, and none is lost, while members of etcd are killed', async (context) => {
    const scope = testScope(context);
    const etcd = await TestEtcd.start(scope, 3);
    const nodes = await Promise.all(['a', 'b', 'c'].map((id) => startNode(scope, etcd, id)));
    const names = Array.from({ length: cameras }, (_, index) => `cam-${index}`);
    for (const name of names) await nodes[0]!.addCamera(name);
    for (const node of nodes) {
      const hasAll = async () => {
        const { items } = (await node.apiOk('GET', '/v1/cameras?limit=100')) as { items: unknown[] };
        return items.length === cameras;
      };
      await waitFor(hasAll, { what: 'every node to know all cameras' });
    }

    const calls: Call[] = [];
    let left = changes;
    let isOver = false;
    const client = async (number: number): Promise<void> => {
      for (let each = 0; left > 0; each += 1) {
        left -= 1;
        const node = nodes[(number + each) % nodes.length]!;
        calls.push(await change(node, names[(number * 7 + each * 3) % cameras]!, `v-${number}-${each}`));
      }
    };
    const trouble = (async () => {
      for (let member = 0; !isOver; member = (member + 1) % 3) {
        await sleep(1500);
        if (isOver) break;
        await etcd.kill(member);
        await sleep(1500);
        etcd.run(member);
      }
    })();
    await Promise.all(Array.from({ length: clients }, (_, number) => client(number)));
    isOver = true;
    await trouble;
    await etcd.answers();

    const history = await historyIn(etcd);
    const written = ({ camera, value }: Pick<Call, 'camera' | 'value'>) => history.get(camera)?.get(value);
    /** A node puts changes that wait together into one transaction: of two of one camera only the later one is written. */
    const revisionOf = (call: Call): number | undefined => {
      const own = written(call);
      if (own !== undefined || call.outcome !== 'made') return own;
      const over = calls
        .filter(({ node, camera }) => node === call.node && camera === call.camera)
        .filter(({ beganMs, endedMs }) => beganMs < call.endedMs && call.beganMs < endedMs)
        .map((other) => written(other) ?? 0);
      // Over several: the last of them is the one that can have been written instead.
      const last = Math.max(0, ...over);
      return last === 0 ? undefined : last;
    };
    const made = calls.filter(({ outcome }) => outcome === 'made');
    // What was acknowledged was made, and what was refused was not.
    for (const call of made) expect(revisionOf(call), `${call.camera} ${call.value} was acknowledged`).toBeDefined();
    for (const call of calls.filter(({ outcome }) => outcome === 'refused')) {
      expect(revisionOf(call), `${call.camera} ${call.value} was refused`).toBeUndefined();
    }
    // A change that began when another had been acknowledged comes after it.
    const byBegin = [...made].sort((left, right) => left.beganMs - right.beganMs);
    const byEnd = [...made].sort((left, right) => left.endedMs - right.endedMs);
    let newest = 0;
    let ended = 0;
    for (const call of byBegin) {
      for (; ended < byEnd.length && byEnd[ended]!.endedMs < call.beganMs; ended += 1) {
        // One that was written over may have gone in any transaction of that time: it bounds nothing.
        newest = Math.max(newest, written(byEnd[ended]!) ?? 0);
      }
      expect(revisionOf(call), `${call.camera} ${call.value} comes after what was acknowledged before`).toBeGreaterThan(
        newest,
      );
    }
    // No node shows something older than what it answered. A change that was written over bounds nothing here either.
    for (const { camera, wrote, read } of seen) {
      const [own, shown] = [written({ camera, value: wrote }) ?? 0, written({ camera, value: read })!];
      expect(shown, `${camera}: ${wrote} was made, then ${read} was read`).toBeGreaterThanOrEqual(own);
    }
    // All nodes end at the same.
    const last = new Map(
      [...history].map(([camera, versions]) => [camera, [...versions].sort((l, r) => l[1] - r[1]).at(-1)![0]]),
    );
    for (const node of nodes) {
      const isThere = async () => {
        const { items } = (await node.apiOk('GET', '/v1/cameras?limit=100')) as {
          items: { name: string; type: string }[];
        };
        return items.every(({ name, type }) => (last.get(name) ?? null) === (type ?? null));
      };
      await waitFor(isThere, { what: 'all nodes to end at the same state', timeoutMs: 20_000 });
    }
    const count = (outcome: Call['outcome']) => calls.filter((call) => call.outcome === outcome).length;
    figure('changes that were made', count('made'), '');
    figure('changes that were refused', count('refused'), '');
    figure('changes of which nobody knows', count('unknown'), '');
    expect(count('made')).toBeGreaterThan(changes / 4);
  });
});
