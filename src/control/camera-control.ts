import { hostInUrl } from '../address/host.js';
import type { StreamKeys } from '../admission/stream-keys.js';
import type { CameraSnapshot } from '../backend/backend.js';
import { ConflictError, InputError } from '../errors.js';
import {
  addCamera,
  type CameraChange,
  type CameraInput,
  changeCamera,
  declareCamera,
  getCamera,
  removeCamera,
} from '../model/cameras.js';
import { checkIngestOf, checkStandbySupported, sourcesOf } from '../model/ingests.js';
import { rotateKeys, withNewKey } from '../model/keys.js';
import type { Camera, DesiredState } from '../model/model.js';
import { sortedNames } from '../model/persistent-map.js';
import { pushUrlOf } from '../model/targets.js';
import { type CameraPageRequest, isDown, named } from './camera-filter.js';
import { type KeyRotation, keyChange, newKeyId } from './camera-keys.js';
import type { Added, ControlContext } from './context.js';
import type { Precondition } from './entity-tags.js';
import { collectPage, type Page, type PageSteps, pageSteps } from './paging.js';
import { PublishEndpoints } from './publish-endpoints.js';
import {
  type CameraView,
  cameraView,
  type Endpoints,
  endpointsOf,
  type PlayTokenView,
  withEndpointsOf,
} from './views.js';

/** What other nodes say of their cameras. */
export interface CamerasElsewhere {
  /** By name, as the node that has them shows them. */
  readonly views: ReadonlyMap<string, CameraView>;
  /** By name and node, of nodes that run pushes of a camera that is elsewhere. */
  readonly parts: ReadonlyMap<string, ReadonlyMap<string, CameraView>>;
  /** By node: why it did not answer. */
  readonly unknown: ReadonlyMap<string, string>;
}

/**
 * The cameras of this node, and what lets publishers and viewers in. What changes one of them takes a precondition:
 * ConflictError PRECONDITION_FAILED when it does not hold.
 */
export class CameraControl {
  readonly #context: ControlContext;
  readonly #streamKeys: StreamKeys;
  readonly #endpoints: PublishEndpoints;

  /** @param streamKeys what publish keys and play tokens are made from */
  constructor(context: ControlContext, streamKeys: StreamKeys) {
    this.#context = context;
    this.#streamKeys = streamKeys;
    this.#endpoints = new PublishEndpoints(context, streamKeys);
  }

  /** The host under which cameras reach this node; `requestHost` is the Host header of the request that asks. */
  advertisedHost(requestHost: string | undefined): string {
    return this.#endpoints.hostFor(requestHost);
  }

  /**
   * @param location where the camera is, if that is known: it says which node of a cluster suits best
   * @throws InputError INVALID_NAME, ConflictError CAMERA_CONFLICT or LIMIT_REACHED
   */
  async add(input: CameraInput, requestHost: string | undefined, location?: string): Promise<Added<CameraView>> {
    const { settings, log } = this.#context;
    const keyId = newKeyId();
    const { state, created } = await this.#context.add('cameras', input.name, (before, now) =>
      this.keyed(before, addCamera(before, input, now, settings.maxCameras), input.name, keyId),
    );
    if (created) log.info('registered a camera', { camera: input.name });
    return { created, view: this.#view(state, getCamera(state, input.name), requestHost, true, location) };
  }

