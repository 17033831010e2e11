import { collectDefaultMetrics, Registry } from 'prom-client';
import Type from 'typebox';
import { pushStates } from '../backend/backend.js';
import type { Control } from '../control/control.js';
import { isPushDown } from '../control/engine-pushes.js';
import type { PushView } from '../control/views.js';
import { inStretches } from '../fairness/turns.js';
import type { WebhookView } from '../webhooks/receiver.js';
import type { App } from './app.js';
import { type CostlyCalls, thingsPerUnit } from './costly-calls.js';
import { SeriesGroup } from './metrics/series.js';
import {
  cameraSeries,
  type EngineFacts,
  engineSeries,
  ingestSeries,
  nodeSeries,
  pushSeries,
  sourceSeries,
  srtSeries,
  webhookSeries,
  workerSeries,
} from './metrics/tables.js';
import { v1Responses } from './schemas.js';

/** Series of cameras and pushes when nobody says how many. */
const defaultMaxSeries = 50_000;
/** The text is kept in blocks of about this size. */
const blockLength = 64 * 1024;
/** The readers that wait for a rendering. */
const owner = 'metrics';

/** Gauges of the client library whose names end like those of counters; nobody misses them. */
const misnamed = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

const MetricsSchema = Type.String({ description: 'text/plain; version=0.0.4' });

export interface MetricsOptions {
  readonly control: Control;
  readonly version: string;
  readonly webhooks: () => readonly WebhookView[];
  readonly costly: CostlyCalls;
  /** Series of cameras and pushes in all; those beyond, by name, have none. */
  readonly maxSeries?: number | undefined;
}

/** What Prometheus reads. Names and units follow its conventions; series are bounded. */
export function addMetricsRoute(app: App, options: MetricsOptions): void {
  const metrics = new Metrics(options);
  app.get(
    '/metrics',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'getMetrics',
        summary: 'Metrics in the text format of Prometheus',
        tags: ['health'],
        response: v1Responses({ 200: { content: { 'text/plain': { schema: MetricsSchema } } } }),
      },
    },
    async (request, reply) => {
      const { blocks, units } = await metrics.render();
      // A reader that joined another one's rendering is not charged for it.
      request.charge?.(units());
      return options.costly.send(request, reply, metrics.contentType, blocks[Symbol.iterator]());
    },
  );
}

/**
 * How often it is looked how late the event loop is, milliseconds. Each look wakes the process: a hundred a second, which is
 * the default, cost an idle aggregator more than all the rest.
 */
const delayGrainMs = 50;

/** A text that several readers get. */
interface Rendering {
  readonly blocks: readonly Buffer[];
  /** The cost of the rendering; reported once, to the reader that caused it. */
  units(): number;
}

class Metrics {
  #underWay: Promise<Rendering> | null = null;
  readonly #options: MetricsOptions;
  /** Of the process and of Node.js. */
  readonly #registry = new Registry();
  readonly #node = new SeriesGroup(nodeSeries);
  readonly #cameras = new SeriesGroup(cameraSeries);
  readonly #ingests = new SeriesGroup(ingestSeries);
  readonly #sources = new SeriesGroup(sourceSeries);
  readonly #srt = new SeriesGroup(srtSeries);
  readonly #pushes = new SeriesGroup(pushSeries);
  readonly #engines = new SeriesGroup(engineSeries);
  readonly #webhooks = new SeriesGroup(webhookSeries);
  readonly #workers = new SeriesGroup(workerSeries);

