import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { frameMs, meanFrameBytes } from './camera.js';
import type { Place } from './network.js';
import {
  type ClusterNode,
  type EtcdMember,
  etcdctl,
  faketimeLibrary,
  leaderFirst,
  quotaBytes,
  revisionOf,
} from './programs.js';
import type { PublishingCamera } from './publishing-camera.js';
import { leaseSeconds, type Path, until, type World } from './world.js';

/** A trouble, from its beginning to its end. */
export interface Scenario {
  readonly name: string;
  /** Chooses what it happens to. @returns which pushes may be interrupted: those whose path it is in */
  prepare?(world: World, paths: ReadonlyMap<string, Path>): Promise<void> | void;
  /** Puts right what `prepare` and the trouble changed, also after a failure. */
  after?(world: World): Promise<void> | void;
  /** @returns true for a push that the trouble is in the way of; all others must lose nothing */
  hits(path: Path): boolean;
  trouble(world: World): Promise<void>;
  /** True for a push that nothing can keep from being sent by two nodes. */
  mayRunTwice?(push: string): boolean;
  /** The state goes back to an older one by what a person says. */
  readonly isRestored?: boolean;
}

/** Longer than a lease, and than what any time limit of the nodes is made of. */
const holdMs = (leaseSeconds + 7) * 1000;
const none = (): boolean => false;
const all = (): boolean => true;

/** The node in paris through which ffmpeg's camera goes to its engines there. */
let gateway = 'b';
const chooseGateway = (_world: World, paths: ReadonlyMap<string, Path>): void => {
  gateway = paths.get('f1-nginx1')?.runner ?? 'b';
};
const needs = (node: () => string) => (path: Path) => path.owner === node() || path.runner === node();
const crosses = (one: () => string, other: () => string) => (path: Path) =>
  path.owner !== path.runner && needs(one)(path) && needs(other)(path);

function killed(name: string, node: () => string): Scenario {
  return {
    name,
    prepare: chooseGateway,
    hits: needs(node),
    async trouble(world) {
      const victim = world.node(node());
      await victim.end('SIGKILL');
      await world.flows();
      await victim.start();
    },
  };
}

function frozen(name: string, node: () => string): Scenario {
  return {
    name,
    prepare: chooseGateway,
    hits: needs(node),
    async trouble(world) {
      const victim = world.node(node());
      const paths = await world.paths();
      victim.signal('SIGSTOP');
      await sleep(3000);
      // The system takes megabytes for a program that does not read: what an encoder sends goes nowhere meanwhile.
      for (const camera of world.cameras) {
        if ([...paths].some(([push, { owner }]) => push.startsWith(`${camera.name}-`) && owner === victim.id)) {
          camera.giveUp();
        }
      }
      await sleep(holdMs - 3000);
      victim.signal('SIGCONT');
      await sleep(3000);
    },
  };
}

/** @param first of those that it happens to; 0: the leader @param end what ends it for a member @param again what has it go on */
function etcdTrouble(
  name: string,
  first: number,
  count: number,
  end: (member: EtcdMember) => Promise<void> | void,
  again: (member: EtcdMember, world: World) => void,
): Scenario {
  return {
    name,
    hits: none,
    async trouble(world) {
      const victims = (await leaderFirst(world.etcd)).slice(first, first + count);
      for (const member of victims) await end(member);
      await sleep(holdMs);
      for (const member of victims) again(member, world);
      await world.etcdAnswers();
    },
  };
}

function cutOff(name: string, hits: (path: Path) => boolean, cut: (world: World) => Promise<unknown>): Scenario {
  return {
    name,
    prepare: chooseGateway,
    hits,
    async trouble(world) {
      await cut(world);
      await sleep(holdMs);
      await world.network.mend();
    },
  };
}

const killAll = (first: number, count: number, words: string): Scenario =>
  etcdTrouble(
    `kill -9 of ${words} of etcd`,
    first,
    count,
    (member) => member.end('SIGKILL'),
    (member, world) => member.start(world.etcd),
  );
const stopAll = (first: number, count: number, words: string): Scenario =>
  etcdTrouble(
    `SIGSTOP of ${words} of etcd`,
    first,
    count,
    (member) => member.signal('SIGSTOP'),
    (member) => member.signal('SIGCONT'),
  );

