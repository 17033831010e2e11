import {
  type BackendAddress,
  type BackendObserver,
  type BackendProblem,
  type BackendTotals,
  type CameraSnapshot,
  type DesiredCamera,
  type MediaBackend,
  type PushSnapshot,
  type RecordedEvent,
  type TargetTest,
  unseenCamera,
  unseenPush,
  type WorkerFacts,
} from '../../src/backend/backend.js';
import { ChangePoll } from '../../src/backend/nginx/change-poll.js';
import type { CodedError } from '../../src/errors.js';
import type { CameraEvidence } from '../../src/health/evidence.js';

const refused = { code: 'TARGET_REFUSED', message: 'nothing listens there' } as const;

/** A media backend that moves nothing: it remembers what it was told, and shows what a test puts in. */
export class FakeBackend implements MediaBackend {
  readonly kind = 'native';
  readonly cameras = new Map<string, DesiredCamera>();
  /** Every call, in order: `set NAME`, `remove NAME`. */
  readonly calls: string[] = [];
  readonly snapshots = new Map<string, CameraSnapshot>();
  seenTotals: BackendTotals = { bitrateInBps: 0, bitrateOutBps: 0, liveCameras: 0, viewers: 0, connections: 0 };
  probes = 0;
  /** What a test puts in to have URLs refused. */
  refuses: (url: string) => CodedError | undefined = () => undefined;
  refusesSource: (url: string) => CodedError | undefined = () => undefined;
  seenProblems: readonly BackendProblem[] = [];
  readonly viewing = null;
  readonly testPatterns = null;
  readonly switching = null;
  readonly yielding = null;
  readonly relaying = null;
  readonly capacity = null;
  answerWaitMs = 0;
  readonly #changes = new ChangePoll((camera) => this.camera(camera));
  #observing: NodeJS.Timeout | undefined;
  answer: () => Promise<boolean> = async () => true;

  async start() {
    return { host: '127.0.0.1', port: 1935 };
  }

  setCamera(camera: DesiredCamera): void | Promise<void> {
    this.calls.push(`set ${camera.name}`);
    this.cameras.set(camera.name, { ...camera, pushes: camera.pushes });
  }

  removeCamera(name: string): void | Promise<void> {
    this.calls.push(`remove ${name}`);
    this.cameras.delete(name);
    this.#changes.forget(name);
  }

  camera(name: string): CameraSnapshot | undefined {
    return this.snapshots.get(name);
  }

  /** What a test puts in. */
  readonly seenEvidence = new Map<string, CameraEvidence>();

  evidence(name: string): CameraEvidence | null {
    return this.seenEvidence.get(name) ?? null;
  }

  events(camera: string, pushId?: string): readonly RecordedEvent[] | undefined {
    return [{ at: '2026-01-01T00:00:00.000Z', kind: 'state', text: `${camera} ${pushId ?? ''}` }];
  }

  retry(camera: string, pushId: string): boolean | undefined {
    this.calls.push(`retry ${camera} ${pushId}`);
    return true;
  }

  async testTarget(url: string): Promise<TargetTest> {
    this.calls.push(`test ${url}`);
    return { ok: false, steps: [{ step: 'tcp', ok: false, durationMs: 1, error: refused }] };
  }

  push(camera: string, id: string): PushSnapshot | undefined {
    return this.snapshots.get(camera)?.pushes.find((push) => push.id === id);
  }

  problems(): readonly BackendProblem[] {
    return this.seenProblems;
  }

  facts(): Readonly<Record<string, number>> {
    return {};
  }

  workers(): readonly WorkerFacts[] {
    return [];
  }

  addOwnListener(_listener: BackendAddress): void {}

  /** What a test puts into `snapshots` is told of within a second. */
  observe(observer: BackendObserver): void {
    this.#observing ??= setInterval(() => void this.#changes.look(this.cameras.keys(), observer), 1000).unref();
  }

  totals(): BackendTotals {
    return this.seenTotals;
  }

  probe(): Promise<boolean> {
    this.probes += 1;
    return this.answer();
  }

  async stop(): Promise<void> {
    clearInterval(this.#observing);
  }
}

export function pushSnapshot(facts: Partial<PushSnapshot> & { id: string }): PushSnapshot {
  return {
    url: 'rtmp://h/live/x',
    state: 'active',
    since: '2026-01-01T00:00:00.000Z',
    ...unseenPush,
    connects: 1,
    bytesOut: 10,
    ...facts,
  };
}

export function cameraSnapshot(facts: Partial<CameraSnapshot> & { name: string }): CameraSnapshot {
  return {
    ...unseenCamera,
    live: true,
    liveSince: '2026-01-01T00:00:00.000Z',
    publisher: '127.0.0.1:5',
    videoCodec: 'h264',
    bytesIn: 1,
    bitrateInBps: 1,
    pushes: [],
    ...facts,
  };
}
