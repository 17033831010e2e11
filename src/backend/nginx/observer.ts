import type { CameraEvidence } from '../../health/evidence.js';
import { RateMeter } from '../../relay/rate-meter.js';
import { Flow } from './flow.js';
import { readSockets, type WorkerSocket } from './sockets.js';
import type { Statistics } from './statistics.js';
import { Traffic } from './traffic.js';
import {
  isPublisher,
  isViewer,
  type LiveCamera,
  liveCameras,
  type OldCamera,
  oldCameras,
  socketKey,
  type Worker,
} from './workers.js';

export interface ObserverOptions {
  readonly rtmpPort: number;
  readonly statPort: number;
  /** @throws CodedError NGINX_DOWN */
  readonly fetch: () => Promise<Statistics>;
  /** The processes of all workers; undefined when nobody can tell. */
  readonly workerPids: () => Promise<readonly number[] | undefined>;
  /** The pushes that the running configuration has, by camera. */
  readonly pushes: () => ReadonlyMap<string, ReadonlySet<string>>;
  /** False: sockets are those of a machine that is not this one. */
  readonly local: boolean;
}

/** How fast a camera's bytes come, by whichever count was looked at last. */
interface CameraRate {
  readonly meter: RateMeter;
  source: string;
  bytes: number;
}

/** Puts together what the statistics know of the newest worker and what the kernel knows of all. */
export class Observer {
  readonly #options: ObserverOptions;
  readonly #traffic = new Traffic();
  readonly #rates = new Map<string, CameraRate>();
  readonly #flow = new Flow();
  #current: Worker | undefined;
  #old: Worker[] = [];
  readonly #oldCameras = new Map<string, OldCamera>();
  #sockets: readonly WorkerSocket[] | undefined;
  #liveCount = 0;
  #viewers = 0;
  #connections = 0;
  #statistics: Statistics | undefined;

  constructor(options: ObserverOptions) {
    this.#options = options;
  }

  get bitrateInBps(): number {
    return this.#traffic.bitrateInBps;
  }

  get bitrateOutBps(): number {
    return this.#traffic.bitrateOutBps;
  }

  get liveCount(): number {
    return this.#liveCount;
  }

  get viewers(): number {
    return this.#viewers;
  }

  get connections(): number {
    return this.#connections;
  }

  /** Workers of earlier configurations, which live until their last camera leaves. */
  get oldWorkers(): readonly Worker[] {
    return this.#old;
  }

  /** True when the kernel's byte counts can be had. */
  get knowsSockets(): boolean {
    return this.#sockets !== undefined;
  }

  /** A camera that the newest worker has. */
  current(name: string): { worker: Worker; camera: LiveCamera } | undefined {
    const camera = this.#current?.cameras.get(name);
    return camera === undefined || this.#current === undefined ? undefined : { worker: this.#current, camera };
  }

  /** A camera that an old worker has, and the newest one does not. */
  old(name: string): OldCamera | undefined {
    return this.#oldCameras.get(name);
  }

  /** Bits per second; null when nobody counts this camera apart. */
  bitrateOf(name: string): number | null {
    return this.#rates.get(name)?.meter.bitsPerSecond ?? null;
  }