/** Waits until all nodes say that something is wrong, or none does. */
async function problemAtAll({ nodes }: World, code: string, isThere: boolean): Promise<void> {
  await until(`all nodes to ${isThere ? 'say' : 'say no more'} ${code}`, async () => {
    const problems = await Promise.all(nodes.map((node) => node.problems()));
    return problems.every((codes) => codes.includes(code) === isThere);
  });
}

/** Writes until etcd takes no more. */
async function fill(members: readonly EtcdMember[]): Promise<void> {
  const value = 'x'.repeat(1024 * 120);
  for (let number = 0; number * value.length < 2 * quotaBytes; number++) {
    try {
      await etcdctl(members, 'put', `/other/${number}`, value);
    } catch (error) {
      if (!String(error).includes('space exceeded')) throw error;
      return;
    }
  }
  throw new Error('etcd is not full after twice its quota');
}

const full: Scenario = {
  name: "etcd's quota is full",
  hits: none,
  async trouble(world) {
    await fill(world.etcd);
    await problemAtAll(world, 'CLUSTER_UNAVAILABLE', true);
    await sleep(leaseSeconds * 1000);
    await etcdctl(world.etcd, 'del', '--prefix', '/other/');
    await etcdctl(world.etcd, 'compact', String(await revisionOf(world.etcd)));
    await etcdctl(world.etcd, 'defrag');
    await etcdctl(world.etcd, 'alarm', 'disarm');
    await problemAtAll(world, 'CLUSTER_UNAVAILABLE', false);
  },
};

/**
 * Writes until members have ended that have no room. Where all are to, the last one stays: what it would have to write, nobody
 * agrees to any more. @throws Error when they do not
 */
async function writeUntilEnded(world: World, victims: readonly EtcdMember[]): Promise<void> {
  const value = 'x'.repeat(1024 * 100);
  const isDone = (): boolean =>
    victims.every(({ isRunning }) => !isRunning) || world.etcd.filter(({ isRunning }) => isRunning).length < 2;
  for (let number = 0; number < 250 && !isDone(); number++) {
    await etcdctl(world.etcd, 'put', `/other/${number}`, value).catch(() => sleep(300));
  }
  const left = victims.filter(({ isRunning }) => isRunning).map(({ name }) => name);
  if (!isDone()) throw new Error(`members with a full disk still run: ${left.join(', ')}`);
  world.notes.push(`${victims.length - left.length} of ${world.etcd.length} members ended for want of room`);
}

/** A change is refused, and the caller told what to do. */
async function refusesChanges(node: ClusterNode): Promise<void> {
  const { status, body, retryAfter } = await node.call('PATCH', '/v1/cameras/config-0', { type: 'v-0' });
  const { code } = body as { readonly code?: string };
  const isRight = status === 503 && code?.startsWith('CLUSTER_UN') === true && Number(retryAfter) > 0;
  if (!isRight) throw new Error(`node ${node.id} answers a change with ${status} ${code}, Retry-After: ${retryAfter}`);
}

/** @param count of members whose disk is full @param first 0: the leader among them */
function diskFull(name: string, first: number, count: number): Scenario {
  return {
    name,
    hits: none,
    async trouble(world) {
      const victims = (await leaderFirst(world.etcd)).slice(first, first + count);
      for (const { disk } of victims) await disk.fill();
      await writeUntilEnded(world, victims);
      if (count === world.etcd.length) {
        await problemAtAll(world, 'CLUSTER_UNAVAILABLE', true);
        // Callers write at the same time: theirs do not count as made or lost by this.
        await world.changes.stop();
        for (const node of world.nodes) await refusesChanges(node);
        world.changes.goOn();
      }
      await sleep(leaseSeconds * 1000);
      for (const { disk } of victims) await disk.makeRoom();
      for (const member of victims) if (!member.isRunning) member.start(world.etcd);
      await world.etcdAnswers();
      await problemAtAll(world, 'CLUSTER_UNAVAILABLE', false);
      await etcdctl(world.etcd, 'del', '--prefix', '/other/');
      await etcdctl(world.etcd, 'compact', String(await revisionOf(world.etcd)));
    },
  };
}

const compacted: Scenario = {
  name: 'compaction while a node has no way to etcd',
  hits: none,
  async trouble(world) {
    const { place } = world.node('c');
    for (const member of world.etcd) await world.network.cut(place, member.place);
    await sleep(holdMs);
    await etcdctl(world.etcd, 'compact', String(await revisionOf(world.etcd)));
    await world.network.mend();
  },
};

