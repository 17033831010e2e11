import { percentile } from './measure/stats.js';

/** From the publisher's write to the arrival of the whole message. */
export interface Latency {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly samples: number;
}

/** What one run of one system under one scenario showed. */
export interface RunResult {
  readonly system: string;
  readonly scenario: string;
  /** Why the figures are void; null when they count. */
  readonly void: string | null;
  readonly seconds: number;
  /** When the measured time began and ended, microseconds of CLOCK_MONOTONIC. */
  readonly windowUs: readonly [number, number];
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly messagesIn: number;
  readonly messagesOut: number;
  /** Of the server and its children, while measured. */
  readonly cpuUser: number;
  readonly cpuSystem: number;
  /** The part of it that was not in the first threads: in Node, V8's garbage collection. */
  readonly cpuHelpers: number;
  /** System calls of the kinds read and write of the server; a server that uses recv and send shows none. */
  readonly reads: number;
  readonly writes: number;
  readonly rssBytes: number;
  /** Before anything was published. */
  readonly rssIdleBytes: number;
  /** Of all messages. */
  readonly latencyMs: Latency;
  readonly videoLatencyMs: Latency;
  readonly audioLatencyMs: Latency;
  /** From the request for one more push of a live camera to its first key frame at the sink; empty where impossible. */
  readonly firstPictureMs: readonly number[];
  readonly lost: number;
  readonly repeated: number;
  readonly generators: {
    readonly publisherCpu: number;
    readonly sinkCpu: number;
    readonly lateP99Ms: number;
    readonly mostQueuedBytes: number;
  };
  /** CPU seconds of everything else on the machine, and those taken by its host: what disturbed the run. */
  readonly otherCpu: number;
  /** Of interrupts, network packets on their way included; of no process. */
  readonly interruptCpu: number;
  readonly stolenCpu: number;
}

/** How much the rest of the machine did while the run was measured, percent of one core. */
export function disturbance(result: RunResult): number {
  return (100 * (result.otherCpu + result.stolenCpu)) / result.seconds;
}

/** @param latenciesUs in any order */
export function latencyOf(latenciesUs: readonly Float64Array[]): Latency {
  const sorted = Float64Array.from(latenciesUs.flatMap((each) => [...each])).sort();
  const at = (p: number): number => percentile(sorted, p) / 1000;
  return { p50: at(0.5), p99: at(0.99), max: at(1), samples: sorted.length };
}

const noLatency: Latency = { p50: Number.NaN, p99: Number.NaN, max: Number.NaN, samples: 0 };

/** What stands for a run that failed. */
export function voidResult(system: string, scenario: string, reason: string): RunResult {
  const none = Number.NaN;
  return {
    ...{
      system,
      scenario,
      void: reason,
      seconds: 0,
      windowUs: [0, 0],
      bytesIn: 0,
      bytesOut: 0,
      messagesIn: 0,
      messagesOut: 0,
    },
    ...{ cpuUser: none, cpuSystem: none, cpuHelpers: none, reads: 0, writes: 0, rssBytes: none, rssIdleBytes: none },
    ...{ latencyMs: noLatency, videoLatencyMs: noLatency, audioLatencyMs: noLatency },
    ...{ firstPictureMs: [], lost: 0, repeated: 0, otherCpu: none, interruptCpu: none, stolenCpu: none },
    generators: { publisherCpu: none, sinkCpu: none, lateP99Ms: none, mostQueuedBytes: 0 },
  };
}
