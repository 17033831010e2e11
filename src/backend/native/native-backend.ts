import { randomBytes } from 'node:crypto';
import { PushPolicy } from '../../address/push-policy.js';
import { parseRtmpUrl } from '../../address/rtmp-url.js';
import { Admission } from '../../admission/admission.js';
import { StreamKeys } from '../../admission/stream-keys.js';
import { CodedError } from '../../errors.js';
import type { CameraEvidence } from '../../health/evidence.js';
import { SlateClips } from '../../ingest/slate-clips.js';
import type { Logger } from '../../log/log.js';
import { Dialer } from '../../net/dialer.js';
import type { SharedLookups } from '../../net/lookup.js';
import type { MediaSocket } from '../../net/media-socket.js';
import { gatherWrites, readEveryMs, ringCounts, type SocketWay, socketWay, tellWay } from '../../net/socket-way.js';
import { testTarget } from '../../push/target-test.js';
import { TargetWatch } from '../../push/target-watch.js';
import { FlushScheduler } from '../../relay/flush-scheduler.js';
import { SlabPool } from '../../relay/slab-pool.js';
import type { Beginning } from '../../rtmp/beginning.js';
import { floods } from '../../rtmp/flood-count.js';
import { RtmpServer } from '../../rtmp/rtmp-server.js';
import { TrustedFile } from '../../tls/trusted-file.js';
import type {
  BackendAddress,
  BackendObserver,
  BackendProblem,
  BackendTotals,
  CameraSnapshot,
  CameraViewing,
  DesiredCamera,
  FlvPlayback,
  IngestSwitching,
  MediaBackend,
  PushSnapshot,
  RecordedEvent,
  StillPicture,
  TargetTest,
  ViewedTracks,
  WorkerFacts,
} from '../backend.js';
import { NativeCamera } from './camera.js';
import type { CameraContext } from './camera-context.js';
import { CameraHost } from './camera-host.js';
import { NativeCameras } from './cameras.js';
import { hopDialing } from './hop-dialing.js';
import { LastPictures } from './last-pictures.js';
import { MediaBudget } from './media-budget.js';
import { prepareMediaSockets } from './media-sockets.js';
import { NativeListeners } from './native-listeners.js';
import type { NativeBackendSettings } from './native-settings.js';
import { NodeCapacity, type RoomUser } from './node-capacity.js';
import { NativeRelaying } from './relaying.js';
import { SourceTools } from './source-tools.js';
import { NativeTestPatterns } from './test-patterns.js';
import { Traffic } from './traffic.js';
import { NativeYielding } from './yielding.js';

/** How long a viewer over HTTP waits for a source that is pulled on demand. */
const wakeMs = 10_000;

/** How long clients that were asked to connect anew before the end may take. */
const reconnectMs = 2000;

/** The media backend of our own: cameras, pushes and viewers on Node's sockets, changed while they run. */
export class NativeBackend implements MediaBackend {
  readonly kind = 'native';
  /** What is declared is in force at once. */
  readonly answerWaitMs = 0;
  readonly viewing: CameraViewing = this;
  readonly switching: IngestSwitching = this;
  readonly testPatterns: NativeTestPatterns;
  readonly yielding: NativeYielding;
  readonly relaying: NativeRelaying;
  readonly capacity: NodeCapacity;
  readonly #settings: NativeBackendSettings;
  readonly #context: CameraContext;
  readonly #server: RtmpServer;
  readonly #admission: Admission;
  readonly #cameras = new NativeCameras((name) => new NativeCamera(name, this.#context));
  readonly #traffic = new Traffic(this.#cameras);
  readonly #budget: MediaBudget;
  readonly #lastPictures = new LastPictures();
  /** Cameras that were removed and whose targets are being told. */
  readonly #leaving = new Set<Promise<void>>();
  readonly #sources: SourceTools;
  readonly #trust: TrustedFile | undefined;
  readonly #listeners: NativeListeners;
  #ticker: NodeJS.Timeout | null = null;
  #observer: BackendObserver | null = null;

