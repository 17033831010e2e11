import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Place } from './network.js';
import { type EtcdMember, etcdctl, quotaBytes, revisionOf } from './programs.js';
import { leaseSeconds, type Path, until, type World } from './world.js';

/** A trouble, from its beginning to its end. */
export interface Scenario {
  readonly name: string;
  /** Chooses what it happens to. @returns which pushes may be interrupted: those whose path it is in */
  prepare?(world: World, paths: ReadonlyMap<string, Path>): void;
  /** @returns true for a push that the trouble is in the way of; all others must lose nothing */
  hits(path: Path): boolean;
  trouble(world: World): Promise<void>;
  /** The state goes back to an older one by what a person says. */
  readonly isRestored?: boolean;
}

/** Longer than a lease, and than what any time limit of the nodes is made of. */
const holdMs = (leaseSeconds + 7) * 1000;
const none = (): boolean => false;
const all = (): boolean => true;

/** The node in paris through which g1 goes to its engine there. */
let gateway = 'b';
const chooseGateway = (_world: World, paths: ReadonlyMap<string, Path>): void => {
  gateway = paths.get('g1-paris')?.runner ?? 'b';
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
      for (const camera of world.cameras) if (paths.get(`${camera.name}-direct`)?.owner === victim.id) camera.giveUp();
      await sleep(holdMs - 3000);
      victim.signal('SIGCONT');
      await sleep(3000);
    },
  };
}

/** @param end what ends it for a member @param again what has it go on */
function etcdTrouble(
  name: string,
  count: number,
  end: (member: EtcdMember) => Promise<void> | void,
  again: (member: EtcdMember, world: World) => void,
): Scenario {
  return {
    name,
    hits: none,
    async trouble(world) {
      const victims = world.etcd.slice(0, count);
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

const killAll = (count: number, words: string): Scenario =>
  etcdTrouble(
    `kill -9 of ${words} of etcd`,
    count,
    (member) => member.end('SIGKILL'),
    (member, world) => member.start(world.etcd),
  );
const stopAll = (count: number, words: string): Scenario =>
  etcdTrouble(
    `SIGSTOP of ${words} of etcd`,
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

export const scenarios: readonly Scenario[] = [
  killed("kill -9 of the cameras' node", () => 'a'),
  killed('kill -9 of the relay node', () => gateway),
  killAll(1, 'one member'),
  killAll(2, 'two members'),
  killAll(3, 'all members'),
  frozen("SIGSTOP of the cameras' node", () => 'a'),
  frozen('SIGSTOP of the relay node', () => gateway),
  stopAll(1, 'one member'),
  stopAll(2, 'two members'),
  stopAll(3, 'all members'),
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
  compacted,
  full,
  rolling('rolling restart of all nodes and members', 'dist/cli/bin.cjs'),
  restored,
];
