import { setTimeout as sleep } from 'node:timers/promises';
import { audioHeaderKey, isAudioEnd, isVideoEnd, trackOf, videoHeaderKey } from '../wire/flv.js';
import { MessageType } from '../wire/message.js';
import { MediaClock } from './media-clock.js';
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

/** What was sent. */
export interface Paced {
  /** Messages of audio and video, headers left aside. */
  readonly frames: number;
  /** Gaps that were closed, since timestamps went back or far forward. */
  readonly jumps: number;
}

/**
 * Sends a file's tags at the times that their timestamps say, from the first frame on: what comes before it (metadata of
 * time 0 in the recording of a stream in progress) is not waited behind. With `loop` the timestamps go on rising: each pass
 * starts one frame after the last one ended, and what receivers know already (metadata, sequence headers) is not sent again;
 * but headers that changed within the file are, and those of a track that the file ends.
 */
export async function sendPaced(source: TagSource, options: PaceOptions): Promise<Paced> {
  const pace = new PaceClock(options.signal);
  const clock = new MediaClock();
  /** The headers that receivers have, by kind. */
  const known = new Map<string, Buffer>();
  let frames = 0;
  const done = (): Paced => ({ frames, jumps: clock.jumps });
  for (let pass = 0; pass === 0 || options.loop; pass++) {
    clock.restart();
    const framesBefore = frames;
    for await (const batch of source.pass()) {
      for (const tag of batch) {
        const timeMs = clock.timeOf(tag);
        const kind = headerKind(tag);
        if (kind !== null) {
          if (pass > 0 && known.get(kind)?.equals(tag.payload)) {
            continue;
          }
          known.set(kind, tag.payload);
        } else if (endsTrack(tag)) {
          // Behind the end of a sequence, a decoder begins anew, with a header.
          const track = trackOf(tag.type === MessageType.Video, tag.payload);
          known.delete(`${tag.type === MessageType.Video ? 'video' : 'audio'}${track === 0 ? '' : `:${track}`}`);
        }
        const { firstMs } = clock;
        const untilMs = firstMs === undefined ? 0 : timeMs - firstMs;
        if (kind === null) {
          pace.begin();
        }
        if (options.durationMs !== undefined && untilMs >= options.durationMs) {
          return done();
        }
        if (!(await pace.reach(untilMs))) {
          return done();
        }
        if (kind === null) {
          frames++;
        }
        // Timestamps of RTMP are 32 bits and wrap (specification, 5.3.1).
        const waiting = options.send(tag.type, timeMs >>> 0, tag.payload);
        if (waiting !== undefined) {
          await waiting;
        }
      }
    }
    // A pass of headers alone takes no time: another one would be at once, and for ever.
    if (frames === framesBefore) return done();
  }
  return done();
}

/** Real time that goes with media time. */
class PaceClock {
  readonly #signal: AbortSignal;
  #startedAtMs: number | undefined;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /** The first frame is due now. */
  begin(): void {
    this.#startedAtMs ??= performance.now();
  }

  /** Waits until so much time has gone by since the first frame; false when it was told to end. */
  async reach(untilMs: number): Promise<boolean> {
    const waitMs = this.#startedAtMs === undefined ? 0 : untilMs - (performance.now() - this.#startedAtMs);
    if (waitMs >= 1 && !this.#signal.aborted) {
      await sleep(waitMs, undefined, { signal: this.#signal }).catch(() => {});
    }
    return !this.#signal.aborted;
  }
}

function endsTrack({ type, payload }: Tag): boolean {
  return type === MessageType.Video ? isVideoEnd(payload) : type === MessageType.Audio && isAudioEnd(payload);
}

/** What a header is of; null for frames. */
function headerKind(tag: Tag): string | null {
  if (tag.type === MessageType.Video) {
    return videoHeaderKey(tag.payload);
  }
  return tag.type === MessageType.Audio ? audioHeaderKey(tag.payload) : 'data';
}
