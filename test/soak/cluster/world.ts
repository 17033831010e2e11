import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ClusterCamera } from './camera.js';
import { Changes } from './changes.js';
import { Encoder } from './encoder.js';
import { RealEngine } from './engine.js';
import { Network } from './network.js';
import { ClusterNode, EtcdMember, etcdctl } from './programs.js';
import type { PublishingCamera } from './publishing-camera.js';
import { HashingTargets, type PushReport } from './targets.js';

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

/** A push of a camera, and the place that its engine is in; undefined: it goes straight to its target. */
type Pushes = Readonly<Record<string, string | undefined>>;
const hashed: Pushes = { paris: 'paris', berlin: 'berlin', direct: undefined };
/** Two pushes to a real nginx-rtmp: one copy has to be enough for both. */
const recorded: Pushes = { nginx1: 'paris', nginx2: 'paris' };
/** Cameras: the node where each publishes while nothing is wrong, and its pushes. `f1` is a real ffmpeg. */
const cast: Readonly<Record<string, { readonly home: string; readonly pushes: Pushes }>> = {
  g1: { home: 'a', pushes: hashed },
  g2: { home: 'a', pushes: hashed },
  g3: { home: 'b', pushes: hashed },
  g4: { home: 'c', pushes: hashed },
  f1: { home: 'a', pushes: recorded },
};

const isRecorded = (push: string): boolean => push.split('-')[1]! in recorded;

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
 * Three members of etcd, three aggregators in two places, four cameras with three pushes each, one of ffmpeg's with two to
 * nginx-rtmp, and callers that change other cameras all the time.
 */
export class World {
  readonly network = new Network();
  readonly targets = new HashingTargets();
  readonly etcd: readonly EtcdMember[];
  readonly nodes: readonly ClusterNode[];
  readonly cameras: readonly PublishingCamera[];
  readonly engine: RealEngine;
  readonly changes: Changes;
  /** What a trouble says of itself, for the table. */
  readonly notes: string[] = [];

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
    this.engine = new RealEngine(network, network.add('n'), folder);
    this.cameras = Object.entries(cast).map(([name, { home, pushes }]) => {
      const nodes = [this.node(home), ...this.nodes.filter(({ id }) => id !== home)];
      const urls = nodes.map((node) => node.url(name));
      return pushes === recorded ? new Encoder(name, urls) : new ClusterCamera(name, urls);
    });
    this.changes = new Changes(this.nodes, 6);
  }

  node(id: string): ClusterNode {
    return this.nodes.find((node) => node.id === id)!;
  }

  /** All pushes, by the names of their streams. */
  get pushes(): readonly string[] {
    return Object.entries(cast).flatMap(([name, { pushes }]) => Object.keys(pushes).map((id) => `${name}-${id}`));
  }

  async start(): Promise<void> {
    for (const member of this.etcd) member.start(this.etcd);
    await this.etcdAnswers();
    await this.targets.listen(this.network.hostAddress);
    this.engine.start();
    await Promise.all(this.nodes.map((node) => node.start()));
    const node = this.node('a');
    const { address } = this.targets;
    const [host] = address.split(':');
    for (const location of ['paris', 'berlin']) {
      const pushUrl = `rtmp://${address}/live/{name}-${location}`;
      await node.callOk('PUT', `/v1/engines/${location}`, { host, pushUrl, location });
    }
    for (const id of Object.keys(recorded)) {
      const pushUrl = this.engine.pushUrl(`{name}-${id}`);
      await node.callOk('PUT', `/v1/engines/${id}`, { host: this.engine.place.address, pushUrl, location: 'paris' });
    }
    for (const [name, { pushes }] of Object.entries(cast)) {
      await node.callOk('POST', '/v1/cameras', { name });
      for (const id of Object.keys(pushes)) {
        const target = id === 'direct' ? { url: `rtmp://${address}/live/${name}-direct` } : { engine: id };
        await node.callOk('POST', `/v1/cameras/${name}/pushes`, { id, ...target });
      }
    }
    await this.changes.declare();
    for (const camera of this.cameras) camera.start();
  }

  /** Another encoder of a camera, that knows only one node. */
  rival(camera: string, node: string): PublishingCamera {
    const urls = [this.node(node).url(camera)];
    return cast[camera]?.pushes === recorded ? new Encoder(camera, urls) : new ClusterCamera(camera, urls);
  }

  etcdAnswers(): Promise<number> {
    return until('etcd to answer', async () => {
      await etcdctl(this.etcd, 'get', 'anything');
      return true;
    });
  }

  isFlowing(): boolean {
    return this.#silent().length === 0;
  }

  /** A window begins: nothing that came before counts. */
  forget(): void {
    this.targets.forget();
    this.engine.forget();
  }

  /** What came since `forget`. Pushes to nginx-rtmp are ended for it. @throws Error when they cannot be */
  async reports(): Promise<ReadonlyMap<string, PushReport>> {
    await this.#enableRecorded(false);
    const reports = new Map<string, PushReport>();
    for (const push of this.pushes) {
      reports.set(push, isRecorded(push) ? await this.engine.report(push) : this.targets.report(push));
    }
    return reports;
  }

  /** Each window has recordings of its own. */
  async #enableRecorded(enabled: boolean): Promise<void> {
    for (const [name, { pushes }] of Object.entries(cast)) {
      if (pushes !== recorded) continue;
      for (const id of Object.keys(pushes)) {
        await this.node('a').callOk('PATCH', `/v1/cameras/${name}/pushes/${id}`, { enabled });
      }
    }
  }

  #silentMs(push: string): number {
    return isRecorded(push) ? this.engine.silentMs(push) : this.targets.silentMs(push);
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
      if ((await this.look(camera.name)).node === cast[camera.name]?.home) continue;
      await camera.stop();
      await until(`${camera.name} to be gone`, async () => !(await this.look(camera.name)).live);
      camera.start();
    }
    await this.#enableRecorded(true);
    await until('all pushes to be where they are placed', async () => {
      const paths = await this.paths();
      return (
        this.isFlowing() &&
        this.pushes.every((push) => {
          const [camera = '', id = ''] = push.split('-');
          const { owner, runner } = paths.get(push) ?? { owner: '', runner: '' };
          const { home, pushes } = cast[camera]!;
          const place = pushes[id];
          const isHere = place === undefined || place === this.node(home).location;
          return owner === home && (isHere ? runner === owner : this.node(runner)?.location === place);
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
        paths.set(`${name}-${push.id}`, { owner, runner: push.node ?? (push.state === 'elsewhere' ? '' : owner) });
      }
    }
    return paths;
  }

  /** Has all run again that should, whatever a trouble left behind. */
  async putRight(): Promise<void> {
    await this.network.mend();
    for (const member of this.etcd) {
      await member.disk.makeRoom();
      member.signal('SIGCONT');
      if (!member.isRunning) member.start(this.etcd);
    }
    await this.etcdAnswers();
    for (const node of this.nodes) {
      node.signal('SIGCONT');
      if (!node.isRunning) await node.start();
    }
  }

  close(): void {
    this.targets.close();
    this.engine.close();
    this.network.remove();
    for (const { disk } of this.etcd) disk.unmount();
  }

  #silent(): string[] {
    return this.pushes.filter((push) => this.#silentMs(push) >= flowingMs);
  }
}
