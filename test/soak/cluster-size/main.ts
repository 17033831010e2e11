import { type ChildProcess, fork, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { EtcdClient } from '../../../src/etcd/client.js';
import { silentLogger } from '../../../src/log/log.js';
import { withEntry } from '../../../src/model/persistent-map.js';
import { EtcdStore } from '../../../src/store/etcd/etcd-store.js';
import { runMain } from '../run-main.js';
import type { Ask, ChildPlan, Reply } from './protocol.js';

const help = `npm run soak -- --cluster-size [options]

A large cluster on one real etcd: simulated nodes, which are real but for their media, in a few processes. Prints what planning
costs each node, what the watches carry, what memory it takes, and what a reconnect of many cameras costs. Exit code 1 when a
camera ends up without a claim, the nodes differ, or planning takes a node more than 100 ms of the processor (the median of all nodes).

  --nodes N       (default 200, in 50 places)
  --cameras N     live ones, with three pushes each, one of them to another place (default 10000)
  --reconnect N   cameras that go to other nodes at once (default 5000)
  --processes N   (default 4)
  --whole N       nodes of each process that follow all that is live, and plan (default 2). The others are in the list of nodes,
                  and claim their cameras; one machine cannot follow for two hundred
  --stores N      full copies of the state in each process, which its nodes share (default 1)`;

const { values } = parseArgs({
  options: {
    'cluster-size': { type: 'boolean' },
    nodes: { type: 'string', default: '200' },
    cameras: { type: 'string', default: '10000' },
    reconnect: { type: 'string', default: '5000' },
    processes: { type: 'string', default: '4' },
    whole: { type: 'string', default: '2' },
    stores: { type: 'string', default: '1' },
    help: { type: 'boolean' },
  },
});

const places = 50;
const prefix = '/size';
const running = new Set<ChildProcess>();
const folder = mkdtempSync(join(tmpdir(), 'media-aggregator-cluster-size-'));
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

/** A process with some of the nodes. */
class Nodes {
  readonly ids: readonly string[];
  readonly #child: ChildProcess;
  #asked = 0;

  constructor(plan: ChildPlan) {
    this.ids = plan.nodes.map(({ id }) => id);
    this.#child = fork(new URL('nodes-child.js', import.meta.url), [JSON.stringify(plan)], {
      execArgv: ['--enable-source-maps', '--expose-gc'],
    });
    this.#child.setMaxListeners(100);
    running.add(this.#child);
    this.#child.once('exit', () => running.delete(this.#child));
  }

  ask(ask: Ask): Promise<Reply> {
    const id = ++this.#asked;
    return new Promise((resolve, reject) => {
      const onExit = (): void => reject(new Error('a process of nodes ended'));
      const take = (message: { id: number; reply: Reply }): void => {
        if (message.id !== id) return;
        this.#child.off('message', take);
        this.#child.off('exit', onExit);
        if (message.reply.failed === undefined) resolve(message.reply);
        else reject(new Error(message.reply.failed));
      };
      this.#child.on('message', take);
      this.#child.on('exit', onExit);
      this.#child.send({ id, ask });
    });
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** One etcd, and what it counts of itself. */
class Etcd {
  readonly endpoint: string;
  readonly #child: ChildProcess;

  constructor(client: number, peer: number) {
    this.endpoint = `127.0.0.1:${client}`;
    const [clientUrl, peerUrl] = [`http://${this.endpoint}`, `http://127.0.0.1:${peer}`];
    this.#child = spawn(
      'etcd',
      [
        ...[
          '--data-dir',
          join(folder, 'etcd'),
          '--listen-client-urls',
          clientUrl,
          '--advertise-client-urls',
          clientUrl,
        ],
        ...['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl],
        ...['--initial-cluster', `default=${peerUrl}`, '--quota-backend-bytes', String(2 ** 31)],
      ],
      { stdio: 'ignore' },
    );
    running.add(this.#child);
  }

  async counts(): Promise<{
    sentBytes: number;
    watchEvents: number;
    dbBytes: number;
    rssBytes: number;
    cpuMs: number;
  }> {
    const text = await (await fetch(`http://${this.endpoint}/metrics`)).text();
    const count = (name: string): number => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN);
    return {
      sentBytes: count('etcd_network_client_grpc_sent_bytes_total'),
      watchEvents: count('etcd_debugging_mvcc_events_total'),
      dbBytes: count('etcd_mvcc_db_total_size_in_bytes'),
      rssBytes:
        Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.#child.pid}/status`, 'utf8'))?.[1]) * 1024,
      cpuMs: count('process_cpu_seconds_total') * 1000,
    };
  }
}

const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
const s = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
function part(numbers: readonly number[], share: number): number {
  const sorted = [...numbers].sort((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
const spread = (numbers: readonly number[]): string =>
  `median ${part(numbers, 0.5).toFixed(0)} ms, 99% below ${part(numbers, 0.99).toFixed(0)} ms, at most ${Math.max(...numbers).toFixed(0)} ms`;

async function declare(endpoint: string, cameras: readonly string[]): Promise<void> {
  const client = new EtcdClient({ endpoints: [endpoint] });
  const dataDir = mkdtempSync(join(folder, 'first-'));
  const store = await EtcdStore.open({ client, prefix, dataDir, nodeId: 'first', log: silentLogger });
  const createdAt = new Date().toISOString();
  await store.update(({ engines: known, cameras: before }) => {
    let engines = known;
    for (let place = 0; place < places; place++) {
      const name = `engine-${place}`;
      const urls = { pushUrl: 'rtmp://{host}:1935/live/{name}', playbackUrl: 'http://{host}/hls/{name}.m3u8' };
      engines = withEntry(engines, name, { name, host: '192.0.2.1', location: `place-${place}`, createdAt, ...urls });
    }
    return { state: { engines, cameras: before }, result: undefined };
  });
  // Some at a time: a change has a time limit.
  for (let from = 0; from < cameras.length; from += 1000) {
    await store.update((state) => {
      let all = state.cameras;
      for (const [index, name] of cameras.slice(from, from + 1000).entries()) {
        const home = (from + index) % places;
        const push = (id: string, target: object) => ({ id, enabled: true, createdAt, ...target });
        const pushes = {
          one: push('one', { engine: `engine-${home}` }),
          two: push('two', { url: `rtmp://192.0.2.2:1935/live/${name}?key=0123456789abcdef` }),
          far: push('far', { engine: `engine-${(home + 7) % places}` }),
        };
        all = withEntry(all, name, { name, createdAt, type: '360', pushes });
      }
      return { state: { ...state, cameras: all }, result: undefined };
    });
  }
  await store.close();
  client.close();
}

async function main(): Promise<number> {
  const [count, cameraCount] = [Number(values.nodes), Number(values.cameras)];
  const [reconnect, processes] = [Number(values.reconnect), Number(values.processes)];
  const cameras = Array.from({ length: cameraCount }, (_, index) => `camera-${index}`);
  const ids = Array.from({ length: count }, (_, index) => ({ id: `n${index}`, location: `place-${index % places}` }));
  const etcd = new Etcd(await freePort(), await freePort());
  await sleep(3000);
  let beganMs = performance.now();
  await declare(etcd.endpoint, cameras);
  console.log(`declared ${cameraCount} cameras with ${3 * cameraCount} pushes in ${s(performance.now() - beganMs)}`);

  const share = Math.ceil(count / processes);
  const all = Array.from({ length: processes }, (_, index) => {
    const nodes = ids.slice(index * share, (index + 1) * share);
    return new Nodes({
      endpoint: etcd.endpoint,
      prefix,
      nodes,
      stores: Number(values.stores),
      whole: Number(values.whole),
    });
  });
  const ask = (question: Ask): Promise<Reply[]> => Promise.all(all.map((nodes) => nodes.ask(question)));
  const failures: string[] = [];
  /** Waits until every node knows so much, and says how long it took and what it cost. */
  const settled = async (
    what: string,
    nodes: number,
    live: number,
    since: number,
    before: Awaited<ReturnType<Etcd['counts']>>,
    cpuBefore: number,
  ): Promise<void> => {
    for (;;) {
      const replies = await ask({ kind: 'look' });
      const known = replies.flatMap((reply) => reply.known ?? []);
      const seen = replies.flatMap((reply) => reply.live ?? []);
      const unclaimed = replies.reduce((sum, reply) => sum + (reply.unclaimed ?? 0), 0);
      const isDone = known.every((each) => each === nodes) && seen.every((each) => each === live) && unclaimed === 0;
      const tookMs = performance.now() - since;
      if (!isDone && tookMs < 300_000) {
        await sleep(500);
        continue;
      }
      if (!isDone)
        failures.push(
          `${what}: the nodes know ${Math.min(...known)} to ${Math.max(...known)} nodes and ${Math.min(...seen)} to ${Math.max(...seen)} live cameras; ${unclaimed} are not claimed`,
        );
      const after = await etcd.counts();
      const cpu = replies.reduce((sum, reply) => sum + (reply.cpuMs ?? 0), 0) - cpuBefore;
      console.log(
        `${what}: all nodes know it after ${s(tookMs)}; etcd sent ${mb(after.sentBytes - before.sentBytes)} and used ${s(after.cpuMs - before.cpuMs)} of CPU, the nodes ${s(cpu)}`,
      );
      return;
    }
  };
  const cpuNow = async (): Promise<number> =>
    (await ask({ kind: 'look' })).reduce((sum, reply) => sum + (reply.cpuMs ?? 0), 0);

  let before = await etcd.counts();
  beganMs = performance.now();
  await ask({ kind: 'start' });
  await settled(`${count} nodes start`, count, 0, beganMs, before, 0);

  /** By camera: the number of its node. */
  const home = new Map(cameras.map((name, index) => [name, index % count]));
  const publish = async (names: readonly string[]): Promise<readonly number[]> => {
    const byNode = new Map(ids.map(({ id }): [string, string[]] => [id, []]));
    for (const name of names) byNode.get(ids[home.get(name)!]!.id)?.push(name);
    const replies = await Promise.all(
      all.map((nodes) =>
        nodes.ask({ kind: 'publish', cameras: Object.fromEntries(nodes.ids.map((id) => [id, byNode.get(id) ?? []])) }),
      ),
    );
    return replies.flatMap((reply) => reply.tookMs ?? []);
  };
  const come = async (what: string, names: readonly string[], leaving: readonly string[]): Promise<void> => {
    const costs = await Promise.all([etcd.counts(), cpuNow()]);
    const sinceMs = performance.now();
    await ask({ kind: 'leave', nodes: leaving });
    const tookMs = await publish(names);
    const early = tookMs.filter((each) => each < 0).length;
    console.log(`${what}: let in within ${spread(tookMs.map(Math.abs))}; ${early} of them before they were claimed`);
    await settled(what, count, cameraCount, sinceMs, ...costs);
  };
  await come(`all ${cameraCount} cameras come at once`, cameras, []);
  // Those of some nodes, which stay up: as when a place loses the way to its cameras.
  const leaving = Math.min(count - 1, Math.round((reconnect * count) / cameraCount));
  const moved = cameras.filter((name) => home.get(name)! < leaving);
  for (const name of moved) home.set(name, (home.get(name)! + leaving) % count);
  const left = ids.slice(0, leaving).map(({ id }) => id);
  await come(`${moved.length} cameras go to other nodes at once`, moved, left);

  const plans = await ask({ kind: 'plan' });
  const planMs = plans.flatMap((reply) => reply.tookMs ?? []);
  console.log(`planning all ${cameraCount} live cameras at a node, time of the processor: ${spread(planMs)}`);
  console.log(`choosing the nodes of one camera (registerCamera): ${((plans[0]?.rankMs ?? 0) / 1000).toFixed(3)} ms`);
  if (part(planMs, 0.5) > 100) failures.push(`planning takes a node ${part(planMs, 0.5).toFixed(0)} ms`);

  before = await etcd.counts();
  const cpu = await cpuNow();
  beganMs = performance.now();
  await all.at(-1)!.ask({ kind: 'die', node: ids.at(-1)!.id });
  const dead = [...home.values()].filter((node) => node === count - 1).length;
  await settled(`a node with ${dead} cameras goes`, count - 1, cameraCount - dead, beganMs, before, cpu);

  const last = await ask({ kind: 'look' });
  const end = await etcd.counts();
  console.log(
    `memory: ${last.map((reply) => mb(reply.rssBytes ?? 0)).join(', ')} for ${share} nodes each, ${values.whole} of them whole (heap ${last.map((reply) => mb(reply.heapBytes ?? 0)).join(', ')}), with ${values.stores} copies of the state; etcd ${mb(end.rssBytes)}, its database ${mb(end.dbBytes)}`,
  );
  for (const failure of failures) console.error(`FAILED: ${failure}`);
  return failures.length === 0 ? 0 : 1;
}

await runMain(values.help === true ? help : undefined, main);
