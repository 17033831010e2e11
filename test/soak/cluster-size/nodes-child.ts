/** Some of the nodes of a large cluster, in a process of their own: all but their media is real. Argument: the plan, as JSON. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { clusterFacts } from '../../../src/cli/cluster-facts.js';
import { CameraClaims } from '../../../src/cluster/claims.js';
import { GoneNodes } from '../../../src/cluster/gone-nodes.js';
import { holderIn, LiveCameras } from '../../../src/cluster/live-cameras.js';
import { ClusterNodes } from '../../../src/cluster/nodes.js';
import { RelayTickets } from '../../../src/cluster/relay-tickets.js';
import { ClusterSecret } from '../../../src/cluster/secret.js';
import { ViewerWants } from '../../../src/cluster/viewer-wants.js';
import { rankNodes } from '../../../src/control/choose-node.js';
import { Placing } from '../../../src/control/placing.js';
import { EtcdClient } from '../../../src/etcd/client.js';
import { silentLogger } from '../../../src/log/log.js';
import { EtcdStore } from '../../../src/store/etcd/etcd-store.js';
import type { Ask, ChildPlan, Reply } from './protocol.js';

const plan = JSON.parse(process.argv[2] ?? '{}') as ChildPlan;
const log = silentLogger;
const secret = ClusterSecret.fromText('5ec2e7'.padEnd(64, '0'));
const folder = mkdtempSync(join(tmpdir(), 'media-aggregator-cluster-size-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

const patienceMs = 120_000;
const keyOf = (camera: string): Buffer => Buffer.from(`${plan.prefix}/claims/live/${camera}`);

function nodeOf(client: EtcdClient, id: string, location: string): ClusterNodes {
  const port = 10_000 + Number(id.slice(1));
  return new ClusterNodes({
    ...{ client, prefix: `${plan.prefix}/`, secret, log, leaseMs: 20_000 },
    self: {
      ...{ id, location, rtmp: `rtmp://127.0.0.1:${port}`, api: `http://127.0.0.1:${port}` },
      ...{ version: '0.1.0', relays: 1, startedAt: new Date().toISOString() },
    },
  });
}

/** A node of which only its record and its claims are there, so that there can be many. */
class LightNode {
  readonly nodes: ClusterNodes;
  readonly own = new Set<string>();
  readonly #client = new EtcdClient({ endpoints: [plan.endpoint] });

  constructor(id: string, location: string) {
    this.nodes = nodeOf(this.#client, id, location);
  }

  start(): Promise<void> {
    return this.nodes.start(false);
  }

  /** As `CameraClaims` claims a camera that nobody has. */
  async publish(camera: string): Promise<number> {
    const beganMs = performance.now();
    const key = keyOf(camera);
    const value = Buffer.from(JSON.stringify({ node: this.nodes.self.id, since: new Date().toISOString() }));
    const { leaseId: lease } = this.nodes;
    if (lease === undefined) return -1;
    const put = { requestPut: { key, value, lease } };
    const compare = [{ result: 'EQUAL' as const, target: 'CREATE' as const, key, createRevision: 0 }];
    const { succeeded, responses } = await this.#txn({ compare, success: [put], failure: [{ requestRange: { key } }] });
    const holder = responses[0]?.responseRange?.kvs[0];
    // Its own claim, of which etcd did not say in time that it was made.
    if (!succeeded && (holder === undefined || holderIn(holder) !== this.nodes.self.id)) {
      throw new Error(`somebody has ${camera}`);
    }
    this.own.add(camera);
    return performance.now() - beganMs;
  }

  async leave(): Promise<void> {
    const all = [...this.own];
    this.own.clear();
    const away = (camera: string) => [{ requestDeleteRange: { key: keyOf(camera) } }];
    await Promise.all(all.map((camera) => this.#txn({ compare: [], success: away(camera), failure: [] })));
  }

  /** etcd refuses what comes while thousands wait, or answers too late: it is asked again. */
  async #txn(request: Parameters<EtcdClient['txn']>[0]): ReturnType<EtcdClient['txn']> {
    for (;;) {
      try {
        return await this.#client.txn(request, patienceMs);
      } catch (error) {
        if (!/too many requests|timed out|no answer|Connection dropped/.test(String(error))) throw error;
        await sleep(200 + Math.random() * 800);
      }
    }
  }

  async close(): Promise<void> {
    await this.nodes.close(2000);
  }
}

/** A node without media: what publishes to it is a name in a set. */
class SimulatedNode {
  readonly id: string;
  readonly own = new Set<string>();
  readonly live: LiveCameras;
  readonly claims: CameraClaims;
  readonly nodes: ClusterNodes;
  readonly placing: Placing;
  /** Cameras that were declared again, since something else is to run here. */
  redeclared = 0;
  letGo = 0;
  readonly #client = new EtcdClient({ endpoints: [plan.endpoint] });
  readonly #store: EtcdStore;

  constructor(id: string, location: string, store: EtcdStore) {
    this.id = id;
    this.#store = store;
    const client = this.#client;
    const { prefix } = store;
    this.nodes = nodeOf(client, id, location);
    this.live = new LiveCameras({ client, prefix, log });
    const { own } = this;
    this.claims = new CameraClaims({
      ...{ client, prefix, nodes: this.nodes, live: this.live, log },
      cameras: {
        isLive: (camera) => own.has(camera),
        isSilent: () => false,
        letGo: (camera) => {
          own.delete(camera);
          this.letGo++;
        },
        live: () => own,
      },
    });
    const wants = new ViewerWants({ client, prefix, nodes: this.nodes, log });
    const tickets = new RelayTickets(secret, prefix, id);
    this.placing = new Placing({
      facts: clusterFacts({
        nodes: this.nodes,
        gone: new GoneNodes(this.nodes),
        live: this.live,
        claims: this.claims,
        wants,
        tickets,
        relayTls: false,
        log,
      }),
      relaying: { relayWith: () => {}, probeNode: async () => true, silentRelayMs: () => 0, endRelay: () => {} },
      state: () => store.state,
      redeclare: (camera) => {
        this.redeclared++;
        const found = store.state.cameras.get(camera);
        if (found !== undefined) this.placing.whereaboutsOf(found);
      },
      ...{ returnMs: 10_000, log },
    });
  }

  start(): Promise<void> {
    return this.nodes.start(false);
  }

  /** A camera publishes here. @returns how long it took until it was claimed, milliseconds; negative: let in without a claim */
  async publish(camera: string): Promise<number> {
    const beganMs = performance.now();
    await this.claims.claim(camera);
    this.own.add(camera);
    this.placing.ownChanged(camera, true);
    const tookMs = performance.now() - beganMs;
    return this.claims.epochOf(camera) > 0 ? tookMs : -tookMs;
  }

  /** All that publishes here is gone. */
  leave(): void {
    for (const camera of [...this.own]) {
      this.own.delete(camera);
      this.placing.ownChanged(camera, false);
      this.claims.release(camera);
    }
  }

  /** As after a change of the nodes: what of every live camera runs here. @returns milliseconds of the processor */
  plan(): number {
    const { cameras } = this.#store.state;
    const before = process.cpuUsage();
    for (const name of this.live.all.keys()) {
      const camera = cameras.get(name);
      if (camera !== undefined) this.placing.whereaboutsOf(camera);
    }
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  }

  /** What `registerCamera` costs. @returns milliseconds for a thousand cameras */
  rank(): number {
    const beganMs = performance.now();
    for (let index = 0; index < 1000; index++) {
      rankNodes(this.nodes.all, { camera: `camera-${index}`, location: `place-${index % 50}` });
    }
    return performance.now() - beganMs;
  }

  async close(): Promise<void> {
    this.placing.close();
    this.claims.close();
    this.live.close();
    await this.nodes.close(2000);
  }
}

/** Stores with the whole state; the nodes share them: two hundred copies would be more than such a machine has. */
const stores: EtcdStore[] = [];
const nodes = new Map<string, SimulatedNode>();
const lightNodes = new Map<string, LightNode>();
const nodeNamed = (id: string): SimulatedNode | LightNode | undefined => nodes.get(id) ?? lightNodes.get(id);

/** On a busy machine etcd does not answer all processes at once in time. @throws StateError after ten tries */
async function opened(client: EtcdClient, nodeId: string): Promise<EtcdStore> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await EtcdStore.open({ client, prefix: plan.prefix, dataDir: folder, nodeId, log });
    } catch (error) {
      if (attempt === 10) throw error;
      await sleep(1000);
    }
  }
}

