import { maskTarget, parseRtmpUrl } from '../address/rtmp-url.js';
import type { TargetTest } from '../backend/backend.js';
import { getCamera } from '../model/cameras.js';
import type { Camera, DesiredState, Push } from '../model/model.js';
import {
  addPush,
  changePush,
  declarePush,
  getPush,
  type PushChange,
  type PushInput,
  removePush,
  targetUrlOf,
} from '../model/pushes.js';
import { pushUrlOf } from '../model/targets.js';
import type { Added, ControlContext } from './context.js';
import type { Precondition } from './entity-tags.js';
import { collectPage, type Page, type PageRequest, type PageSteps, pageSteps } from './paging.js';
import { type PushView, pushView } from './views.js';

/** Which pushes are wanted. */
export interface PushPageRequest extends PageRequest {
  readonly state?: string | undefined;
}

/**
 * The pushes of the cameras. What changes one of them takes a precondition: ConflictError PRECONDITION_FAILED when it
 * does not hold.
 */
export class PushControl {
  readonly #context: ControlContext;

  constructor(context: ControlContext) {
    this.#context = context;
  }

  /** @throws NotFoundError, InputError and ConflictError as `addPush` of pushes.ts; InputError TARGET_UNSUPPORTED */
  add(cameraName: string, input: PushInput): Promise<Added<PushView>> {
    return this.addChosen(cameraName, () => ({ input, chosen: undefined }));
  }

  /**
   * Adds a push that is chosen by the state that it is added to.
   * @returns the push, and what else `choose` has to tell: `chosen`
   * @throws what `choose` throws; else as `add`
   */
  async addChosen<C>(
    cameraName: string,
    choose: (state: DesiredState, camera: Camera) => { readonly input: PushInput; readonly chosen: C },
  ): Promise<Added<PushView> & { readonly chosen: C }> {
    const { store, settings, log } = this.#context;
    const now = new Date().toISOString();
    const max = settings.maxPushesPerCamera;
    const { state, result } = await store.update((before) => {
      const { input, chosen } = choose(before, getCamera(before, cameraName));
      const added = addPush(before, cameraName, input, now, max);
      if (added.created) {
        const url = pushUrlOf(before.engines, getCamera(before, cameraName), added.push);
        this.#context.checkSupported(url, input.url === undefined ? 'engine' : 'url', added.push.audio);
      }
      return { state: added.state, result: { ...added, chosen } };
    });
    const { created, push, chosen } = result;
    if (created) log.info('added a push', { camera: cameraName, push: push.id });
    await this.#context.reconciler.inForce(cameraName);
    return { created, chosen, view: this.#view(state, getCamera(state, cameraName), push) };
  }

  /** @throws as `declarePush` of pushes.ts; InputError TARGET_UNSUPPORTED */
  async declare(
    cameraName: string,
    input: PushInput & { readonly id: string },
    precondition?: Precondition,
  ): Promise<Added<PushView>> {
    const { store, settings, log, tags } = this.#context;
    const now = new Date().toISOString();
    const max = settings.maxPushesPerCamera;
    const { id } = input;
    const { state, result: created } = await store.update((before) => {
      const camera = getCamera(before, cameraName);
      tags.check(Object.hasOwn(camera.pushes, id) ? camera.pushes[id] : undefined, precondition);
      const declared = declarePush(before, cameraName, input, now, max);
      const url = pushUrlOf(before.engines, camera, declared.push);
      const field = input.url === undefined ? 'engine' : 'url';
      if (declared.state !== before) this.#context.checkSupported(url, field, declared.push.audio);
      return { state: declared.state, result: declared.created };
    });
    await this.#context.reconciler.inForce(cameraName);
    log.info('declared a push', { camera: cameraName, push: id });
    const camera = getCamera(state, cameraName);
    return { created, view: this.#view(state, camera, getPush(camera, id)) };
  }

  /** @throws NotFoundError CAMERA_NOT_FOUND or PUSH_NOT_FOUND */
  async change(cameraName: string, id: string, change: PushChange, precondition?: Precondition): Promise<PushView> {
    const { log, tags } = this.#context;
    const state = await this.#context.commit((before) => {
      tags.check(getPush(getCamera(before, cameraName), id), precondition);
      const after = changePush(before, cameraName, id, change);
      if (change.audio !== undefined) this.#checkAudio(after, cameraName, id);
      return after;
    });
    await this.#context.reconciler.inForce(cameraName);
    log.info('changed a push', { camera: cameraName, push: id, ...change });
    const camera = getCamera(state, cameraName);
    return this.#view(state, camera, getPush(camera, id));
  }

