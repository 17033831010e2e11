import type { CodedError } from '../../errors.js';
import type { CameraClaimer, CameraYielding } from '../backend.js';
import type { CameraTable } from './cameras.js';

/** Lets publishers in where another node agrees, and gives cameras away to other nodes. */
export class NativeYielding implements CameraYielding {
  readonly #cameras: CameraTable;
  #claimer: CameraClaimer | undefined;

  constructor(cameras: CameraTable) {
    this.#cameras = cameras;
  }

  askBeforePublish(claimer: CameraClaimer): void {
    this.#claimer = claimer;
  }

  /** As `CameraClaimer.claim`; nobody else has it where there is no claimer. */
  claim(camera: string, isPatient = false): Promise<void> | undefined {
    return this.#claimer?.claim(camera, isPatient);
  }

  freed(camera: string): void {
    this.#cameras.touched(camera)?.freed();
  }

  release(camera: string): void {
    this.#claimer?.release(camera);
  }

  isLive(camera: string): boolean {
    return this.#cameras.touched(camera)?.isOwn === true;
  }

  isSilent(camera: string): boolean {
    return this.#cameras.touched(camera)?.isSilent ?? true;
  }

  askToReconnect(camera: string): boolean {
    return this.#cameras.touched(camera)?.askToReconnect() ?? false;
  }

  letGo(camera: string, reason: CodedError): void {
    this.#cameras.touched(camera)?.letGo(reason);
  }

  *live(): Generator<string> {
    for (const camera of this.#cameras.values()) if (camera.isOwn) yield camera.name;
  }
}
