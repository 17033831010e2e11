import { setTimeout as sleep } from 'node:timers/promises';
import { audioHeaderKey, videoHeaderKey } from '../../wire/flv.js';
import { MessageType } from '../../wire/message.js';
import type { Tag, TagSource } from './tag-source.js';

export interface PaceOptions {
  readonly loop: boolean;
  /** How long to go on, in media time; undefined: to the end, or for ever when it loops. */
  readonly durationMs: number | undefined;
  /** Ends it early, between two tags. */
  readonly signal: AbortSignal;
  /** Sends one message, and resolves later when the receiver must be waited for. */
  send(type: number, timestampMs: number, payload: Buffer): Promise<void> | undefined;
}

/** The gap between two passes when the file does not tell how long its last frame lasts. */
const defaultFrameMs = 40;

/**
 * Sends a file's tags at the times that their timestamps say. With `loop` the timestamps go on rising: each pass starts
 * one frame after the last one ended, and what receivers know already (metadata, sequence headers) is not sent again.
 */
export async function sendPaced(source: TagSource, options: PaceOptions): Promise<void> {
  const clock = new PaceClock(options.signal);
  let offsetMs = 0;
  for (let pass = 0; pass === 0 || options.loop; pass++) {
    const span = new PassSpan();
    for await (const batch of source.pass()) {
      for (const tag of batch) {
        span.add(tag);
        if (pass > 0 && isHeader(tag)) {
          continue;
        }
        const timestampMs = tag.timestampMs + offsetMs;
        const untilMs = timestampMs - clock.startMs(timestampMs);
        if (options.durationMs !== undefined && untilMs >= options.durationMs) {
          return;
        }
        if (!(await clock.reach(untilMs))) {
          return;
        }
        // Timestamps of RTMP are 32 bits and wrap (specification, 5.3.1).
        const waiting = options.send(tag.type, timestampMs >>> 0, tag.payload);
        if (waiting !== undefined) {
          await waiting;
        }
      }
    }
    offsetMs += span.lengthMs;
  }
}

/** Real time that goes with media time. */
class PaceClock {
  readonly #signal: AbortSignal;
  #startedAtMs = 0;
  #firstMs: number | undefined;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /** The timestamp of the first tag, which is sent at once. */
  startMs(timestampMs: number): number {
    if (this.#firstMs === undefined) {
      this.#firstMs = timestampMs;
      this.#startedAtMs = performance.now();
    }
    return this.#firstMs;
  }

  /** Waits until so much time has gone by since the start; false when it was told to end. */
  async reach(untilMs: number): Promise<boolean> {
    const waitMs = untilMs - (performance.now() - this.#startedAtMs);
    if (waitMs >= 1 && !this.#signal.aborted) {
      await sleep(waitMs, undefined, { signal: this.#signal }).catch(() => {});
    }
    return !this.#signal.aborted;
  }
}

/** How long a pass is: from its first timestamp to its last, and one frame more. */
class PassSpan {
  #firstMs: number | undefined;
  #lastMs = 0;
  #lastVideoMs: number | undefined;
  #frameMs = defaultFrameMs;

  add(tag: Tag): void {
    this.#firstMs ??= tag.timestampMs;
    this.#lastMs = Math.max(this.#lastMs, tag.timestampMs);
    if (tag.type === MessageType.Video && !isHeader(tag)) {
      const gapMs = tag.timestampMs - (this.#lastVideoMs ?? tag.timestampMs);
      this.#frameMs = gapMs > 0 && gapMs < 1000 ? gapMs : this.#frameMs;
      this.#lastVideoMs = tag.timestampMs;
    }
  }

  get lengthMs(): number {
    return this.#lastMs - (this.#firstMs ?? 0) + this.#frameMs;
  }
}

function isHeader(tag: Tag): boolean {
  if (tag.type === MessageType.Video) {
    return videoHeaderKey(tag.payload) !== null;
  }
  return tag.type === MessageType.Audio ? audioHeaderKey(tag.payload) !== null : true;
}
