import { randomBytes } from 'node:crypto';
import { PushPolicy } from '../../address/push-policy.js';
import { parseRtmpUrl } from '../../address/rtmp-url.js';
import { CodedError, codeOf, messageOf } from '../../errors.js';
import { FlightRecorder } from '../../events/flight-recorder.js';
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
  CameraViewing,
  DesiredCamera,
  FlvPlayback,
  MediaBackend,
  PushSnapshot,
  RecordedEvent,
  StillPicture,
  TargetTest,
  WorkerFacts,
} from '../backend.js';
import { unseenCamera } from '../backend.js';
import { newNodeId, type RtmpsSettings } from '../native/native-backend.js';
import { Arrivals } from './arrivals.js';
import { shareBudget } from './budget.js';
import { Calls } from './calls.js';
import { Declarations } from './declarations.js';
import { Observed } from './observed.js';
import { Placement } from './placement.js';
import type { Report, SentPicture, WorkerSettings } from './protocol.js';
import { RemotePlayback } from './remote-playback.js';
import { WorkerTestPatterns } from './test-patterns.js';
import { type WorkerHandler, WorkerProcess } from './worker-process.js';

/** That a worker ended is told for so long after it is back. */
const toldMs = 30_000;

const lookEveryMs = 1000;

/** Of the ends of its worker, a camera's events tell of so many. */
const rememberedEnds = 10;

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
 * The native backend in processes of its own, apart from API and state. Each camera has one home among them, where its
 * publisher, its viewers and its pushes are: a worker is to its cameras what the native backend in one process is to all.
 * This side keeps the listener, the desired cameras, and what was last seen of them.
 */
export class WorkersBackend implements MediaBackend, WorkerHandler {
  readonly kind = 'native';
  /** A worker that is busy is no reason for an answer to fail. */
  readonly answerWaitMs = 1000;
  readonly viewing: CameraViewing = this;
  readonly testPatterns: WorkerTestPatterns;
  readonly #settings: WorkersBackendSettings;
  /** Judges targets; it dials none. */
  readonly #dialer: Dialer;
  readonly #ownListeners: BackendAddress[] = [];
  readonly #workers: readonly WorkerProcess[];
  readonly #arrivals: Arrivals;
  readonly #levels: LogLevels;
  readonly #placement: Placement;
  readonly #calls = new Calls();
  readonly #desired = new Map<string, DesiredCamera>();
  readonly #observed = new Observed();
  readonly #totals = new Map<WorkerProcess, BackendTotals>();
  /** Why cameras were cut off last, until they are live again. */
  readonly #notices = new Map<string, string>();
  /** What happened to cameras that their workers cannot remember. */
  readonly #records = new Map<string, FlightRecorder>();
  readonly #viewSecret = randomBytes(24).toString('hex');
  /** Streams that are shown here. */
  readonly #playbacks = new Set<RemotePlayback>();
  readonly #budgets: number[];
  #observer: BackendObserver | null = null;
  /** Of the changes sent to workers. */
  #sequence = 0;
  readonly #declarations = new Declarations();
  #ticker: NodeJS.Timeout | null = null;

