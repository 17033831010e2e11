import { loopbackOf } from '../../address/every-address.js';
import { PushPolicy } from '../../address/push-policy.js';
import { CodedError, InputError, messageOf, TargetError } from '../../errors.js';
import type { CameraEvidence } from '../../health/evidence.js';
import type { Logger } from '../../log/log.js';
import { Dialer } from '../../net/dialer.js';
import { testTarget } from '../../push/target-test.js';
import { probeHandshake } from '../../rtmp/probe.js';
import type {
  BackendAddress,
  BackendObserver,
  BackendProblem,
  BackendTotals,
  CameraSnapshot,
  DesiredCamera,
  DesiredPush,
  MediaBackend,
  PushSnapshot,
  RecordedEvent,
  TargetTest,
  WorkerFacts,
} from '../backend.js';
import { ChangePoll } from './change-poll.js';
import { watchFile } from './change-watch.js';
import { Convergence } from './convergence.js';
import { History } from './history.js';
import { HostNames, type Lookup } from './host-names.js';
import { Looking } from './looking.js';
import { Problems } from './problems.js';
import { noAudio, pushTarget, targetOf } from './push-target.js';
import { type NginxBackendSettings, type Setup, setUp } from './setup.js';
import { cameraSnapshot, pushSnapshot, type SnapshotSource } from './snapshot.js';

/** nginx with the RTMP module as the media backend: a rendered nginx.conf, a watched process, statistics. */
export class NginxBackend implements MediaBackend {
  readonly kind = 'nginx';
  readonly viewing = null;
  readonly testPatterns = null;
  readonly switching = null;
  readonly yielding = null;
  readonly relaying = null;
  readonly capacity = null;
  readonly #settings: NginxBackendSettings;
  readonly #log: Logger;
  readonly #cameras = new Map<string, DesiredCamera>();
  readonly #history: History;
  readonly #hosts: HostNames;
  readonly #policy: PushPolicy;
  readonly #problems: Problems;
  readonly #convergence: Convergence;
  /** Undefined before the start. */
  #setup: Setup | undefined;
  #looking: Looking | undefined;
  #unwatch: (() => void) | undefined;
  #observer: BackendObserver | null = null;
  readonly #changes = new ChangePoll((camera) => this.camera(camera));
  #stopped = false;

