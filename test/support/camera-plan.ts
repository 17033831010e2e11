import { encodeAmf0 } from '../../src/wire/amf0.js';
import { MessageType } from '../../src/wire/message.js';

/** What a camera is like, and what is wrong with it: everything may be changed while it sends. */
export interface CameraShape {
  /** Video frames a second; 0: it sends none. A function of the seconds since it began: a variable rate. */
  fps: number | ((seconds: number) => number);
  /** What its metadata says; undefined: the rate that it has. */
  saysFps?: number;
  gopSeconds: number;
  /** Audio frames a second; 0: it sends none. */
  audioFps: number;
  frameBytes: number;
  /** Bytes of an audio frame. */
  audioBytes: number;
  /** How fast its timestamps run: 1 as the clock. */
  speed: number;
  /** Milliseconds by which the timestamps of its audio are ahead. */
  audioAheadMs: number;
  /** Seconds from one jump of its timestamps to the next, each by -2 s; 0: none. */
  jumpSeconds: number;
  /** It sends nothing at all. */
  isFrozen: boolean;
  /** The first byte of its audio frames. */
  audioTag: number;
}

const usualShape: CameraShape = {
  fps: 25,
  gopSeconds: 2,
  audioFps: 43,
  frameBytes: 1200,
  audioBytes: 200,
  speed: 1,
  audioAheadMs: 0,
  jumpSeconds: 0,
  isFrozen: false,
  audioTag: 0xaf,
};

type Write = (type: number, timestampMs: number, payload: Buffer) => void;

/**
 * What a camera sends, from one moment to the next: the caller has the clock. What it falls behind is sent at once, as an
 * encoder does.
 */
export class CameraPlan {
  readonly shape: CameraShape;
  readonly #write: Write;
  #nowMs: number;
  readonly #beganMs: number;
  #nextVideoMs: number;
  #nextAudioMs: number;
  #lastKeyMs = Number.NEGATIVE_INFINITY;
  #timestampMs = 0;
  #shiftMs = 0;
  #jumpsDone = -1;
  #number = 0;

  constructor(shape: Partial<CameraShape>, startMs: number, write: Write) {
    this.shape = { ...usualShape, ...shape };
    this.#write = write;
    this.#nowMs = this.#beganMs = this.#nextVideoMs = this.#nextAudioMs = startMs;
  }

  /** What comes before the first frame. */
  begin(): void {
    const { fps, saysFps, audioFps, audioTag } = this.shape;
    const declared = saysFps ?? (typeof fps === 'number' ? fps : 30);
    const isAac = audioTag === 0xaf;
    const facts = {
      ...(declared > 0 ? { width: 1280, height: 720, framerate: declared, videocodecid: 7 } : {}),
      ...(audioFps > 0 ? { audiocodecid: isAac ? 10 : audioTag >>> 4 } : {}),
    };
    this.#write(MessageType.DataAmf0, 0, encodeAmf0('@setDataFrame', 'onMetaData', facts));
    if (declared > 0) this.#write(MessageType.Video, 0, avcHeader);
    if (audioFps > 0 && isAac) this.#write(MessageType.Audio, 0, aacHeader);
  }

  /** Sends what is due until this moment. */
  until(nowMs: number): void {
    const { shape } = this;
    if (shape.isFrozen) {
      this.#nextVideoMs = this.#nextAudioMs = nowMs;
      this.#pass(nowMs);
      return;
    }
    for (;;) {
      const fps = this.#fps(Math.min(this.#nextVideoMs, nowMs));
      if (fps <= 0) this.#nextVideoMs = nowMs + 1;
      if (shape.audioFps <= 0) this.#nextAudioMs = nowMs + 1;
      const dueMs = Math.min(this.#nextVideoMs, this.#nextAudioMs);
      if (dueMs > nowMs) break;
      this.#pass(dueMs);
      if (dueMs === this.#nextVideoMs) this.#sendVideo(dueMs, fps);
      else this.#sendAudio(dueMs);
    }
    this.#pass(nowMs);
  }

  #fps(atMs: number): number {
    const { fps } = this.shape;
    return typeof fps === 'number' ? fps : fps((atMs - this.#beganMs) / 1000);
  }

  #pass(toMs: number): void {
    this.#timestampMs += (toMs - this.#nowMs) * this.shape.speed;
    this.#nowMs = toMs;
    const { jumpSeconds } = this.shape;
    if (jumpSeconds === 0) return;
    const jumps = Math.floor((toMs - this.#beganMs) / 1000 / jumpSeconds);
    if (jumps > this.#jumpsDone) {
      if (this.#jumpsDone >= 0) this.#shiftMs = this.#shiftMs === 0 ? -2000 : 0;
      this.#jumpsDone = jumps;
    }
  }

  #sendVideo(atMs: number, fps: number): void {
    const { gopSeconds, frameBytes } = this.shape;
    const isKey = atMs - this.#lastKeyMs >= gopSeconds * 1000 - 1;
    if (isKey) this.#lastKeyMs = atMs;
    const payload = Buffer.alloc(Math.max(9, isKey ? frameBytes * 4 : frameBytes), this.#number++ & 0xff);
    payload[0] = isKey ? 0x17 : 0x27;
    payload.fill(0, 1, 5);
    payload[1] = 1;
    this.#write(MessageType.Video, this.#stamp(0), payload);
    this.#nextVideoMs = atMs + 1000 / fps;
  }

  #sendAudio(atMs: number): void {
    const { audioAheadMs, audioBytes, audioFps, audioTag } = this.shape;
    const payload = Buffer.alloc(Math.max(2, audioBytes), this.#number & 0xff);
    payload[0] = audioTag;
    payload[1] = 1;
    this.#write(MessageType.Audio, this.#stamp(audioAheadMs), payload);
    this.#nextAudioMs = atMs + 1000 / audioFps;
  }

  #stamp(aheadMs: number): number {
    return Math.max(0, Math.round(10_000 + this.#timestampMs + this.#shiftMs + aheadMs)) >>> 0;
  }
}

const avcHeader = Buffer.from('17000000000142c01effe1000467420010010001ff'.padEnd(42, '0'), 'hex');
const aacHeader = Buffer.from([0xaf, 0, 0x12, 0x10]);

/** Ten healthy cameras of different make. */
export const healthyCameras: Readonly<Record<string, Partial<CameraShape>>> = {
  'fps-25': { fps: 25 },
  'fps-30': { fps: 30, gopSeconds: 1 },
  'fps-12': { fps: 12, audioFps: 0, gopSeconds: 4 },
  'fps-5': { fps: 5, audioFps: 0 },
  'audio-only': { fps: 0, saysFps: 0 },
  'gop-8s': { fps: 25, gopSeconds: 8 },
  // It sends what changes: between 8 and 30 frames a second, and says 30.
  variable: { fps: (seconds) => 19 + 11 * Math.sin(seconds / 7), saysFps: 30, audioFps: 0 },
  'one-a-second': { fps: 1, audioFps: 0, gopSeconds: 5, frameBytes: 4000 },
  'one-in-4s': { fps: 0.25, audioFps: 0, gopSeconds: 8, frameBytes: 8000 },
  'fps-60': { fps: 60, gopSeconds: 2, frameBytes: 700 },
};
