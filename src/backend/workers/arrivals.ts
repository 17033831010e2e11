import { createServer, type Server, type Socket } from 'node:net';
import { loopbackOf } from '../../address/every-address.js';
import type { Logger } from '../../log/log.js';
import { ConnectionLimits } from '../../net/connection-limits.js';
import { heardMs } from '../../process/standstill.js';
import { probeHandshake } from '../../rtmp/probe.js';
import { listenOn } from '../../rtmp/rtmp-server.js';
import type { BackendAddress } from '../backend.js';
import type { Report } from './protocol.js';
import type { WorkerProcess } from './worker-process.js';

/** What the supervisor keeps of a connection on top of its own time, when nobody wants to serve it. */
const slackMs = 5000;

interface Entry {
  readonly id: number;
  readonly acceptedMs: number;
  /** It begins with TLS. */
  readonly isSecure: boolean;
  /** Our hold on it; null once a worker serves it. */
  socket: Socket | null;
  readonly release: () => void;
  /** Who has it too; null while no worker runs. */
  worker: WorkerProcess | null;
  /** Who is to have it next. */
  next: WorkerProcess | null;
  /** The camera that it named; empty until it did. */
  camera: string;
}

/**
 * The listener, and the way of a connection to the worker of its camera. The supervisor reads nothing of it: any worker
 * does the handshake and hears which camera is meant; where that is another's, it gives the connection up, and the
 * supervisor, which held on to it, hands it to that one.
 *
 *   accepted --> a worker --served--> closed
 *                   '--where--> leave --left--> its camera's worker --served--> closed
 */
export class Arrivals {
  readonly #server: Server;
  /** For connections with TLS. */
  readonly #secureServer: Server;
  readonly #log: Logger;
  readonly #limits: ConnectionLimits;
  readonly #handshakeTimeoutMs: number;
  readonly #workers: readonly WorkerProcess[];
  readonly #homeOf: (camera: string) => WorkerProcess | undefined;
  readonly #declared: (camera: string) => Promise<void>;
  readonly #entries = new Map<number, Entry>();
  /** Probes of our own, each for one worker. */
  readonly #probes = new Map<Socket, WorkerProcess>();
  #address: BackendAddress | null = null;
  #nextId = 1;
  #nextWorker = 0;

