import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import type { BackendTotals } from '../backend/backend.js';

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
const grainMs = 20;
/** Frames that are this late are hardly noticed; beyond it, what is carried is no proof that the machine can do it. */
const onTimeMs = 100;

/** Watches what this node carries, and how easily. */
export class NodeLoad {
  readonly #totals: () => BackendTotals;
  readonly #delay: IntervalHistogram = monitorEventLoopDelay({ resolution: grainMs });
  readonly #timer: NodeJS.Timeout;
  #cpu = process.cpuUsage();
  #atMs = performance.now();
  #figures: NodeLoadFigures = { cpuPercent: 0, loopDelayMs: 0, peakBitrateOutBps: 0, peakLiveCameras: 0 };

  constructor(totals: () => BackendTotals) {
    this.#totals = totals;
    this.#delay.enable();
    this.#timer = setInterval(() => this.#look(), everyMs).unref();
  }

  get figures(): NodeLoadFigures {
    return this.#figures;
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
    this.#delay.reset();
    this.#figures = withPeaks({ ...this.#figures, cpuPercent, loopDelayMs }, this.#totals());
  }
}

/** The figures with the peaks raised, where the event loop was on time. */
function withPeaks(
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
