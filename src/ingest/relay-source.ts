import type { CodedError } from '../errors.js';
import type { Publisher } from '../rtmp/stream-host.js';
import { type Source, sourcePriorities } from './source.js';

/** Where a stream comes from that another node sends. */
export interface RelayOrigin {
  /** The node that sends it. */
  readonly from: string;
  /** The node that has the camera's publisher. */
  readonly owner: string;
  /** Of the owner's claim: what a later owner has is larger. */
  readonly epoch: number;
  /** Nodes that have no room for the camera, by the owner's word. */
  readonly avoid?: readonly string[] | undefined;
  /** Copies of it that this node is to send on. */
  readonly copies?: number | undefined;
}

/** The camera's stream as another node of the cluster sends it. It gives way to any publisher here, and to a later owner's. */
export class RelaySource implements Source {
  readonly kind = 'relay';
  readonly priority = sourcePriorities.relay;
  readonly id: string;
  readonly origin: RelayOrigin;
  readonly #publisher: Publisher;

  constructor(publisher: Publisher, origin: RelayOrigin) {
    this.#publisher = publisher;
    this.origin = origin;
    this.id = `relay ${publisher.id}`;
  }

  get remote(): string {
    return `node ${this.origin.from}`;
  }

  get encoder(): string {
    return this.#publisher.flashVer;
  }

  get via(): string {
    return this.#publisher.via;
  }

  get lastMediaMs(): number {
    return this.#publisher.lastMediaMs;
  }

  get ignoredMessages(): number {
    return this.#publisher.ignoredMessages;
  }

  /** The same node connects anew when its connection broke, which may be seen there first. */
  supersedes(known: Source): boolean {
    return known instanceof RelaySource && this.origin.epoch >= known.origin.epoch;
  }

  close(reason: CodedError): void {
    this.#publisher.close(reason);
  }
}
