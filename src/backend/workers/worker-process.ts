import { type ChildProcess, fork } from 'node:child_process';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { CodedError } from '../../errors.js';
import type { Logger } from '../../log/log.js';
import type { SocketWay } from '../../net/socket-way.js';
import { heardMs, setHeardTimeout } from '../../process/standstill.js';
import type { Connection, Order, Report, WorkerLoad, WorkerSettings } from './protocol.js';

const entry = fileURLToPath(new URL('./worker-main.js', import.meta.url));
/** Where Node knows the option, SIGUSR1 opens no port of a debugger even before the worker's first line. */
const noDebugger = '--disable-sigusr1';
const execArgv = [...process.execArgv, ...(process.allowedNodeEnvironmentFlags.has(noDebugger) ? [noDebugger] : [])];

/** Pause before a worker that ended is started again; doubles with each end that follows soon after its start. */
const restartMinMs = 100;
const restartMaxMs = 10_000;
/** One that ran for so long has not ended because of its start. */
const settledMs = 30_000;
/** How long a worker may take to start. */
const startTimeoutMs = 15_000;
/** A worker that reports nothing for so long hangs: it is given no strangers, and then ended. Reports come every second. */
const silentMs = 5_000;
const hangsMs = 30_000;
/**
 * Sockets on their way at once: Node sends one, and waits until it arrived before it sends anything else; orders must not
 * wait behind all sockets of a flood.
 */
const socketsAtOnce = 2;
/** One that did not arrive by then never will. */
const lostAfterMs = 10_000;

/** What the owner of a worker is told. */
export interface WorkerHandler {
  /** It takes orders, and knows nothing: it was started, or started again. */
  onUp(worker: WorkerProcess): void;
  onReport(worker: WorkerProcess, report: Report): void;
  /** It ended without having been asked to. */
  onDown(worker: WorkerProcess): void;
  /** The socket of a connection never arrived. */
  onLost(worker: WorkerProcess, id: number): void;
}

interface Delivery {
  readonly order: Connection;
  readonly socket: Socket;
  /** When it was sent; 0: it was not yet. */
  sentMs: number;
}

/** The end of a worker, and what becomes of it. */
export interface WorkerEnd {
  /** In words: `ended by SIGKILL`. */
  readonly how: string;
  /** Milliseconds since 1970. */
  readonly atMs: number;
  /** How many ends in a row, each soon after its start. */
  readonly times: number;
}

/**
 * One media worker and whatever process is it at the moment.
 *
 *   starting --ready--> up --ends--> down --pause--> starting
 */
export class WorkerProcess {
  readonly number: number;
  readonly #settings: WorkerSettings;
  readonly #handler: WorkerHandler;
  readonly #log: Logger;
  #child: ChildProcess | null = null;
  #state: 'starting' | 'up' | 'down' | 'stopping' = 'starting';
  #viewPort = 0;
  #load: WorkerLoad | null = null;
  #socketWay: SocketWay | null = null;
  #reportedMs = 0;
  #startedMs = 0;
  #end: WorkerEnd | null = null;
  #restarts = 0;
  #failures = 0;
  #restartTimer: NodeJS.Timeout | null = null;
  #startTimer: NodeJS.Timeout | null = null;
  #deliveries: Delivery[] = [];
  readonly #onTheirWay = new Map<number, Delivery>();
  #onStarted: ((error: CodedError | null) => void) | null = null;
  #onExit: (() => void) | null = null;

  constructor(settings: WorkerSettings, handler: WorkerHandler, log: Logger) {
    this.number = settings.number;
    this.#settings = settings;
    this.#handler = handler;
    this.#log = log.child({ worker: settings.number });
  }

  get isUp(): boolean {
    return this.#state === 'up';
  }

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  /** Where it gives away streams to be shown, of 127.0.0.1; of no use while it is not up. */
  get viewPort(): number {
    return this.#viewPort;
  }

  /** What it took of the machine when it last said so; null before, and while it is down. */
  get load(): WorkerLoad | null {
    return this.#load;
  }

  /** How its connections without TLS are read and written; null while it is not up. */
  get socketWay(): SocketWay | null {
    return this.#socketWay;
  }

  /** How often it was started again. */
  get restarts(): number {
    return this.#restarts;
  }

  /** The last end of it; null: it never ended. */
  get end(): WorkerEnd | null {
    return this.#end;
  }

