import type { ErrorCode } from '../errors.js';

/** Every kind of event; docs/events.md says what each carries (a test compares). They are never renamed. */
export const eventTypes = [
  'camera.registered',
  'camera.changed',
  'camera.removed',
  'camera.live',
  'camera.stopped',
  'camera.switched',
  'source.moved',
  'ingest.connected',
  'ingest.disconnected',
  'publisher.refused',
  'push.added',
  'push.changed',
  'push.removed',
  'push.state',
  'engine.registered',
  'engine.changed',
  'engine.removed',
  'problem.raised',
  'problem.cleared',
  'node.joined',
  'node.left',
  'node.unknown',
  'node.known',
] as const;

export type EventType = (typeof eventTypes)[number];

const ofState: ReadonlySet<string> = new Set<EventType>([
  'camera.registered',
  'camera.changed',
  'camera.removed',
  'push.added',
  'push.changed',
  'push.removed',
  'engine.registered',
  'engine.changed',
  'engine.removed',
]);

/** True for changes of the desired state, which every node of a cluster tells of. */
export function isOfState(type: string): boolean {
  return ofState.has(type);
}

/** An event as its source reports it. The source masks secrets. */
export interface NewEvent {
  readonly type: EventType;
  /** The camera that it is about, if any. */
  readonly camera?: string;
  /** The push of that camera that it is about, if any. */
  readonly push?: string;
  readonly engine?: string;
  /** Why, as a code of `docs/errors.md`. */
  readonly code?: ErrorCode | null;
  /** Further facts, by name; see docs/events.md. */
  readonly facts?: Readonly<Record<string, string | number | boolean | null>>;
}

/** An event of the feed. */
export interface FeedEvent {
  /** Increases by one within a run of the process; ids of a later run are higher. */
  readonly id: number;
  readonly type: EventType;
  readonly camera: string | undefined;
  /** The event as JSON: id, at, type, camera, push, engine, code and the facts. Encoded once for all who get it. */
  readonly json: string;
}
