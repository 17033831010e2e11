import { CodedError } from '../../errors.js';
import { plural } from '../../plural.js';
import type { LiveStream } from '../../relay/live-stream.js';
import type { Viewer } from '../../rtmp/stream-host.js';

/** How many viewers a camera takes, in all and from one address. */
export interface ViewerLimits {
  readonly maxViewersPerCamera: number;
  readonly maxViewersPerAddress: number;
}

const noViewers: ReadonlySet<Viewer> = new Set();

/** The viewers of one camera. They come and go whether it is live or not. */
export class CameraViewers {
  readonly #camera: string;
  readonly #limits: ViewerLimits;
  #viewers: Set<Viewer> | null = null;
  /** Bytes handed to viewers that are gone. */
  #pastBytesOut = 0;

  constructor(camera: string, limits: ViewerLimits) {
    this.#camera = camera;
    this.#limits = limits;
  }

  get count(): number {
    return this.#viewers?.size ?? 0;
  }

  /** True when nobody ever viewed it. */
  get isUntouched(): boolean {
    return this.count === 0 && this.#pastBytesOut === 0;
  }

  /** Bytes handed to viewers, ever. */
  get bytesOut(): number {
    let bytes = this.#pastBytesOut;
    for (const viewer of this.#viewers ?? noViewers) bytes += viewer.bytesOut;
    return bytes;
  }

  /** @throws CodedError LIMIT_REACHED */
  add(viewer: Viewer): void {
    const { maxViewersPerCamera, maxViewersPerAddress } = this.#limits;
    if (this.count >= maxViewersPerCamera) {
      throw new CodedError(
        'LIMIT_REACHED',
        `camera ${this.#camera} has ${plural(this.count, 'viewer')}; the limit is ${maxViewersPerCamera}`,
      );
    }
    if (viewer.share !== undefined && this.#countOf(viewer.share) >= maxViewersPerAddress) {
      throw new CodedError(
        'LIMIT_REACHED',
        `camera ${this.#camera} has ${plural(maxViewersPerAddress, 'viewer')} from this address, which is its share (max-viewers-per-address)`,
      );
    }
    this.#viewers ??= new Set();
    this.#viewers.add(viewer);
  }

  /** False when it is gone already. */
  remove(viewer: Viewer): boolean {
    if (!this.#viewers?.delete(viewer)) return false;
    this.#pastBytesOut += viewer.bytesOut;
    return true;
  }

  /** The camera is live with this stream, or (null) not any more. */
  setStream(stream: LiveStream | null): void {
    for (const viewer of this.#viewers ?? noViewers) viewer.setStream(stream);
  }

  /** Call about once a second. @param nowMs a monotonic clock */
  tick(nowMs: number): void {
    for (const viewer of this.#viewers ?? noViewers) viewer.tick?.(nowMs);
  }

  close(reason: CodedError): void {
    for (const viewer of [...(this.#viewers ?? noViewers)]) viewer.close(reason);
  }

  /** Counted when somebody comes, which is seldom; one more number for each address would have to be kept right. */
  #countOf(share: string): number {
    let count = 0;
    for (const viewer of this.#viewers ?? noViewers) if (viewer.share === share) count++;
    return count;
  }
}
