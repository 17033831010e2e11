import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Adapter, CameraPlan, RunningServer } from './adapters/adapter.js';
import { sleep, until } from './child.js';
import { monotonicUs } from './load/clock.js';
import { LoadProcess } from './load/load-process.js';
import type { FromPublisher, FromSink, SinkTotals, TargetSpec, ToPublisher, ToSink } from './load/protocol.js';
import { cpuOf, ioCalls, machineCpu, mainThreadCpu, processTree, residentBytes } from './measure/proc.js';
import { percentile } from './measure/stats.js';
import type { Scenario } from './scenarios.js';

type Publishers = LoadProcess<ToPublisher, FromPublisher>;
type Sinks = LoadProcess<ToSink, FromSink>;

export interface RunOptions {
  readonly warmUpMs: number;
  readonly measureMs: number;
  /** Processes of sinks, besides the one that measures latency. */
  readonly sinkProcesses: number;
}

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

/** About so many targets are measured for latency, spread over all. */
const measuredTargets = 24;
const firstPictureTries = 5;

/** CPU of other programs, and time that the host took, percent of one core, above which a run is called disturbed. */
const calmPercent = 25;
const calmTries = 3;

/** How much the rest of the machine did while the run was measured, percent of one core. */
export function disturbance(result: RunResult): number {
  return (100 * (result.otherCpu + result.stolenCpu)) / result.seconds;
}

/**
 * `run` on a machine that has other work too: waits for a calm moment, and repeats a disturbed run a few times. Returns
 * the least disturbed one. @param waitMs the longest wait before each try
 */
export async function runCalmly(
  adapter: Adapter,
  scenario: Scenario,
  options: RunOptions,
  waitMs: number,
): Promise<RunResult> {
  let best: RunResult | undefined;
  for (let tries = 0; tries < calmTries; tries++) {
    const endMs = performance.now() + waitMs;
    for (let busy = Number.POSITIVE_INFINITY; busy > calmPercent && performance.now() < endMs; ) {
      const before = machineCpu();
      await sleep(1000);
      const after = machineCpu();
      busy = 100 * (after.busy - before.busy + after.stolen - before.stolen);
    }
    const result = await run(adapter, scenario, options);
    const isBetter = best === undefined || best.void !== null || disturbance(result) < disturbance(best);
    if (isBetter && (result.void === null || best === undefined)) best = result;
    if (result.void === null && disturbance(result) <= calmPercent) break;
  }
  return best ?? voidResult(adapter.name, scenario.name, 'not tried');
}

