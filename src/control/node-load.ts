import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import type { BackendProblem, BackendTotals } from '../backend/backend.js';
import type { Logger } from '../log/log.js';

/** How this process is loaded, and the most that it carried without being late. */
export interface NodeLoadFigures {
  /** CPU time of this process over the last seconds, percent of one core. */
  readonly cpuPercent: number;
  /** How late the event loop was in the last seconds, at worst, milliseconds. */
  readonly loopDelayMs: number;
  /** The most that was sent while the event loop was on time, bits per second. */
  readonly peakBitrateOutBps: number;
  /** The most cameras that were live while it was. */
  readonly peakLiveCameras: number;
}

const everyMs = 5000;
/** How often it is looked how late the event loop is; each look wakes a process at rest. */
const grainMs = 50;
/** Frames that are this late are hardly noticed; beyond it, what is carried is no proof that the machine can do it. */
const onTimeMs = 100;

/** A thread that is busy for so much of the time has none left; and frames that are so late, every tenth of them, are seen. */
const strainedPercent = 95;
const strainedMs = 100;
/** It is told after so many looks of that kind in a row, and is over after as many of the other kind: 30 s. */
const strainedLooks = 6;

/** How hard the thread that moves the media had it since the last look. */
export interface Strain {
  /** Of the time, percent: it worked, or waited for a processor. */
  readonly busyPercent: number;
  /** The event loop was later than this in a tenth of the time, milliseconds. */
  readonly lateMs: number;
}

const noStrain: Strain = { busyPercent: 0, lateMs: 0 };

/** Whether a node carries about as much as its machine can, whatever limit is set. */
export class StrainWatch {
  #looks = 0;
  #isStrained = false;

  get isStrained(): boolean {
    return this.#isStrained;
  }

  /** @returns true when `isStrained` is another than before */
  look(strain: Strain): boolean {
    const isHard = strain.busyPercent >= strainedPercent || strain.lateMs > strainedMs;
    this.#looks = isHard === this.#isStrained ? 0 : this.#looks + 1;
    if (this.#looks < strainedLooks) return false;
    this.#looks = 0;
    this.#isStrained = isHard;
    return true;
  }
}

/** Watches what this node carries, and how easily. */
export class NodeLoad {
  readonly #totals: () => BackendTotals;
  readonly #log: Logger;
  readonly #strain = new StrainWatch();
  /** As it was when it began: another text would be another problem to those who follow the events. */
  #problem: BackendProblem | null = null;
  #busy = performance.eventLoopUtilization();
  readonly #delay: IntervalHistogram = monitorEventLoopDelay({ resolution: grainMs });
  readonly #timer: NodeJS.Timeout;
  #cpu = process.cpuUsage();
  #atMs = performance.now();
  #figures: NodeLoadFigures = { cpuPercent: 0, loopDelayMs: 0, peakBitrateOutBps: 0, peakLiveCameras: 0 };

  /** @param lookMs how often it looks */
  constructor(totals: () => BackendTotals, log: Logger, lookMs = everyMs) {
    this.#totals = totals;
    this.#log = log;
    this.#delay.enable();
    this.#timer = setInterval(() => this.#look(), lookMs).unref();
  }

  get figures(): NodeLoadFigures {
    return this.#figures;
  }

  /** That it carries about as much as it can, while that is so. */
  get problems(): readonly BackendProblem[] {
    return this.#problem === null ? [] : [this.#problem];
  }

  close(): void {
    clearInterval(this.#timer);
    this.#delay.disable();
  }

  #look(): void {
    const nowMs = performance.now();
    const { user, system } = process.cpuUsage(this.#cpu);
    const cpuPercent = Math.round((user + system) / 10 / Math.max(1, nowMs - this.#atMs));
    this.#cpu = process.cpuUsage();
    this.#atMs = nowMs;
    const loopDelayMs = Math.max(0, Math.round(this.#delay.max / 1e5) / 10 - grainMs);
    const lateMs = Math.max(0, this.#delay.percentile(90) / 1e6 - grainMs);
    this.#delay.reset();
    const { utilization } = performance.eventLoopUtilization(this.#busy);
    this.#busy = performance.eventLoopUtilization();
    const totals = this.#totals();
    // Nothing is late where nothing flows, as on a machine that other programs have for themselves.
    const isIdle = totals.liveCameras === 0 && totals.bitrateOutBps === 0;
    this.#judge(isIdle ? noStrain : { busyPercent: Math.round(utilization * 100), lateMs }, totals);
    this.#figures = withPeaks({ ...this.#figures, cpuPercent, loopDelayMs }, totals);
  }

  #judge(strain: Strain, { bitrateOutBps, liveCameras }: BackendTotals): void {
    if (!this.#strain.look(strain)) return;
    if (!this.#strain.isStrained) {
      this.#problem = null;
      this.#log.info('the node has time to spare again, or carries nothing any more', { ...strain });
      return;
    }
    const { peakBitrateOutBps, peakLiveCameras } = this.#figures;
    const how = `busy ${strain.busyPercent}% of the time, and late by ${Math.round(strain.lateMs)} ms`;
    const message = `this node carries about as much as its machine can: its event loop is ${how}, with ${mbps(bitrateOutBps)} out and ${liveCameras} live cameras. It was on time with up to ${mbps(peakBitrateOutBps)} and ${peakLiveCameras} cameras. Give it less, or limit what it takes with capacity-out-mbps and capacity-cameras`;
    this.#problem = { code: 'NODE_OVERLOADED', message, since: new Date().toISOString() };
    this.#log.warn(message, { code: this.#problem.code });
  }
}

function mbps(bps: number): string {
  return `${Math.round(bps / 1e6)} Mbit/s`;
}

/** The figures with the peaks raised, where the event loop was on time. */
export function withPeaks(
  figures: NodeLoadFigures,
  { bitrateOutBps, liveCameras }: Pick<BackendTotals, 'bitrateOutBps' | 'liveCameras'>,
): NodeLoadFigures {
  if (figures.loopDelayMs > onTimeMs) return figures;
  return {
    ...figures,
    peakBitrateOutBps: Math.max(figures.peakBitrateOutBps, bitrateOutBps),
    peakLiveCameras: Math.max(figures.peakLiveCameras, liveCameras),
  };
}
