import { setTimeout as sleep } from 'node:timers/promises';
import type { CameraRelaying, RelayOrigin } from '../backend/backend.js';
import { CodedError } from '../errors.js';

/** A stream of another node that is silent for so long may have no sender any more. */
const silentMs = 1200;
/** How long that node may take to answer. */
const answerMs = 1500;
/** One that answers is not asked again for so long: its camera is silent. */
const pauseMs = 1000;

/**
 * Ends what comes from nodes that are silent and do not answer: the camera's node pushes directly by then, and a target that takes
 * one publisher would refuse it as long as this node holds the stream's name.
 */
export class RelayWatch {
  readonly #relaying: CameraRelaying;
  readonly #urlOf: (node: string) => string | undefined;
  readonly #asked = new Set<string>();

  /** @param urlOf where a node is connected to; undefined: it is not known */
  constructor(relaying: CameraRelaying, urlOf: (node: string) => string | undefined) {
    this.#relaying = relaying;
    this.#urlOf = urlOf;
  }

  /** Call about twice a second. @param relays what comes from other nodes now, by camera */
  look(relays: ReadonlyMap<string, RelayOrigin>): void {
    const silent = new Set<string>();
    for (const [camera, { from }] of relays) if (this.#isSilent(camera)) silent.add(from);
    for (const node of silent) if (!this.#asked.has(node)) void this.#ask(node, relays);
  }

  #isSilent(camera: string): boolean {
    return this.#relaying.silentRelayMs(camera) >= silentMs;
  }

  async #ask(node: string, relays: ReadonlyMap<string, RelayOrigin>): Promise<void> {
    const url = this.#urlOf(node);
    if (url === undefined) return;
    this.#asked.add(node);
    if (await this.#relaying.probeNode(url, answerMs)) await sleep(pauseMs, undefined, { ref: false });
    else {
      const message = `node ${node}, which sends the stream, is silent and does not answer`;
      const over = [...relays].filter(([camera, { from }]) => from === node && this.#isSilent(camera));
      for (const [camera] of over) this.#relaying.endRelay(camera, new CodedError('NODE_UNAVAILABLE', message));
    }
    this.#asked.delete(node);
  }
}
