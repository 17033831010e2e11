import { setImmediate } from 'node:timers/promises';
import { collectDefaultMetrics, Registry } from 'prom-client';
import Type from 'typebox';
import { pushStates } from '../backend/backend.js';
import type { Control } from '../control/control.js';
import type { WebhookView } from '../webhooks/receiver.js';
import type { App } from './app.js';
import { SeriesGroup } from './metrics/series.js';
import { cameraSeries, nodeSeries, pushSeries, webhookSeries, workerSeries } from './metrics/tables.js';
import { v1Responses } from './schemas.js';

/** Series of cameras and pushes when nobody says how many. */
const defaultMaxSeries = 50_000;
/** How many cameras are read from control in one go. */
const pageSize = 50;

/** Gauges of the client library whose names end like those of counters; nobody misses them. */
const misnamed = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

const MetricsSchema = Type.String({ description: 'text/plain; version=0.0.4' });

export interface MetricsOptions {
  readonly control: Control;
  readonly version: string;
  readonly webhooks: () => readonly WebhookView[];
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
    async (_request, reply) => {
      reply.type(metrics.contentType);
      return metrics.render();
    },
  );
}

class Metrics {
  #underWay: Promise<string> | null = null;
  readonly #options: MetricsOptions;
  /** Of the process and of Node.js. */
  readonly #registry = new Registry();
  readonly #node = new SeriesGroup(nodeSeries);
  readonly #cameras = new SeriesGroup(cameraSeries);
  readonly #pushes = new SeriesGroup(pushSeries);
  readonly #webhooks = new SeriesGroup(webhookSeries);
  readonly #workers = new SeriesGroup(workerSeries);

  constructor(options: MetricsOptions) {
    this.#options = options;
    collectDefaultMetrics({ register: this.#registry });
    for (const name of misnamed) this.#registry.removeSingleMetric(name);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Readers that come while one is served get what that one gets. */
  render(): Promise<string> {
    this.#underWay ??= this.#collect().finally(() => {
      this.#underWay = null;
    });
    return this.#underWay;
  }

  async #collect(): Promise<string> {
    const { control, version, webhooks } = this.#options;
    const groups = [this.#node, this.#cameras, this.#pushes, this.#webhooks, this.#workers];
    for (const group of groups) group.clear();
    const isUp = await control.node.isUp();
    const seen = await this.#collectCameras();
    const node = {
      isUp,
      cameras: control.node.cameraCount,
      totals: control.node.totals(),
      problems: control.node.problems,
      facts: control.node.backendFacts,
      version,
      backend: control.node.backendKind,
      ...seen,
    };
    this.#node.add(node, {});
    for (const webhook of webhooks()) this.#webhooks.add(webhook, { receiver: webhook.url });
    for (const worker of control.node.workers) this.#workers.add(worker, { worker: String(worker.number) });
    const own = groups.map((group) => group.take());
    return own.join('') + (await this.#registry.metrics());
  }

  async #collectCameras() {
    const { control, maxSeries = defaultMaxSeries } = this.#options;
    const states = new Map<string, number>(pushStates.map((state) => [state, 0]));
    const leftOut = { cameras: 0, pushes: 0 };
    let room = maxSeries;
    for (let after: string | null | undefined; after !== null; ) {
      const page = control.cameras.list({ limit: pageSize, ...(after === undefined ? {} : { after }) }, undefined);
      for (const camera of page.items) {
        room -= this.#cameras.perThing;
        if (room >= 0) this.#cameras.add(camera, { camera: camera.name });
        else leftOut.cameras++;
        for (const push of camera.pushes) {
          states.set(push.state, (states.get(push.state) ?? 0) + 1);
          room -= this.#pushes.perThing;
          if (room >= 0) this.#pushes.add(push, { camera: camera.name, push: push.id });
          else leftOut.pushes++;
        }
      }
      after = page.next;
      // Ten thousand cameras are no reason to hold up a frame.
      if (after !== null) await setImmediate();
    }
    return { pushStates: states, leftOut };
  }
}
