import { IngestSelector } from '../../src/ingest/ingest-selector.js';
import type { SelectorSettings } from '../../src/ingest/selector-options.js';
import { type Ingest, type Source, sourcePriorities } from '../../src/ingest/source.js';
import { silentLogger } from '../../src/log/log.js';
import { FlushScheduler } from '../../src/relay/flush-scheduler.js';
import { LiveStream } from '../../src/relay/live-stream.js';
import { MessageType, type RtmpMessage } from '../../src/wire/message.js';
import {
  audioFrame,
  audioHeader,
  frame,
  makeOutlet,
  SpoilingPool,
  targetFormat,
  videoHeader,
} from '../relay/fixtures.js';
import { idleSource } from '../support/fed-stream.js';

export const frameMs = 40;

/** A camera with several ingests, a clock that a test moves on, and one target that is there from the beginning. */
export function makeBench(settings: Partial<SelectorSettings> = {}, names: readonly string[] = ['main', 'backup']) {
  const told: string[] = [];
  const { outlet, sink } = makeOutlet();
  // Behind all that this process did: what stood still then is not to count.
  let nowMs = performance.now();
  const pool = new SpoilingPool();
  const selector = new IngestSelector({
    ...{ camera: 'cam', nodeId: '00ff', log: silentLogger, pool },
    settings: {
      ...{ publishTakeoverMs: 3000, publishGraceMs: 3_600_000, withoutKeyFrames: 'pass', maxBitrateKbps: 1e6 },
      ...{ standbyAfterMs: 500, gopMaxBytes: 1e6 },
      ...settings,
    },
    newStream: () =>
      new LiveStream({ format: targetFormat, gopMaxBytes: 1e6, scheduler: new FlushScheduler(), pool }, nowMs),
    listener: {
      onLive: ({ name }, stream) => {
        told.push(`live ${name}`);
        if (!told.slice(0, -1).some((each) => each.startsWith('live'))) stream.attach(outlet, nowMs);
      },
      onStopped: ({ name }, reason) => told.push(`stopped ${name}: ${reason}`),
      onOver: () => told.push('over'),
      onUnreadable: () => {},
      onKeyFrames: (missing) => told.push(missing ? 'no key frames' : 'key frames'),
      onIngest: ({ name }, reason) => told.push(reason === null ? `${name} came` : `${name} left: ${reason}`),
      onSlateFailed: (reason) => told.push(reason),
      onSwitched: (from, to, reason) => told.push(`${from.name} -> ${to.name}: ${reason}`),
    },
    openSlate: async () => {
      throw new Error('there is none');
    },
    watchTimer: { want() {} },
    now: () => nowMs,
  });
  selector.declare({ names, switchBackMs: null, slate: null });
  return {
    selector,
    told,
    outlet,
    sink,
    pool,
    now: () => nowMs,
    /** All of it goes on by so much, and is looked at as often as in life. */
    advance(ms: number): void {
      const until = nowMs + ms;
      while (nowMs < until) {
        nowMs = Math.min(until, nowMs + 20);
        selector.stream?.flush(nowMs);
        selector.look(nowMs);
        selector.stream?.flush(nowMs);
      }
    },
    encoder: (options: Partial<EncoderOptions> = {}) => new Encoder(selector, () => nowMs, options),
  };
}

export type Bench = ReturnType<typeof makeBench>;

interface EncoderOptions {
  readonly ingest: string | undefined;
  /** Its timestamps begin there. */
  readonly startMs: number;
  readonly gopFrames: number;
  /** Tells its frames and headers from those of others. */
  readonly mark: number;
  readonly hasAudio: boolean;
  readonly hasVideo: boolean;
  /** What its key frames begin with: where it is within its first GOP. */
  readonly phase: number;
  /** Its pictures are not sent in the order in which they are shown. */
  readonly isReordered: boolean;
}

/** A publisher: video of 25 frames a second and sound, each frame with its number. */
export class Encoder {
  readonly source: Source & { lastMediaMs: number };
  readonly closed: string[] = [];
  ingest: Ingest | null;
  sendsVideo = true;
  sendsAudio = true;
  readonly #now: () => number;
  readonly #options: EncoderOptions;
  readonly #startedMs: number;
  #frames = 0;
  readonly mark: number;

