import type { CodedError } from '../errors.js';
import { type Source, sourcePriorities } from '../ingest/source.js';

let nextNumber = 1;

/** One life of a pull, as the camera sees it. */
export class PulledSource implements Source {
  readonly kind = 'pull';
  readonly priority = sourcePriorities.pull;
  readonly id = `pull ${nextNumber++}`;
  /** The URL as it may be shown. */
  readonly remote: string;
  readonly encoder = '';
  readonly via = '';
  readonly ignoredMessages = 0;
  lastMediaMs = performance.now();
  readonly #onClose: (reason: CodedError) => void;

  /** @param onClose the camera ends it */
  constructor(remote: string, onClose: (reason: CodedError) => void) {
    this.remote = remote;
    this.#onClose = onClose;
  }

  close(reason: CodedError): void {
    this.#onClose(reason);
  }
}
