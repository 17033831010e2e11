/** Of `TimeRanges`. */
interface Ranges {
  readonly length: number;
  start(index: number): number;
  end(index: number): number;
}

/** What is used of a video element. */
export interface LiveElement {
  readonly buffered: Ranges;
  currentTime: number;
  playbackRate: number;
  readonly paused: boolean;
  readonly seeking: boolean;
  readonly readyState: number;
  readonly HAVE_CURRENT_DATA: number;
}

/** Further behind than this, it is played faster; until it is no further behind than the target. Seconds. */
const fastFromS = 2;
const targetS = 0.8;
const fastRate = 1.2;
/** Further behind than this, it jumps: a page that was hidden, the first pictures of a camera with long GOPs. */
const jumpFromS = 5;
/** While it is paused, it jumps from further behind only: nobody wants all that came meanwhile. */
const pausedJumpFromS = 30;
/** A track that lies so far behind the others has ended. */
const starvedS = 3;
/** What rounding leaves between frames. */
const gapS = 0.05;
/** What is there behind the place that is shown, so that it could go on. */
const aheadS = 1;
/**
 * It stands for so long although it could go on: the browser waits for what will not come, such as a frame in a gap. Then it
 * jumps. Milliseconds; doubled each time until it moves, since a slow machine takes long to begin.
 */
const standsMs = 2000;

/** Keeps a video element near the end of what there is, and out of the gaps in it. */
export class LiveEdge {
  readonly #element: LiveElement;
  /** Where it was when it last moved, and when that was. */
  #atS = -1;
  #movedMs = 0;
  #patienceMs = standsMs;

  constructor(element: LiveElement) {
    this.#element = element;
  }

  /** Call some times a second. @param nowMs a monotonic clock */
  keep(nowMs: number): void {
    const element = this.#element;
    const { buffered, currentTime } = element;
    if (buffered.length === 0) return;
    const last = buffered.length - 1;
    const end = buffered.end(last);
    const behind = end - currentTime;
    if (this.#stands(nowMs, behind)) {
      element.currentTime = Math.max(buffered.start(last), end - targetS);
      this.#atS = element.currentTime;
      this.#movedMs = nowMs;
      this.#patienceMs *= 2;
      return;
    }
    if (element.seeking) return;
    if (behind > (element.paused ? pausedJumpFromS : jumpFromS)) {
      element.currentTime = Math.max(buffered.start(last), end - targetS);
    } else if (!this.#isInside(currentTime) || element.readyState < element.HAVE_CURRENT_DATA) {
      const next = this.#nextStart(currentTime);
      if (next !== null) element.currentTime = next + 0.001;
    }
    if (behind > fastFromS) element.playbackRate = fastRate;
    else if (behind <= targetS) element.playbackRate = 1;
  }

  #stands(nowMs: number, behindS: number): boolean {
    const { currentTime, paused } = this.#element;
    if (currentTime !== this.#atS) this.#patienceMs = standsMs;
    if (currentTime !== this.#atS || paused || behindS < aheadS) {
      this.#atS = currentTime;
      this.#movedMs = nowMs;
      return false;
    }
    return nowMs - this.#movedMs > this.#patienceMs;
  }

  /** Whether the picture stands because one of several tracks ends long before the others. */
  isStarved(buffers: readonly { readonly buffered: Ranges | null }[]): boolean {
    if (buffers.length < 2 || this.#element.paused) return false;
    const ends = buffers.map(({ buffered }) =>
      buffered === null || buffered.length === 0 ? 0 : buffered.end(buffered.length - 1),
    );
    return Math.max(...ends) - Math.min(...ends) > starvedS;
  }

  #isInside(at: number): boolean {
    const { buffered } = this.#element;
    for (let i = 0; i < buffered.length; i++) {
      if (at >= buffered.start(i) - gapS && at < buffered.end(i) + gapS) return true;
    }
    return false;
  }

  #nextStart(at: number): number | null {
    const { buffered } = this.#element;
    for (let i = 0; i < buffered.length; i++) if (buffered.start(i) > at) return buffered.start(i);
    return null;
  }
}
