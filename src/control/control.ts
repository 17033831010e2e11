import { randomBytes } from 'node:crypto';
import type {
  BackendProblem,
  BackendTotals,
  FlvPlayback,
  MediaBackend,
  RecordedEvent,
  StillPicture,
  TargetTest,
  WorkerFacts,
} from '../backend/backend.js';
import { CodedError, ConflictError, InputError, NotFoundError } from '../errors.js';
import type { EventFeed } from '../events/event-feed.js';
import { StreamKeys } from '../guard/stream-keys.js';
import type { Logger } from '../log.js';
import { splitHostPort } from '../state/host.js';
import {
  type Camera,
  type DesiredState,
  defaultPlaybackUrl,
  defaultPushUrl,
  type Push,
  type StreamingEngine,
} from '../state/model.js';
import type { Store } from '../state/store.js';
import { exampleCamera, resolvePlaybackUrl, resolvePushUrl } from '../state/template.js';
import { advertisedHost } from './advertise.js';
import { currentKey, type KeyRotation, rotateKeys, withNewKey } from './camera-keys.js';
import {
  addCamera,
  type CameraChange,
  type CameraInput,
  changeCamera,
  declareCamera,
  getCamera,
  removeCamera,
} from './cameras.js';
import { pickEngine } from './choose-engine.js';
import { EngineHealth } from './engine-health.js';
import {
  addEngine,
  changeEngine,
  declareEngine,
  type EngineChange,
  type EngineInput,
  getEngine,
  removeEngine,
} from './engines.js';
import { EntityTags, type Precondition } from './entity-tags.js';
import type { CameraHistory } from './history.js';
import type { LiveStats } from './live-stats.js';
import { Observation } from './observation.js';
import { type Page, type PageRequest, pageOf } from './paging.js';
import { BackendProbe } from './probe.js';
import {
  type AddedPush,
  addPush,
  changePush,
  declarePush,
  getPush,
  type PushChange,
  type PushInput,
  removePush,
  targetUrlOf,
} from './pushes.js';
import { Reconciler } from './reconcile.js';
import { checkName } from './rules.js';
import type { ControlSettings } from './settings.js';
import { pushUrlOf } from './targets.js';
import {
  type CameraView,
  cameraView,
  endpointsOf,
  engineView,
  type PlayTokenView,
  type PushView,
  pushView,
} from './views.js';

/** What the history of live cameras takes at most when nobody says it. */
const defaultHistoryBytes = 64 * 1024 * 1024;

/** What the content manager asks for when a user wants to see a camera. */
export interface StreamRequest {
  readonly name: string;
  /** `host` or `host:port` of the engine's own API; the port is not that of RTMP and is ignored. */
  readonly engineAddress?: string | undefined;
  /** Where the viewer is, in the operator's words. */
  readonly location?: string | undefined;
}

export interface StreamAnswer {
  /** Where the viewer plays it. */
  readonly url: string;
  readonly name: string;
  readonly push: PushView;
}

/** Which cameras are wanted. */
export interface CameraPageRequest extends PageRequest {
  readonly live?: boolean | undefined;
  /** With a push in this state. */
  readonly pushState?: string | undefined;
}

/** Whether something was made, or was there already. */
export interface Added<T> {
  readonly created: boolean;
  readonly view: T;
}

/**
 * What the product does. Every change is committed to the store first; the media backend then follows the store.
 * What is answered is desired and observed state together.
 */
export class Control {
  readonly startedAt = new Date().toISOString();
  readonly #store: Store;
  readonly #backend: MediaBackend;
  readonly #settings: ControlSettings;
  readonly #log: Logger;
  readonly #reconciler: Reconciler;
  readonly #probe: BackendProbe;
  readonly #health: EngineHealth;
  readonly #observation: Observation;
  readonly #tags: EntityTags;
  readonly #streamKeys: StreamKeys;
  #unsubscribe: (() => void) | undefined;
  #isDraining = false;

