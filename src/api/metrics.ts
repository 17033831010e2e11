import { setImmediate } from 'node:timers/promises';
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import Type from 'typebox';
import { pushStates } from '../backend/backend.js';
import type { Control } from '../control/control.js';
import type { CameraView, PushView } from '../control/views.js';
import type { App } from './app.js';
import { v1Responses } from './schemas.js';
import { WorkerMetrics } from './worker-metrics.js';

/** Cameras that have series of their own; of more, as of all, there are totals. */
const maxCameras = 1000;
/** Pushes that have series of their own, in all. */
const maxPushes = 5000;
/** How many cameras are read from control in one go. */
const pageSize = 200;

const MetricsSchema = Type.String({ description: 'text/plain; version=0.0.4' });

/** What Prometheus reads. Names and units follow its conventions; series are bounded. */
export function addMetricsRoute(app: App, options: { control: Control; version: string }): void {
  const metrics = new Metrics(options.control, options.version);
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
  readonly #control: Control;
  readonly #registry = new Registry();
  readonly #perCamera: Gauges<'camera'>;
  readonly #perPush: Gauges<'camera' | 'push'>;
  readonly #pushState: Gauge<'camera' | 'push' | 'state'>;
  readonly #dropped: Counter<'camera' | 'push' | 'reason'>;
  readonly #bytesOut: Counter<'camera' | 'push'>;
  readonly #connects: Counter<'camera' | 'push'>;
  readonly #node: Gauges<never>;
  readonly #pushes: Gauge<'state'>;
  readonly #problems: Gauge<'code'>;
  readonly #facts: Gauge<'name'>;
  readonly #workers: WorkerMetrics;

  constructor(control: Control, version: string) {
    this.#control = control;
    const registers = [this.#registry];
    collectDefaultMetrics({ register: this.#registry });
    new Gauge({
      name: 'media_aggregator_build_info',
      help: 'Always 1; what runs, in the labels.',
      labelNames: ['version', 'backend'],
      registers,
    }).set({ version, backend: control.backendKind }, 1);
    const gauges = <L extends string>(labelNames: readonly L[], named: Record<string, string>): Gauges<L> =>
      new Map(
        Object.entries(named).map(([name, help]) => [
          name,
          new Gauge<L>({ name: `media_aggregator_${name}`, help, labelNames, registers }),
        ]),
      );
    this.#node = gauges([], {
      up: '1 when the media backend takes RTMP, probed by a handshake; else 0.',
      cameras: 'Registered cameras.',
      cameras_live: 'Cameras that publish now.',
      viewers: 'Viewers.',
      rtmp_connections: 'RTMP connections that others made.',
      receive_bits_per_second: 'From publishers, averaged over about 10 s.',
      send_bits_per_second: 'To targets and viewers, averaged over about 10 s.',
    });
    this.#perCamera = gauges(['camera'], {
      camera_live: '1 while the camera publishes, else 0.',
      camera_receive_bits_per_second: 'From the camera, averaged over about 10 s.',
      camera_viewers: 'Viewers of the camera.',
      camera_frames_per_second: 'Video frames of the camera, over about 10 s.',
    });
    this.#perPush = gauges(['camera', 'push'], {
      push_send_bits_per_second: 'To the target, averaged over about 10 s.',
      push_queue_bytes: 'Bytes that wait for the target.',
      push_queue_age_seconds: 'Age of the oldest byte that waits for the target.',
      push_failures_in_a_row: 'Tries that failed since the last success.',
    });
    const perPush = ['camera', 'push'] as const;
    this.#pushState = new Gauge({
      name: 'media_aggregator_push_state',
      help: '1 for the state that the push is in, 0 for the others.',
      labelNames: [...perPush, 'state'],
      registers,
    });
    const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> =>
      new Counter({ name: `media_aggregator_${name}`, help, labelNames, registers });
    this.#dropped = counter('push_dropped_frames_total', 'Frames left out, by the budget that was exceeded.', [
      ...perPush,
      'reason',
    ]);
    this.#bytesOut = counter('push_sent_bytes_total', 'Bytes handed to the network.', perPush);
    this.#connects = counter('push_connects_total', 'Connections to the target that were accepted.', perPush);
    this.#pushes = new Gauge({
      name: 'media_aggregator_pushes',
      help: 'Pushes by state, of all cameras.',
      labelNames: ['state'],
      registers,
    });
    this.#problems = new Gauge({
      name: 'media_aggregator_problem',
      help: '1 for each thing that is wrong until somebody mends it: a refused edit of the state or configuration ...',
      labelNames: ['code'],
      registers,
    });
    this.#facts = new Gauge({
      name: 'media_aggregator_backend_fact',
      help: 'Numbers that only this media backend has, such as its reloads.',
      labelNames: ['name'],
      registers,
    });
    this.#workers = new WorkerMetrics(this.#registry);
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
    this.#collectNode(await this.#control.isUp());
    await this.#collectCameras();
    return this.#registry.metrics();
  }

  #collectNode(isUp: boolean): void {
    const totals = this.#control.totals();
    const set = (name: string, value: number): void => this.#node.get(name)?.set(value);
    set('up', isUp ? 1 : 0);
    set('cameras', this.#control.cameraCount);
    set('cameras_live', totals.liveCameras);
    set('viewers', totals.viewers);
    set('rtmp_connections', totals.connections);
    set('receive_bits_per_second', totals.bitrateInBps);
    set('send_bits_per_second', totals.bitrateOutBps);
    this.#problems.reset();
    for (const { code } of this.#control.problems) this.#problems.set({ code }, 1);
    this.#facts.reset();
    for (const [name, value] of Object.entries(this.#control.backendFacts)) {
      if (typeof value === 'number') this.#facts.set({ name }, value);
    }
    this.#workers.collect(this.#control.workers);
  }

  async #collectCameras(): Promise<void> {
    for (const gauge of this.#perCamera.values()) gauge.reset();
    for (const gauge of this.#perPush.values()) gauge.reset();
    for (const metric of [this.#pushState, this.#dropped, this.#bytesOut, this.#connects]) metric.reset();
    const byState = new Map<string, number>(pushStates.map((state) => [state, 0]));
    let cameras = 0;
    let pushes = 0;
    for (let after: string | null | undefined; after !== null; ) {
      const page = this.#control.cameras({ limit: pageSize, ...(after === undefined ? {} : { after }) }, undefined);
      for (const camera of page.items) {
        if (cameras++ < maxCameras) this.#collectCamera(camera);
        for (const push of camera.pushes) {
          byState.set(push.state, (byState.get(push.state) ?? 0) + 1);
          if (pushes++ < maxPushes && cameras <= maxCameras) this.#collectPush(camera.name, push);
        }
      }
      after = page.next;
      // Ten thousand cameras are no reason to hold up a frame.
      if (after !== null) await setImmediate();
    }
    for (const [state, count] of byState) this.#pushes.set({ state }, count);
  }

  #collectCamera(camera: CameraView): void {
    const set = (name: string, value: number | null): void => {
      if (value !== null) this.#perCamera.get(name)?.set({ camera: camera.name }, value);
    };
    set('camera_live', camera.live ? 1 : 0);
    set('camera_receive_bits_per_second', camera.bitrateInBps);
    set('camera_viewers', camera.viewers);
    set('camera_frames_per_second', camera.frameRate);
  }

  #collectPush(camera: string, push: PushView): void {
    const labels = { camera, push: push.id };
    const set = (name: string, value: number | null): void => {
      if (value !== null) this.#perPush.get(name)?.set(labels, value);
    };
    set('push_send_bits_per_second', push.bitrateBps);
    set('push_queue_bytes', push.queueBytes);
    set('push_queue_age_seconds', push.queueAgeMs === null ? null : push.queueAgeMs / 1000);
    set('push_failures_in_a_row', push.attempt);
    for (const state of pushStates) this.#pushState.set({ ...labels, state }, state === push.state ? 1 : 0);
    for (const [reason, frames] of Object.entries(push.droppedBy ?? {})) {
      if (frames !== null) this.#dropped.inc({ ...labels, reason }, frames);
    }
    if (push.bytesOut !== null) this.#bytesOut.inc(labels, push.bytesOut);
    if (push.connects !== null) this.#connects.inc(labels, push.connects);
  }
}

type Gauges<L extends string> = ReadonlyMap<string, Gauge<L>>;
