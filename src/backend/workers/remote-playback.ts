import { connect, type Socket } from 'node:net';
import { CodedError, type ErrorCode, errorCodes } from '../../errors.js';
import { ProgressWatch } from '../../net/progress-watch.js';
import { setHeardTimeout } from '../../process/standstill.js';
import type { FlvPlayback, FlvSink } from '../backend.js';
import { lastWord, type ViewingAnswer, type ViewingRequest } from './viewing-server.js';

const answerTimeoutMs = 10_000;
const maxLineBytes = 4096;
const flushTimeoutMs = 500;

/** A stream that is shown here and lives in a worker: its bytes come over a socket, and are handed on as they come. */
export class RemotePlayback implements FlvPlayback {
  readonly #socket: Socket;
  readonly #stallTimeoutMs: number;
  readonly #onOver: (playback: RemotePlayback) => void;
  /** What came behind the answer, before there was a sink. */
  #early: Buffer;
  #sink: FlvSink | null = null;
  #progress: ProgressWatch | null = null;
  #isOver = false;
  /** The stream ended in order; what came of it is not all handed on yet. */
  #ended = false;
  /** Somebody waits for the rest of what the worker has for it. */
  #flushed: (() => void) | null = null;

  private constructor(
    socket: Socket,
    early: Buffer,
    options: { stallTimeoutMs: number; onOver: (playback: RemotePlayback) => void },
  ) {
    this.#socket = socket;
    this.#early = early;
    this.#stallTimeoutMs = options.stallTimeoutMs;
    this.#onOver = options.onOver;
    socket.pause();
    socket.on('end', () => {
      this.#ended = true;
      if (this.#flushed === null) this.#finish(null);
      else this.#flushed();
    });
    socket.on('error', () => {});
    socket.on('close', () => this.#finish(new CodedError('WORKER_DOWN', 'the media worker ended the stream')));
  }

  /**
   * Asks a worker for a stream.
   * @param onOver called once when the playback has ended, however
   * @throws CodedError as the worker throws it; WORKER_DOWN when it does not answer
   */
  static open(
    port: number,
    request: ViewingRequest,
    options: { stallTimeoutMs: number; onOver: (playback: RemotePlayback) => void },
  ): Promise<RemotePlayback> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, noDelay: true });
      const fail = (error: CodedError): void => {
        clearTimeout(timer);
        socket.destroy();
        reject(error);
      };
      const onDown = (): void => fail(new CodedError('WORKER_DOWN', 'the media worker does not answer'));
      const timer = setHeardTimeout(onDown, answerTimeoutMs);
      let line = Buffer.alloc(0);
      socket.on('error', onDown);
      socket.on('close', onDown);
      socket.once('connect', () => socket.write(`${JSON.stringify(request)}\n`));
      const onData = (data: Buffer): void => {
        line = Buffer.concat([line, data]);
        const end = line.indexOf('\n');
        if (end < 0) {
          if (line.length > maxLineBytes) onDown();
          return;
        }
        for (const event of ['error', 'close', 'data']) socket.removeAllListeners(event);
        clearTimeout(timer);
        const answer = JSON.parse(line.toString('utf8', 0, end)) as ViewingAnswer;
        if (answer.ok) resolve(new RemotePlayback(socket, line.subarray(end + 1), options));
        else {
          socket.on('error', () => {});
          fail(new CodedError(isCode(answer.code) ? answer.code : 'INTERNAL', answer.message));
        }
      };
      socket.on('data', onData);
    });
  }

  begin(sink: FlvSink): void {
    if (this.#isOver) {
      sink.end(this.#ended ? null : new CodedError('WORKER_DOWN', 'the media worker ended the stream'));
      return;
    }
    this.#sink = sink;
    this.#progress = new ProgressWatch(sink);
    const early = this.#early;
    this.#early = Buffer.alloc(0);
    // Listening begins to read; a full sink holds it up again.
    this.#socket.on('data', (data) => {
      if (!sink.write(data)) this.#socket.pause();
    });
    if (early.length === 0 || sink.write(early)) this.#socket.resume();
    else this.#socket.pause();
  }

  resume(): void {
    if (this.#sink !== null && !this.#isOver) this.#socket.resume();
  }

  flush(): Promise<void> {
    if (this.#isOver || this.#sink === null) return Promise.resolve();
    this.#socket.write(lastWord);
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, flushTimeoutMs);
      this.#flushed = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  leave(): void {
    this.#sink = null;
    this.#finish(null);
  }

  /** Call about once a second: the worker sees only that this side does not read. */
  tick(nowMs: number): void {
    const silentMs = this.#progress?.silentMs(nowMs) ?? 0;
    if (silentMs <= this.#stallTimeoutMs) return;
    this.#finish(new CodedError('RTMP_TIMEOUT', `the viewer took no data for ${this.#stallTimeoutMs / 1000} s`));
  }

  #finish(reason: CodedError | null): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#flushed?.();
    const sink = this.#sink;
    this.#sink = null;
    this.#progress = null;
    this.#socket.destroy();
    this.#onOver(this);
    sink?.end(reason);
  }
}

function isCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorCodes, code);
}