  /**
   * @param options.tagKey for entity tags that outlive this process
   * @param options.streamKeys for publish keys and play tokens that do; without it, both last as long as the process
   */
  constructor(options: {
    store: Store;
    backend: MediaBackend;
    settings: ControlSettings;
    log: Logger;
    tagKey?: Buffer;
    streamKeys?: StreamKeys;
  }) {
    this.#tags = new EntityTags(options.tagKey);
    this.#store = options.store;
    this.#backend = options.backend;
    this.#settings = options.settings;
    this.#log = options.log;
    this.#streamKeys = options.streamKeys ?? new StreamKeys(randomBytes(32));
    const needsKeys = options.settings.media?.publishAuth === 'key';
    this.#reconciler = new Reconciler(options.backend, options.log, needsKeys ? this.#streamKeys : undefined);
    this.#probe = new BackendProbe(options.backend);
    this.#health = new EngineHealth(options.backend, this.#reconciler);
    this.#observation = new Observation({
      ...options,
      problems: () => this.problems,
      historyMaxBytes: options.settings.historyMaxBytes ?? defaultHistoryBytes,
    });
  }

  /**
   * Declares all cameras to the backend and follows the store from now on. The backend is opened by its owner, who
   * calls this at once, before the event loop turns, so that no camera that comes at once is refused.
   */
  async start(): Promise<void> {
    this.#observation.start();
    this.#reconciler.applyAll(this.#store.state);
    this.#unsubscribe ??= this.#store.subscribe((change) => {
      this.#observation.noteChange(change);
      this.#reconciler.apply(change);
    });
  }

  /** Stops following the store; to be called before the backend is stopped. */
  close(): void {
    this.#observation.close();
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
  }

  get backendKind(): MediaBackend['kind'] {
    return this.#backend.kind;
  }

  /** What is wrong with the state file, and with the media backend. */
  get problems(): readonly BackendProblem[] {
    const { problem } = this.#store;
    const own = problem === undefined ? [] : [{ code: problem.code, message: problem.message, since: problem.since }];
    return [...own, ...(this.#backend.problems?.() ?? [])];
  }

  /** What there is to tell of this media backend only, by name. */
  get backendFacts(): Readonly<Record<string, string | number | boolean | null>> {
    return this.#backend.facts?.() ?? {};
  }

  /** What happened on this node, as it happens. */
  get feed(): EventFeed {
    return this.#observation.feed;
  }

  /** The figures of live cameras, for those who look at them. */
  get stats(): LiveStats {
    return this.#observation.stats;
  }

  /** The processes that move media, where they are others than this one. */
  get workers(): readonly WorkerFacts[] {
    return this.#backend.workers?.() ?? [];
  }

  /**
   * What was seen of a camera in the last so many seconds; null when nothing is remembered.
   * @throws NotFoundError CAMERA_NOT_FOUND
   */
  history(name: string, seconds: number): CameraHistory | null {
    getCamera(this.#store.state, name);
    return this.#observation.history.of(name, seconds) ?? null;
  }

  get cameraCount(): number {
    return this.#store.state.cameras.size;
  }

  totals(): BackendTotals {
    return this.#backend.totals();
  }

  /** True from the moment at which the aggregator was told to stop. */
  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** The aggregator is about to stop: it is not ready any more, and goes on serving until it is closed. */
  drain(): void {
    this.#isDraining = true;
  }

  /** True when the backend really takes RTMP; known within 2 s. */
  isUp(): Promise<boolean> {
    return this.#probe.isUp();
  }

  /** The host under which cameras reach this node; `requestHost` is the Host header of the request that asks. */
  advertisedHost(requestHost: string | undefined): string {
    const { advertiseHost, host: listenHost } = this.#settings;
    return advertisedHost({ advertiseHost, listenHost, requestHost });
  }

  /** The entity tag of what this is the view of; undefined for what is no view of a camera, push or engine. */
  tagOf(view: object): string | undefined {
    return this.#tags.ofView(view);
  }

  // Cameras. What changes one of them takes a precondition: ConflictError PRECONDITION_FAILED when it does not hold.

  /** @throws InputError INVALID_NAME, ConflictError CAMERA_CONFLICT or LIMIT_REACHED */
  async addCamera(input: CameraInput, requestHost: string | undefined): Promise<Added<CameraView>> {
    const { state, created } = await this.#add('cameras', input.name, (before, now) =>
      this.#keyed(before, addCamera(before, input, now, this.#settings.maxCameras), input.name),
    );
    if (created) this.#log.info('registered a camera', { camera: input.name });
    return { created, view: this.#viewCamera(state, getCamera(state, input.name), requestHost, true) };
  }

  /** @throws InputError INVALID_NAME, ConflictError LIMIT_REACHED */
  async declareCamera(
    input: CameraInput,
    requestHost: string | undefined,
    precondition?: Precondition,
  ): Promise<Added<CameraView>> {
    const { state, created } = await this.#add('cameras', input.name, (before, now) => {
      this.#tags.check(before.cameras.get(input.name), precondition);
      return this.#keyed(before, declareCamera(before, input, now, this.#settings.maxCameras), input.name);
    });
    if (created) this.#log.info('registered a camera', { camera: input.name });
    return { created, view: this.#viewCamera(state, getCamera(state, input.name), requestHost, true) };
  }

  /** @throws NotFoundError CAMERA_NOT_FOUND; else as `declareCamera` of cameras.ts */
  async changeCamera(
    name: string,
    change: CameraChange,
    requestHost: string | undefined,
    precondition?: Precondition,
  ): Promise<CameraView> {
    const state = await this.#store.update((before) => {
      this.#tags.check(getCamera(before, name), precondition);
      return changeCamera(before, name, change);
    });
    await this.#inForce();
    this.#log.info('changed a camera', { camera: name, ...change });
    return this.#viewCamera(state, getCamera(state, name), requestHost, true);
  }

  /**
   * Gives a camera another publish key; who publishes goes on.
   * @throws NotFoundError CAMERA_NOT_FOUND, ConflictError KEYS_NOT_USED, InputError INVALID_REQUEST
   */
  async rotateKeys(
    name: string,
    rotation: KeyRotation,
    requestHost: string | undefined,
    precondition?: Precondition,
  ): Promise<CameraView> {
    if (!this.#needsKeys) {
      throw new ConflictError('KEYS_NOT_USED', 'publishers need no key here; set publish-auth to key');
    }
    const state = await this.#store.update((before) => {
      this.#tags.check(getCamera(before, name), precondition);
      return rotateKeys(before, name, rotation, this.#streamKeys, Date.now());
    });
    await this.#inForce();
    this.#log.info('gave a camera another publish key', { camera: name, overlapSeconds: rotation.overlapSeconds ?? 0 });
    return this.#viewCamera(state, getCamera(state, name), requestHost, true);
  }

  /**
   * Makes a token that a camera can be played with, here and now and until it ends.
   * @throws NotFoundError CAMERA_NOT_FOUND, ConflictError KEYS_NOT_USED
   */
  playToken(name: string, seconds: number, requestHost: string | undefined): PlayTokenView {
    getCamera(this.#store.state, name);
    if ((this.#settings.media?.playAuth ?? 'off') === 'off') {
      throw new ConflictError('KEYS_NOT_USED', 'viewers need no token here; set play-auth to token or local');
    }
    const expiresMs = Math.ceil(Date.now() / 1000 + seconds) * 1000;
    const token = this.#streamKeys.playToken(name, expiresMs);
    const { rtmpPort, rtmpsPort } = this.#settings;
    const host = this.advertisedHost(requestHost);
    const { endpoint, rtmpsEndpoint } = endpointsOf(host, rtmpPort, rtmpsPort, name, `?token=${token}`);
    this.#log.info('made a play token', { camera: name, seconds });
    return {
      token,
      expiresAt: new Date(expiresMs).toISOString(),
      url: endpoint,
      ...(rtmpsEndpoint === undefined ? {} : { rtmpsUrl: rtmpsEndpoint }),
    };
  }

  get #needsKeys(): boolean {
    return this.#settings.media?.publishAuth === 'key';
  }

  /** With keys in use, a camera that is new gets one. */
  #keyed(before: DesiredState, after: DesiredState, name: string): DesiredState {
    return this.#needsKeys ? withNewKey(before, after, name) : after;
  }

  /** @throws NotFoundError CAMERA_NOT_FOUND */
  async removeCamera(name: string, precondition?: Precondition): Promise<void> {
    await this.#store.update((state) => {
      this.#tags.check(getCamera(state, name), precondition);
      return removeCamera(state, name);
    });
    await this.#inForce();
    this.#log.info('removed a camera', { camera: name });
  }

  /** @param showsKey whether its endpoint has the publish key, or `***` @throws NotFoundError CAMERA_NOT_FOUND */
  camera(name: string, requestHost: string | undefined, showsKey = false): CameraView {
    return this.#viewCamera(this.#store.state, getCamera(this.#store.state, name), requestHost, showsKey);
  }

  /** @throws InputError INVALID_REQUEST */
  cameras(request: CameraPageRequest, requestHost: string | undefined): Page<CameraView> {
    const { state } = this.#store;
    const { live, pushState } = request;
    const view = (camera: Camera) => this.#viewCamera(state, camera, requestHost);
    if (live === undefined && pushState === undefined) return pageOf(state.cameras, request, view);
    return pageOf(state.cameras, request, view, (camera) => {
      const seen = this.#backend.camera(camera.name);
      if (live !== undefined && (seen?.live ?? false) !== live) return false;
      return pushState === undefined || view(camera).pushes.some((push) => push.state === pushState);
    });
  }

  // Viewing over HTTP.

  /**
   * Lets in a viewer who gets FLV. @param remote `host:port` of the viewer
   * @throws NotFoundError CAMERA_NOT_FOUND, CodedError CAMERA_NOT_LIVE, LIMIT_REACHED or VIEW_UNSUPPORTED
   */
  async openFlv(name: string, remote: string): Promise<FlvPlayback> {
    getCamera(this.#store.state, name);
    const playback = this.#backend.openFlv?.(name, remote);
    if (playback === undefined) throw this.#showsNothing();
    return playback;
  }

  /**
   * The newest key frame of a camera. @param knownTag the tag of the picture that the caller has
   * @throws NotFoundError CAMERA_NOT_FOUND, CAMERA_NOT_LIVE or NO_PICTURE, CodedError VIEW_UNSUPPORTED
   */
  async picture(name: string, knownTag: string | undefined): Promise<StillPicture> {
    getCamera(this.#store.state, name);
    const looked = this.#backend.picture?.(name, knownTag);
    if (looked === undefined) throw this.#showsNothing();
    const picture = await looked;
    if (picture !== null) return picture;
    if (this.#backend.camera(name)?.live !== true) {
      throw new NotFoundError('CAMERA_NOT_LIVE', `camera "${name}" is not live`);
    }
    throw new NotFoundError('NO_PICTURE', `there is no key frame of camera "${name}" that could be shown`);
  }

  #showsNothing(): CodedError {
    return new CodedError('VIEW_UNSUPPORTED', `the media backend ${this.#backend.kind} shows no camera over HTTP`);
  }

  // Pushes.

  /** @throws NotFoundError, InputError and ConflictError as `addPush` of pushes.ts; InputError TARGET_UNSUPPORTED */
  async addPush(cameraName: string, input: PushInput): Promise<Added<PushView>> {
    const { state, added } = await this.#addPush(cameraName, () => input);
    return { created: added.created, view: this.#viewPush(state, getCamera(state, cameraName), added.push) };
  }

  /** @throws as `declarePush` of pushes.ts; InputError TARGET_UNSUPPORTED */
  async declarePush(
    cameraName: string,
    input: PushInput & { readonly id: string },
    precondition?: Precondition,
  ): Promise<Added<PushView>> {
    const now = new Date().toISOString();
    const max = this.#settings.maxPushesPerCamera;
    const { id } = input;
    let created = false;
    const state = await this.#store.update((before) => {
      const camera = getCamera(before, cameraName);
      this.#tags.check(Object.hasOwn(camera.pushes, id) ? camera.pushes[id] : undefined, precondition);
      const declared = declarePush(before, cameraName, input, now, max);
      const url = pushUrlOf(before.engines, camera, declared.push);
      if (declared.state !== before) this.#checkSupported(url, input.url === undefined ? 'engine' : 'url');
      created = declared.created;
      return declared.state;
    });
    await this.#inForce();
    this.#log.info('declared a push', { camera: cameraName, push: id });
    const camera = getCamera(state, cameraName);
    return { created, view: this.#viewPush(state, camera, getPush(camera, id)) };
  }

  /** @throws NotFoundError CAMERA_NOT_FOUND or PUSH_NOT_FOUND */
  async changePush(cameraName: string, id: string, change: PushChange, precondition?: Precondition): Promise<PushView> {
    const state = await this.#store.update((before) => {
      this.#tags.check(getPush(getCamera(before, cameraName), id), precondition);
      return changePush(before, cameraName, id, change);
    });
    await this.#inForce();
    this.#log.info('changed a push', { camera: cameraName, push: id, ...change });
    const camera = getCamera(state, cameraName);
    return this.#viewPush(state, camera, getPush(camera, id));
  }

  /** Has a waiting push try at once; any other is left as it is. @throws NotFoundError; CodedError WORKER_DOWN */
  async retryPush(cameraName: string, id: string): Promise<PushView> {
    getPush(getCamera(this.#store.state, cameraName), id);
    if ((await this.#backend.retry(cameraName, id)) === true)
      this.#log.info('retries a push', { camera: cameraName, push: id });
    return this.push(cameraName, id);
  }

  /**
   * Goes the way to a target as a push of this camera would, up to the permission to publish; sends no media.
   * @throws NotFoundError CAMERA_NOT_FOUND or ENGINE_NOT_FOUND, InputError as `addPush`
   */
  async testPush(cameraName: string, input: PushInput): Promise<TargetTest> {
    const url = targetUrlOf(this.#store.state, cameraName, input);
    this.#checkSupported(url, input.url === undefined ? 'engine' : 'url');
    return this.#backend.testTarget(url);
  }

  /**
   * The last few hundred events, oldest first.
   * @throws NotFoundError CAMERA_NOT_FOUND or PUSH_NOT_FOUND; CodedError WORKER_DOWN
   */
  async events(cameraName: string, pushId?: string): Promise<readonly RecordedEvent[]> {
    const camera = getCamera(this.#store.state, cameraName);
    if (pushId !== undefined) getPush(camera, pushId);
    return (await this.#backend.events(cameraName, pushId)) ?? [];
  }

  /** @throws NotFoundError CAMERA_NOT_FOUND or PUSH_NOT_FOUND */
  async removePush(cameraName: string, id: string, precondition?: Precondition): Promise<void> {
    await this.#store.update((state) => {
      this.#tags.check(getPush(getCamera(state, cameraName), id), precondition);
      return removePush(state, cameraName, id);
    });
    await this.#inForce();
    this.#log.info('removed a push', { camera: cameraName, push: id });
  }

  /** @throws NotFoundError CAMERA_NOT_FOUND or PUSH_NOT_FOUND */
  push(cameraName: string, id: string): PushView {
    const camera = getCamera(this.#store.state, cameraName);
    return this.#viewPush(this.#store.state, camera, getPush(camera, id));
  }

  /** @throws NotFoundError CAMERA_NOT_FOUND, InputError INVALID_REQUEST */
  pushes(cameraName: string, request: PageRequest & { readonly state?: string | undefined }): Page<PushView> {
    const { state } = this.#store;
    const camera = getCamera(state, cameraName);
    // One look for all: a backend may have to go through all pushes for each.
    const seen = new Map(this.#backend.camera(cameraName)?.pushes.map((push) => [push.id, push]));
    const view = (push: Push) =>
      this.#tags.note(pushView(camera, push, pushUrlOf(state.engines, camera, push), seen.get(push.id)), push);
    const keep = (push: Push) => request.state === undefined || view(push).state === request.state;
    return pageOf(new Map(Object.entries(camera.pushes)), request, view, keep);
  }

  // Streaming engines.

  /** @throws InputError INVALID_NAME, INVALID_ADDRESS or TARGET_UNSUPPORTED, ConflictError ENGINE_CONFLICT or LIMIT_REACHED */
  async addEngine(input: EngineInput): Promise<Added<StreamingEngine>> {
    const { state, created } = await this.#add('engines', input.name, (before, now) =>
      this.#withSupportedEngine(before, addEngine(before, input, now, this.#settings.maxEngines), input.name),
    );
    if (created) this.#log.info('registered a streaming engine', { engine: input.name, host: input.host });
    return { created, view: this.#viewEngine(getEngine(state, input.name)) };
  }

  /** @throws InputError INVALID_NAME, INVALID_ADDRESS or TARGET_UNSUPPORTED, ConflictError ENGINE_CONFLICT or LIMIT_REACHED */
  async declareEngine(input: EngineInput, precondition?: Precondition): Promise<Added<StreamingEngine>> {
    const { state, created } = await this.#add('engines', input.name, (before, now) => {
      this.#tags.check(before.engines.get(input.name), precondition);
      const after = declareEngine(before, input, now, this.#settings.maxEngines);
      return this.#withSupportedEngine(before, after, input.name);
    });
    this.#log.info('declared a streaming engine', { engine: input.name, host: input.host });
    return { created, view: this.#viewEngine(getEngine(state, input.name)) };
  }

  /** @throws NotFoundError ENGINE_NOT_FOUND; else as `declareEngine` */
  async changeEngine(name: string, change: EngineChange, precondition?: Precondition): Promise<StreamingEngine> {
    const state = await this.#store.update((before) => {
      this.#tags.check(getEngine(before, name), precondition);
      return this.#withSupportedEngine(before, changeEngine(before, name, change), name);
    });
    await this.#inForce();
    this.#log.info('changed a streaming engine', { engine: name });
    return this.#viewEngine(getEngine(state, name));
  }

  /** @throws NotFoundError ENGINE_NOT_FOUND, ConflictError ENGINE_IN_USE */
  async removeEngine(name: string, precondition?: Precondition): Promise<void> {
    await this.#store.update((state) => {
      this.#tags.check(getEngine(state, name), precondition);
      return removeEngine(state, name);
    });
    this.#log.info('removed a streaming engine', { engine: name });
  }

  /** @throws NotFoundError ENGINE_NOT_FOUND */
  engine(name: string): StreamingEngine {
    return this.#viewEngine(getEngine(this.#store.state, name));
  }

  /** @throws InputError INVALID_REQUEST */
  engines(request: PageRequest): Page<StreamingEngine> {
    return pageOf(this.#store.state.engines, request, (engine) => this.#viewEngine(engine));
  }

  // What the content manager asks for.

  /**
   * Redirects a camera to the engine that corresponds, and says where the viewer plays it. Again: changes nothing.
   * @throws InputError INVALID_NAME or INVALID_ADDRESS, NotFoundError CAMERA_NOT_FOUND, ConflictError NO_ENGINE
   */
  async getStream(request: StreamRequest): Promise<StreamAnswer> {
    checkName('name', request.name);
    const address = request.engineAddress;
    const host = address === undefined ? undefined : splitHostPort(address, 'se_ip').host;
    let url = '';
    const { state, added } = await this.#addPush(request.name, (before, camera) => {
      const picked = pickEngine(before, {
        camera,
        host,
        viewerLocation: request.location,
        nodeLocation: this.#settings.location,
        facts: { loadOf: (name) => this.#reconciler.loadOf(name), isHealthy: (name) => this.#health.isHealthy(name) },
      });
      if (picked.kind === 'registered') {
        url = resolvePlaybackUrl(picked.engine, camera);
        return { engine: picked.engine.name };
      }
      const engine = { host: picked.host, pushUrl: defaultPushUrl, playbackUrl: defaultPlaybackUrl };
      url = resolvePlaybackUrl(engine, camera);
      return { url: resolvePushUrl(engine, camera) };
    });
    const camera = getCamera(state, request.name);
    return { url, name: camera.name, push: this.#viewPush(state, camera, added.push) };
  }

  async #add(
    kind: 'cameras' | 'engines',
    name: string,
    change: (state: DesiredState, now: string) => DesiredState,
  ): Promise<{ state: DesiredState; created: boolean }> {
    const now = new Date().toISOString();
    let created = false;
    const state = await this.#store.update((before) => {
      const after = change(before, now);
      created = !before[kind].has(name);
      return after;
    });
    await this.#inForce();
    return { state, created };
  }

  async #addPush(
    cameraName: string,
    inputFor: (state: DesiredState, camera: Camera) => PushInput,
  ): Promise<{ state: DesiredState; added: AddedPush }> {
    const now = new Date().toISOString();
    const max = this.#settings.maxPushesPerCamera;
    let added: AddedPush | undefined;
    const state = await this.#store.update((before) => {
      const input = inputFor(before, getCamera(before, cameraName));
      added = addPush(before, cameraName, input, now, max);
      if (added.created) {
        const url = pushUrlOf(before.engines, getCamera(before, cameraName), added.push);
        this.#checkSupported(url, input.url === undefined ? 'engine' : 'url');
      }
      return added.state;
    });
    if (added === undefined) throw new Error('the store resolved without running the change');
    if (added.created) this.#log.info('added a push', { camera: cameraName, push: added.push.id });
    await this.#inForce();
    return { state, added };
  }

  #withSupportedEngine(before: DesiredState, after: DesiredState, name: string): DesiredState {
    // What is not changed stays, as does an edit by hand.
    if (after !== before) this.#checkSupported(resolvePushUrl(getEngine(after, name), exampleCamera), 'pushUrl');
    return after;
  }

  /** Nothing is accepted that could never work. @throws InputError TARGET_UNSUPPORTED */
  #checkSupported(url: string, field: string): void {
    const refusal = this.#backend.refuses?.(url);
    if (refusal === undefined) return;
    throw new InputError(refusal.code, `${field}: ${refusal.message}`, { field, cause: refusal });
  }

  /** Who publishes as soon as the answer is there must not find what was before; a backend may take its moment. */
  async #inForce(): Promise<void> {
    await this.#backend.settled?.();
  }

  #viewPush(state: DesiredState, camera: Camera, push: Push): PushView {
    const seen = this.#backend.push(camera.name, push.id);
    return this.#tags.note(pushView(camera, push, pushUrlOf(state.engines, camera, push), seen), push);
  }

  #viewEngine(engine: StreamingEngine): StreamingEngine {
    return this.#tags.note(engineView(engine), engine);
  }

  #viewCamera(state: DesiredState, camera: Camera, requestHost: string | undefined, showsKey = false): CameraView {
    const { rtmpPort, rtmpsPort } = this.#settings;
    const key = this.#needsKeys ? currentKey(camera, this.#streamKeys) : undefined;
    const query = key === undefined ? '' : `?key=${showsKey ? key : '***'}`;
    const endpoints = endpointsOf(this.advertisedHost(requestHost), rtmpPort, rtmpsPort, camera.name, query);
    const seen = this.#backend.camera(camera.name);
    const view = cameraView(camera, endpoints, seen, (push) => pushUrlOf(state.engines, camera, push));
    return this.#tags.note(view, camera);
  }
}
