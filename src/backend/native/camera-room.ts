import { CodedError, type TargetError } from '../../errors.js';
import type { NodeCapacity } from './node-capacity.js';

/** What of a camera its room depends on. */
export interface RoomFacts {
  /** What feeds it sends, bits per second; 0: nothing, or not known yet. */
  readonly bitsPerSecond: () => number;
  /** A stream of it is live, or waited for. */
  readonly hasStream: () => boolean;
  /** Copies that are to be sent of it once it is live. */
  readonly wantedCopies: () => number;
}

/** The room of one camera at its node: whether there is some for it, and for each copy of it. */
export class CameraRoom {
  readonly #camera: string;
  readonly #capacity: NodeCapacity;
  readonly #facts: RoomFacts;
  /** What it sent when that was last known, bits per second. */
  #lastBps = 0;

  constructor(camera: string, capacity: NodeCapacity, facts: RoomFacts) {
    this.#camera = camera;
    this.#capacity = capacity;
    this.#facts = facts;
  }

  /** What it sends, or sent when it was last live, bits per second; 0: not known. */
  get bitrateBps(): number {
    const bps = this.#facts.bitsPerSecond();
    if (bps > 0) this.#lastBps = bps;
    return this.#lastBps;
  }

  /** A stream of it begins. */
  enter(): void {
    this.#capacity.enter(this.#camera);
  }

  /** Its stream is over. */
  leave(): void {
    this.#capacity.leave(this.#camera);
  }

  /** Why it may not begin to send here; undefined: it may, or is live already. @param copies that are to be sent of it */
  refusal(copies = this.#facts.wantedCopies(), isRelay = false): CodedError | undefined {
    return this.#facts.hasStream()
      ? undefined
      : this.#capacity.refusesCamera(this.#camera, this.bitrateBps, copies, isRelay);
  }

  /** @throws CodedError NODE_FULL where it is not live and there is no room for it */
  check(): void {
    const refusal = this.refusal();
    if (refusal !== undefined) throw refusal;
  }

  /** Takes room for a copy; as `NodeCapacity.take`. @param what in words, before the name of the camera @param rest after it */
  take(what: string, wasRefused: boolean, rest = ''): TargetError | undefined {
    return this.#capacity.take(this.bitrateBps, wasRefused, `${what} of camera ${this.#camera}${rest}`);
  }

  /** Takes room for a push; as `NodeCapacity.take`. The lack of it names a node where the camera would have room. */
  takeForPush(id: string, wasRefused: boolean): TargetError | undefined {
    return this.#capacity.take(this.bitrateBps, wasRefused, `push ${id} of camera ${this.#camera}`, this.#camera);
  }

  /**
   * Takes room for a viewer, while there is a stream.
   * @returns gives it back, so that who comes and goes all the time makes no node full @throws CodedError NODE_FULL
   */
  takeForViewer(): () => void {
    if (!this.#facts.hasStream()) return () => undefined;
    const { looks } = this.#capacity;
    const bps = this.bitrateBps;
    const lack = this.take('a viewer', false);
    if (lack !== undefined) throw new CodedError('NODE_FULL', lack.message);
    return () => this.#capacity.giveBack(bps, looks);
  }
}
