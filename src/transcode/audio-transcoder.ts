import { messageOf } from '../errors.js';
import type { Logger } from '../log/log.js';
import { heardMs } from '../process/standstill.js';
import { type ProgramEnd, SupervisedProgram } from '../process/supervised-program.js';
import { aacHeader } from '../relay/silence.js';
import type { Transcoder } from '../relay/transcoded-sound.js';
import { audioHeaderKey } from '../wire/flv.js';
import { audioCodecName } from '../wire/flv-codecs.js';
import { FlvTagType } from '../wire/flv-file.js';
import { FlvTagReader } from '../wire/flv-reader.js';
import { ffmpegAudioArguments, flvBeginning, formOf, tagForFfmpeg } from './ffmpeg-audio.js';

/** What it reads and gives nothing for so long hangs; at its start it may take longer. */
const wedgedMs = 5_000;
const startMs = 15_000;
/** Without sound for so long, it is ended until sound comes again. */
const idleMs = 10_000;
const lookMs = 1000;
/** Between a failure and the next start: doubled each time. */
const minPauseMs = 1000;
const maxPauseMs = 30_000;
/** What gave sound for so long has begun well. */
const wellMs = 5_000;
/** So often in a row another form of sound or another clock is followed at once; more often, after a pause. */
const quickChanges = 3;
/** Times that jump by more are another clock's, which a new program follows: a gap would be filled. */
const jumpMs = 2_000;
/** Where its times begin, so that none is negative. */
const firstMs = 1_000;
/** Its times stay far from the end of 31 bits: after twelve days another one takes over. */
const maxSpanMs = 2 ** 30;
const maxTagBytes = 64 * 1024;

/** By which program, and who gets what it makes. */
export interface AudioTranscoderOptions {
  /** The program, as a path or a name that is looked for in PATH. */
  readonly ffmpeg: string;
  readonly log: Logger;
  /** Takes each frame of AAC, as a message of FLV. */
  readonly onFrame: (timestampMs: number, payload: Buffer) => void;
  /** What hinders it, in words, at each failure; null, once: nothing any more. */
  readonly onProblem: (problem: string | null) => void;
  /**
   * Limits how many programs start at a time, over all cameras; undefined: nothing does. Calls `begin`, never before it
   * returns, with what is to be called when the start is over. @returns leaves the line
   */
  readonly lineUp?: (begin: (done: () => void) => void) => () => void;
}

/**
 * Makes AAC of the sound of one camera by one ffmpeg, which is started when sound comes, and again after a pause when it ends
 * or hangs. The pipe to it is bounded: what it does not read in time is left out.
 */
export class AudioTranscoder implements Transcoder {
  readonly #options: AudioTranscoderOptions;
  #program: SupervisedProgram | null = null;
  #reader: FlvTagReader | null = null;
  /** Leaves the line, or gives the place at its head to the next; null: it is not in line. */
  #leave: (() => void) | null = null;
  #isItsTurn = false;
  /** The sequence header of the codec, where it has one. */
  #header: Buffer | null = null;
  /** What its program was started for (`formOf`). */
  #form = 0;
  /** The time that is `firstMs` for the program. */
  #baseMs = 0;
  #lastInMs = 0;
  #startedAtMs = 0;
  /** When it last waited in line with sound, on the monotonic clock. */
  #askedAtMs = 0;
  /** When it was last given something, and since when it gave nothing for what it was given (0: it did), on the monotonic clock. */
  #givenAtMs = 0;
  #owesSinceMs = 0;
  #gaveAtMs = 0;
  #failures = 0;
  /** Changes of form or clock since it last began well. */
  #changes = 0;
  #nextStartAtMs = 0;
  #problem: string | null = null;
  #timer: NodeJS.Timeout | null = null;
  #isClosed = false;

  constructor(options: AudioTranscoderOptions) {
    this.#options = options;
  }

  /** Of the program that runs; undefined: none does. */
  get pid(): number | undefined {
    return this.#program?.pid;
  }

