import type { FlvPlayback, RecordedEvent, StillPicture, ViewedTracks } from '../backend/backend.js';
import { CodedError, NotFoundError } from '../errors.js';
import { getCamera } from '../model/cameras.js';
import { getPush } from '../model/pushes.js';
import type { ControlContext } from './context.js';
import type { CameraHistory, History, HistorySteps } from './history.js';

/** What there is to look at of a camera beside its figures of now: its media, and what it did. */
export class Viewing {
  readonly #context: ControlContext;
  readonly #history: History;

  constructor(context: ControlContext, history: History) {
    this.#context = context;
    this.#history = history;
  }

  /** Whether the media backend shows cameras over HTTP at all. */
  get hasFlv(): boolean {
    return this.#context.backend.viewing !== null;
  }

  /**
   * Lets in a viewer who gets FLV. @param remote `host:port` of the viewer
   * @throws NotFoundError CAMERA_NOT_FOUND, CodedError CAMERA_NOT_LIVE, LIMIT_REACHED or VIEW_UNSUPPORTED
   */
  async openFlv(name: string, remote: string, tracks: ViewedTracks): Promise<FlvPlayback> {
    const { store, backend } = this.#context;
    getCamera(store.state, name);
    if (backend.viewing === null) throw this.#showsNothing();
    return backend.viewing.openFlv(name, remote, tracks);
  }

  /**
   * The newest key frame of a camera. @param knownTag the tag of the picture that the caller has
   * @throws NotFoundError CAMERA_NOT_FOUND, CAMERA_NOT_LIVE or NO_PICTURE, CodedError VIEW_UNSUPPORTED
   */
  async picture(name: string, knownTag: string | undefined): Promise<StillPicture> {
    const { store, backend } = this.#context;
    getCamera(store.state, name);
    if (backend.viewing === null) throw this.#showsNothing();
    const picture = await backend.viewing.picture(name, knownTag);
    if (picture !== null) return picture;
    if (backend.camera(name)?.live !== true) {
      throw new NotFoundError('CAMERA_NOT_LIVE', `camera "${name}" is not live`);
    }
    throw new NotFoundError('NO_PICTURE', `there is no key frame of camera "${name}" that could be shown`);
  }

  /**
   * What was seen of a camera in the last so many seconds; null when nothing is remembered.
   * @throws NotFoundError CAMERA_NOT_FOUND
   */
  history(name: string, seconds: number): CameraHistory | null {
    getCamera(this.#context.store.state, name);
    return this.#history.of(name, seconds) ?? null;
  }

  /** `history`, push by push. @throws NotFoundError CAMERA_NOT_FOUND */
  historySteps(name: string, seconds: number): HistorySteps | null {
    getCamera(this.#context.store.state, name);
    return this.#history.stepsOf(name, seconds) ?? null;
  }

  /**
   * The last few hundred events of a camera or of one of its pushes, oldest first.
   * @throws NotFoundError CAMERA_NOT_FOUND or PUSH_NOT_FOUND; CodedError WORKER_DOWN
   */
  async events(cameraName: string, pushId?: string): Promise<readonly RecordedEvent[]> {
    const { store, backend } = this.#context;
    const camera = getCamera(store.state, cameraName);
    if (pushId !== undefined) getPush(camera, pushId);
    return (await backend.events(cameraName, pushId)) ?? [];
  }

  #showsNothing(): CodedError {
    const { kind } = this.#context.backend;
    return new CodedError('VIEW_UNSUPPORTED', `the media backend ${kind} cannot show cameras over HTTP`);
  }
}
