import { SourceError } from '../errors.js';
import { type ProgramEnd, SupervisedProgram } from '../process/supervised-program.js';
import { FlvTagReader } from '../wire/flv-reader.js';
import { copyIntoFlv } from './ffmpeg-input.js';
import { cleanLine, endOfFfmpeg, isForSound } from './ffmpeg-messages.js';
import type { PullListener } from './life.js';
import { sourceErrorOf } from './source-error.js';

/** So much of what comes may wait for ffmpeg: some seconds while it starts on a busy machine. */
const maxWaitingBytes = 8 << 20;

/** A frame that a lost packet left a hole in is dropped: ffmpeg ends where it cannot read the head of such an AAC frame. */
const inputArguments = ['-fflags', '+discardcorrupt', '-f', 'mpegts', '-analyzeduration', '2000000', '-i', 'pipe:0'];

export interface TsProgramOptions {
  /** Whose stream it is, for messages: `host:port`. */
  readonly endpoint: string;
  /** The program, as a path or a name that is looked for in PATH. */
  readonly ffmpeg: string;
  readonly maxMessageBytes: number;
  /** The sound is left out, since RTMP cannot carry it. @param said what ffmpeg says of it */
  readonly onSoundLeftOut: (said: string) => void;
  readonly listener: PullListener;
}

/** Turns MPEG-TS that comes here into FLV, by an ffmpeg between two pipes; nothing is encoded. */
export class TsProgram {
  readonly #options: TsProgramOptions;
  #program: SupervisedProgram;
  #reader: FlvTagReader;
  #withAudio = true;
  #isOver = false;

  constructor(options: TsProgramOptions) {
    this.#options = options;
    this.#reader = this.#newReader();
    this.#program = this.#start();
  }

  /** Takes what came next. Ends it where ffmpeg has not read for too long. */
  feed(data: Buffer): void {
    if (this.#isOver) return;
    if (this.#program.write(data)) return;
    const waiting = this.#program.unreadBytes;
    // Of one that is over, its end says why.
    if (waiting <= maxWaitingBytes) return;
    const text = `ffmpeg does not read the stream of ${this.#options.endpoint}: ${waiting} bytes wait for it`;
    this.#fail(new SourceError('SOURCE_STALLED', text));
  }

  /** Ends it; the listener hears no more. */
  close(): void {
    this.#isOver = true;
    this.#program.stop();
  }

  #start(): SupervisedProgram {
    return new SupervisedProgram({
      file: this.#options.ffmpeg,
      args: copyIntoFlv('pipe', inputArguments, this.#withAudio),
      env: { PATH: process.env.PATH ?? '', LC_ALL: 'C' },
      input: null,
      maxUnreadBytes: maxWaitingBytes,
      onOutput: (data) => this.#take(data),
      onEnd: (end) => this.#ended(end),
    });
  }

  #newReader(): FlvTagReader {
    return new FlvTagReader(
      (type, timestampMs, payload) => {
        if (!this.#isOver) this.#options.listener.onMedia(type, timestampMs, payload);
      },
      { maxTagBytes: this.#options.maxMessageBytes },
    );
  }

  #take(data: Buffer): void {
    if (this.#isOver) return;
    try {
      this.#reader.feed(data);
    } catch (error) {
      this.#fail(sourceErrorOf(error, this.#options.endpoint));
    }
  }

  #ended(end: ProgramEnd): void {
    if (this.#isOver) return;
    const { endpoint, ffmpeg: file, onSoundLeftOut } = this.#options;
    if (this.#withAudio && isForSound(end.lines)) {
      this.#withAudio = false;
      this.#reader = this.#newReader();
      onSoundLeftOut(cleanLine(end.lines.find((line) => line.includes('[error]')) ?? '', []));
      this.#program = this.#start();
      return;
    }
    this.#fail(endOfFfmpeg(end, { endpoint, secrets: [], file }));
  }

  #fail(error: SourceError): void {
    if (this.#isOver) return;
    this.close();
    this.#options.listener.onEnded(error);
  }
}