/** Starts the system, loads it, measures it, ends it. A failure is a void result, not an exception. */
export async function run(adapter: Adapter, scenario: Scenario, options: RunOptions): Promise<RunResult> {
  const folder = mkdtempSync(join(tmpdir(), 'aggregator-bench-'));
  const publishers: Publishers = new LoadProcess('publishers');
  const sinks: Sinks[] = Array.from({ length: 1 + options.sinkProcesses }, () => new LoadProcess('sinks'));
  let server: RunningServer | undefined;
  try {
    const { plans, specs } = planTargets(adapter, scenario, sinks.length);
    const ports = await Promise.all(
      sinks.map(async (sink, i) => {
        const targets = specs[i] ?? [];
        return (await sink.ask({ do: 'listen', targets, measures: i === 0 }, 'listening')).port;
      }),
    );
    const cameras = plans.map(({ name, targets }) => ({
      name,
      targets: targets.map(({ app, sink }) => `rtmp://127.0.0.1:${ports[sink]}/${app}/${name}`),
    }));
    server = await adapter.start(folder, cameras);
    return await measure(adapter.name, scenario, options, server, publishers, sinks, cameras, ports[0] ?? 0);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return voidResult(adapter.name, scenario.name, `${reason} ${server?.output().slice(-2000) ?? ''}`.trim());
  } finally {
    publishers.end();
    await server?.stop();
    for (const sink of sinks) sink.end();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Which camera goes to which sink process: the first measures a few targets, the others share the rest. */
function planTargets(adapter: Adapter, scenario: Scenario, sinkCount: number) {
  const perCamera = adapter.name === 'direct' ? 1 : scenario.targetsPerCamera;
  const total = scenario.cameras * perCamera;
  const every = Math.max(1, Math.round(total / measuredTargets));
  const specs: TargetSpec[][] = Array.from({ length: sinkCount }, () => []);
  let index = 0;
  const plans = Array.from({ length: scenario.cameras }, (_, camera) => ({
    name: `cam${camera}`,
    targets: Array.from({ length: perCamera }, (_, target) => {
      // Targets are written to in their order: the place in it that is measured moves along.
      const isMeasured = sinkCount === 1 || index % every === Math.floor(index / every) % every;
      const sink = isMeasured ? 0 : 1 + (index % (sinkCount - 1));
      index++;
      const app = `t${camera}-${target}`;
      specs[sink]?.push({ app, camera });
      return { app, sink };
    }),
  }));
  return { plans, specs };
}

async function measure(
  system: string,
  scenario: Scenario,
  options: RunOptions,
  server: RunningServer,
  publishers: Publishers,
  sinks: readonly Sinks[],
  cameras: readonly CameraPlan[],
  measuringPort: number,
): Promise<RunResult> {
  const targets = cameras.reduce((sum, camera) => sum + camera.targets.length, 0);
  const tree = (): number[] => (server.pid === undefined ? [] : processTree(server.pid));
  await sleep(500); // idle, after its start
  const rssIdleBytes = residentBytes(tree());
  const urls = cameras.map(({ name }, camera) => ({ camera, url: server.publishUrl(name) }));
  await publishers.ask({ do: 'connect', cameras: urls, bitrateBps: scenario.bitrateBps }, 'connected', 60_000);
  await publishers.ask({ do: 'go' }, 'started');
  const flowing = async (): Promise<boolean> => {
    const answers = await Promise.all(sinks.map((sink) => sink.ask({ do: 'status' }, 'status')));
    return answers.reduce((sum, answer) => sum + answer.flowing, 0) >= targets;
  };
  await until('media at all targets', flowing, 30_000);
  await sleep(options.warmUpMs);

  await Promise.all([
    ...sinks.map((sink) => sink.ask({ do: 'mark' }, 'marked')),
    publishers.ask({ do: 'mark' }, 'marked'),
  ]);
  const startUs = monotonicUs();
  const pids = tree();
  const main = (): number => sumOf(pids, mainThreadCpu);
  const before = { cpu: cpuOf(pids), main: main(), io: ioCalls(pids), machine: machineCpu() };
  await sleep(options.measureMs);
  const after = { cpu: cpuOf(pids), main: main(), io: ioCalls(pids), machine: machineCpu() };
  const rssBytes = residentBytes(pids);
  const endUs = monotonicUs();
  const [sent, ...received] = await Promise.all([
    publishers.ask({ do: 'report' }, 'report'),
    ...sinks.map((sink) => sink.ask({ do: 'report' }, 'report')),
  ]);
  const reports = received.map(({ report }) => report);

  const firstPictureMs = await measureFirstPictures(server, cameras, sinks[0], measuringPort);
  const stopped = await publishers.ask({ do: 'stop' }, 'stopped');
  const totals = await drain(sinks, stopped.sent);
  if (publishers.failure !== null) throw new Error(publishers.failure);

  const cpuUser = after.cpu.user - before.cpu.user;
  const cpuSystem = after.cpu.system - before.cpu.system;
  const sinkCpu = reports.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);
  const publisherCpu = sent.report.cpuSeconds;
  const machine = after.machine.busy - before.machine.busy;
  return {
    system,
    scenario: scenario.name,
    void:
      totals.lost > 0
        ? `${totals.lost} messages lost: ${totals.examples.join('; ')} ${server.output().slice(-1000)}`
        : null,
    seconds: (endUs - startUs) / 1e6,
    windowUs: [startUs, endUs],
    bytesIn: sent.report.bytes,
    bytesOut: sumOf(reports, ({ bytes }) => bytes),
    messagesIn: sent.report.messages,
    messagesOut: sumOf(reports, ({ messages }) => messages),
    cpuUser,
    cpuSystem,
    cpuHelpers: Math.max(0, cpuUser + cpuSystem - (after.main - before.main)),
    reads: after.io.reads - before.io.reads,
    writes: after.io.writes - before.io.writes,
    rssBytes,
    rssIdleBytes,
    latencyMs: latencyOf(reports.flatMap((each) => [each.videoLatenciesUs, each.audioLatenciesUs])),
    videoLatencyMs: latencyOf(reports.map(({ videoLatenciesUs }) => videoLatenciesUs)),
    audioLatencyMs: latencyOf(reports.map(({ audioLatenciesUs }) => audioLatenciesUs)),
    firstPictureMs,
    lost: totals.lost,
    repeated: totals.repeated,
    generators: {
      publisherCpu,
      sinkCpu,
      lateP99Ms: sent.report.lateP99Ms,
      mostQueuedBytes: sent.report.mostQueuedBytes,
    },
    otherCpu: Math.max(0, machine - cpuUser - cpuSystem - sinkCpu - publisherCpu),
    interruptCpu: after.machine.interrupts - before.machine.interrupts,
    stolenCpu: after.machine.stolen - before.machine.stolen,
  };
}

function latencyOf(latenciesUs: readonly Float64Array[]): Latency {
  const sorted = Float64Array.from(latenciesUs.flatMap((each) => [...each])).sort();
  const at = (p: number): number => percentile(sorted, p) / 1000;
  return { p50: at(0.5), p99: at(0.99), max: at(1), samples: sorted.length };
}

/** Adds pushes to live cameras one after the other, at times that have nothing to do with the key frames. */
async function measureFirstPictures(
  server: RunningServer,
  cameras: readonly CameraPlan[],
  sink: Sinks | undefined,
  port: number,
): Promise<number[]> {
  if (server.addPush === undefined || sink === undefined) return [];
  const times: number[] = [];
  for (let i = 0; i < firstPictureTries; i++) {
    const camera = cameras[(i * 7) % cameras.length];
    if (camera === undefined) break;
    const app = `first${i}`;
    const startUs = monotonicUs();
    await server.addPush(camera.name, `rtmp://127.0.0.1:${port}/${app}/${camera.name}`);
    let atUs = 0;
    await until(
      'the first picture of an added push',
      async () => {
        atUs = (await sink.ask({ do: 'firstPictures' }, 'firstPictures')).atUs[app] ?? 0;
        return atUs > 0;
      },
      15_000,
    );
    times.push((atUs - startUs) / 1000);
    await sleep(130);
  }
  return times;
}

/** Waits until everything that was sent arrived, or no more comes. */
async function drain(
  sinks: readonly Sinks[],
  sent: Extract<FromPublisher, { tell: 'stopped' }>['sent'],
): Promise<SinkTotals> {
  let last: SinkTotals = { lost: 0, repeated: 0, examples: [] };
  for (let tries = 0; tries < 30; tries++) {
    await sleep(100);
    const all = await Promise.all(sinks.map((sink) => sink.ask({ do: 'totals', sent }, 'totals')));
    last = {
      lost: sumOf(all, ({ totals }) => totals.lost),
      repeated: sumOf(all, ({ totals }) => totals.repeated),
      examples: all.flatMap(({ totals }) => totals.examples),
    };
    if (last.lost === 0) break;
  }
  return last;
}

function sumOf<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((sum, item) => sum + of(item), 0);
}

const noLatency: Latency = { p50: Number.NaN, p99: Number.NaN, max: Number.NaN, samples: 0 };

function voidResult(system: string, scenario: string, reason: string): RunResult {
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
