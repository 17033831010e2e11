import type { CodedError } from '../errors.js';
import type { Publisher, SrtFacts } from '../rtmp/stream-host.js';
import { type Source, sourcePriorities } from './source.js';

/** An RTMP publisher as a source. */
export class PublisherSource implements Source {
  readonly kind = 'publisher';
  readonly priority = sourcePriorities.publisher;
  readonly id: string;
  readonly #publisher: Publisher;

  constructor(publisher: Publisher) {
    this.#publisher = publisher;
    this.id = `publisher ${publisher.id}`;
  }

  get remote(): string {
    return this.#publisher.remote;
  }

  get encoder(): string {
    return this.#publisher.flashVer;
  }

  get via(): string {
    return this.#publisher.via;
  }

  get srt(): SrtFacts | null {
    return this.#publisher.srt ?? null;
  }

  get lastMediaMs(): number {
    return this.#publisher.lastMediaMs;
  }

  get ignoredMessages(): number {
    return this.#publisher.ignoredMessages;
  }

  askToReconnect(): boolean {
    return this.#publisher.askToReconnect?.() ?? false;
  }

  close(reason: CodedError): void {
    this.#publisher.close(reason);
  }
}
