import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ClusterCamera } from './camera.js';
import { Changes } from './changes.js';
import { Network } from './network.js';
import { ClusterNode, EtcdMember, etcdctl } from './programs.js';
import { HashingTargets } from './targets.js';

export const leaseSeconds = 5;
/** A push without a picture for so long does not flow. */
const flowingMs = 500;

/** Which nodes a push needs. */
export interface Path {
  /** Has the camera's publisher. */
  readonly owner: string;
  /** Has the connection to the target. */
  readonly runner: string;
}

interface SeenCamera {
  readonly node: string | null;
  readonly live: boolean;
  readonly pushes: readonly { readonly id: string; readonly state: string; readonly node?: string }[];
}

/** Where cameras publish while nothing is wrong: by camera, the node. */
const homes: Readonly<Record<string, string>> = { g1: 'a', g2: 'a', g3: 'b', g4: 'c' };
const pushIds = ['paris', 'berlin', 'direct'] as const;

/** Waits until `probe` says yes; what it throws is a no. @returns how long it took @throws Error */
export async function until(what: string, probe: () => Promise<boolean> | boolean, limitMs = 60_000): Promise<number> {
  const beganMs = performance.now();
  let why: unknown = '';
  while (performance.now() - beganMs < limitMs) {
    try {
      if (await probe()) return performance.now() - beganMs;
    } catch (error) {
      why = error;
    }
    await sleep(100);
  }
  throw new Error(`waited ${limitMs} ms in vain for ${what} ${why}`);
}

/**
 * Three members of etcd, three aggregators in two places, four cameras with three pushes each, and callers that change other
 * cameras all the time.
 */
export class World {
  readonly network = new Network();
  readonly targets = new HashingTargets();
  readonly etcd: readonly EtcdMember[];
  readonly nodes: readonly ClusterNode[];
  readonly cameras: readonly ClusterCamera[];
  readonly changes: Changes;

  constructor(folder: string) {
    const secretFile = join(folder, 'cluster-secret');
    writeFileSync(secretFile, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600 });
    const { network } = this;
    this.etcd = ['e0', 'e1', 'e2'].map((name) => new EtcdMember(network, network.add(name), folder, name));
    const etcd = this.etcd.map(({ endpoint }) => endpoint);
    this.nodes = Object.entries({ a: 'berlin', b: 'paris', c: 'paris' }).map(
      ([id, location]) =>
        new ClusterNode(network, network.add(id), { id, location, folder, etcd, secretFile, leaseSeconds }),
    );
    this.cameras = Object.entries(homes).map(([name, home]) => {
      const nodes = [this.node(home), ...this.nodes.filter(({ id }) => id !== home)];
      return new ClusterCamera(
        name,
        nodes.map((node) => node.url(name)),
      );
    });
    this.changes = new Changes(this.nodes, 6);
  }

  node(id: string): ClusterNode {
    return this.nodes.find((node) => node.id === id)!;
  }

  /** All pushes, by the names of their streams. */
  get pushes(): readonly string[] {
    return this.cameras.flatMap(({ name }) => pushIds.map((id) => `${name}-${id}`));
  }

  async start(): Promise<void> {
    for (const member of this.etcd) member.start(this.etcd);
    await this.etcdAnswers();
    await this.targets.listen(this.network.hostAddress);
    await Promise.all(this.nodes.map((node) => node.start()));
    const node = this.node('a');
    const { address } = this.targets;
    const [host] = address.split(':');
    for (const location of ['paris', 'berlin']) {
      const pushUrl = `rtmp://${address}/live/{name}-${location}`;
      await node.callOk('PUT', `/v1/engines/${location}`, { host, pushUrl, location });
    }
    for (const { name } of this.cameras) {
      await node.callOk('POST', '/v1/cameras', { name });
      for (const id of pushIds) {
        const target = id === 'direct' ? { url: `rtmp://${address}/live/${name}-direct` } : { engine: id };
        await node.callOk('POST', `/v1/cameras/${name}/pushes`, { id, ...target });
      }
    }
    await this.changes.declare();
    for (const camera of this.cameras) camera.start();
  }

  etcdAnswers(): Promise<number> {
    return until('etcd to answer', async () => {
      await etcdctl(this.etcd, 'get', 'anything');
      return true;
    });
  }

  isFlowing(): boolean {
    return this.pushes.every((push) => this.targets.silentMs(push) < flowingMs);
  }

  /** @returns milliseconds until all pushes have had pictures for a second */
  async flows(limitMs = 90_000): Promise<number> {
    let sinceMs = Number.POSITIVE_INFINITY;
    const took = await until(
      `all pushes to flow; silent: ${this.#silent().join(' ')}`,
      () => {
        if (!this.isFlowing()) sinceMs = Number.POSITIVE_INFINITY;
        else sinceMs = Math.min(sinceMs, performance.now());
        return performance.now() - sinceMs > 1000;
      },
      limitMs,
    ).catch((error: unknown) => {
      const errors = this.cameras.map(({ name, lastError }) => `${name}: ${lastError}`).join('; ');
      throw new Error(`silent: ${this.#silent().join(' ')}; cameras were told: ${errors}`, { cause: error });
    });
    return took - 1000;
  }

  /** Every node is there, every camera at home, every push where it is placed, and nothing is wrong. */
  async settle(): Promise<void> {
    await until('the nodes to be well', async () => {
      for (const node of this.nodes) {
        if ((await node.problems()).length > 0) return false;
        const { nodes } = await node.callOk<{ nodes: unknown[] }>('GET', '/v1/cluster');
        if (nodes.length !== this.nodes.length) return false;
      }
      return true;
    });
    for (const camera of this.cameras) {
      if ((await this.look(camera.name)).node === homes[camera.name]) continue;
      await camera.stop();
      await until(`${camera.name} to be gone`, async () => !(await this.look(camera.name)).live);
      camera.start();
    }
    await until('all pushes to be where they are placed', async () => {
      const paths = await this.paths();
      return (
        this.isFlowing() &&
        this.pushes.every((push) => {
          const [camera = '', id] = push.split('-');
          const { owner, runner } = paths.get(push) ?? { owner: '', runner: '' };
          const home = this.node(homes[camera]!);
          const isHere = id === 'direct' || id === home.location;
          return owner === home.id && (isHere ? runner === owner : this.node(runner)?.location === id);
        })
      );
    });
    await this.flows();
  }

  async look(camera: string): Promise<SeenCamera> {
    let failure: unknown;
    for (const node of this.nodes) {
      if (!node.isRunning) continue;
      try {
        return await node.callOk<SeenCamera>('GET', `/v1/cameras/${camera}`);
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  /** By push: the nodes that it needs now. */
  async paths(): Promise<ReadonlyMap<string, Path>> {
    const paths = new Map<string, Path>();
    for (const { name } of this.cameras) {
      const { node, pushes } = await this.look(name);
      const owner = node ?? '';
      for (const push of pushes) {
        paths.set(`${name}-${push.id}`, { owner, runner: push.state === 'elsewhere' ? (push.node ?? '') : owner });
      }
    }
    return paths;
  }

  close(): void {
    this.targets.close();
    this.network.remove();
  }

  #silent(): string[] {
    return this.pushes.filter((push) => this.targets.silentMs(push) >= flowingMs);
  }
}
