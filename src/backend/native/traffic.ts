import { RateMeter } from '../../relay/rate-meter.js';
import type { BackendTotals } from '../backend.js';
import type { NativeCamera } from './camera.js';
import type { CameraTable } from './cameras.js';

/** What goes through all cameras: bytes and rates, of those that were removed too, so that no sum runs backwards. */
export class Traffic {
  readonly #cameras: CameraTable;
  readonly #in = new RateMeter();
  readonly #out = new RateMeter();
  /** Cameras that were removed and whose targets are being told. */
  readonly #leaving = new Set<NativeCamera>();
  /** Counts of cameras that are gone. */
  #pastBytesIn = 0;
  #pastBytesOut = 0;

  constructor(cameras: CameraTable) {
    this.#cameras = cameras;
  }

  /** A camera was removed, and is counted on until it is `gone`. */
  leaves(camera: NativeCamera): void {
    this.#leaving.add(camera);
  }

  gone(camera: NativeCamera): void {
    this.#leaving.delete(camera);
    this.#pastBytesIn += camera.bytesIn;
    this.#pastBytesOut += camera.bytesOut;
  }

  /** Call about once a second. @param nowMs a monotonic clock */
  look(nowMs: number): void {
    let bytesIn = this.#pastBytesIn;
    let bytesOut = this.#pastBytesOut;
    for (const camera of this.#cameras.values()) {
      if (camera.isUntouched) continue;
      bytesIn += camera.bytesIn;
      bytesOut += camera.bytesOut;
    }
    for (const camera of this.#leaving) {
      bytesIn += camera.bytesIn;
      bytesOut += camera.bytesOut;
    }
    this.#in.look(bytesIn, nowMs);
    this.#out.look(bytesOut, nowMs);
  }

  /** As of the last look; cameras and viewers as of now. */
  get totals(): Omit<BackendTotals, 'connections'> {
    let liveCameras = 0;
    let viewers = 0;
    for (const camera of this.#cameras.values()) {
      if (camera.isUntouched) continue;
      if (camera.live) liveCameras++;
      viewers += camera.viewers;
    }
    return { bitrateInBps: this.#in.bitsPerSecond, bitrateOutBps: this.#out.bitsPerSecond, liveCameras, viewers };
  }
}
