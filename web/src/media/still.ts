import { ApiProblem, NoAnswer } from '../../../src/client/index.js';
import { get } from '../api/http.js';
import { whyNoPicture } from './playable.js';

interface KeptStill {
  readonly etag: string | null;
  readonly picture: ImageBitmap;
}

/** Pictures of cards that are out of sight, so that scrolling back shows them at once. */
const maxKept = 200;
/** As wide as a card on a sharp screen; more would only take memory. */
const maxWidth = 640;
/** Pictures that are fetched and decoded at once. */
const maxAtOnce = 3;
const decodeTimeoutMs = 5000;
/** Those of which the server makes pictures. */
const stillCodecs = new Set(['h264', 'hevc', 'av1', 'vp9']);
const maxAttempts = 8;
const attemptEveryMs = 50;

const kept = new Map<string, KeptStill>();
const waiting: (() => void)[] = [];
let atWork = 0;
/** The media backend gives no pictures away (nginx): it is asked once. */
let unsupported = false;

/** The picture that is known already. */
export function keptStill(name: string): ImageBitmap | undefined {
  return kept.get(name)?.picture;
}

/**
 * The newest key frame of a camera, or its last, decoded here; undefined when there is none to show.
 * @param codec of its video; null: it is not known any more
 */
export async function loadStill(
  name: string,
  codec: string | null,
  signal: AbortSignal,
): Promise<ImageBitmap | undefined> {
  // What the browser does not know is not asked for, again and again.
  if (codec !== null && (!stillCodecs.has(codec) || whyNoPicture(codec) !== null)) return undefined;
  await takeTurn();
  try {
    if (signal.aborted || unsupported) return undefined;
    return await fetchStill(name, signal);
  } catch (error) {
    unsupported ||= error instanceof ApiProblem && error.code === 'VIEW_UNSUPPORTED';
    // Not live any more, no picture of it, or no such thing with this backend: a card without a picture says so.
    // A TypeError is what `fetch` says of an answer that broke off.
    const kinds = [ApiProblem, NoAnswer, DecodeError, TypeError];
    if (signal.aborted || kinds.some((kind) => error instanceof kind)) return undefined;
    throw error;
  } finally {
    atWork--;
    waiting.shift()?.();
  }
}

async function takeTurn(): Promise<void> {
  while (atWork >= maxAtOnce) await new Promise<void>((resolve) => waiting.push(resolve));
  atWork++;
}

async function fetchStill(name: string, signal: AbortSignal): Promise<ImageBitmap | undefined> {
  const before = kept.get(name);
  const known = before?.etag == null ? {} : { 'if-none-match': before.etag };
  const response = await get(`/v1/cameras/${encodeURIComponent(name)}/picture?optional=true`, signal, known);
  if (response.status === 204) return undefined;
  if (response.status === 304 && before !== undefined) return before.picture;
  const picture = await decode(await response.blob());
  keep(name, { etag: response.headers.get('etag'), picture });
  return picture;
}

function keep(name: string, still: KeptStill): void {
  kept.delete(name);
  kept.set(name, still);
  const oldest = kept.size > maxKept ? kept.keys().next().value : undefined;
  if (oldest !== undefined) kept.delete(oldest);
}

class DecodeError extends Error {}

/** By a video element that nobody sees: unlike WebCodecs, browsers have it on plain HTTP too. */
async function decode(mp4: Blob): Promise<ImageBitmap> {
  const video = document.createElement('video');
  const url = URL.createObjectURL(mp4);
  try {
    video.muted = true;
    video.preload = 'auto';
    await new Promise<void>((resolve, reject) => {
      setTimeout(() => reject(new DecodeError('it takes too long')), decodeTimeoutMs);
      video.onloadeddata = () => resolve();
      video.onerror = () => reject(new DecodeError(video.error?.message ?? 'the codec is not known here'));
      video.src = url;
    });
    const width = Math.min(maxWidth, video.videoWidth);
    const height = Math.round((width * video.videoHeight) / video.videoWidth);
    return await takePicture(video, { resizeWidth: width, resizeHeight: height, resizeQuality: 'medium' });
  } finally {
    video.removeAttribute('src');
    video.load();
    URL.revokeObjectURL(url);
  }
}

/** The first frame may be announced a moment before it can be had. */
async function takePicture(video: HTMLVideoElement, options: ImageBitmapOptions): Promise<ImageBitmap> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await createImageBitmap(video, options);
    } catch (error) {
      if (attempt === maxAttempts) throw new DecodeError(String(error));
      await new Promise((resolve) => setTimeout(resolve, attemptEveryMs));
    }
  }
}
