import { randomBytes } from 'node:crypto';
import { PushPolicy, sourcePolicy } from '../../address/push-policy.js';
import { parseRtmpUrl } from '../../address/rtmp-url.js';
import { parseSourceUrl } from '../../address/source-url.js';
import { CodedError, codeOf, messageOf } from '../../errors.js';
import type { CameraEvidence } from '../../health/evidence.js';
import type { LogLevels } from '../../log/levels.js';
import type { Logger } from '../../log/log.js';
import { Dialer } from '../../net/dialer.js';
import { readCertificate } from '../../tls/certificate.js';
import { readTrust } from '../../tls/trust.js';
import type {
  BackendAddress,
  BackendObserver,
  BackendProblem,
  BackendTotals,
  CameraSnapshot,
  DesiredCamera,
  IngestSwitching,
  MediaBackend,
  PushSnapshot,
  RecordedEvent,
  TargetTest,
  WorkerFacts,
} from '../backend.js';
import { newNodeId } from '../native/native-backend.js';
import type { RtmpsSettings } from '../native/native-settings.js';
import { Arrivals } from './arrivals.js';
import { SharedBudget } from './budget.js';
import { Calls } from './calls.js';
import { Homes } from './homes.js';
import { LastSeen } from './last-seen.js';
import { PoolReport } from './pool-report.js';
import type { Report, WorkerSettings } from './protocol.js';
import { WorkerTestPatterns } from './test-patterns.js';
import { WayLog } from './way-log.js';
import { type WorkerHandler, WorkerProcess } from './worker-process.js';
import { WorkerViewing } from './worker-viewing.js';

const lookEveryMs = 1000;

export interface WorkersBackendSettings {
  /** The address to listen on. */
  readonly host: string;
  /** 0: any free port. */
  readonly rtmpPort: number;
  /** How many, 1 at least. */
  readonly workers: number;
  readonly media: WorkerSettings['media'];
  /** A listener with TLS beside the plain one. */
  readonly rtmps?: RtmpsSettings;
  /** What publish keys and play tokens are made from: 64 hex digits. */
  readonly streamSecret?: string;
}

/**
 * The native backend in processes of its own, apart from the API and the state. Each camera has its home in one of them: its
 * publisher, its viewers and its pushes are there. This side has the listener, the desired cameras, and what was last seen
 * of them.
 */
export class WorkersBackend implements MediaBackend, WorkerHandler {
  readonly kind = 'native';
  /** A busy worker is no reason for an answer to fail. */
  readonly answerWaitMs = 1000;
  readonly viewing: WorkerViewing;
  readonly switching: IngestSwitching = this;
  readonly testPatterns: WorkerTestPatterns;
  readonly yielding = null;
  readonly relaying = null;
  readonly capacity = null;
  readonly #settings: WorkersBackendSettings;
  /** Judges targets; it dials none. */
  readonly #dialer: Dialer;
  readonly #sourcePolicy: PushPolicy;
  readonly #ownListeners: BackendAddress[] = [];
  readonly #workers: readonly WorkerProcess[];
  readonly #homes: Homes;
  readonly #arrivals: Arrivals;
  readonly #levels: LogLevels;
  readonly #calls = new Calls();
  readonly #seen = new LastSeen();
  readonly #wayLog: WayLog;
  readonly #totals = new Map<WorkerProcess, BackendTotals>();
  readonly #report: PoolReport;
  readonly #budget: SharedBudget;
  #observer: BackendObserver | null = null;
  #ticker: NodeJS.Timeout | null = null;

