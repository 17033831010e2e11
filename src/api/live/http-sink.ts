import type { ServerResponse } from 'node:http';
import type { FlvSink } from '../../backend/backend.js';
import type { CodedError } from '../../errors.js';
import { progressOf } from '../../fairness/socket-progress.js';

/** A viewer's FLV as the endless body of an answer (HTTP-FLV). */
export class HttpFlvSink implements FlvSink {
  readonly #response: ServerResponse;

  constructor(response: ServerResponse) {
    this.#response = response;
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
    if (reason === null) this.#response.end();
    else this.#response.destroy();
  }
}
