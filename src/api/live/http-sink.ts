import type { ServerResponse } from 'node:http';
import type { FlvSink } from '../../backend/backend.js';
import type { CodedError } from '../../errors.js';
import { progressOf } from '../../fairness/socket-progress.js';

/** How long a viewer may take for the last bytes of a stream, milliseconds: nobody else watches it any more. */
const lastBytesMs = 10_000;

/** A viewer's FLV as the endless body of an answer (HTTP-FLV). */
export class HttpFlvSink implements FlvSink {
  readonly #response: ServerResponse;
  readonly #lastBytesMs: number;

  /** @param limitMs how long a viewer may take for the last bytes */
  constructor(response: ServerResponse, limitMs = lastBytesMs) {
    this.#response = response;
    this.#lastBytesMs = limitMs;
  }

  get pendingBytes(): number {
    return this.#response.writableLength;
  }

  get progress(): number {
    return progressOf(this.#response.socket);
  }

  write(data: Buffer): boolean {
    return this.#response.write(data);
  }

  /** An answer that is cut off in the middle of its chunks tells a client that something went wrong. */
  end(reason: CodedError | null): void {
    const response = this.#response;
    if (reason !== null) response.destroy();
    else if (!response.writableEnded) {
      response.end();
      const timer = setTimeout(() => response.destroy(), this.#lastBytesMs).unref();
      response.once('close', () => clearTimeout(timer));
    }
  }
}