  /** @param options.levels what the workers log, too, from now on */
  constructor(options: { settings: WorkersBackendSettings; log: Logger; levels: LogLevels }) {
    const { settings, log, levels } = options;
    const { media } = settings;
    this.#settings = settings;
    this.#levels = levels;
    this.#wayLog = new WayLog(media.socketMode, log);
    // The workers read it. An error must be known before they start.
    if (media.pushTlsCa !== undefined) readTrust(media.pushTlsCa, '--push-tls-ca');
    this.#dialer = new Dialer({ policy: new PushPolicy(media) });
    this.#sourcePolicy = sourcePolicy(media);
    const viewSecret = randomBytes(24).toString('hex');
    const common = { ...commonSettings(settings), viewSecret, lines: levels.filter.wanted };
    this.#workers = Array.from(
      { length: settings.workers },
      (_, index) => new WorkerProcess({ number: index + 1, ...common }, this, log),
    );
    levels.observe((wanted) => {
      for (const worker of this.#workers) worker.send({ type: 'lines', wanted });
    });
    const homes = new Homes(this.#workers);
    this.#homes = homes;
    this.#report = new PoolReport(this.#workers, (worker) => homes.countOf(worker));
    this.#budget = new SharedBudget(media.mediaMaxBytes, this.#workers);
    const { stallTimeoutMs } = media;
    this.viewing = new WorkerViewing({ secret: viewSecret, stallTimeoutMs, homes, calls: this.#calls });
    this.testPatterns = new WorkerTestPatterns(this.#calls, (camera) => homes.choose(camera));
    this.#arrivals = new Arrivals({
      settings: media,
      workers: this.#workers,
      homeOf: (camera) => homes.choose(camera),
      declared: (camera) => homes.declared(camera),
      log,
    });
  }

  /** @throws CodedError WORKER_DOWN when a worker does not start; ADDRESS_IN_USE, INVALID_ADDRESS */
  async start(): Promise<BackendAddress> {
    await Promise.all(this.#workers.map((worker) => worker.start()));
    const { host, rtmpPort, rtmps } = this.#settings;
    const address = await this.#arrivals.listen(host, rtmpPort);
    this.addOwnListener(address);
    const secure = rtmps === undefined ? undefined : await this.#listenSecure(host, rtmps.port);
    // Behind what has arrived by then.
    this.#ticker = setInterval(() => setImmediate(() => this.#look()), lookEveryMs);
    return secure === undefined ? address : { ...address, rtmpsPort: secure.port };
  }

  async #listenSecure(host: string, port: number): Promise<BackendAddress> {
    const address = await this.#arrivals.listenSecure(host, port).catch((error) => {
      throw new CodedError(codeOf(error), messageOf(error), { cause: error, field: '--rtmps-port' });
    });
    this.addOwnListener(address);
    return address;
  }

  setCamera(desired: DesiredCamera): Promise<void> {
    return this.#homes.set({ ...desired, pushes: desired.pushes });
  }

  removeCamera(name: string): void | Promise<void> {
    this.#seen.forget(name);
    return this.#homes.remove(name);
  }

  camera(name: string): CameraSnapshot | undefined {
    return this.#seen.camera(name);
  }

  evidence(name: string): CameraEvidence | null {
    return this.#seen.evidence(name);
  }

  push(camera: string, id: string): PushSnapshot | undefined {
    return this.#seen.push(camera, id);
  }

  refuses(url: string): CodedError | undefined {
    return this.#dialer.refuses(parseRtmpUrl(url));
  }

  refusesSource(url: string): CodedError | undefined {
    const { host, port } = parseSourceUrl(url);
    const refusal = this.#sourcePolicy.refusesHost(host, port);
    return refusal === undefined ? undefined : new CodedError('SOURCE_FORBIDDEN', refusal.message);
  }