  /**
   * What the health of a camera is judged by: the statistics know codecs and bitrates of each kind, and no frames. Null
   * while it is not live, or on an old worker, which tells nothing of it.
   */
  evidenceOf(name: string): CameraEvidence | null {
    const camera = this.#current?.cameras.get(name);
    if (camera === undefined || this.#statistics === undefined) return null;
    return this.#flow.evidenceOf(camera, this.bitrateOf(name), performance.now());
  }

  /** Connections of a worker to this port. */
  outgoingOf(pid: number, hosts: readonly string[], port: number): readonly WorkerSocket[] | undefined {
    return this.#sockets?.filter((each) => each.pid === pid && each.peerPort === port && hosts.includes(each.peerHost));
  }

  /** Looks once. Never rejects: an nginx that does not answer has no statistics. */
  async look(): Promise<void> {
    const { fetch, workerPids, local, rtmpPort, statPort } = this.#options;
    const [statistics, pids, sockets] = await Promise.all([
      fetch().catch(() => undefined),
      workerPids(),
      local ? readSockets() : undefined,
    ]);
    const nowMs = performance.now();
    this.#statistics = statistics;
    this.#follow(statistics, pids);
    const alive = new Set([...(pids ?? []), ...(statistics === undefined ? [] : [statistics.workerPid])]);
    const own = sockets?.filter((each) => alive.has(each.pid));
    // A publisher that the statistics show and the kernel does not: the processes cannot be looked into.
    const isBlind = own?.length === 0 && statistics?.streams.some(({ clients }) => clients.length > 0);
    this.#sockets = isBlind === true ? undefined : own;
    if (statistics !== undefined && this.#current !== undefined) {
      this.#current.cameras = liveCameras(statistics, this.#current, this.#sockets, rtmpPort, Date.now());
    }
    this.#findOld();
    this.#count(alive);
    if (alive.size === 0) this.#traffic.reset();
    else if (this.#sockets !== undefined) {
      this.#traffic.lookAtSockets(this.#sockets, { pids: alive, rtmpPort, statPort }, nowMs);
    } else if (statistics !== undefined) this.#traffic.lookAtStatistics(statistics, nowMs);
    this.#measure(nowMs);
  }

  /** The worker that answered before is an old one when another answers now, or none and its process is still there. */
  #follow(statistics: Statistics | undefined, pids: readonly number[] | undefined): void {
    const before = this.#current;
    if (before?.pid !== statistics?.workerPid) {
      if (before !== undefined) this.#old.push(before);
      this.#current = statistics === undefined ? undefined : this.#begin(statistics.workerPid);
    }
    if (this.#current !== undefined) this.#current.pushes = this.#options.pushes();
    for (const pid of pids ?? []) {
      const known = pid === this.#current?.pid || this.#old.some((worker) => worker.pid === pid);
      // Left by an earlier aggregator: its connections can be counted, its cameras have no names.
      if (!known && statistics !== undefined)
        this.#old.push({ pid, isNamed: false, pushes: new Map(), cameras: new Map() });
    }
    this.#old = this.#old.filter(({ pid }) => pids?.includes(pid) ?? false);
  }

  /** A worker that did not answer for a moment is the same as before. */
  #begin(pid: number): Worker {
    const known = this.#old.find((worker) => worker.pid === pid && worker.isNamed);
    this.#old = this.#old.filter((worker) => worker.pid !== pid);
    return known ?? { pid, isNamed: true, pushes: this.#options.pushes(), cameras: new Map() };
  }

  #findOld(): void {
    this.#oldCameras.clear();
    for (const worker of this.#old) {
      // Back on the newest worker: what the old one has is a connection that nobody feeds any more.
      for (const name of worker.cameras.keys()) if (this.#current?.cameras.has(name)) worker.cameras.delete(name);
    }
    for (const found of oldCameras(this.#old, this.#sockets, this.#options.rtmpPort)) {
      this.#oldCameras.set(found.camera.name, found);
    }
    for (const worker of this.#old) {
      for (const name of worker.cameras.keys()) if (!this.#oldCameras.has(name)) worker.cameras.delete(name);
    }
  }

  #count(alive: ReadonlySet<number>): void {
    const { rtmpPort, statPort } = this.#options;
    const sockets = this.#sockets?.filter((each) => alive.has(each.pid) && each.localPort !== statPort);
    const onOld = sockets?.filter((each) => each.pid !== this.#current?.pid || this.#statistics === undefined);
    const current = this.#statistics === undefined ? 0 : (this.#current?.cameras.size ?? 0);
    this.#liveCount = current + (onOld?.filter((each) => isPublisher(each, rtmpPort)).length ?? this.#oldCameras.size);
    const watching = this.#statistics?.streams.reduce((sum, stream) => sum + viewersOf(stream.clients), 0) ?? 0;
    this.#viewers = watching + (onOld?.filter((each) => isViewer(each, rtmpPort)).length ?? 0);
    const inStreams = this.#statistics?.streams.reduce((sum, { clients }) => sum + clients.length, 0) ?? 0;
    this.#connections = sockets?.length ?? inStreams;
  }

  #measure(nowMs: number): void {
    const seen = new Set<string>();
    const note = (name: string, source: string, bytes: number): void => {
      seen.add(name);
      let rate = this.#rates.get(name);
      if (rate === undefined || rate.source !== source || bytes < rate.bytes) {
        rate = { meter: new RateMeter(), source, bytes };
        this.#rates.set(name, rate);
      }
      rate.bytes = bytes;
      rate.meter.look(bytes, nowMs);
    };
    for (const { name, stream, publisher } of this.#current?.cameras.values() ?? []) {
      note(name, publisher.id, stream.bytesIn);
    }
    for (const [name, { socket }] of this.#oldCameras) {
      if (socket !== undefined) note(name, socketKey(socket), socket.bytesReceived);
    }
    for (const name of this.#rates.keys()) if (!seen.has(name)) this.#rates.delete(name);
    this.#flow.look(this.#current?.cameras.values() ?? [], nowMs);
  }
}

/** Clients that neither publish nor are pushes of nginx. */
export function viewersOf(clients: readonly { publishing: boolean; encoder: string }[]): number {
  return clients.filter(({ publishing, encoder }) => !publishing && encoder !== relayEncoder).length;
}

/** What the module calls itself in its own pushes and pulls. */
const relayEncoder = 'ngx-local-relay';
