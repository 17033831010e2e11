import { RateMeter } from '../../relay/rate-meter.js';
import type { WorkerSocket } from './sockets.js';
import type { Statistics } from './statistics.js';
import { isPublisher, socketKey } from './workers.js';

interface Counts {
  readonly received: number;
  readonly acknowledged: number;
}

/** Bits per second in and out, of all workers together where the kernel tells, else of the one that answers. */
export class Traffic {
  #in = new RateMeter();
  #out = new RateMeter();
  #bytesIn = 0;
  #bytesOut = 0;
  /** undefined before the first look: what flowed before is no traffic of now. */
  #sockets: Map<string, Counts> | undefined;
  #worker: { pid: number; bytesIn: number; bytesOut: number } | undefined;
  #source: 'kernel' | 'statistics' | undefined;

  get bitrateInBps(): number {
    return this.#in.bitsPerSecond;
  }

  get bitrateOutBps(): number {
    return this.#out.bitsPerSecond;
  }

  /** By the kernel. `pids`: whose connections count; `statPort`: that of the statistics, which do not. */
  lookAtSockets(
    sockets: readonly WorkerSocket[],
    options: { pids: ReadonlySet<number>; rtmpPort: number; statPort: number },
    nowMs: number,
  ): void {
    this.#begin('kernel');
    const seen = new Map<string, Counts>();
    for (const socket of sockets) {
      if (!options.pids.has(socket.pid) || socket.localPort === options.statPort) continue;
      const key = socketKey(socket);
      const now = { received: socket.bytesReceived, acknowledged: socket.bytesAcknowledged };
      const before = this.#sockets === undefined ? now : (this.#sockets.get(key) ?? { received: 0, acknowledged: 0 });
      // Targets send little more than acknowledgements: what they receive is what counts.
      if (socket.localPort === options.rtmpPort) this.#bytesIn += growth(now.received, before.received);
      // What a publisher gets are acknowledgements and a few commands.
      if (!isPublisher(socket, options.rtmpPort)) this.#bytesOut += growth(now.acknowledged, before.acknowledged);
      seen.set(key, now);
    }
    this.#sockets = seen;
    this.#look(nowMs);
  }

  /** By the statistics: the newest worker only. */
  lookAtStatistics(statistics: Statistics, nowMs: number): void {
    this.#begin('statistics');
    const { workerPid: pid, bytesIn, bytesOut } = statistics;
    const begun = this.#worker === undefined ? statistics : { bytesIn: 0, bytesOut: 0 };
    const before = this.#worker?.pid === pid ? this.#worker : begun;
    this.#bytesIn += growth(bytesIn, before.bytesIn);
    this.#bytesOut += growth(bytesOut, before.bytesOut);
    this.#worker = { pid, bytesIn, bytesOut };
    this.#look(nowMs);
  }

  /** Nothing runs: nothing flows, now and not on average. */
  reset(): void {
    this.#in = new RateMeter();
    this.#out = new RateMeter();
    this.#sockets = undefined;
    this.#worker = undefined;
  }

  #begin(source: 'kernel' | 'statistics'): void {
    if (this.#source !== source) this.reset();
    this.#source = source;
  }

  #look(nowMs: number): void {
    this.#in.look(this.#bytesIn, nowMs);
    this.#out.look(this.#bytesOut, nowMs);
  }
}

/** A count that fell is that of another connection with the same name. */
function growth(now: number, before: number): number {
  return now >= before ? now - before : now;
}