  addOwnListener(address: BackendAddress): void {
    this.#ownListeners.push(address);
    this.#dialer.policy.addListener(address);
    this.#sourcePolicy.addListener(address);
    for (const worker of this.#workers) worker.send({ type: 'listener', address });
  }

  totals(): BackendTotals {
    let bitrateInBps = 0;
    let bitrateOutBps = 0;
    for (const totals of this.#totals.values()) {
      bitrateInBps += totals.bitrateInBps;
      bitrateOutBps += totals.bitrateOutBps;
    }
    return { bitrateInBps, bitrateOutBps, ...this.#seen.count(), connections: this.#arrivals.connections };
  }

  async events(camera: string, pushId?: string): Promise<readonly RecordedEvent[] | undefined> {
    const worker = this.#homes.find(camera);
    if (worker === undefined) return this.#homes.has(camera) ? [] : undefined;
    // These are older than all that the worker remembers, since it was started after them.
    const before = this.#seen.events(camera);
    if (!worker.isUp) return before;
    const call = { name: 'events', camera, push: pushId ?? null } as const;
    const events = (await this.#calls.ask(worker, call)) as readonly RecordedEvent[] | null;
    return events === null ? undefined : [...before, ...events];
  }

  async retry(camera: string, push: string): Promise<boolean | undefined> {
    const worker = this.#homes.find(camera);
    if (worker === undefined) return undefined;
    return ((await this.#calls.ask(worker, { name: 'retry', camera, push })) as boolean | null) ?? undefined;
  }

  async switchIngest(camera: string, ingest: string | undefined): Promise<void> {
    const worker = this.#homes.find(camera);
    // Without a home it never published.
    if (worker === undefined)
      throw new CodedError('INGEST_NOT_READY', 'the camera is not live: there is nothing to switch');
    await this.#calls.ask(worker, { name: 'switchIngest', camera, ingest: ingest ?? null });
  }

  async testTarget(url: string): Promise<TargetTest> {
    parseRtmpUrl(url);
    const nowMs = performance.now();
    const able = this.#workers.filter((worker) => worker.isResponsive(nowMs));
    const worker = able[Math.floor(Math.random() * able.length)] ?? this.#workers[0]!;
    return (await this.#calls.ask(worker, { name: 'testTarget', url })) as TargetTest;
  }

  problems(): readonly BackendProblem[] {
    return this.#report.problems();
  }

  readAgain(): void {
    for (const worker of this.#workers) worker.send({ type: 'readAgain' });
  }

  facts(): Readonly<Record<string, string | number | null>> {
    return { ...this.#report.facts(), mediaMaxBytes: this.#settings.media.mediaMaxBytes };
  }

  workers(): readonly WorkerFacts[] {
    return this.#report.workers();
  }

  observe(observer: BackendObserver): void {
    this.#observer = observer;
  }

  probe(deadlineMs: number): Promise<boolean> {
    return this.#arrivals.probe(deadlineMs);
  }

  askToReconnect(): void {
    for (const worker of this.#workers) worker.send({ type: 'askToReconnect' });
  }

  async stop(deadlineMs: number): Promise<void> {
    if (this.#ticker !== null) clearInterval(this.#ticker);
    this.#arrivals.close();
    this.viewing.close();
    await Promise.all(this.#workers.map((worker) => worker.stop(deadlineMs)));
    this.#homes.close();
    this.#calls.failAll();
  }

  onUp(worker: WorkerProcess): void {
    if (worker.socketWay !== null) this.#wayLog.began(worker.number, worker.socketWay);
    this.#budget.onUp(worker);
    worker.send({ type: 'lines', wanted: this.#levels.filter.wanted });
    for (const address of this.#ownListeners) worker.send({ type: 'listener', address });
    this.#homes.onUp(worker);
    this.#arrivals.workerIsUp(worker);
  }

  onDown(worker: WorkerProcess): void {
    this.#totals.delete(worker);
    this.#homes.onDown(worker);
    this.#calls.fail(worker);
    this.testPatterns.onDown(worker);
    this.#arrivals.workerIsDown(worker);
    const reason = `media worker ${worker.number} ${worker.end?.how ?? 'ended'}`;
    for (const name of this.#homes.camerasOf(worker)) {
      if (this.#seen.lose(name, reason)) this.#observer?.cameraStopped(name, reason);
    }
  }

  onLost(_worker: WorkerProcess, id: number): void {
    this.#arrivals.lost(id);
  }

  onReport(worker: WorkerProcess, report: Report): void {
    switch (report.type) {
      case 'where':
      case 'served':
      case 'left':
      case 'closed':
        this.#arrivals.onReport(worker, report);
        return;
      case 'applied':
        if (report.camera !== null) this.#see(worker, report.camera, undefined);
        this.#homes.onApplied(report);
        return;
      case 'seen':
        this.#see(worker, report.camera, report.evidence);
        return;
      case 'live':
        this.#seen.noteLive(report.camera);
        this.#observer?.cameraLive(report.camera, report.facts);
        return;
      case 'stopped':
        this.#observer?.cameraStopped(report.camera, report.reason);
        return;
      case 'condition':
        this.#observer?.cameraCondition?.(report.camera, report.condition, report.isRaised);
        return;
      case 'ingest':
        this.#observer?.ingestChanged?.(report.camera, report.change);
        return;
      case 'push':
        this.#seen.notePush(report.camera, report.push);
        this.#observer?.pushState(report.camera, report.push);
        return;
      case 'refused':
        this.#observer?.publisherRefused?.(report.refusal);
        return;
      case 'patternEnded':
        this.testPatterns.onEnded(report.camera);
        return;
      case 'load':
        this.#totals.set(worker, report.totals);
        this.#wayLog.isNow(worker.number, report.load.socketWay);
        return;
      case 'answer':
      case 'failure':
        this.#calls.onReport(report);
        return;
      default:
        return;
    }
  }

  #see(worker: WorkerProcess, camera: CameraSnapshot, evidence: CameraEvidence | null | undefined): void {
    // The camera may have been removed meanwhile, or may be another worker's now.
    if (this.#homes.find(camera.name) === worker) this.#seen.note(camera, evidence);
  }

  #look(): void {
    const nowMs = performance.now();
    for (const worker of this.#workers) worker.look(nowMs);
    this.#arrivals.tick(nowMs);
    this.viewing.tick(nowMs);
    this.#budget.share();
  }
}

/** What is the same for all workers. @throws CodedError TLS_CERTIFICATE when the certificate cannot be used */
function commonSettings(settings: WorkersBackendSettings): Pick<WorkerSettings, 'nodeId' | 'media' | 'certificate'> {
  const { media, workers, rtmps, streamSecret } = settings;
  const certificate = rtmps === undefined ? null : { certFile: rtmps.certFile, keyFile: rtmps.keyFile };
  // The workers read it. An error must be known before they start.
  if (certificate !== null) readCertificate({ ...certificate, certFlag: '--rtmps-cert', keyFlag: '--rtmps-key' });
  // Each worker has its share, and always room for two frames of the largest size.
  const unfinishedMaxBytes = Math.max(2 * media.maxMessageBytes, Math.ceil(media.unfinishedMaxBytes / workers));
  const secret = streamSecret === undefined ? {} : { streamSecret };
  return { nodeId: newNodeId(), media: { ...media, unfinishedMaxBytes }, certificate, ...secret };
}