const restored: Scenario = {
  name: 'an older backup is restored, and accepted',
  isRestored: true,
  hits: none,
  async trouble(world) {
    const file = join(world.etcd[0]!.dataDir, '..', 'backup');
    await etcdctl([world.etcd[0]!], 'snapshot', 'save', file);
    await sleep(4000);
    await world.changes.stop();
    for (const member of world.etcd) await member.end('SIGKILL');
    for (const member of world.etcd) await member.restore(file, world.etcd);
    for (const member of world.etcd) member.start(world.etcd);
    await problemAtAll(world, 'CLUSTER_REPLACED', true);
    const faults = await world.changes.faults(5000);
    if (faults.length > 0) throw new Error(`what was known did not stay in force: ${faults.join('; ')}`);
    await world.node('b').callOk('POST', '/v1/cluster/accept');
    await problemAtAll(world, 'CLUSTER_REPLACED', false);
    await sleep(2000);
    await world.changes.begin();
    world.changes.start();
    await sleep(3000);
  },
};

const toGateway = crosses(
  () => 'a',
  () => gateway,
);
const betweenPlaces = (path: Path): boolean =>
  ['b', 'c'].some((other) =>
    crosses(
      () => 'a',
      () => other,
    )(path),
  );
const forEtcd = (world: World, cut: (member: Place) => Promise<void>): Promise<unknown> =>
  Promise.all(world.etcd.map(({ place }) => cut(place)));

let rival: PublishingCamera | undefined;
const endRival = async (): Promise<void> => {
  await rival?.stop();
  rival = undefined;
};

/** The cameras' node has no way to etcd, and is asked by the others: the first encoder keeps the camera. */
const rivalRefused: Scenario = {
  name: "a second encoder elsewhere, while the cameras' node has no way to etcd",
  hits: none,
  async trouble(world) {
    await forEtcd(world, (member) => world.network.cut(world.node('a').place, member));
    await sleep((leaseSeconds + 2) * 1000);
    rival = world.rival('g1', 'b');
    rival.start();
    await sleep(holdMs);
    if (rival.connects > 0) throw new Error('the second encoder was let in');
    if (!rival.lastError.includes('live at node a')) throw new Error(`the second one was told: ${rival.lastError}`);
    await world.network.mend();
    await sleep(3000);
    if (rival.connects > 0) throw new Error('the second encoder was let in when etcd was back');
    await endRival();
    world.notes.push('the second encoder was refused all the time');
  },
  after: endRival,
};

/** @param first the cut that ends first, after which two nodes must not send any more */
function rivalLetIn(name: string, first: 'nodes' | 'etcd'): Scenario {
  return {
    name,
    hits: (path) => path.owner === 'a' || betweenPlaces(path),
    // Nobody can tell either of the other while the cut lasts.
    mayRunTwice: (push) => push.startsWith('g1-'),
    async trouble(world) {
      const [a, b, c] = world.nodes;
      await forEtcd(world, (member) => world.network.cut(a!.place, member));
      for (const { place } of [b!, c!]) await world.network.cut(a!.place, place);
      rival = world.rival('g1', 'b');
      rival.start();
      await until('the second encoder to be let in', () => rival?.isIn === true);
      await sleep(holdMs);
      const isAtA = async (): Promise<boolean> =>
        (await a!.callOk<{ live: boolean; relayedFrom?: unknown }>('GET', '/v1/cameras/g1?node=self')).live;
      if (!(await isAtA())) throw new Error('the first encoder was sent away before anybody could know');
      const beganMs = performance.now();
      if (first === 'etcd') await forEtcd(world, (member) => world.network.mendBetween(a!.place, member));
      else for (const { place } of [b!, c!]) await world.network.mendBetween(a!.place, place);
      await until('g1 to be sent by one node', () => world.targets.isSentOnce('g1-direct'), 30_000);
      const tookMs = performance.now() - beganMs;
      world.notes.push(`one of both ended ${(tookMs / 1000).toFixed(1)} s after that cut`);
      if (tookMs > leaseSeconds * 1000) throw new Error(`two nodes sent for ${tookMs.toFixed(0)} ms after the cut`);
      await sleep(4000);
      if (!world.targets.isSentOnce('g1-direct')) throw new Error('two nodes send again');
      await world.network.mend();
      await sleep(3000);
      await endRival();
    },
    after: endRival,
  };
}