  /** @throws InputError TARGET_UNSUPPORTED where the media backend cannot replace the sound */
  #checkAudio(state: DesiredState, cameraName: string, id: string): void {
    const camera = getCamera(state, cameraName);
    const push = getPush(camera, id);
    this.#context.checkSupported(pushUrlOf(state.engines, camera, push), 'push', push.audio);
  }

  /** Has a waiting push try at once; any other is left as it is. @throws NotFoundError; CodedError WORKER_DOWN */
  async retry(cameraName: string, id: string): Promise<PushView> {
    const { store, backend, log } = this.#context;
    getPush(getCamera(store.state, cameraName), id);
    if ((await backend.retry(cameraName, id)) === true) log.info('retries a push', { camera: cameraName, push: id });
    return this.get(cameraName, id);
  }

  /**
   * Goes the way to a target as a push of this camera would, up to the permission to publish; sends no media.
   * @throws NotFoundError CAMERA_NOT_FOUND or ENGINE_NOT_FOUND, InputError as `add`
   */
  async test(cameraName: string, input: PushInput): Promise<TargetTest> {
    const url = targetUrlOf(this.#context.store.state, cameraName, input);
    this.#context.checkSupported(url, input.url === undefined ? 'engine' : 'url');
    return this.#context.backend.testTarget(url);
  }

  /**
   * As `test`, for a target that is no camera's: as any push of this aggregator would go there.
   * @throws InputError INVALID_ADDRESS; TargetError TARGET_UNSUPPORTED, TARGET_FORBIDDEN
   */
  async testUrl(url: string): Promise<TargetTest> {
    parseRtmpUrl(url, (text) => maskTarget(text, ''));
    this.#context.checkSupported(url, 'url');
    return this.#context.backend.testTarget(url);
  }

  /** @throws NotFoundError CAMERA_NOT_FOUND or PUSH_NOT_FOUND */
  async remove(cameraName: string, id: string, precondition?: Precondition): Promise<void> {
    const { log, tags } = this.#context;
    await this.#context.commit((state) => {
      tags.check(getPush(getCamera(state, cameraName), id), precondition);
      return removePush(state, cameraName, id);
    });
    await this.#context.reconciler.inForce(cameraName);
    log.info('removed a push', { camera: cameraName, push: id });
  }

  /** @throws NotFoundError CAMERA_NOT_FOUND or PUSH_NOT_FOUND */
  get(cameraName: string, id: string): PushView {
    const { state } = this.#context.store;
    const camera = getCamera(state, cameraName);
    return this.#view(state, camera, getPush(camera, id));
  }

  /** @throws NotFoundError CAMERA_NOT_FOUND, InputError INVALID_REQUEST */
  list(cameraName: string, request: PushPageRequest): Page<PushView> {
    return collectPage(this.listSteps(cameraName, request));
  }

  /** `list` in steps. @throws NotFoundError CAMERA_NOT_FOUND at once, InputError INVALID_REQUEST at the first one */
  listSteps(cameraName: string, request: PushPageRequest): PageSteps<PushView> {
    const { store, backend, tags } = this.#context;
    const { state } = store;
    const camera = getCamera(state, cameraName);
    // One look for all: a backend may have to go through all pushes for each.
    const seen = new Map(backend.camera(cameraName)?.pushes.map((push) => [push.id, push]));
    const view = (push: Push) =>
      tags.note(pushView(camera, push, pushUrlOf(state.engines, camera, push), seen.get(push.id)), push);
    const keep = (push: Push) => request.state === undefined || view(push).state === request.state;
    return pageSteps(new Map(Object.entries(camera.pushes)), request, view, keep);
  }

  /** One page of the pushes of a camera as they were seen, here or elsewhere. @throws InputError INVALID_REQUEST at the first step */
  pageOf(seen: readonly PushView[], request: PushPageRequest): PageSteps<PushView> {
    const keep = ({ state }: PushView) => request.state === undefined || state === request.state;
    return pageSteps(new Map(seen.map((push) => [push.id, push])), request, (push) => push, keep);
  }

  #view(state: DesiredState, camera: Camera, push: Push): PushView {
    const { backend, tags } = this.#context;
    const seen = backend.push(camera.name, push.id);
    return tags.note(pushView(camera, push, pushUrlOf(state.engines, camera, push), seen), push);
  }
}