  constructor(options: { settings: NginxBackendSettings; log: Logger; lookup?: Lookup }) {
    this.#settings = options.settings;
    this.#log = options.log;
    this.#history = new History(options.log);
    this.#hosts = new HostNames(options.lookup);
    this.#policy = new PushPolicy(options.settings.media);
    this.#problems = new Problems(options.log);
    this.#convergence = new Convergence({
      cameras: this.#cameras,
      setup: () => this.#setup,
      hosts: this.#hosts,
      problems: this.#problems,
      look: async () => this.#looking?.now(),
    });
  }

  /**
   * Finds nginx, and one that an earlier aggregator left running. It is started by the first configuration.
   * @throws CodedError NGINX_NOT_FOUND, NGINX_UNUSABLE, NGINX_TEMPLATE or ADDRESS_IN_USE
   */
  async start(): Promise<BackendAddress> {
    const setup = await setUp({
      settings: this.#settings,
      hosts: this.#hosts,
      policy: this.#policy,
      problems: this.#problems,
      log: this.#log,
      onDown: (reason) => this.#onDown(reason),
      pushes: () => this.#convergence.pushes,
    });
    const { paths, choices, observer } = setup;
    this.#setup = setup;
    this.#unwatch = watchFile(paths.conf, this.#log, () => void this.#onFile(setup));
    this.#looking = new Looking({
      observer,
      errorLog: paths.errorLog,
      log: this.#log,
      isBusy: () => this.#convergence.isApplying,
      onLooked: () => this.#onLooked(setup),
    });
    this.#convergence.note();
    this.#looking.soon();
    const address = { host: this.#settings.host, port: choices.rtmpPort };
    this.addOwnListener(address);
    this.addOwnListener({ host: '127.0.0.1', port: choices.statPort });
    return { ...address, statPort: choices.statPort };
  }

  setCamera(camera: DesiredCamera): Promise<void> {
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(camera.name)) {
      throw new InputError('INVALID_NAME', `nginx does not allow an application called ${JSON.stringify(camera.name)}`);
    }
    this.#cameras.set(camera.name, camera);
    return this.#convergence.declared(camera.name);
  }

  removeCamera(name: string): Promise<void> {
    if (!this.#cameras.delete(name)) return Promise.resolve();
    this.#history.forget(name);
    this.#changes.forget(name);
    return this.#convergence.removed(name);
  }

  camera(name: string): CameraSnapshot | undefined {
    const camera = this.#cameras.get(name);
    const source = this.#source(name);
    return camera && source && cameraSnapshot(camera, source);
  }

  evidence(name: string): CameraEvidence | null {
    return this.#setup?.observer.evidenceOf(name) ?? null;
  }

  push(name: string, id: string): PushSnapshot | undefined {
    const push = this.#cameras.get(name)?.pushes.find((each) => each.id === id);
    const source = this.#source(name);
    return push && source && pushSnapshot(name, push, source);
  }

  refusesSource(): CodedError {
    return new CodedError('SOURCE_UNSUPPORTED', 'the media backend nginx cannot pull sources; use --backend native');
  }

  refuses(url: string, audio?: DesiredPush['audio']): CodedError | undefined {
    const target = pushTarget(url);
    if ('code' in target) return new TargetError(target.code, target.message);
    if (audio !== undefined) return new TargetError('TARGET_UNSUPPORTED', noAudio(audio).message, { field: 'audio' });
    return this.#policy.refusesHost(target.ip ?? target.host ?? '', target.port);
  }

  addOwnListener(listener: BackendAddress): void {
    this.#policy.addListener(listener);
    if (this.#cameras.size > 0) this.#convergence.note();
  }

  #source(name: string): SnapshotSource | undefined {
    const observer = this.#setup?.observer;
    const sinceOf = (_: string, push: string, state: string): string => this.#history.since(name, push, state);
    return observer && { observer, hosts: this.#hosts, policy: this.#policy, sinceOf };
  }

  /** nginx tells of no push apart, so that the camera's are all there are. */
  events(name: string, pushId?: string): readonly RecordedEvent[] | undefined {
    const camera = this.#cameras.get(name);
    if (camera === undefined) return undefined;
    if (pushId === undefined) return this.#history.events(name);
    return camera.pushes.some(({ id }) => id === pushId) ? [] : undefined;
  }

  /** Only a push whose host does not resolve can be hurried; nginx tries all others as it likes, every 3 s. */
  retry(name: string, pushId: string): boolean | undefined {
    const push = this.#cameras.get(name)?.pushes.find(({ id }) => id === pushId);
    if (push === undefined) return undefined;
    const target = targetOf(push);
    if (!push.enabled || 'code' in target || target.host === null || !this.#hosts.retry(target.host)) return false;
    this.#convergence.nudge();
    return true;
  }

  testTarget(url: string): Promise<TargetTest> {
    return testTarget(url, this.#settings.media, new Dialer({ policy: this.#policy }));
  }

  totals(): BackendTotals {
    const observer = this.#setup?.observer;
    return {
      bitrateInBps: observer?.bitrateInBps ?? 0,
      bitrateOutBps: observer?.bitrateOutBps ?? 0,
      liveCameras: observer?.liveCount ?? 0,
      viewers: observer?.viewers ?? 0,
      connections: observer?.connections ?? 0,
    };
  }

  problems(): readonly BackendProblem[] {
    return this.#problems.list;
  }

  facts(): Readonly<Record<string, string | number | boolean | null>> {
    const setup = this.#setup;
    return {
      nginxVersion: setup?.binary?.version ?? null,
      nginxPid: setup?.process?.pid ?? null,
      nginxReloads: setup?.runner?.reloads ?? null,
      nginxRestarts: setup?.runner?.restarts ?? null,
      /** Each keeps the cameras that were live when a reload came, with the configuration of before. */
      nginxOldWorkers: setup?.observer.oldWorkers.length ?? null,
      nginxOldWorkerBytes: this.#looking?.oldWorkerBytes ?? null,
      kernelCounts: setup?.observer.knowsSockets ?? false,
    };
  }

  workers(): readonly WorkerFacts[] {
    return [];
  }

  observe(observer: BackendObserver): void {
    this.#observer = observer;
  }

  get answerWaitMs(): number {
    return this.#convergence.answerWaitMs;
  }

  async probe(deadlineMs: number): Promise<boolean> {
    if (this.#setup === undefined) return false;
    return probeHandshake(loopbackOf(this.#settings.host), this.#setup.choices.rtmpPort, deadlineMs);
  }

  async stop(deadlineMs: number): Promise<void> {
    this.#stopped = true;
    this.#unwatch?.();
    this.#looking?.stop();
    const stopping = this.#setup?.process?.stop(deadlineMs) ?? Promise.resolve();
    // nginx does not wait for a run that is under way.
    await Promise.all([stopping, Promise.race([this.#convergence.stop(), stopping])]);
  }

  #onDown(reason: string): void {
    if (this.#stopped) return;
    this.#setup?.runner?.noteDown(reason);
    this.#convergence.planWake(false);
    this.#looking?.soon();
  }

  async #onFile({ configuration }: Setup): Promise<void> {
    try {
      await this.#convergence.noteFile(() => configuration.isTouched());
    } catch (error) {
      this.#log.debug('nginx.conf cannot be looked at', { error: messageOf(error) });
    }
  }

  async #onLooked({ observer }: Setup): Promise<void> {
    for (const name of this.#cameras.keys()) this.#history.look(name, observer);
    if (this.#observer !== null) await this.#changes.look(this.#cameras.keys(), this.#observer);
  }
}
