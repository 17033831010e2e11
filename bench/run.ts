import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Adapter, CameraPlan, RunningServer } from './adapters/adapter.js';
import { sleep, until } from './child.js';
import { measureFirstPictures } from './first-picture.js';
import { monotonicUs } from './load/clock.js';
import { LoadProcess, type Publishers, type Sinks } from './load/load-process.js';
import type { FromPublisher, SinkTotals, TargetSpec } from './load/protocol.js';
import { cpuOf, ioCalls, machineCpu, mainThreadCpu, processTree, residentBytes } from './measure/proc.js';
import { latencyOf, type RunResult, voidResult } from './result.js';
import type { Scenario } from './scenarios.js';

export interface RunOptions {
  readonly warmUpMs: number;
  readonly measureMs: number;
  /** Processes of sinks, besides the one that measures latency. */
  readonly sinkProcesses: number;
  /** Called when media arrives at all targets; the warm-up begins when it is settled. */
  readonly onFlowing?: () => Promise<void>;
}

/** About so many targets are measured for latency, spread over all. */
const measuredTargets = 24;

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
  await options.onFlowing?.();
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