  constructor(options: {
    settings: {
      readonly maxConnections: number;
      readonly maxConnectionsPerAddress: number;
      readonly handshakeTimeoutMs: number;
    };
    workers: readonly WorkerProcess[];
    /** The worker of a camera; undefined: there is no such camera. */
    homeOf: (camera: string) => WorkerProcess | undefined;
    /** Resolves when the worker of this camera knows of it; rejects when it cannot be told. */
    declared: (camera: string) => Promise<void>;
    log: Logger;
  }) {
    this.#log = options.log;
    this.#limits = new ConnectionLimits(options.settings, options.log);
    this.#handshakeTimeoutMs = options.settings.handshakeTimeoutMs;
    this.#workers = options.workers;
    this.#homeOf = options.homeOf;
    this.#declared = options.declared;
    const socketOptions = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000, pauseOnConnect: true };
    this.#server = createServer(socketOptions, (socket) => this.#onSocket(socket, false));
    this.#secureServer = createServer(socketOptions, (socket) => this.#onSocket(socket, true));
  }

  get connections(): number {
    return this.#limits.connections;
  }

  /** @throws CodedError ADDRESS_IN_USE, INVALID_ADDRESS */
  async listen(host: string, port: number): Promise<BackendAddress> {
    this.#address = await listenOn(this.#server, host, port, this.#log);
    return this.#address;
  }

  /** Opens a listener for TLS beside it, under the same limits. @throws CodedError ADDRESS_IN_USE, INVALID_ADDRESS */
  listenSecure(host: string, port: number): Promise<BackendAddress> {
    return listenOn(this.#secureServer, host, port, this.#log);
  }

  /** Takes no more connections, and lets go of those that no worker serves yet. */
  close(): void {
    this.#server.close();
    this.#secureServer.close();
    for (const entry of this.#entries.values()) if (entry.worker === null) this.#forget(entry);
  }

  /** True when every worker completes a handshake on the real listener within the deadline. */
  async probe(deadlineMs: number): Promise<boolean> {
    const address = this.#address;
    if (address === null || !this.#workers.every((worker) => worker.isUp)) return false;
    const answers = this.#workers.map((worker) => {
      let socket: Socket | undefined;
      const answer = probeHandshake(loopbackOf(address.host), address.port, deadlineMs, (made) => {
        socket = made;
        this.#probes.set(made, worker);
      });
      return answer.finally(() => {
        if (socket !== undefined) this.#probes.delete(socket);
      });
    });
    return (await Promise.all(answers)).every((isUp) => isUp);
  }

  /** Call about once a second. */
  tick(nowMs: number): void {
    for (const entry of this.#entries.values()) {
      const ageMs = heardMs(entry.acceptedMs, nowMs);
      if (entry.socket === null || ageMs <= this.#handshakeTimeoutMs) continue;
      // A worker ends it in time by itself; one that hangs does not.
      if (entry.worker === null || ageMs > this.#handshakeTimeoutMs + slackMs) this.#forget(entry);
    }
  }

  /** A worker takes connections, from now on or again. */
  workerIsUp(worker: WorkerProcess): void {
    for (const entry of this.#entries.values()) {
      if (entry.worker === null) this.#bringToAny(entry);
      else if (entry.next === worker) this.#sendOn(entry, entry.worker, worker);
    }
  }

  /** A worker is gone, and with it all connections that it had. */
  workerIsDown(worker: WorkerProcess): void {
    for (const entry of this.#entries.values()) if (entry.worker === worker) this.#forget(entry);
  }

  /** What a worker says of a connection. */
  onReport(
    worker: WorkerProcess,
    report: Extract<Report, { readonly type: 'where' | 'served' | 'left' | 'closed' }>,
  ): void {
    const entry = this.#entries.get(report.id);
    if (entry === undefined || entry.worker !== worker) return;
    switch (report.type) {
      case 'where':
        entry.camera = report.camera;
        this.#route(entry, worker, this.#homeOf(report.camera));
        return;
      case 'served':
        entry.socket?.destroy();
        entry.socket = null;
        return;
      case 'left':
        if (entry.next === null || entry.socket === null) return;
        entry.worker = entry.next;
        entry.next = null;
        this.#bring(entry, entry.worker, report);
        return;
      case 'closed':
        this.#forget(entry);
    }
  }

  /** The socket of a connection did not arrive. */
  lost(id: number): void {
    const entry = this.#entries.get(id);
    if (entry !== undefined) this.#forget(entry);
  }

  #onSocket(socket: Socket, isSecure: boolean): void {
    socket.on('error', () => {});
    const release = this.#limits.admit(socket.remoteAddress);
    if (release === undefined) {
      socket.destroy();
      return;
    }
    const acceptedMs = performance.now();
    const entry = { id: this.#nextId++, acceptedMs, isSecure, socket, release, worker: null, next: null, camera: '' };
    this.#entries.set(entry.id, entry);
    this.#bringToAny(entry);
  }

  #route(entry: Entry, worker: WorkerProcess, home: WorkerProcess | undefined): void {
    if (home === undefined || home === worker) {
      worker.send({ type: 'stay', id: entry.id });
      return;
    }
    entry.next = home;
    // Else it waits where it is, until its camera's worker is back or its time is over.
    if (home.isUp) this.#sendOn(entry, worker, home);
  }

  #sendOn(entry: Entry, worker: WorkerProcess, home: WorkerProcess): void {
    const { id, isSecure } = entry;
    if (!isSecure) {
      worker.send({ type: 'leave', id });
      return;
    }
    entry.next = null; // it stays where it is
    // By another way than that of orders, on which the home may have yet to hear of the camera.
    const handOn = (): void => worker.send({ type: 'handOn', id, viewPort: home.viewPort });
    void this.#declared(entry.camera).then(handOn, handOn);
  }

  /** To the next worker in turn, past those that hang. */
  #bringToAny(entry: Entry): void {
    const worker = this.#probeOf(entry.socket) ?? this.#nextResponsive();
    if (worker === undefined) return; // it waits for one
    entry.worker = worker;
    this.#bring(entry, worker, null);
  }

  #bring(entry: Entry, worker: WorkerProcess, left: { beginning: string; isAnswered: boolean } | null): void {
    const { id, socket, acceptedMs, isSecure } = entry;
    if (socket === null) return;
    const ageMs = heardMs(acceptedMs);
    const { beginning, isAnswered } = left ?? { beginning: null, isAnswered: false };
    worker.deliver({ type: 'connection', id, ageMs, beginning, isAnswered, isSecure }, socket);
  }

  #probeOf(socket: Socket | null): WorkerProcess | undefined {
    if (socket === null || this.#probes.size === 0) return undefined;
    for (const [probe, worker] of this.#probes) if (probe.localPort === socket.remotePort) return worker;
    return undefined;
  }

  #nextResponsive(): WorkerProcess | undefined {
    const nowMs = performance.now();
    const count = this.#workers.length;
    for (let step = 0; step < count; step++) {
      const worker = this.#workers[(this.#nextWorker + step) % count];
      if (worker?.isResponsive(nowMs) !== true) continue;
      this.#nextWorker = (this.#nextWorker + step + 1) % count;
      return worker;
    }
    return this.#workers.find((worker) => worker.isUp);
  }

  #forget(entry: Entry): void {
    if (!this.#entries.delete(entry.id)) return;
    entry.socket?.destroy();
    entry.socket = null;
    entry.release();
  }
}