  /** @throws InputError INVALID_NAME, ConflictError LIMIT_REACHED */
  async declare(
    input: CameraInput,
    requestHost: string | undefined,
    precondition?: Precondition,
  ): Promise<Added<CameraView>> {
    const { settings, log, tags } = this.#context;
    const keyId = newKeyId();
    const { state, created } = await this.#context.add('cameras', input.name, (before, now) => {
      tags.check(before.cameras.get(input.name), precondition);
      return this.keyed(before, declareCamera(before, input, now, settings.maxCameras), input.name, keyId);
    });
    if (created) log.info('registered a camera', { camera: input.name });
    return { created, view: this.#view(state, getCamera(state, input.name), requestHost, true) };
  }

  /** @throws NotFoundError CAMERA_NOT_FOUND; else as `declareCamera` of cameras.ts */
  async change(
    name: string,
    change: CameraChange,
    requestHost: string | undefined,
    precondition?: Precondition,
  ): Promise<CameraView> {
    const { log, tags } = this.#context;
    const keyId = newKeyId();
    const state = await this.#context.commit((before) => {
      tags.check(getCamera(before, name), precondition);
      return this.keyed(before, changeCamera(before, name, change), name, keyId);
    });
    await this.#context.reconciler.inForce(name);
    log.info('changed a camera', { camera: name, ...shownChange(change) });
    return this.#view(state, getCamera(state, name), requestHost, true);
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
    if (!this.#endpoints.haveKeys) {
      throw new ConflictError('KEYS_NOT_USED', 'publishers need no key here; set publish-auth to key');
    }
    const { log, tags } = this.#context;
    const change = keyChange(name, rotation, this.#streamKeys);
    const state = await this.#context.commit((before) => {
      tags.check(getCamera(before, name), precondition);
      return rotateKeys(before, name, change, Date.now());
    });
    await this.#context.reconciler.inForce(name);
    log.info('changed the publish key of a camera', { camera: name, overlapSeconds: rotation.overlapSeconds ?? 0 });
    return this.#view(state, getCamera(state, name), requestHost, true);
  }

  /**
   * Has a camera's stream go on with another of its ingests, at a key frame. Resolves when that is live.
   * @param ingest undefined: the one that would follow if the live one failed
   * @throws NotFoundError CAMERA_NOT_FOUND or INGEST_NOT_FOUND; CodedError INGEST_NOT_READY, STANDBY_UNSUPPORTED, WORKER_DOWN
   */
  async switchIngest(name: string, ingest: string | undefined, requestHost: string | undefined): Promise<CameraView> {
    const { store, backend, log } = this.#context;
    const camera = getCamera(store.state, name);
    if (ingest !== undefined) checkIngestOf(camera, ingest);
    if (backend.switching === null) {
      const rule = `the media backend ${backend.kind} has one publisher for a camera: there is nothing to switch to`;
      throw new ConflictError('STANDBY_UNSUPPORTED', rule);
    }
    await backend.switching.switchIngest(name, ingest);
    log.info('switched a camera to another ingest', { camera: name, ...(ingest === undefined ? {} : { ingest }) });
    return this.get(name, requestHost, true);
  }

  /**
   * Makes a token that a camera can be played with, here and now and until it ends.
   * @param http where this API is asked, for viewers over HTTP; undefined: there is nothing for them
   * @throws NotFoundError CAMERA_NOT_FOUND, ConflictError KEYS_NOT_USED
   */
  playToken(
    name: string,
    seconds: number,
    requestHost: string | undefined,
    http?: { readonly scheme: string; readonly port: number },
  ): PlayTokenView {
    const { store, settings, log } = this.#context;
    getCamera(store.state, name);
    if ((settings.media?.playAuth ?? 'off') === 'off') {
      throw new ConflictError('KEYS_NOT_USED', 'viewers need no token here; set play-auth to token or local');
    }
    const expiresMs = Math.ceil(Date.now() / 1000 + seconds) * 1000;
    const token = this.#streamKeys.playToken(name, expiresMs);
    const { rtmpPort, rtmpsPort } = settings;
    const host = this.advertisedHost(requestHost);
    const { endpoint, rtmpsEndpoint } = endpointsOf(host, { rtmpPort, rtmpsPort }, name, `?token=${token}`);
    log.info('created a play token', { camera: name, seconds });
    return {
      token,
      expiresAt: new Date(expiresMs).toISOString(),
      url: endpoint,
      ...(rtmpsEndpoint === undefined ? {} : { rtmpsUrl: rtmpsEndpoint }),
      ...(http === undefined || settings.media?.onPlay !== undefined
        ? {}
        : { httpUrl: `${http.scheme}://${hostInUrl(host)}:${http.port}/live/${name}.flv?playToken=${token}` }),
    };
  }

  /**
   * True if this token allows its holder to play the camera over HTTP. Always false with an auth hook for viewers
   * (`on-play`), since it is not called for HTTP.
   */
  isPlayToken(name: string, token: string): boolean {
    const { playAuth = 'off', onPlay } = this.#context.settings.media ?? {};
    if (playAuth === 'off' || onPlay !== undefined) return false;
    return this.#streamKeys.judgePlayToken(name, token, Date.now()) === 'good';
  }

  /** @throws NotFoundError CAMERA_NOT_FOUND */
  async remove(name: string, precondition?: Precondition): Promise<void> {
    const { log, tags } = this.#context;
    await this.#context.commit((state) => {
      tags.check(getCamera(state, name), precondition);
      return removeCamera(state, name);
    });
    await this.#context.reconciler.inForce(name);
    log.info('removed a camera', { camera: name });
  }

  /**
   * @param showsKey whether its endpoint has the publish key, or `***`
   * @param unknown why what is observed of it is not known, as when the node that has it does not answer
   * @throws NotFoundError CAMERA_NOT_FOUND
   */
  get(name: string, requestHost: string | undefined, showsKey = false, unknown?: string | null): CameraView {
    const { store, tags } = this.#context;
    const { state } = store;
    const camera = getCamera(state, name);
    const view = this.#view(state, camera, requestHost, showsKey);
    return unknown == null ? view : tags.note({ ...view, unknown }, camera);
  }

  /** Where a camera publishes to at this very node. @throws NotFoundError CAMERA_NOT_FOUND */
  ownEndpoint(name: string): string {
    const camera = getCamera(this.#context.store.state, name);
    return this.#endpoints.atThisNode(camera).endpoint;
  }

  /** How many pushes a camera has, which is what its view costs. @throws NotFoundError CAMERA_NOT_FOUND */
  pushCount(name: string): number {
    return Object.keys(getCamera(this.#context.store.state, name).pushes).length;
  }

  /** @throws InputError INVALID_REQUEST */
  list(request: CameraPageRequest, requestHost: string | undefined): Page<CameraView> {
    return collectPage(this.listSteps(request, requestHost));
  }

  /** `list` in steps. @throws InputError INVALID_REQUEST at the first one */
  listSteps(request: CameraPageRequest, requestHost: string | undefined): PageSteps<CameraView> {
    const { state } = this.#context.store;
    // Found once: it may be a look at all interfaces of the machine.
    const host = this.advertisedHost(requestHost);
    const view = (camera: Camera) => this.#viewAt(state, camera, host, false);
    return pageSteps(named(state.cameras, request), request, view, this.#filterOf(request, view));
  }

  /** `listSteps` of all nodes: the cameras that other nodes have are shown as they show them. @throws as `listSteps` */
  clusterSteps(
    request: CameraPageRequest,
    requestHost: string | undefined,
    { views, parts, unknown }: CamerasElsewhere,
  ): PageSteps<CameraView> {
    const { store, places } = this.#context;
    const { state } = store;
    const host = this.advertisedHost(requestHost);
    const view = (camera: Camera): CameraView => {
      const node = places.elsewhere(camera.name);
      const own = this.#viewAt(state, camera, host, false);
      if (node === undefined) return own;
      const theirs = views.get(camera.name);
      if (theirs !== undefined) return withEndpointsOf(own, theirs, node);
      const why = unknown.get(node);
      return why === undefined ? own : { ...own, unknown: why };
    };
    const keep = this.#filterOf(request, view);
    return pageSteps(named(state.cameras, request), request, view, (camera) => {
      if (keep === undefined) return true;
      const { name } = camera;
      if (views.has(name) || parts.has(name)) return true;
      return places.elsewhere(name) === undefined || this.#runsPushes(name) ? keep(camera) : false;
    });
  }

  /** True when this node runs pushes of a camera that another one has. */
  #runsPushes(name: string): boolean {
    const seen = this.#context.backend.camera(name);
    if (seen?.relayedFrom === undefined) return false;
    return seen.pushes.some(({ state }) => state !== 'elsewhere' && state !== 'disabled');
  }

  /** Undefined: all are wanted. */
  #filterOf(
    { live, pushState, trouble, held }: CameraPageRequest,
    view: (camera: Camera) => CameraView,
  ): ((camera: Camera) => boolean) | undefined {
    const { backend, places } = this.#context;
    if (live === undefined && pushState === undefined && trouble === undefined && held === undefined) return undefined;
    return (camera) => {
      if (held === true && !places.isHeld(camera.name) && !this.#runsPushes(camera.name)) return false;
      const seen = backend.camera(camera.name);
      if (live !== undefined && (seen?.live ?? false) !== live) return false;
      if (trouble !== undefined && this.#isInTrouble(camera.name, seen) !== trouble) return false;
      return pushState === undefined || view(camera).pushes.some((push) => push.state === pushState);
    };
  }

  #isInTrouble(name: string, seen: CameraSnapshot | undefined): boolean {
    if (this.#context.health.conditionsOf(name).length > 0 || (seen?.conditions?.length ?? 0) > 0) return true;
    return seen?.pushes.some(isDown) === true;
  }

  /** Every camera in steps, by name, as the state is now. */
  *all(): Generator<CameraView, void> {
    const { state } = this.#context.store;
    const host = this.advertisedHost(undefined);
    for (const name of sortedNames(state.cameras)) {
      const camera = state.cameras.get(name);
      if (camera !== undefined) yield this.#viewAt(state, camera, host, false);
    }
  }

  /**
   * Completes a camera that is new or changed. With keys in use, what is new of it gets one, from an id that nobody had.
   * @throws ConflictError STANDBY_UNSUPPORTED, SOURCE_UNSUPPORTED, InputError SOURCE_FORBIDDEN where it is to have more than the backend can give it
   */
  keyed(before: DesiredState, after: DesiredState, name: string, keyId = newKeyId()): DesiredState {
    const { switching, kind } = this.#context.backend;
    const camera = after.cameras.get(name);
    const isChanged = camera !== undefined && camera !== before.cameras.get(name);
    if (isChanged) {
      checkStandbySupported(camera, switching === null ? kind : null);
      this.#checkSources(camera, before.cameras.get(name));
    }
    return this.#endpoints.haveKeys ? withNewKey(before, after, name, keyId) : after;
  }

  /** Of sources that are new. @throws CodedError SOURCE_FORBIDDEN */
  #checkSources(camera: Camera, before: Camera | undefined): void {
    const known = new Set(sourcesOf(before ?? {}).map(({ url }) => url));
    for (const { field, url } of sourcesOf(camera)) {
      if (known.has(url)) continue;
      const refusal = this.#context.backend.refusesSource(url);
      if (refusal === undefined) continue;
      throw new InputError(refusal.code, `${field}: ${refusal.message}`, { field, cause: refusal });
    }
  }

  /** Where a camera publishes to, with its key. @param host as `advertisedHost` gives it */
  endpointsOf(camera: Camera, host: string): Endpoints {
    return this.#endpoints.of(camera, host);
  }

  #view(
    state: DesiredState,
    camera: Camera,
    requestHost: string | undefined,
    showsKey = false,
    location?: string,
  ): CameraView {
    return this.#viewAt(state, camera, this.advertisedHost(requestHost), showsKey, location);
  }

  #viewAt(state: DesiredState, camera: Camera, host: string, showsKey: boolean, location?: string): CameraView {
    const { backend, tags, health, lastLives, places } = this.#context;
    const seen = backend.camera(camera.name);
    const nodes = places.nodesFor(camera.name, location);
    const endpointsFor = (ingest?: string) => this.#endpoints.at(nodes, host, camera, showsKey, ingest);
    const conditions = health.conditionsOf(camera.name);
    const view = cameraView(camera, endpointsFor, seen, (push) => pushUrlOf(state.engines, camera, push), {
      conditions,
      lastLive: lastLives.of(camera.name),
      ...this.#endpoints.inCluster(camera, nodes, host, showsKey),
    });
    return tags.note(view, camera);
  }
}

/** A change as it may be logged. Sources have passwords, so only the fact that they changed is logged. */
function shownChange({ source, ingests, ...change }: CameraChange): Record<string, unknown> {
  return {
    ...change,
    ...(source === undefined ? {} : { source: source === null ? null : 'another' }),
    ...(ingests == null
      ? { ingests }
      : { ingests: ingests.map((each) => (typeof each === 'string' ? each : each.name)) }),
  };
}