  /** True when it runs and reports: what hangs is up and takes nothing. */
  isResponsive(nowMs: number): boolean {
    return this.isUp && heardMs(this.#reportedMs, nowMs) < silentMs;
  }

  /** Starts it. @throws CodedError WORKER_DOWN when it does not come up */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#onStarted = (error) => (error === null ? resolve() : reject(error));
      this.#spawn();
    });
  }

  send(order: Order): void {
    if (this.#state !== 'up' && this.#state !== 'stopping') return; // what it should know it is told when it is up
    this.#child?.send(order, undefined, undefined, () => {}); // what cannot be sent any more: it is ending
  }

  /** Gives it a connection. It and we have the socket then, until it says that it serves it. */
  deliver(order: Connection, socket: Socket): void {
    this.#deliveries.push({ order, socket, sentMs: 0 });
    this.#deliverNext();
  }

  /** Call about once a second: ends what hangs. */
  look(nowMs: number): void {
    this.#loseLate(nowMs);
    if (!this.isUp || heardMs(this.#reportedMs, nowMs) < hangsMs) return;
    this.#log.error('a media worker no longer responds; it is killed', { pid: this.pid, silentMs: hangsMs });
    this.#child?.kill('SIGKILL');
  }

  /** Ends it in order within the deadline, and by force soon after it. */
  async stop(deadlineMs: number): Promise<void> {
    if (this.#restartTimer !== null) clearTimeout(this.#restartTimer);
    const child = this.#child;
    const wasUp = this.#state === 'up';
    this.#state = 'stopping';
    if (child === null) return;
    const exited = new Promise<void>((resolve) => {
      this.#onExit = resolve;
    });
    if (wasUp) this.send({ type: 'stop', deadlineMs });
    else child.kill('SIGKILL');
    const timer = setTimeout(() => child.kill('SIGKILL'), deadlineMs + 500);
    await exited;
    clearTimeout(timer);
  }

  #spawn(): void {
    this.#state = 'starting';
    this.#startedMs = performance.now();
    // Its standard error is ours, for the last words of a process that runs out of memory.
    const child = fork(entry, [], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'], execArgv });
    this.#child = child;
    child.on('message', (reports) => this.#onReports(child, reports as readonly Report[]));
    child.on('error', (error) => this.#log.debug('the channel to a media worker failed', { reason: error.message }));
    child.once('exit', (code, signal) => {
      this.#onEnd(child, signal === null ? `exited with ${code ?? 'nothing'}` : `ended by ${signal}`);
    });
    // A process that cannot be made has no exit.
    if (child.pid === undefined) setImmediate(() => this.#onEnd(child, 'could not be started'));
    // Without a descriptor for the channel there is none.
    child.send?.({ type: 'begin', settings: this.#settings } satisfies Order, undefined, undefined, () => {});
    this.#startTimer = setHeardTimeout(() => child.kill('SIGKILL'), startTimeoutMs);
  }

  #onReports(child: ChildProcess, reports: readonly Report[]): void {
    if (child !== this.#child) return;
    this.#reportedMs = performance.now();
    for (const report of reports) this.#onReport(report);
  }

  #onReport(report: Report): void {
    switch (report.type) {
      case 'ready':
        if (this.#startTimer !== null) clearTimeout(this.#startTimer);
        if (this.#state !== 'starting') return;
        this.#state = 'up';
        this.#viewPort = report.viewPort;
        this.#socketWay = report.socketWay;
        this.#handler.onUp(this);
        this.#onStarted?.(null);
        this.#onStarted = null;
        this.#deliverNext();
        return;
      case 'taken':
        this.#onTheirWay.delete(report.id);
        this.#deliverNext();
        return;
      case 'load':
        this.#load = report.load;
        this.#socketWay = report.load.socketWay;
        this.#handler.onReport(this, report);
        return;
      case 'log':
        this.#log[report.level](report.message, report.fields);
        return;
      default:
        this.#handler.onReport(this, report);
    }
  }

  #deliverNext(): void {
    while (this.isUp && this.#onTheirWay.size < socketsAtOnce) {
      const delivery = this.#deliveries.shift();
      if (delivery === undefined) return;
      const { order, socket } = delivery;
      if (socket.destroyed) continue; // it was given up meanwhile
      delivery.sentMs = performance.now();
      this.#onTheirWay.set(order.id, delivery);
      this.#child?.send(order, socket, { keepOpen: true }, (error) => {
        if (error === null || !this.#onTheirWay.delete(order.id)) return;
        this.#handler.onLost(this, order.id);
        this.#deliverNext();
      });
    }
  }

  /** A process without a free descriptor gets no socket, and Node tells nobody. One that answers nothing may just be slow. */
  #loseLate(nowMs: number): void {
    if (!this.isResponsive(nowMs)) return;
    for (const [id, { sentMs }] of this.#onTheirWay) {
      if (heardMs(sentMs, nowMs) < lostAfterMs) continue;
      this.#onTheirWay.delete(id);
      this.#handler.onLost(this, id);
    }
    this.#deliverNext();
  }

  #onEnd(child: ChildProcess, how: string): void {
    if (child !== this.#child) return;
    this.#child = null;
    this.#load = null;
    this.#socketWay = null;
    if (this.#startTimer !== null) clearTimeout(this.#startTimer);
    for (const { order } of [...this.#onTheirWay.values(), ...this.#deliveries]) this.#handler.onLost(this, order.id);
    this.#onTheirWay.clear();
    this.#deliveries = [];
    if (this.#state === 'stopping') {
      this.#onExit?.();
      return;
    }
    this.#state = 'down';
    const ranMs = performance.now() - this.#startedMs;
    this.#failures = ranMs < settledMs ? this.#failures + 1 : 1;
    this.#end = { how, atMs: Date.now(), times: this.#failures };
    const pauseMs = Math.min(restartMaxMs, restartMinMs * 2 ** Math.min(this.#failures - 1, 20));
    if (this.#onStarted !== null) {
      this.#onStarted(new CodedError('WORKER_DOWN', `media worker ${this.number} ${how} while it started`));
      this.#onStarted = null;
      return;
    }
    this.#log.error('a media worker ended; it is restarted', { pid: child.pid ?? null, how, pauseMs });
    this.#handler.onDown(this);
    this.#restartTimer = setTimeout(() => {
      this.#restarts++;
      this.#spawn();
    }, pauseMs);
  }
}
