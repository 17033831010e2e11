import type { StillPicture } from '../backend.js';

/** Of all cameras together; a key frame of 1080p has about 100 KB. */
const defaultMaxBytes = 32 * 1024 * 1024;
/** One that is larger is not kept: it would push out dozens of others. */
const maxPictureBytes = 1024 * 1024;

/** A picture that is here, as a file. */
export type KeptPicture = StillPicture & { readonly mp4: Buffer };

/** The last pictures of cameras that are not live any more, in memory: the oldest goes when there is no room. */
export class LastPictures {
  readonly #maxBytes: number;
  /** In the order in which they came. */
  readonly #pictures = new Map<string, KeptPicture>();
  #bytes = 0;

  constructor(maxBytes = defaultMaxBytes) {
    this.#maxBytes = maxBytes;
  }

  of(camera: string): KeptPicture | undefined {
    return this.#pictures.get(camera);
  }

  keep(camera: string, picture: KeptPicture): void {
    this.forget(camera);
    if (picture.mp4.length > Math.min(maxPictureBytes, this.#maxBytes)) return;
    this.#pictures.set(camera, picture);
    this.#bytes += picture.mp4.length;
    for (const oldest of this.#pictures.keys()) {
      if (this.#bytes <= this.#maxBytes) return;
      this.forget(oldest);
    }
  }

  forget(camera: string): void {
    this.#bytes -= this.#pictures.get(camera)?.mp4.length ?? 0;
    this.#pictures.delete(camera);
  }
}
