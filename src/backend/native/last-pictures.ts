import { noFacts } from '../../ingest/metadata.js';
import type { SourceIngest } from '../../ingest/source-ingest.js';
import type { LiveStream } from '../../relay/live-stream.js';
import { stillMp4 } from '../../wire/still-mp4.js';
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

  /** Keeps that of a stream that is over, if it has one. @param latest what fed it last */
  keepOf(camera: string, stream: LiveStream, latest: SourceIngest | null): void {
    const picture = pictureOf(stream, latest);
    if (picture !== null && picture.mp4 !== null) this.keep(camera, { ...picture, mp4: picture.mp4 });
  }

  /** As `of`, without the file where the caller has it. */
  shown(camera: string, knownTag: string | undefined): StillPicture | undefined {
    const last = this.of(camera);
    return last !== undefined && last.tag === knownTag ? { ...last, mp4: null } : last;
  }

  forget(camera: string): void {
    this.#bytes -= this.#pictures.get(camera)?.mp4.length ?? 0;
    this.#pictures.delete(camera);
  }
}

/**
 * The newest key frame of a stream as a picture; null when there is none that can be shown.
 * @param latest what fed the stream last @param knownTag the tag of the picture that is known already
 */
export function pictureOf(stream: LiveStream, latest: SourceIngest | null, knownTag?: string): StillPicture | null {
  const { keyFrameAtMs } = stream;
  if (keyFrameAtMs !== null && keyFrameAtMs.toFixed(3) === knownTag) return pictureAt(keyFrameAtMs, null);
  const keyFrame = stream.lastKeyFrame();
  if (keyFrame === null) return null;
  const { width, height } = latest?.pictureSize ?? latest?.facts ?? noFacts;
  const mp4 = stillMp4(keyFrame.header, keyFrame.frame, { width: width ?? 0, height: height ?? 0 });
  return mp4 === null ? null : pictureAt(keyFrame.atMs, mp4);
}

/** @param atMs when its frame came, by the monotonic clock @param mp4 null: it is known already */
function pictureAt(atMs: number, mp4: Buffer | null): StillPicture {
  const at = new Date(Date.now() - (performance.now() - atMs)).toISOString();
  return { tag: atMs.toFixed(3), at, mp4 };
}
