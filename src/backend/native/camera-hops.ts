import { type ErrorCode, messageOf, type TargetError } from '../../errors.js';
import type { FlightRecorder } from '../../events/flight-recorder.js';
import type { Logger } from '../../log/log.js';
import type { Dialer } from '../../net/dialer.js';
import { Push } from '../../push/push.js';
import type { TargetWatch } from '../../push/target-watch.js';
import type { LiveStream } from '../../relay/live-stream.js';
import type { NetSettings } from '../../rtmp/settings.js';
import type { DesiredHop, HopState } from '../backend.js';
import type { HopSnapshot } from '../observed.js';

export interface CameraHopsOptions {
  readonly camera: string;
  readonly settings: NetSettings;
  readonly watch: TargetWatch;
  readonly dialer: Dialer;
  readonly log: Logger;
  /** Of the camera. */
  readonly recorder: FlightRecorder;
  /** A ticket with which one connection is let in at a node. */
  readonly ticketFor: (to: string) => string;
  /** As `PushOptions.takeRoom`. */
  readonly takeRoom: (to: string, wasRefused: boolean) => TargetError | undefined;
  readonly onState: (to: string, state: HopState) => void;
}

interface CameraHop {
  /** Without the camera. */
  readonly url: string;
  readonly push: Push;
}

const noHops: ReadonlyMap<string, CameraHop> = new Map();

/** The copies of a camera's stream that other nodes get from this one: pushes, with a new ticket for each connection. */
export class CameraHops {
  readonly #options: () => CameraHopsOptions;
  #hops: Map<string, CameraHop> | null = null;
  #leaving: Map<Push, Promise<void>> | null = null;
  /** What feeds them: a stream, one that may go on, or none. */
  #state: LiveStream | 'paused' | 'over' = 'over';
  #pastBytes = 0;

  /** @param options asked for when there is a hop: most cameras never have one */
  constructor(options: () => CameraHopsOptions) {
    this.#options = options;
  }

  get #all(): ReadonlyMap<string, CameraHop> {
    return this.#hops ?? noHops;
  }

  /** How many have room, or keep it. */
  get holdingRoom(): number {
    let count = 0;
    for (const { push } of this.#all.values()) if (push.holdsRoom) count++;
    return count;
  }

  /** Bytes handed to other nodes, ever. */
  get bytesOut(): number {
    let bytes = this.#pastBytes;
    for (const { push } of this.#all.values()) bytes += push.bytesOut;
    for (const push of this.#leaving?.keys() ?? []) bytes += push.bytesOut;
    return bytes;
  }

  /** Converges to the declared hops. One that is declared as it was is left alone. */
  declare(hops: readonly DesiredHop[] = []): void {
    if (hops.length === 0 && this.#all.size === 0) return;
    const wanted = new Map(hops.map((hop) => [hop.to, hop]));
    for (const [to, { url, push }] of this.#all) if (wanted.get(to)?.url !== url) this.#remove(to, push);
    for (const hop of hops) if (!this.#all.has(hop.to)) this.#add(hop);
  }

  /** The camera is live with this stream, anew or again. */
  begin(stream: LiveStream): void {
    this.#state = stream;
    for (const { push } of this.#all.values()) push.begin(stream);
  }

  /** Nothing feeds the stream, which may go on. */
  pause(): void {
    this.#state = 'paused';
    for (const { push } of this.#all.values()) push.pause();
  }

  /** The stream is over; so it is at the other nodes. */
  end(): void {
    this.#state = 'over';
    for (const { push } of this.#all.values()) push.end();
  }

  tick(nowMs: number): void {
    for (const { push } of this.#all.values()) push.tick(nowMs);
  }

  /** Resolves when they sent what the stream still had for them. */
  async drained(): Promise<void> {
    await Promise.all([...this.#all.values()].map(({ push }) => push.drained()));
  }

  /** Removes all. Resolves when the other nodes were told. */
  async close(): Promise<void> {
    this.declare([]);
    await Promise.all(this.#leaving?.values() ?? []);
  }

  /** Undefined: there are none. */
  snapshots(nowMs: number): HopSnapshot[] | undefined {
    if (this.#all.size === 0) return undefined;
    return [...this.#all].map(([to, { push }]) => {
      const { state, since, bytesOut, bitrateBps, droppedFrames, lastError, ...seen } = push.status(nowMs);
      const error = lastError === null || state === 'active' ? {} : { error: lastError.message };
      return { to, state, since, roundTripMs: seen.roundTripMs ?? null, bitrateBps, bytesOut, droppedFrames, ...error };
    });
  }

  #add({ to, url }: DesiredHop): void {
    const { camera, settings, watch, dialer, log, recorder, ticketFor, onState, takeRoom } = this.#options();
    const place = `${url}/${camera}/${camera}`;
    let push: Push;
    try {
      push = new Push({
        url: place,
        urlNow: () => `${place}?relay=${ticketFor(to)}`,
        shownUrl: place,
        enabled: true,
        limits: settings,
        ...{ settings, watch, dialer },
        log: log.child({ node: to }),
        takeRoom: (wasRefused) => takeRoom(to, wasRefused),
        onPhase: () => onState(to, stateOf(push)),
      });
    } catch (error) {
      // An address that somebody wrote into etcd by hand.
      log.error('the address of a node cannot be used', { node: to, url, error: messageOf(error) });
      onState(to, 'failed');
      return;
    }
    this.#hops ??= new Map();
    this.#hops.set(to, { url, push });
    recorder.note('hop', `to node ${to} added`);
    if (typeof this.#state !== 'string') push.begin(this.#state);
  }

  #remove(to: string, push: Push): void {
    this.#hops?.delete(to);
    const { recorder, onState } = this.#options();
    recorder.note('hop', `to node ${to} removed`);
    onState(to, 'gone');
    const leaving = push.close().finally(() => {
      this.#leaving?.delete(push);
      this.#pastBytes += push.bytesOut;
    });
    this.#leaving ??= new Map();
    this.#leaving.set(push, leaving);
  }
}

/** What says nothing of the other node: it refuses the camera, or there is no room for the copy at this one. */
const refusals: ReadonlySet<ErrorCode> = new Set(['TARGET_PUBLISH_REJECTED', 'TARGET_CONNECT_REJECTED', 'NODE_FULL']);

/** That node has no room for the camera. */
function saysFull({ code, message }: { readonly code: ErrorCode; readonly message: string }): boolean {
  return code === 'TARGET_PUBLISH_REJECTED' && message.includes('NODE_FULL');
}

function stateOf({ phase, lastFailure, wasEndedByTarget }: Push): HopState {
  switch (phase) {
    case 'disabled':
    case 'elsewhere':
      return 'gone';
    case 'waiting':
      if (lastFailure === null) return 'connecting';
      if (saysFull(lastFailure)) return 'full';
      // A node that ends the stream of one camera is there for the others: the camera was removed, or has a publisher there.
      if (wasEndedByTarget) return 'refused';
      return refusals.has(lastFailure.code) ? 'refused' : 'failed';
    default:
      return phase;
  }
}