  /** @param options.levels what the workers log, too, from now on */
  constructor(options: { settings: WorkersBackendSettings; log: Logger; levels: LogLevels }) {
    const { settings, log, levels } = options;
    this.#settings = settings;
    this.#levels = levels;
    const { pushTlsCa } = settings.media;
    // The workers read it; that it can be read is to be known before they start.
    if (pushTlsCa !== undefined) readTrust(pushTlsCa, '--push-tls-ca');
    this.#dialer = new Dialer({ policy: new PushPolicy(settings.media) });
    const nodeId = newNodeId();
    const { media, workers, rtmps, streamSecret } = settings;
    const lines = levels.filter.wanted;
    const secret = streamSecret === undefined ? {} : { streamSecret };
    const certificate = rtmps === undefined ? null : { certFile: rtmps.certFile, keyFile: rtmps.keyFile };
    // As above.
    if (certificate !== null) readCertificate({ ...certificate, certFlag: '--rtmps-cert', keyFlag: '--rtmps-key' });
    // Each takes a part; but for two frames of the largest kind there is always room.
    const unfinishedMaxBytes = Math.max(2 * media.maxMessageBytes, Math.ceil(media.unfinishedMaxBytes / workers));
    const own = { ...media, unfinishedMaxBytes };
    const common = { nodeId, media: own, certificate, viewSecret: this.#viewSecret, ...secret, lines };
    this.#workers = Array.from(
      { length: workers },
      (_, index) => new WorkerProcess({ number: index + 1, ...common }, this, log),
    );
    levels.observe((wanted) => {
      for (const worker of this.#workers) worker.send({ type: 'lines', wanted });
    });
    this.#placement = new Placement(workers);
    this.#budgets = new Array<number>(workers).fill(media.mediaMaxBytes);
    this.testPatterns = new WorkerTestPatterns(this.#calls, (camera) => this.#homeOf(camera));
    this.#arrivals = new Arrivals({
      settings: media,
      workers: this.#workers,
      homeOf: (camera) => this.#homeOf(camera),
      declared: (camera) => this.#declarations.done(camera),
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
    this.#desired.set(desired.name, desired);
    this.#placement.reweigh(desired);
    const index = this.#placement.homeOf(desired.name);
    // Without a home no worker has to know of it.
    return index === undefined ? Promise.resolve() : this.#declare(index, desired);
  }

  removeCamera(name: string): void | Promise<void> {
    if (!this.#desired.delete(name)) return;
    this.#notices.delete(name);
    this.#records.delete(name);
    this.#observed.forget(name);
    const index = this.#placement.homeOf(name);
    if (index === undefined) return;
    this.#placement.remove(name);
    const worker = this.#workers[index]!;
    if (!worker.isUp) return this.#declarations.drop(name);
    const sequence = ++this.#sequence;
    worker.send({ type: 'remove', sequence, name });
    return this.#declarations.expect(name, sequence);
  }

  camera(name: string): CameraSnapshot | undefined {
    const seen = this.#observed.camera(name);
    const notice = this.#notices.get(name);
    if (notice === undefined) return seen;
    return { ...(seen ?? { name, ...unseenCamera, pushes: [] }), notice };
  }

  push(camera: string, id: string): PushSnapshot | undefined {
    return this.#observed.push(camera, id);
  }

  refuses(url: string): CodedError | undefined {
    return this.#dialer.refuses(parseRtmpUrl(url));
  }

  addOwnListener(address: BackendAddress): void {
    this.#ownListeners.push(address);
    this.#dialer.policy.addListener(address);
    for (const worker of this.#workers) worker.send({ type: 'listener', address });
  }

  totals(): BackendTotals {
    let bitrateInBps = 0;
    let bitrateOutBps = 0;
    for (const totals of this.#totals.values()) {
      bitrateInBps += totals.bitrateInBps;
      bitrateOutBps += totals.bitrateOutBps;
    }
    return { bitrateInBps, bitrateOutBps, ...this.#observed.count(), connections: this.#arrivals.connections };
  }

  async events(camera: string, pushId?: string): Promise<readonly RecordedEvent[] | undefined> {
    const worker = this.#workerOf(camera);
    if (worker === undefined) return this.#desired.has(camera) ? [] : undefined;
    // What this side noted is older than all that the worker, which began anew, remembers.
    const noted = this.#records.get(camera)?.events() ?? [];
    if (!worker.isUp) return noted;
    const call = { name: 'events', camera, push: pushId ?? null } as const;
    const events = (await this.#calls.ask(worker, call)) as readonly RecordedEvent[] | null;
    return events === null ? undefined : [...noted, ...events];
  }

  async retry(camera: string, push: string): Promise<boolean | undefined> {
    const worker = this.#workerOf(camera);
    if (worker === undefined) return undefined;
    return ((await this.#calls.ask(worker, { name: 'retry', camera, push })) as boolean | null) ?? undefined;
  }

  async openFlv(camera: string, remote: string): Promise<FlvPlayback> {
    if (!this.#desired.has(camera)) {
      throw new CodedError('PLAY_NOT_FOUND', `no camera is registered as "${camera}"`);
    }
    const worker = this.#workerOf(camera);
    // Without a home it never published.
    if (worker === undefined) throw new CodedError('CAMERA_NOT_LIVE', `camera ${camera} is not live`);
    if (!worker.isUp) throw new CodedError('WORKER_DOWN', `media worker ${worker.number} does not run; try again`);
    const request = { secret: this.#viewSecret, camera, remote };
    const { stallTimeoutMs } = this.#settings.media;
    const onOver = (over: RemotePlayback): void => void this.#playbacks.delete(over);
    const playback = await RemotePlayback.open(worker.viewPort, request, { stallTimeoutMs, onOver });
    this.#playbacks.add(playback);
    return playback;
  }

  async picture(camera: string, knownTag: string | undefined): Promise<StillPicture | null> {
    const worker = this.#workerOf(camera);
    if (worker === undefined) return null;
    const call = { name: 'picture', camera, knownTag: knownTag ?? null } as const;
    const sent = (await this.#calls.ask(worker, call)) as SentPicture | null;
    return sent === null ? null : { ...sent, mp4: sent.mp4 === null ? null : Buffer.from(sent.mp4, 'base64') };
  }

  async testTarget(url: string): Promise<TargetTest> {
    parseRtmpUrl(url);
    const nowMs = performance.now();
    const able = this.#workers.filter((worker) => worker.isResponsive(nowMs));
    const worker = able[Math.floor(Math.random() * able.length)] ?? this.#workers[0]!;
    return (await this.#calls.ask(worker, { name: 'testTarget', url })) as TargetTest;
  }

  problems(): readonly BackendProblem[] {
    return [...this.#ends(), ...this.#told()];
  }

  /** What workers say is wrong with them. They read the same files: what all say is told once. */
  #told(): readonly BackendProblem[] {
    const told = new Map<string, BackendProblem>();
    for (const { load, number } of this.#workers) {
      for (const problem of load?.problems ?? []) {
        const isOfFile = problem.code === 'TLS_CERTIFICATE';
        const message = isOfFile ? problem.message : `Media worker ${number}: ${problem.message}`;
        if (!told.has(message)) told.set(message, { ...problem, message });
      }
    }
    return [...told.values()];
  }

  readAgain(): void {
    for (const worker of this.#workers) worker.send({ type: 'readAgain' });
  }

  #ends(): readonly BackendProblem[] {
    const now = Date.now();
    return this.#workers.flatMap((worker) => {
      const { end, number } = worker;
      if (worker.isUp && !worker.isResponsive(performance.now())) {
        const message = `Media worker ${number} does not answer; its ${this.#countOf(worker)} cameras stand still.`;
        return [{ code: 'WORKER_DOWN' as const, message, since: new Date(now).toISOString() }];
      }
      if (end === null || (worker.isUp && now - end.atMs > toldMs)) return [];
      const times = end.times === 1 ? '' : `, ${end.times} times in a row`;
      const message = `Media worker ${number} ${end.how}${times}; its cameras had to come back. The log tells more.`;
      return [{ code: 'WORKER_DOWN' as const, message, since: new Date(end.atMs).toISOString() }];
    });
  }

  facts(): Readonly<Record<string, number>> {
    return {
      workers: this.#workers.length,
      workersUp: this.#workers.filter(({ isUp }) => isUp).length,
      workerRestarts: this.#workers.reduce((sum, { restarts }) => sum + restarts, 0),
      mediaKeptBytes: this.#workers.reduce((sum, { load }) => sum + (load?.keptBytes ?? 0), 0),
      mediaMaxBytes: this.#settings.media.mediaMaxBytes,
      unfinishedBytes: this.#workers.reduce((sum, { load }) => sum + (load?.unfinishedBytes ?? 0), 0),
      openFilesRefused: this.#workers.reduce((sum, { load }) => sum + (load?.openFilesRefused ?? 0), 0),
      floodsEnded: this.#workers.reduce((sum, { load }) => sum + (load?.floodsEnded ?? 0), 0),
    };
  }

  workers(): readonly WorkerFacts[] {
    return this.#workers.map((worker) => ({
      number: worker.number,
      pid: worker.pid,
      up: worker.isUp,
      cameras: this.#countOf(worker),
      restarts: worker.restarts,
      cpuSeconds: worker.load?.cpuSeconds ?? null,
      residentBytes: worker.load?.residentBytes ?? null,
      loopDelayMs: worker.load?.loopDelayMs ?? null,
    }));
  }

  observe(observer: BackendObserver): void {
    this.#observer = observer;
  }

  probe(deadlineMs: number): Promise<boolean> {
    return this.#arrivals.probe(deadlineMs);
  }

  async stop(deadlineMs: number): Promise<void> {
    if (this.#ticker !== null) clearInterval(this.#ticker);
    this.#arrivals.close();
    for (const playback of [...this.#playbacks]) playback.leave();
    await Promise.all(this.#workers.map((worker) => worker.stop(deadlineMs)));
    this.#declarations.close();
    this.#calls.failAll();
  }

  onUp(worker: WorkerProcess): void {
    const index = worker.number - 1;
    this.#budgets[index] = 0; // of which it has not been told
    this.#shareBudget();
    worker.send({ type: 'lines', wanted: this.#levels.filter.wanted });
    for (const address of this.#ownListeners) worker.send({ type: 'listener', address });
    for (const name of this.#placement.camerasOf(index)) void this.#declare(index, this.#desired.get(name)!);
    this.#arrivals.workerIsUp(worker);
  }

  onDown(worker: WorkerProcess): void {
    const index = worker.number - 1;
    this.#totals.delete(worker);
    this.#declarations.lost(this.#placement.camerasOf(index));
    this.#calls.fail(worker);
    this.testPatterns.onDown(worker);
    this.#arrivals.workerIsDown(worker);
    const reason = `media worker ${worker.number} ${worker.end?.how ?? 'ended'}`;
    for (const name of this.#placement.camerasOf(index)) {
      const wasLive = this.#observed.isLive(name);
      this.#observed.forget(name);
      if (!wasLive) continue;
      this.#notices.set(name, `${reason} while the camera was live; it has to publish again`);
      this.#record(name, reason);
      this.#observer?.cameraStopped(name, reason);
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
        if (report.camera !== null) this.#see(worker, report.camera);
        this.#declarations.note(report.name, report.sequence, report.failure);
        return;
      case 'seen':
        this.#see(worker, report.camera);
        return;
      case 'live':
        this.#notices.delete(report.camera);
        this.#observer?.cameraLive(report.camera, report.facts);
        return;
      case 'stopped':
        this.#observer?.cameraStopped(report.camera, report.reason);
        return;
      case 'condition':
        this.#observer?.cameraCondition?.(report.camera, report.condition, report.isRaised);
        return;
      case 'push':
        this.#observed.notePush(report.camera, report.push);
        this.#observer?.pushState(report.camera, report.push);
        return;
      case 'patternEnded':
        this.testPatterns.onEnded(report.camera);
        return;
      case 'load':
        this.#totals.set(worker, report.totals);
        return;
      case 'answer':
      case 'failure':
        this.#calls.onReport(report);
        return;
      default:
        return;
    }
  }

  #see(worker: WorkerProcess, camera: CameraSnapshot): void {
    // Of a camera that was removed meanwhile, or is another's now, there is nothing to tell.
    if (this.#placement.homeOf(camera.name) === worker.number - 1) this.#observed.note(camera);
  }

  #declare(index: number, camera: DesiredCamera): Promise<void> {
    const worker = this.#workers[index]!;
    if (!worker.isUp) return this.#declarations.expect(camera.name, 0);
    const sequence = ++this.#sequence;
    worker.send({ type: 'set', sequence, camera });
    return this.#declarations.expect(camera.name, sequence);
  }

  /** The worker of a camera, which gets one now where it has none. */
  #homeOf(name: string): WorkerProcess | undefined {
    const camera = this.#desired.get(name);
    if (camera === undefined) return undefined;
    const known = this.#placement.homeOf(name);
    if (known !== undefined) return this.#workers[known];
    const index = this.#placement.place(camera);
    void this.#declare(index, camera);
    return this.#workers[index];
  }

  #record(camera: string, text: string): void {
    const record = this.#records.get(camera) ?? new FlightRecorder({ capacity: rememberedEnds });
    record.note('worker', text);
    this.#records.set(camera, record);
  }

  #workerOf(camera: string): WorkerProcess | undefined {
    const index = this.#placement.homeOf(camera);
    return index === undefined ? undefined : this.#workers[index];
  }

  #countOf(worker: WorkerProcess): number {
    return this.#placement.countOf(worker.number - 1);
  }

  #look(): void {
    const nowMs = performance.now();
    for (const worker of this.#workers) worker.look(nowMs);
    this.#arrivals.tick(nowMs);
    for (const playback of this.#playbacks) playback.tick(nowMs);
    this.#shareBudget();
  }

  #shareBudget(): void {
    const { mediaMaxBytes } = this.#settings.media;
    const kept = this.#workers.map((worker) => worker.load?.keptBytes ?? 0);
    for (const [index, bytes] of shareBudget(mediaMaxBytes, kept).entries()) {
      const worker = this.#workers[index]!;
      if (!worker.isUp || Math.abs(bytes - this.#budgets[index]!) < mediaMaxBytes / 100) continue;
      this.#budgets[index] = bytes;
      worker.send({ type: 'budget', bytes });
    }
  }
}