  constructor(options: MetricsOptions) {
    this.#options = options;
    collectDefaultMetrics({ register: this.#registry, eventLoopMonitoringPrecision: delayGrainMs });
    for (const name of misnamed) this.#registry.removeSingleMetric(name);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Readers that come while one is served get what that one gets. */
  render(): Promise<Rendering> {
    this.#underWay ??= this.#collect().finally(() => {
      this.#underWay = null;
    });
    return this.#underWay;
  }

  async #collect(): Promise<Rendering> {
    const { control, version, webhooks, costly } = this.#options;
    const groups = [
      this.#node,
      this.#cameras,
      this.#ingests,
      this.#sources,
      this.#srt,
      this.#pushes,
      this.#engines,
      this.#webhooks,
      this.#workers,
    ];
    for (const group of groups) group.clear();
    const isUp = await control.node.isUp();
    const job = costly.turns.begin(owner);
    const seen = await inStretches(this.#addCameras(), job);
    const node = {
      isUp,
      cameras: control.node.cameraCount,
      totals: control.node.totals(),
      problems: control.node.problems,
      facts: control.node.backendFacts,
      capacity: control.node.capacity,
      load: control.node.load,
      logLinesLost: control.node.logLinesLost,
      refused: control.refused.totals,
      openFiles: control.node.openFiles,
      version,
      backend: control.node.backendKind,
      ...seen,
    };
    this.#node.add(node, {});
    for (const webhook of webhooks()) this.#webhooks.add(webhook, { receiver: webhook.url });
    for (const worker of control.node.workers) this.#workers.add(worker, { worker: String(worker.number) });
    const blocks: Buffer[] = [];
    await inStretches(takeBlocks(groups, blocks), job);
    blocks.push(Buffer.from(await this.#registry.metrics()));
    let untold = control.node.cameraCount / thingsPerUnit;
    const units = (): number => {
      const told = untold;
      untold = 0;
      return told;
    };
    return { blocks, units };
  }

  /** Adds the series of cameras and pushes, as far as there is room. */
  *#addCameras(): Generator<
    undefined,
    { pushStates: ReadonlyMap<string, number>; leftOut: { cameras: number; pushes: number } }
  > {
    const { control, maxSeries = defaultMaxSeries } = this.#options;
    const states = new Map<string, number>(pushStates.map((state) => [state, 0]));
    const leftOut = { cameras: 0, pushes: 0 };
    const engines = new Map<string, EngineFacts>();
    let room = maxSeries;
    for (const camera of control.cameras.all()) {
      room -= this.#cameras.perThing;
      if (room >= 0) this.#cameras.add(camera, { camera: camera.name });
      else leftOut.cameras++;
      if (camera.srt !== undefined) {
        room -= this.#srt.perThing;
        if (room >= 0) this.#srt.add(camera, { camera: camera.name });
      }
      if (camera.ingests !== undefined) {
        room -= this.#ingests.perThing;
        if (room >= 0) this.#ingests.add(camera, { camera: camera.name });
      }
      if (camera.source !== undefined || camera.ingests?.some(({ source }) => source !== undefined) === true) {
        room -= this.#sources.perThing;
        if (room >= 0) this.#sources.add(camera, { camera: camera.name });
      }
      for (const push of camera.pushes) {
        states.set(push.state, (states.get(push.state) ?? 0) + 1);
        if (push.engine !== undefined) countPush(engines, push.engine, push);
        room -= this.#pushes.perThing;
        const { engine } = push;
        const labels = { camera: camera.name, push: push.id, ...(engine === undefined ? {} : { engine }) };
        if (room >= 0) this.#pushes.add(push, labels);
        else leftOut.pushes++;
      }
      // Ten thousand cameras are no reason to hold up a frame.
      yield;
    }
    for (const [engine, facts] of engines) this.#engines.add(facts, { engine });
    return { pushStates: states, leftOut };
  }
}

/** Counts a push for its engine; there are no more of these than `max-engines`. */
function countPush(engines: Map<string, EngineFacts>, engine: string, push: PushView): void {
  const facts = engines.get(engine) ?? { states: new Map(pushStates.map((state) => [state, 0])), down: 0 };
  engines.set(engine, facts);
  facts.states.set(push.state, (facts.states.get(push.state) ?? 0) + 1);
  if (isPushDown(push)) facts.down += 1;
}

/** The texts of groups, encoded; a step is a piece. */
function* takeBlocks(
  groups: readonly { take(): Iterable<string | Buffer> }[],
  blocks: Buffer[],
): Generator<undefined, void> {
  let gathered: string[] = [];
  let length = 0;
  const flush = (): void => {
    if (length > 0) blocks.push(Buffer.from(gathered.join('')));
    gathered = [];
    length = 0;
  };
  for (const group of groups) {
    for (const piece of group.take()) {
      if (typeof piece === 'string') {
        gathered.push(piece);
        length += piece.length;
        if (length >= blockLength) flush();
      } else {
        flush();
        blocks.push(piece);
      }
      yield;
    }
  }
  flush();
}