  write(timestampMs: number, payload: Buffer): void {
    if (this.#isClosed) return;
    const nowMs = performance.now();
    if (isSequenceHeader(payload)) {
      if (this.#header?.equals(payload)) return;
      this.#header = Buffer.from(payload);
      if (this.#program !== null) this.#change(nowMs);
      return;
    }
    const isOther = this.#program !== null && (formOf(payload) !== this.#form || this.#isOtherClock(timestampMs));
    if (isOther) this.#change(nowMs);
    if (this.#program === null && !this.#start(timestampMs, payload, nowMs)) return;
    const tag = tagForFfmpeg(this.#ownTime(timestampMs), payload);
    if (tag === null || this.#program?.write(tag) !== true) return;
    this.#lastInMs = timestampMs;
    this.#givenAtMs = nowMs;
    if (this.#owesSinceMs === 0) this.#owesSinceMs = nowMs;
  }

  close(): void {
    this.#isClosed = true;
    this.#end();
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#tell(null);
  }

  #ownTime(timestampMs: number): number {
    return Math.max(0, ((timestampMs - this.#baseMs) | 0) + firstMs);
  }

  #isOtherClock(timestampMs: number): boolean {
    return Math.abs((timestampMs - this.#lastInMs) | 0) > jumpMs || ((timestampMs - this.#baseMs) | 0) > maxSpanMs;
  }

  /** Other sound comes, for which a new program is started. A peer could have that happen at each message. */
  #change(nowMs: number): void {
    this.#end();
    if (++this.#changes > quickChanges) this.#nextStartAtMs = Math.max(this.#nextStartAtMs, nowMs + minPauseMs);
  }

  /** Whether a program may be started; if not, it waits in line. */
  #mayStart(nowMs: number): boolean {
    const { lineUp } = this.#options;
    if (this.#isItsTurn || lineUp === undefined) return true;
    this.#askedAtMs = nowMs;
    this.#leave ??= lineUp((done) => {
      this.#leave = done;
      this.#isItsTurn = true;
    });
    this.#timer ??= setInterval(() => this.#look(), lookMs);
    return false;
  }

  #leaveLine(): void {
    this.#leave?.();
    this.#leave = null;
    this.#isItsTurn = false;
  }

  /** False: it is not the time, or it cannot be. */
  #start(timestampMs: number, payload: Buffer, nowMs: number): boolean {
    if (nowMs < this.#nextStartAtMs) return false;
    const codec = audioCodecName(payload) ?? 'unknown';
    if (tagForFfmpeg(0, payload) === null) {
      this.#nextStartAtMs = nowMs + maxPauseMs;
      this.#tell(`sound of the codec ${codec} cannot be transcoded here`);
      return false;
    }
    if (!this.#mayStart(nowMs)) return false;
    const { ffmpeg, log, onFrame } = this.#options;
    const baseMs = timestampMs;
    let program: SupervisedProgram | null = null;
    const reader = new FlvTagReader(
      (type, ownMs, frame) => {
        if (program !== this.#program || type !== FlvTagType.Audio || frame.length < 2) return;
        if (frame[1] !== 1) {
          // The configuration that all get; ffmpeg adds to it what says that there is no SBR.
          if (frame.compare(aacHeader, 0, aacHeader.length, 0, aacHeader.length) !== 0)
            this.#fail('another form of AAC came');
          return;
        }
        this.#gave();
        onFrame((baseMs + ownMs - firstMs) >>> 0, frame);
      },
      { maxTagBytes },
    );
    try {
      program = new SupervisedProgram({
        file: ffmpeg,
        args: ffmpegAudioArguments,
        env: { PATH: process.env.PATH ?? '', LC_ALL: 'C' },
        input: null,
        onOutput: (data) => {
          if (program === this.#program) this.#take(data);
        },
        onEnd: (end) => {
          if (program === this.#program) this.#fail(whyEnded(end, ffmpeg));
        },
      });
    } catch (error) {
      this.#fail(`ffmpeg cannot be started: ${messageOf(error)}`);
      return false;
    }
    this.#program = program;
    this.#reader = reader;
    this.#form = formOf(payload);
    this.#baseMs = baseMs;
    this.#lastInMs = timestampMs;
    this.#startedAtMs = nowMs;
    this.#givenAtMs = nowMs;
    this.#owesSinceMs = nowMs;
    this.#gaveAtMs = 0;
    log.debug('transcodes the sound of the camera', { codec, pid: program.pid ?? null });
    program.write(flvBeginning);
    const header = this.#header === null ? null : tagForFfmpeg(firstMs, this.#header);
    if (header !== null) program.write(header);
    this.#timer ??= setInterval(() => this.#look(), lookMs);
    return true;
  }

  #take(data: Buffer): void {
    try {
      this.#reader?.feed(data);
    } catch (error) {
      this.#fail(`ffmpeg gives what is no FLV: ${messageOf(error)}`);
    }
  }

  #gave(): void {
    if (this.#leave !== null) this.#leaveLine();
    this.#owesSinceMs = 0;
    this.#gaveAtMs = performance.now();
    if (this.#gaveAtMs - this.#startedAtMs < wellMs) return;
    this.#failures = this.#changes = 0;
    this.#tell(null);
  }

  #look(): void {
    if (this.#program === null) {
      if (this.#leave !== null && heardMs(this.#askedAtMs) > lookMs) this.#leaveLine();
      if (this.#problem !== null || this.#leave !== null) return;
      if (this.#timer !== null) clearInterval(this.#timer);
      this.#timer = null;
      return;
    }
    // Times in which this process stood still do not count.
    if (heardMs(this.#givenAtMs) > idleMs) {
      this.#end();
      return;
    }
    if (this.#owesSinceMs === 0) return;
    const limitMs = this.#gaveAtMs === 0 ? startMs : wedgedMs;
    if (heardMs(this.#owesSinceMs) > limitMs) this.#fail(`ffmpeg gave no sound for ${limitMs / 1000} s`);
  }

  #fail(problem: string): void {
    if (this.#isClosed) return;
    this.#end();
    const pauseMs = Math.min(maxPauseMs, minPauseMs * 2 ** Math.min(this.#failures, 10));
    this.#failures++;
    this.#nextStartAtMs = performance.now() + pauseMs;
    this.#options.log.warn('the sound of the camera is not transcoded', {
      code: 'TRANSCODER_DOWN',
      reason: problem,
      nextStartMs: pauseMs,
    });
    this.#tell(problem);
  }

  /** Ends the program; nobody is to blame. */
  #end(): void {
    this.#leaveLine();
    const program = this.#program;
    this.#program = null;
    this.#reader = null;
    program?.stop();
  }

  #tell(problem: string | null): void {
    if (problem === null && this.#problem === null) return;
    this.#problem = problem;
    this.#options.onProblem(problem);
  }
}

/** Only codecs with a FourCC have one besides AAC, which does not come here. */
function isSequenceHeader(payload: Buffer): boolean {
  return audioHeaderKey(payload) !== null;
}

function whyEnded({ code, signal, failure, lines }: ProgramEnd, file: string): string {
  if (failure !== null) {
    return failure.code === 'ENOENT'
      ? `there is no program "${file}"; install ffmpeg, or name it with --ffmpeg PATH`
      : `ffmpeg cannot be started: ${String(failure.code)}`;
  }
  const said = lines.find((line) => /\[(?:error|fatal|panic)\]/.test(line))?.replace(/ @ 0x[0-9a-f]+/g, '') ?? '';
  const how = signal === null ? `with exit code ${code ?? 'none'}` : `by ${signal}`;
  return `ffmpeg ended ${how}${said === '' ? '' : `: ${said.replace(/[^\x20-\x7e]/g, '?').slice(0, 300)}`}`;
}
