import type { PublishKeyRule } from '../../admission/stream-keys.js';
import type { CameraSnapshot, DesiredCamera } from '../backend.js';
import type { NativeCamera } from './camera.js';
import { publishKeysOf } from './ingests.js';
import { idleSnapshot } from './snapshot.js';

/** The cameras of a process, for those who look for one. */
export interface CameraTable {
  /** True when it is registered. */
  has(name: string): boolean;
  /** One that something is to happen to; undefined: it is not registered. */
  get(name: string): NativeCamera | undefined;
  /** One that something happened to; undefined also where nothing ever did. */
  touched(name: string): NativeCamera | undefined;
  /** All that something happened to. */
  values(): Iterable<NativeCamera>;
  /**
   * The keys that publishers of an ingest may show, as `CameraDoor.publishKeysOf`; none of one that is not registered. To be
   * asked is nothing that happens to a camera: strangers ask.
   * @throws CodedError PUBLISH_NOT_REGISTERED, PUBLISH_FORBIDDEN
   */
  publishKeysOf(name: string, ingest: string | undefined): readonly PublishKeyRule[];
}

/**
 * All cameras of a process. One that nothing ever happened to is its declaration and nothing else: the rest of it is made when
 * somebody comes, since of ten thousand cameras most are idle.
 */
export class NativeCameras implements CameraTable {
  readonly #declared = new Map<string, DesiredCamera>();
  readonly #touched = new Map<string, NativeCamera>();
  readonly #make: (name: string) => NativeCamera;

  constructor(make: (name: string) => NativeCamera) {
    this.#make = make;
  }

  has(name: string): boolean {
    return this.#declared.has(name);
  }

  get(name: string): NativeCamera | undefined {
    const known = this.#touched.get(name);
    if (known !== undefined) return known;
    const declared = this.#declared.get(name);
    if (declared === undefined) return undefined;
    const camera = this.#make(name);
    this.#touched.set(name, camera);
    camera.declare(declared);
    return camera;
  }

  touched(name: string): NativeCamera | undefined {
    return this.#touched.get(name);
  }

  values(): Iterable<NativeCamera> {
    return this.#touched.values();
  }

  publishKeysOf(name: string, ingest: string | undefined): readonly PublishKeyRule[] {
    const declared = this.#declared.get(name);
    if (declared === undefined) return [];
    return this.#touched.get(name)?.door.publishKeysOf(ingest) ?? publishKeysOf(declared, ingest);
  }

  /** What is seen of a camera; undefined: it is not registered. @param nowMs a monotonic clock */
  snapshot(name: string, nowMs: number): CameraSnapshot | undefined {
    return this.#touched.get(name)?.snapshot(nowMs) ?? (this.has(name) ? idleSnapshot(name) : undefined);
  }

  declare(desired: DesiredCamera): void {
    const { name } = desired;
    this.#declared.set(name, desired);
    const camera = this.#touched.get(name);
    if (camera !== undefined) camera.declare(desired);
    else if (isBusy(desired)) this.get(name);
  }

  /** Forgets a camera. @returns what there is of it to be closed; undefined: nothing */
  delete(name: string): NativeCamera | undefined {
    const camera = this.#touched.get(name);
    this.#declared.delete(name);
    this.#touched.delete(name);
    return camera;
  }
}

/** Whether there is something to do or to see of a camera before anybody comes. */
function isBusy({ source, ingests, slate, switchBackMs, hops }: DesiredCamera): boolean {
  return [source, ingests, slate, switchBackMs, hops].some((each) => each !== undefined);
}