async function answer(ask: Ask): Promise<Reply> {
  if (ask.kind === 'start') {
    for (let index = 0; index < plan.stores; index++) {
      const client = new EtcdClient({ endpoints: [plan.endpoint] });
      stores.push(await opened(client, `s${index}`));
    }
    for (const [index, { id, location }] of plan.nodes.entries()) {
      if (index < plan.whole) nodes.set(id, new SimulatedNode(id, location, stores[index % stores.length]!));
      else lightNodes.set(id, new LightNode(id, location));
    }
    await Promise.all([...nodes.values(), ...lightNodes.values()].map((node) => node.start()));
  } else if (ask.kind === 'publish') {
    const all = Object.entries(ask.cameras).flatMap(([id, cameras]) =>
      cameras.map((camera) => nodeNamed(id)!.publish(camera)),
    );
    return { tookMs: await Promise.all(all) };
  } else if (ask.kind === 'leave') {
    await Promise.all(ask.nodes.map((id) => nodeNamed(id)?.leave()));
  } else if (ask.kind === 'die') {
    await nodeNamed(ask.node)?.close();
    nodes.delete(ask.node);
    lightNodes.delete(ask.node);
  } else if (ask.kind === 'plan') {
    const tookMs: number[] = [];
    for (const node of nodes.values()) {
      tookMs.push(node.plan());
      await sleep(1);
    }
    return { tookMs, rankMs: [...nodes.values()][0]?.rank() ?? 0 };
  }
  const all = [...nodes.values()];
  globalThis.gc?.();
  return {
    known: [...all, ...lightNodes.values()].map((node) => node.nodes.all.length),
    live: all.map((node) => node.live.all.size),
    owned: all.reduce((sum, node) => sum + node.own.size, 0),
    unclaimed: all.reduce(
      (sum, node) => sum + [...node.own].filter((camera) => node.claims.epochOf(camera) === 0).length,
      0,
    ),
    redeclared: all.reduce((sum, node) => sum + node.redeclared, 0),
    letGo: all.reduce((sum, node) => sum + node.letGo, 0),
    cameras: stores[0]?.state.cameras.size ?? 0,
    rssBytes: process.memoryUsage().rss,
    heapBytes: process.memoryUsage().heapUsed,
    cpuMs: process.cpuUsage().user / 1000 + process.cpuUsage().system / 1000,
  };
}

process.on('message', ({ id, ask }: { id: number; ask: Ask }) => {
  answer(ask).then(
    (reply) => process.send?.({ id, reply }),
    (error: unknown) => process.send?.({ id, reply: { failed: String(error) } }),
  );
});
process.on('disconnect', () => process.exit(0));
