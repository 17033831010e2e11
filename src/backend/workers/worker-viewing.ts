import { CodedError } from '../../errors.js';
import type { CameraViewing, FlvPlayback, StillPicture, ViewedTracks } from '../backend.js';
import type { Calls } from './calls.js';
import type { Homes } from './homes.js';
import type { SentPicture } from './protocol.js';
import { RemotePlayback } from './remote-playback.js';

/** Shows cameras over HTTP: fetches their streams and pictures from the workers that have them. */
export class WorkerViewing implements CameraViewing {
  readonly #secret: string;
  readonly #stallTimeoutMs: number;
  readonly #homes: Homes;
  readonly #calls: Calls;
  readonly #playbacks = new Set<RemotePlayback>();

  /** @param options.secret what the workers' ports for viewing ask for */
  constructor(options: { secret: string; stallTimeoutMs: number; homes: Homes; calls: Calls }) {
    this.#secret = options.secret;
    this.#stallTimeoutMs = options.stallTimeoutMs;
    this.#homes = options.homes;
    this.#calls = options.calls;
  }

  async openFlv(camera: string, remote: string, tracks: ViewedTracks): Promise<FlvPlayback> {
    if (!this.#homes.has(camera)) throw new CodedError('PLAY_NOT_FOUND', `no camera is registered as "${camera}"`);
    const worker = this.#homes.find(camera);
    // A camera without a home has never published.
    if (worker === undefined) throw new CodedError('CAMERA_NOT_LIVE', `camera ${camera} is not live`);
    if (!worker.isUp) throw new CodedError('WORKER_DOWN', `media worker ${worker.number} does not run; try again`);
    const request = { secret: this.#secret, camera, remote, tracks };
    const onOver = (over: RemotePlayback): void => void this.#playbacks.delete(over);
    const options = { stallTimeoutMs: this.#stallTimeoutMs, onOver };
    const playback = await RemotePlayback.open(worker.viewPort, request, options);
    this.#playbacks.add(playback);
    return playback;
  }

  async picture(camera: string, knownTag: string | undefined): Promise<StillPicture | null> {
    const worker = this.#homes.find(camera);
    if (worker === undefined) return null;
    const call = { name: 'picture', camera, knownTag: knownTag ?? null } as const;
    const sent = (await this.#calls.ask(worker, call)) as SentPicture | null;
    return sent === null ? null : { ...sent, mp4: sent.mp4 === null ? null : Buffer.from(sent.mp4, 'base64') };
  }

  /** Call once a second. @param nowMs a monotonic clock */
  tick(nowMs: number): void {
    for (const playback of this.#playbacks) playback.tick(nowMs);
  }

  /** Ends all viewers. */
  close(): void {
    for (const playback of [...this.#playbacks]) playback.leave();
  }
}
