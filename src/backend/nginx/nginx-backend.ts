import { mkdir, readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { loopbackOf } from '../../address/every-address.js';
import { PushPolicy, type PushRules } from '../../address/push-policy.js';
import { CodedError, InputError, messageOf, TargetError } from '../../errors.js';
import type { CameraEvidence } from '../../health/evidence.js';
import type { Logger } from '../../log/log.js';
import { Dialer } from '../../net/dialer.js';
import { testTarget } from '../../push/target-test.js';
import type { OutgoingSettings } from '../../rtmp/outgoing-attempt.js';
import { probeHandshake } from '../../rtmp/probe.js';
import type {
  BackendAddress,
  BackendObserver,
  BackendProblem,
  BackendTotals,
  CameraSnapshot,
  DesiredCamera,
  MediaBackend,
  PushSnapshot,
  RecordedEvent,
  TargetTest,
  WorkerFacts,
} from '../backend.js';
import { findNginx, type NginxBinary } from './binary.js';
import { ChangePoll } from './change-poll.js';
import { watchFile } from './change-watch.js';
import { Configuration } from './configuration.js';
import { nginxPaths, removeLeftovers, rotateLog } from './files.js';
import { History } from './history.js';
import { HostNames, type Lookup } from './host-names.js';
import { NginxProcess } from './nginx-process.js';
import { Observer } from './observer.js';
import { Pace } from './pace.js';
import { type Choices, chooseOnce } from './ports.js';
import { Problems } from './problems.js';
import { nginxProcesses, orphansOf, residentBytes } from './processes.js';
import { pushTarget, targetOf } from './push-target.js';
import { Runner } from './runner.js';
import { cameraSnapshot, pushSnapshot, type SnapshotSource } from './snapshot.js';
import { fetchStatistics } from './statistics.js';
import { defaultTemplate, Template } from './template.js';

/** As `Settings` of the program has them. */
export interface NginxBackendSettings {
  readonly host: string;
  readonly rtmpPort: number;
  readonly dataDir: string;
  readonly nginxBinary?: string | undefined;
  readonly nginxTemplate?: string | undefined;
  readonly nginxConf?: string | undefined;
  readonly nginxStatPort: number;
  readonly nginxExternal: boolean;
  readonly media: OutgoingSettings & PushRules;
}

const statPath = '/stat';
const statTimeoutMs = 3_000;
const lookEveryMs = 1_000;
/** Looking takes at most this part of the time: with thousands of connections it happens less often. */
const lookShare = 0.1;
const rotateEveryLooks = 60;
/** How long an answer waits for what it changed. */
const settleMs = 5_000;
const firstSettleMs = 20_000;
const retryMs = 5_000;

/** What exists from the start on. */
interface Running {
  readonly choices: Choices;
  readonly binary: NginxBinary | null;
  readonly configuration: Configuration;
  readonly process: NginxProcess | null;
  readonly runner: Runner | null;
  readonly observer: Observer;
}

/** nginx with the RTMP module as the media backend: a rendered nginx.conf, a watched process, statistics. */
export class NginxBackend implements MediaBackend {
  readonly kind = 'nginx';
  readonly viewing = null;
  readonly testPatterns = null;
  readonly #settings: NginxBackendSettings;
  readonly #log: Logger;
  readonly #cameras = new Map<string, DesiredCamera>();
  readonly #removed = new Set<string>();
  readonly #history: History;
  readonly #hosts: HostNames;
  readonly #policy: PushPolicy;
  readonly #problems: Problems;
  readonly #pace = new Pace(() => this.#converge());
  /** The pushes of the configuration that the newest worker has. */
  #pushes: ReadonlyMap<string, ReadonlySet<string>> = new Map();
  #running: Running | undefined;
  #unwatch: (() => void) | undefined;
  #lookTimer: NodeJS.Timeout | undefined;
  #wakeTimer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #looks = 0;
  #oldWorkers = 0;
  #oldWorkerBytes: number | null = null;
  #rotate: () => Promise<void> = async () => {};
  /** What those wait for who declared something since the last run began. */
  #nextRun: Outcome | undefined;
  #observer: BackendObserver | null = null;
  readonly #changes = new ChangePoll((camera) => this.camera(camera));
  #isApplying = false;
  #isFirst = true;
  #stopped = false;

  constructor(options: { settings: NginxBackendSettings; log: Logger; lookup?: Lookup }) {
    this.#settings = options.settings;
    this.#log = options.log;
    this.#history = new History(options.log);
    this.#hosts = new HostNames(options.lookup);
    this.#policy = new PushPolicy(options.settings.media);
    this.#problems = new Problems(options.log);
  }

  /**
   * Finds nginx, and one that an earlier aggregator left running. It is started by the first configuration.
   * @throws CodedError NGINX_NOT_FOUND, NGINX_UNUSABLE, NGINX_TEMPLATE or ADDRESS_IN_USE
   */
  async start(): Promise<BackendAddress> {
    const settings = this.#settings;
    const isExternal = settings.nginxExternal;
    const conf = settings.nginxConf === undefined ? undefined : resolve(settings.nginxConf);
    const paths = nginxPaths(resolve(settings.dataDir), conf);
    const template = new Template(await readTemplate(settings.nginxTemplate));
    // An nginx of somebody else's may be on another machine; one that is here tells where its module lies.
    const found = await findNginx(settings.nginxBinary).catch((error: unknown) => {
      if (isExternal) return null;
      throw error;
    });
    const binary = isExternal ? null : found;
    await mkdir(paths.folder, { recursive: true, mode: 0o755 });
    await mkdir(dirname(paths.conf), { recursive: true });
    await removeLeftovers(paths.conf);

    const onDown = (reason: string): void => this.#onDown(reason);
    const process = binary === null ? null : new NginxProcess({ binary, paths, log: this.#log, onDown });
    const adopted = (await process?.adopt()) ?? false;
    const orphans = isExternal ? [] : await orphansOf((await nginxProcesses()) ?? [], paths.errorLog);
    const { host, rtmpPort, nginxStatPort } = settings;
    const isRunning = adopted || orphans.length > 0;
    const choices = await chooseOnce({ paths, host, rtmpPort, statPort: nginxStatPort, isRunning, isExternal });
    const controlPath = `/control-${choices.token}`;
    const configuration = new Configuration({
      paths,
      binary,
      template,
      facts: {
        module: found?.module ?? null,
        pidFile: paths.pidFile,
        errorLog: paths.errorLog,
        temporaryFolder: paths.temporaryFolder,
        temporaryPaths: found?.temporaryPaths ?? [],
        listen: listenWords(host, choices.rtmpPort),
        statListen: `127.0.0.1:${choices.statPort}`,
        statPath,
        controlPath,
      },
      required: { rtmpPort: choices.rtmpPort, statPort: choices.statPort, statPath, pidFile: paths.pidFile },
      hosts: this.#hosts,
      policy: this.#policy,
      problems: this.#problems,
      log: this.#log,
    });
    await configuration.open();
    const { statPort } = choices;
    const runner =
      process && new Runner({ paths, statPort, controlPath, process, problems: this.#problems, log: this.#log });
    if (adopted) {
      await runner?.adopted();
      this.#log.info('took over the nginx that was running', { pid: process?.pid });
    }
    const observer = new Observer({
      rtmpPort: choices.rtmpPort,
      statPort,
      local: !isExternal,
      fetch: () => fetchStatistics(statPort, statPath, statTimeoutMs),
      workerPids: async () => (await process?.allWorkers())?.map(({ pid }) => pid),
      pushes: () => this.#pushes,
    });
    this.#running = { choices, binary, configuration, process, runner, observer };
    this.#unwatch = watchFile(paths.conf, this.#log, () => void this.#onFile(configuration));
    this.#pace.note();
    this.#planLook(0, () => rotateLog(paths.errorLog));
    this.addOwnListener({ host, port: choices.rtmpPort });
    this.addOwnListener({ host: '127.0.0.1', port: statPort });
    return { host, port: choices.rtmpPort };
  }

  setCamera(camera: DesiredCamera): Promise<void> {
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(camera.name)) {
      throw new InputError('INVALID_NAME', `nginx takes no application called ${JSON.stringify(camera.name)}`);
    }
    this.#cameras.set(camera.name, camera);
    this.#removed.delete(camera.name);
    return this.#applied();
  }

  removeCamera(name: string): Promise<void> {
    if (!this.#cameras.delete(name)) return Promise.resolve();
    this.#removed.add(name);
    this.#history.forget(name);
    this.#changes.forget(name);
    return this.#applied();
  }

  camera(name: string): CameraSnapshot | undefined {
    const camera = this.#cameras.get(name);
    const source = this.#source(name);
    return camera && source && cameraSnapshot(camera, source);
  }

  evidence(name: string): CameraEvidence | null {
    return this.#running?.observer.evidenceOf(name) ?? null;
  }

  push(name: string, id: string): PushSnapshot | undefined {
    const push = this.#cameras.get(name)?.pushes.find((each) => each.id === id);
    const source = this.#source(name);
    return push && source && pushSnapshot(name, push, source);
  }

  refuses(url: string): CodedError | undefined {
    const target = pushTarget(url);
    if ('code' in target) return new TargetError(target.code, target.message);
    return this.#policy.refusesHost(target.ip ?? target.host ?? '', target.port);
  }

  addOwnListener(listener: BackendAddress): void {
    this.#policy.addListener(listener);
    if (this.#cameras.size > 0) this.#pace.note();
  }

  #source(name: string): SnapshotSource | undefined {
    const observer = this.#running?.observer;
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
    this.#pace.nudge();
    return true;
  }

  testTarget(url: string): Promise<TargetTest> {
    return testTarget(url, this.#settings.media, new Dialer({ policy: this.#policy }));
  }

  totals(): BackendTotals {
    const observer = this.#running?.observer;
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
    const running = this.#running;
    return {
      nginxVersion: running?.binary?.version ?? null,
      nginxPid: running?.process?.pid ?? null,
      nginxReloads: running?.runner?.reloads ?? null,
      nginxRestarts: running?.runner?.restarts ?? null,
      /** Each keeps the cameras that were live when a reload came, with the configuration of before. */
      nginxOldWorkers: running?.observer.oldWorkers.length ?? null,
      nginxOldWorkerBytes: this.#oldWorkerBytes,
      kernelCounts: running?.observer.knowsSockets ?? false,
    };
  }

  workers(): readonly WorkerFacts[] {
    return [];
  }

  observe(observer: BackendObserver): void {
    this.#observer = observer;
  }

  /** In a flood of changes nobody waits: each change puts off the run that makes it. */
  get answerWaitMs(): number {
    if (this.#isFirst) return firstSettleMs;
    return this.#pace.isFlood ? 0 : settleMs;
  }

  /** Resolves when the next run, which all changes until then share, has made what is desired; rejects with its error. */
  #applied(): Promise<void> {
    this.#pace.note();
    this.#nextRun ??= new Outcome();
    return this.#nextRun.promise;
  }

  async probe(deadlineMs: number): Promise<boolean> {
    const running = this.#running;
    if (running === undefined) return false;
    return probeHandshake(loopbackOf(this.#settings.host), running.choices.rtmpPort, deadlineMs);
  }

  async stop(deadlineMs: number): Promise<void> {
    this.#stopped = true;
    this.#nextRun?.resolve();
    this.#unwatch?.();
    clearTimeout(this.#lookTimer);
    clearTimeout(this.#wakeTimer);
    const stopping = this.#running?.process?.stop(deadlineMs);
    await Promise.all([stopping, Promise.race([this.#pace.close(), stopping ?? Promise.resolve()])]);
  }

  /** One way to the desired state from wherever it is: render, check, write, start or reload. */
  async #converge(): Promise<void> {
    const running = this.#running;
    if (running === undefined || this.#stopped) return;
    const outcome = this.#nextRun;
    this.#nextRun = undefined;
    const cameras = [...this.#cameras.values()].sort((left, right) => (left.name < right.name ? -1 : 1));
    let failed = false;
    try {
      await this.#hosts.look(hostsOf(cameras));
      const accepted = await running.configuration.update(cameras);
      this.#problems.clear('file');
      if (this.#stopped) return;
      const gone = [...this.#removed].filter((name) => running.observer.current(name) !== undefined);
      this.#removed.clear();
      if (accepted !== undefined) {
        this.#isApplying = true;
        const look = (): Promise<void> => this.#look(running.observer);
        const isNew = (await running.runner?.run(accepted, gone, look)) ?? true;
        if (isNew || running.runner?.has(accepted.text) === true) this.#pushes = accepted.pushes;
        if (isNew) await look();
      }
    } catch (error) {
      failed = true;
      if (error instanceof CodedError) this.#problems.setError('file', error);
      else this.#problems.set('file', 'INTERNAL', `nginx.conf cannot be brought up to date: ${messageOf(error)}`);
    } finally {
      this.#isApplying = false;
      this.#isFirst = false;
    }
    const hindrance = this.#problems.get('file') ?? this.#problems.get('edit');
    if (hindrance === undefined) outcome?.resolve();
    else outcome?.reject(new CodedError(hindrance.code, hindrance.message));
    this.#planWake(failed || this.#problems.has('edit'));
  }

  /** Comes back for hosts that do not resolve, for an nginx that is down, and for what failed. */
  #planWake(failed: boolean): void {
    clearTimeout(this.#wakeTimer);
    const times = [
      this.#hosts.nextLookMs(),
      this.#running?.runner?.retryAtMs,
      failed ? performance.now() + retryMs : undefined,
    ];
    const due = times.filter((time) => time !== undefined);
    if (due.length === 0 || this.#stopped) return;
    const waitMs = Math.max(50, Math.min(...due) - performance.now());
    this.#wakeTimer = setTimeout(() => this.#pace.nudge(), waitMs).unref();
  }

  #onDown(reason: string): void {
    if (this.#stopped) return;
    this.#running?.runner?.noteDown(reason);
    this.#planWake(false);
    this.#planLook(0);
  }

  async #onFile(configuration: Configuration): Promise<void> {
    try {
      if (!this.#stopped && !this.#isFirst && (await configuration.isTouched())) this.#pace.note();
    } catch (error) {
      this.#log.debug('nginx.conf cannot be looked at', { error: messageOf(error) });
    }
  }

  #planLook(waitMs: number, rotate?: () => Promise<void>): void {
    clearTimeout(this.#lookTimer);
    if (rotate !== undefined) this.#rotate = rotate;
    if (this.#stopped) return;
    this.#lookTimer = setTimeout(() => void this.#lookAndPlan(), waitMs).unref();
  }

  async #lookAndPlan(): Promise<void> {
    const observer = this.#running?.observer;
    const startedAtMs = performance.now();
    if (observer !== undefined && !this.#isApplying) await this.#look(observer);
    this.#looks++;
    if (this.#looks % rotateEveryLooks === 0) {
      await this.#rotate().catch((error: unknown) =>
        this.#log.warn('the log of nginx cannot be shortened', { error: messageOf(error) }),
      );
    }
    const tookMs = performance.now() - startedAtMs;
    this.#planLook(Math.max(lookEveryMs - tookMs, tookMs / lookShare));
  }

  /** One look at a time. */
  async #look(observer: Observer): Promise<void> {
    await this.#looking;
    this.#looking = this.#lookOnce(observer).finally(() => {
      this.#looking = undefined;
    });
    await this.#looking;
  }

  async #lookOnce(observer: Observer): Promise<void> {
    await observer.look();
    const bytes = await Promise.all(observer.oldWorkers.map(({ pid }) => residentBytes(pid)));
    this.#oldWorkerBytes = bytes.reduce((sum: number, each) => sum + (each ?? 0), 0);
    const count = observer.oldWorkers.length;
    if (count > this.#oldWorkers) {
      this.#log.warn('a reload left a worker of nginx behind, until its last camera leaves', {
        oldWorkers: count,
        oldWorkerBytes: this.#oldWorkerBytes,
      });
    }
    this.#oldWorkers = count;
    for (const name of this.#cameras.keys()) this.#history.look(name, observer);
    if (this.#observer !== null) await this.#changes.look(this.#cameras.keys(), this.#observer);
  }
}

/** What becomes of a run, for all who wait for it. Nobody has to look at it. */
class Outcome {
  readonly promise: Promise<void>;
  resolve: () => void = () => {};
  reject: (error: CodedError) => void = () => {};

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.promise.catch(() => {});
  }
}

async function readTemplate(file: string | undefined): Promise<string> {
  if (file === undefined) return defaultTemplate;
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const message = `The template ${file} cannot be read: ${messageOf(error)}.`;
    throw new CodedError('NGINX_TEMPLATE', message, { cause: error, field: '--nginx-template' });
  }
}

function hostsOf(cameras: readonly DesiredCamera[]): Set<string> {
  const hosts = new Set<string>();
  for (const push of cameras.flatMap(({ pushes }) => pushes)) {
    const target = push.enabled ? targetOf(push) : undefined;
    if (target !== undefined && 'host' in target && target.host !== null) hosts.add(target.host);
  }
  return hosts;
}

/** As the original has it where all addresses are meant: `listen 1935`. */
function listenWords(host: string, port: number): readonly string[] {
  if (host === '0.0.0.0') return [String(port)];
  if (host === '::') return [`[::]:${port}`, 'ipv6only=off'];
  return [host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`];
}