  /**
   * @param options.lookups name look-ups; without it, those of the system
   * @throws ConfigError TLS_CERTIFICATE when the file of `pushTlsCa` cannot be used
   */
  constructor(options: { settings: NativeBackendSettings; log: Logger; lookups?: SharedLookups }) {
    this.#settings = options.settings;
    this.#budget = new MediaBudget(this.#cameras, options.settings.media.mediaMaxBytes, options.log);
    const policy = new PushPolicy(options.settings.media);
    const { pushTlsCa, socketMode, flushWindowMs: windowMs, audioWindowMs } = options.settings.media;
    const trust = pushTlsCa === undefined ? undefined : new TrustedFile(pushTlsCa, '--push-tls-ca', options.log);
    this.#trust = trust;
    const lookups = options.lookups === undefined ? {} : { lookups: options.lookups };
    const dialer = new Dialer({ policy, trust, socketMode, ...lookups });
    this.yielding = new NativeYielding(this.#cameras);
    this.#sources = new SourceTools(options.settings.media, { trust, socketMode, ...lookups });
    this.relaying = new NativeRelaying(this.#cameras, options.settings.isInCluster);
    this.capacity = new NodeCapacity(options.settings.capacity ?? { outBps: null, cameras: null });
    this.#context = {
      capacity: this.capacity,
      relaying: this.relaying,
      hops: hopDialing(options.settings.media, { trust, ...lookups }),
      onOver: (camera) => this.yielding.release(camera),
      lastPictures: this.#lastPictures,
      settings: options.settings.media,
      log: options.log,
      scheduler: new FlushScheduler({ windowMs, audioWindowMs, gather: gatherWrites }),
      watch: new TargetWatch(undefined, dialer),
      dialer,
      pool: new SlabPool(),
      pulls: this.#sources,
      claim: (camera, isPatient) => this.yielding.claim(camera, isPatient),
      slates: new SlateClips(options.settings.media.slateDir ?? 'slates'),
      mayKeep: (bytes) => this.#budget.mayKeep(bytes),
      nodeId: options.settings.nodeId ?? newNodeId(),
      observer: () => this.#observer,
    };
    const { streamSecret, media: settings } = options.settings;
    const secret = streamSecret === undefined ? randomBytes(32) : Buffer.from(streamSecret, 'hex');
    this.#admission = new Admission({ settings, keys: new StreamKeys(secret), log: options.log });
    this.testPatterns = new NativeTestPatterns(async (camera, source) => {
      const find = (): NativeCamera => {
        const found = this.#cameras.get(camera);
        if (found !== undefined) return found;
        throw new CodedError('PUBLISH_NOT_REGISTERED', `no camera is registered as "${camera}"`);
      };
      find();
      await this.yielding.claim(camera);
      // It may have been removed meanwhile, and added anew.
      return find().door.open(source);
    }, options.log);
    const host = new CameraHost(this.#cameras, this.#admission, {
      claim: (camera) => this.yielding.claim(camera),
      admitRelay: (camera, ticket) => this.relaying.admit(camera, ticket),
      refused: (refusal) => this.#observer?.publisherRefused?.(refusal),
      readEveryMs: () => readEveryMs(socketMode),
    });
    this.#server = new RtmpServer({ settings, host, log: options.log });
    this.#listeners = new NativeListeners({
      settings: options.settings,
      server: this.#server,
      host,
      log: options.log,
      onListening: (address) => this.addOwnListener(address),
      onSrtListening: (address) => this.#sources.addListener(address),
    });
  }

  /** @throws CodedError ADDRESS_IN_USE, INVALID_ADDRESS; ConfigError TLS_CERTIFICATE, CONFIG_INVALID_VALUE */
  async start(): Promise<BackendAddress> {
    await this.prepare(this.#context.log);
    tellWay(this.#settings.media.socketMode, this.socketWay, this.#context.log);
    const address = await this.#listeners.open();
    this.startWithoutListener();
    return address;
  }

  /**
   * Finds out how sockets work best here, before the first of them is made.
   * @param log is told when that works no more
   */
  async prepare(log: Logger): Promise<void> {
    await prepareMediaSockets(this.#settings.media, this.#context.scheduler, log);
  }

  /** In place of `start` where somebody else listens, and brings connections by `adopt`. */
  startWithoutListener(): void {
    this.#ticker ??= setInterval(() => setImmediate(() => this.#tick()), 1000);
  }

  /**
   * Serves a connection that somebody else accepted and counted.
   * @param onClosed called once, when it is over
   */
  adopt(socket: MediaSocket, beginning: Beginning, onClosed: () => void): void {
    this.#server.adopt(socket, beginning, onClosed);
  }

  /** True when there is a camera of this name here. */
  hasCamera(name: string): boolean {
    return this.#cameras.has(name);
  }

  /** The names of the cameras of which something may change by itself. */
  *activeCameras(): Generator<string> {
    for (const camera of this.#cameras.values()) if (camera.isActive) yield camera.name;
  }

  /** Bytes that all streams keep for newcomers and slow outlets. */
  get keptBytes(): number {
    return this.#budget.keptBytes;
  }

  /** Changes what all streams may keep; obeyed within a second. */
  set mediaMaxBytes(bytes: number) {
    this.#budget.maxBytes = bytes;
  }

  problems(): readonly BackendProblem[] {
    const all = [this.#trust?.problem, this.#listeners.problem, ...this.capacity.problems];
    return all.filter((each) => each !== undefined && each !== null);
  }

  readAgain(): void {
    void this.#trust?.reload();
  }

  workers(): readonly WorkerFacts[] {
    return [];
  }

  /** How connections without TLS are read and written. */
  get socketWay(): SocketWay {
    return socketWay(this.#settings.media.socketMode);
  }

  facts(): Readonly<Record<string, string | number | null>> {
    const { mode, why } = this.socketWay;
    return {
      socketMode: mode,
      socketModeWhy: why,
      ...ringCounts(),
      mediaKeptBytes: this.keptBytes,
      mediaMaxBytes: this.#budget.maxBytes,
      unfinishedBytes: this.unfinishedBytes,
      floodsEnded: this.floodsEnded,
    };
  }

  /** Bytes of messages of publishers, viewers and strangers that are not whole yet. */
  get unfinishedBytes(): number {
    return this.#server.unfinishedBytes;
  }

  /** Connections of this process, both ways, that were ended since they sent useless messages on and on. */
  get floodsEnded(): number {
    return floods.ended + floods.targetsEnded;
  }

  setCamera(desired: DesiredCamera): void {
    this.#cameras.declare(desired);
  }

  removeCamera(name: string): void {
    const camera = this.#cameras.delete(name);
    if (camera === undefined) {
      // That of one that was removed and registered anew while it was leaving.
      this.#lastPictures.forget(name);
      return;
    }
    this.#traffic.leaves(camera);
    const leaving = camera.close(new CodedError('PUBLISH_NOT_REGISTERED', `camera ${name} was removed`)).finally(() => {
      if (!this.#cameras.has(name)) this.#lastPictures.forget(name);
      this.#traffic.gone(camera);
      this.#leaving.delete(leaving);
    });
    this.#leaving.add(leaving);
  }

  observe(observer: BackendObserver): void {
    this.#observer = observer;
  }

  camera(name: string): CameraSnapshot | undefined {
    return this.#cameras.snapshot(name, performance.now());
  }

  evidence(name: string): CameraEvidence | null {
    return this.#cameras.touched(name)?.evidence(performance.now()) ?? null;
  }

  push(name: string, id: string): PushSnapshot | undefined {
    return this.#cameras.touched(name)?.pushSnapshot(id, performance.now());
  }

  addOwnListener(listener: BackendAddress): void {
    this.#context.dialer.policy.addListener(listener);
    this.#sources.addListener(listener);
  }

  refuses(url: string): CodedError | undefined {
    return this.#context.dialer.refuses(parseRtmpUrl(url));
  }

  refusesSource(url: string): CodedError | undefined {
    return this.#sources.refuses(url);
  }

  events(name: string, pushId?: string): readonly RecordedEvent[] | undefined {
    const camera = this.#cameras.touched(name);
    if (pushId !== undefined) return camera?.push(pushId)?.events;
    return camera?.events ?? (this.#cameras.has(name) ? [] : undefined);
  }

  retry(name: string, pushId: string): boolean | undefined {
    return this.#cameras.touched(name)?.push(pushId)?.retry();
  }

  async switchIngest(name: string, ingest: string | undefined): Promise<void> {
    await this.#cameras.get(name)?.switchIngest(ingest);
  }

  async openFlv(name: string, remote: string, tracks: ViewedTracks): Promise<FlvPlayback> {
    if (this.#isIdle(name)) throw new CodedError('CAMERA_NOT_LIVE', `camera ${name} is not live`);
    const camera = this.#cameras.get(name);
    if (camera === undefined) throw new CodedError('PLAY_NOT_FOUND', `no camera is registered as "${name}"`);
    await this.relaying.fetched(camera);
    await camera.wake(wakeMs);
    return camera.viewing.openFlv(remote, tracks);
  }

  async picture(name: string, knownTag: string | undefined): Promise<StillPicture | null> {
    if (this.#isIdle(name)) return this.#lastPictures.shown(name, knownTag) ?? null;
    const camera = this.#cameras.get(name);
    if (camera === undefined) return null;
    await this.relaying.fetched(camera);
    if (camera.stream !== null && camera.viewers === 0) this.relaying.looked(camera.name);
    return camera.viewing.picture(knownTag);
  }

  /** Nobody came for it, here or elsewhere. Whoever looks at all cameras shall not have them made. */
  #isIdle(name: string): boolean {
    return this.#cameras.has(name) && this.#cameras.touched(name) === undefined && !this.relaying.mayFetch(name);
  }

  testTarget(url: string): Promise<TargetTest> {
    return testTarget(url, this.#settings.media, this.#context.dialer);
  }

  totals(): BackendTotals {
    return { ...this.#traffic.totals, connections: this.#server.connections + this.#listeners.srtConnections };
  }

  probe(deadlineMs: number): Promise<boolean> {
    return this.#listeners.probe(deadlineMs);
  }

  askToReconnect(): void {
    this.#server.askToReconnect();
  }

  async stop(deadlineMs: number): Promise<void> {
    if (this.#ticker !== null) clearInterval(this.#ticker);
    this.#listeners.close();
    this.#admission.close();
    this.#sources.close();
    const reason = new CodedError('RTMP_TIMEOUT', 'the aggregator is shutting down');
    const work = async (): Promise<void> => {
      await this.#server.sendAway(Math.min(reconnectMs, deadlineMs / 4));
      // Publishers and viewers first: what the cameras' targets still have to get is then all there is.
      const listener = this.#server.close();
      await this.testPatterns.close();
      await Promise.all([...this.#cameras.values()].map((camera) => camera.drain()));
      await Promise.all([...this.#cameras.values()].map((camera) => camera.close(reason)));
      await Promise.all(this.#leaving);
      await listener;
    };
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, deadlineMs);
    });
    await Promise.race([work(), deadline]);
    clearTimeout(timer);
  }

  *#roomUsers(): Generator<RoomUser> {
    if (!this.capacity.countsBits) return;
    for (const camera of this.#cameras.values()) {
      const { copies } = camera.isUntouched ? { copies: 0 } : camera;
      if (copies > 0 || camera.live) yield { bitrateBps: camera.bitrateBps, copies };
    }
  }

  #tick(): void {
    const nowMs = performance.now();
    for (const camera of this.#cameras.values()) if (!camera.isUntouched) camera.tick(nowMs);
    this.#trust?.lookNowAndThen();
    this.#budget.enforce();
    this.#traffic.look(nowMs);
    this.capacity.look(this.#roomUsers(), this.#traffic.totals.bitrateOutBps);
  }
}

/** An id of this aggregator, for the streams that come through it. */
export function newNodeId(): string {
  return randomBytes(6).toString('hex');
}