  constructor(selector: IngestSelector, now: () => number, options: Partial<EncoderOptions> = {}) {
    const {
      ingest,
      startMs = 0,
      gopFrames = 25,
      mark = 1,
      hasAudio = true,
      hasVideo = true,
      phase = 0,
      isReordered = false,
    } = options;
    this.#options = { ingest, startMs, gopFrames, mark, hasAudio, hasVideo, phase, isReordered };
    this.mark = mark;
    this.#now = now;
    this.#startedMs = now();
    const source = {
      ...idleSource({ remote: `encoder ${mark}`, kind: 'publisher', priority: sourcePriorities.publisher }),
      lastMediaMs: now(),
      close: (reason: { code: string }) => {
        this.closed.push(reason.code);
        this.end('closed');
      },
    };
    this.source = source;
    this.ingest = selector.open(source, ingest);
    if (hasVideo) this.#write(MessageType.Video, 0, videoHeader(mark));
    if (hasAudio) this.#write(MessageType.Audio, 0, audioHeader());
  }

  end(reason = 'left'): void {
    const { ingest } = this;
    this.ingest = null;
    ingest?.end(reason);
  }

  /** Sends the frame that is due now. */
  send(): void {
    const number = this.#frames;
    if (this.sendsVideo) this.#frames++;
    const { gopFrames, hasVideo, hasAudio, startMs, phase, isReordered } = this.#options;
    const timestampMs = (startMs + Math.round(this.#now() - this.#startedMs)) >>> 0;
    const isKey = (number + phase) % gopFrames === 0;
    if (hasVideo && this.sendsVideo)
      this.#write(
        MessageType.Video,
        timestampMs,
        numbered(this.mark, number, isKey, isReordered ? (number % 3) * frameMs : 0),
      );
    if (hasAudio && this.sendsAudio) this.#write(MessageType.Audio, timestampMs, audioFrame(this.mark));
  }

  #write(type: number, timestampMs: number, payload: Buffer): void {
    if (this.ingest?.write(type, timestampMs, payload, this.#now()) === true) this.source.lastMediaMs = this.#now();
  }
}

/** A frame that says whose it is, and which. */
function numbered(mark: number, number: number, isKey: boolean, compositionMs: number): Buffer {
  const payload = frame(number, isKey);
  payload.writeIntBE(compositionMs, 2, 3);
  payload.writeUInt32BE(((mark << 24) | number) >>> 0, 5);
  return payload;
}

/** What a target got of video: whose it is, its number and whether it is a key frame. */
export function picturesOf(messages: readonly RtmpMessage[]) {
  return messages
    .filter(({ type, payload }) => type === MessageType.Video && payload[1] === 1)
    .map(({ payload, timestampMs }) => {
      const number = payload.readUInt32BE(5);
      return { mark: number >>> 24, number: number & 0xffffff, isKey: payload[0] === 0x17, timestampMs };
    });
}

/** All encoders send for so long. */
export function run(bench: Bench, encoders: readonly Encoder[], ms: number): void {
  for (let at = 0; at < ms; at += frameMs) {
    bench.advance(frameMs);
    for (const encoder of encoders) encoder.send();
    bench.selector.stream?.flush(bench.now());
  }
}

/**
 * What holds for every target, whatever happens: times that never run backwards, each source's frames in order, and a key
 * frame with its headers where another one begins.
 * @returns what is wrong with it, in words
 */
export function faultsOf(messages: readonly RtmpMessage[]): string[] {
  const faults: string[] = [];
  let lastMs: number | undefined;
  let last = { mark: -1, number: -1 };
  let header = -1;
  for (const { type, payload, timestampMs } of messages) {
    if (type !== MessageType.Video && type !== MessageType.Audio) continue;
    // What headers say before the first frame is nothing: encoders write 0 there.
    if (lastMs === undefined && payload[1] === 0) {
      if (type === MessageType.Video) header = payload[5]!;
      continue;
    }
    if (lastMs !== undefined && ((timestampMs - lastMs) | 0) < 0) faults.push(`time ${timestampMs} behind ${lastMs}`);
    lastMs = timestampMs;
    if (type !== MessageType.Video) continue;
    if (payload[1] === 0) {
      header = payload[5]!;
      continue;
    }
    const number = payload.readUInt32BE(5);
    const next = { mark: number >>> 24, number: number & 0xffffff };
    const follows = next.mark === last.mark && next.number === last.number + 1;
    if (!follows && payload[0] !== 0x17) faults.push(`${JSON.stringify(next)} behind ${JSON.stringify(last)}`);
    if (next.mark !== header) faults.push(`a frame of ${next.mark} with the header of ${header}`);
    last = next;
  }
  return faults;
}