/** As `rivalLetIn`, with an engine that takes one publisher: it keeps the first, and the nodes do not fight for it. */
const rivalAtEngine: Scenario = {
  name: 'two encoders at two nodes on both sides of a cut, and nginx-rtmp, which takes one',
  hits: (path) => path.owner === 'a' || betweenPlaces(path),
  async trouble(world) {
    const [a, b, c] = world.nodes;
    await forEtcd(world, (member) => world.network.cut(a!.place, member));
    for (const { place } of [b!, c!]) await world.network.cut(a!.place, place);
    rival = world.rival('f1', 'b');
    rival.start();
    await until('the second encoder to be let in', () => rival?.isIn === true);
    const refusedBefore = world.engine.refusals;
    await sleep(2 * holdMs);
    const refused = world.engine.refusals - refusedBefore;
    for (const { place } of [b!, c!]) await world.network.mendBetween(a!.place, place);
    const isAtA = async (): Promise<boolean> =>
      (await a!.callOk<{ live: boolean }>('GET', '/v1/cameras/f1?node=self')).live;
    const tookMs = await until('f1 to end at a', async () => !(await isAtA()), 30_000);
    const flowsMs = await world.flows();
    const seconds = (ms: number): string => (ms / 1000).toFixed(1);
    world.notes.push(
      `nginx-rtmp refused ${refused} tries in ${seconds(2 * holdMs)} s; the first one ended ${seconds(tookMs)} s after the nodes' cut, and the second was there ${seconds(flowsMs)} s later`,
    );
    if (tookMs > leaseSeconds * 1000) throw new Error(`the first one sent for ${tookMs.toFixed(0)} ms after the cut`);
    // Two pushes, each with pauses that double from 2 s.
    if (refused > (2 * holdMs) / 1000) throw new Error(`nginx-rtmp had to refuse ${refused} tries`);
    await world.network.mend();
    await sleep(3000);
    await endRival();
  },
  after: endRival,
};

/** The clock of the relay node is set while it runs, and what comes from other nodes is connected anew. */
function clockSet(seconds: number, words: string): Scenario {
  return {
    name: `the clock of the relay node is ${words} ahead`,
    async prepare(world, paths) {
      chooseGateway(world, paths);
      const node = world.node(gateway);
      node.hasOwnClock = true;
      await node.end('SIGTERM');
      await node.start();
      await world.settle();
      chooseGateway(world, await world.paths());
      if (world.node(gateway) !== node) throw new Error('the relay node is another one after its restart');
    },
    hits: needs(() => gateway),
    async trouble(world) {
      const [a, node] = [world.node('a'), world.node(gateway)];
      node.setClock(seconds);
      const told = await until('the nodes to name the clock', async () => {
        const all = await Promise.all(world.nodes.map((each) => each.problems()));
        return all.every((codes) => codes.includes('NODE_CLOCK_DIFFERS'));
      });
      await world.network.reset(a.place, node.place);
      await sleep(2000);
      await world.flows();
      // Longer than it takes until all goes through a node again that is well.
      await sleep(5000);
      const runner = (await world.paths()).get('f1-nginx1')?.runner;
      const where = runner === 'a' ? 'directly' : `through ${runner === gateway ? 'it' : 'another node'}`;
      world.notes.push(`named after ${(told / 1000).toFixed(0)} s; pushes go ${where}`);
      if ((runner === gateway) !== seconds < 30) throw new Error(`with ${words}, pushes go ${where}`);
      node.setClock(0);
      await problemAtAll(world, 'NODE_CLOCK_DIFFERS', false);
    },
    async after(world) {
      const node = world.nodes.find(({ hasOwnClock }) => hasOwnClock);
      if (node === undefined) return;
      node.hasOwnClock = false;
      await node.end('SIGTERM');
      await node.start();
    },
  };
}

/** Nothing is wrong: what crosses is one copy of each camera, and changes disturb nobody. */
const oneCopy: Scenario = {
  name: 'one copy of each camera crosses',
  hits: none,
  async trouble(world) {
    const a = world.node('a');
    const others = ['b', 'c'].map((id) => world.node(id));
    const counts = await Promise.all(others.map(({ place }) => world.network.count(a.place, place)));
    const copies: { readonly name: string; readonly bytes: number }[] = [];
    const before = world.engine.bytesOf('f1-nginx1');
    await sleep(20_000);
    copies.push({ name: 'f1', bytes: world.engine.bytesOf('f1-nginx1') - before });
    const crossed = (await Promise.all(counts.map((count) => count()))).reduce((sum, bytes) => sum + bytes, 0);
    for (const { place } of others) await world.network.countNoMore(a.place, place);
    // g1 and g2 send a picture each 40 ms.
    for (const name of ['g1', 'g2']) copies.push({ name, bytes: 20 * (1000 / frameMs) * meanFrameBytes });
    const one = copies.reduce((sum, { bytes }) => sum + bytes, 0);
    world.notes.push(`${(crossed / one).toFixed(2)} copies crossed, with headers and what nodes ask each other`);
    if (!(crossed > 0.9 * one && crossed < 1.4 * one)) throw new Error(`${(crossed / one).toFixed(2)} copies crossed`);
  },
};

/** Every node and every member of etcd ends and starts, one after the other. @param program of the nodes afterwards */
export function rolling(name: string, program: string): Scenario {
  return {
    name,
    hits: all,
    async trouble(world) {
      for (const node of world.nodes) {
        await node.end('SIGTERM');
        node.program = program;
        await node.start();
        await world.flows();
      }
      for (const member of world.etcd) {
        await member.end('SIGTERM');
        member.start(world.etcd);
        await world.etcdAnswers();
        await sleep(2000);
      }
    },
  };
}

export const scenarios: readonly Scenario[] = [
  oneCopy,
  killed("kill -9 of the cameras' node", () => 'a'),
  killed('kill -9 of the relay node', () => gateway),
  killAll(0, 1, 'the leader'),
  killAll(1, 1, 'one member that does not lead'),
  killAll(0, 2, 'two members'),
  killAll(0, 3, 'all members'),
  frozen("SIGSTOP of the cameras' node", () => 'a'),
  frozen('SIGSTOP of the relay node', () => gateway),
  stopAll(0, 1, 'the leader'),
  stopAll(1, 1, 'one member that does not lead'),
  stopAll(0, 2, 'two members'),
  stopAll(0, 3, 'all members'),
  cutOff('partition between the places', betweenPlaces, async ({ network, nodes: [a, b, c] }) => {
    await network.cut(a!.place, b!.place);
    await network.cut(a!.place, c!.place);
  }),
  cutOff("the cameras' node does not reach the relay node", toGateway, (world) =>
    world.network.cutOneWay(world.node('a').place, world.node(gateway).place),
  ),
  cutOff("the relay node does not reach the cameras' node", toGateway, (world) =>
    world.network.cutOneWay(world.node(gateway).place, world.node('a').place),
  ),
  cutOff("partition between the cameras' node and etcd", none, (world) =>
    forEtcd(world, (member) => world.network.cut(world.node('a').place, member)),
  ),
  cutOff("the cameras' node hears nothing of etcd", none, (world) =>
    forEtcd(world, (member) => world.network.cutOneWay(member, world.node('a').place)),
  ),
  cutOff("etcd hears nothing of the cameras' node", none, (world) =>
    forEtcd(world, (member) => world.network.cutOneWay(world.node('a').place, member)),
  ),
  cutOff('partition between the relay node and etcd', none, (world) =>
    forEtcd(world, (member) => world.network.cut(world.node(gateway).place, member)),
  ),
  rivalRefused,
  rivalLetIn(
    "two encoders at two nodes that reach neither each other nor one of them etcd; the nodes' cut ends first",
    'nodes',
  ),
  rivalLetIn(
    'two encoders at two nodes that reach neither each other nor one of them etcd; the cut to etcd ends first',
    'etcd',
  ),
  rivalAtEngine,
  ...(existsSync(faketimeLibrary) ? [clockSet(10, '10 s'), clockSet(60, '60 s'), clockSet(3600, '1 h')] : []),
  compacted,
  diskFull('the disk of a member of etcd is full', 1, 1),
  diskFull('the disks of all members of etcd are full', 0, 3),
  full,
  rolling('rolling restart of all nodes and members', 'dist/cli/bin.cjs'),
  restored,
];
