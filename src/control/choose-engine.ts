import type { PushSnapshot } from '../backend/backend.js';
import { ConflictError, type ErrorCode } from '../errors.js';
import type { Camera, DesiredState, StreamingEngine } from '../model/model.js';

/** What is known of the engines when one is chosen. */
export interface EngineFacts {
  /** Enabled pushes that go there. */
  loadOf(engine: string): number;
  isHealthy(engine: string): boolean;
}

export interface Choice {
  readonly camera: Camera;
  readonly viewerLocation: string | undefined;
  readonly nodeLocation: string | undefined;
}

/** The engine of a redirection: one that is registered, or any host, which then has the default templates. */
export type PickedEngine =
  | { readonly kind: 'registered'; readonly engine: StreamingEngine }
  | { readonly kind: 'host'; readonly host: string };

/**
 * The engine with this host, or the host itself; without a host the one that `chooseEngine` finds.
 * @throws ConflictError NO_ENGINE
 */
export function pickEngine(
  state: DesiredState,
  wanted: Choice & { readonly host: string | undefined; readonly facts: EngineFacts },
): PickedEngine {
  const { host, facts } = wanted;
  const candidates = [...state.engines.values()].filter((engine) => host === undefined || engine.host === host);
  const engine = chooseEngine(candidates, wanted, facts);
  if (engine !== undefined) return { kind: 'registered', engine };
  if (host !== undefined) return { kind: 'host', host };
  throw new ConflictError(
    'NO_ENGINE',
    'no streaming engine is registered; give its address as "se_ip", or register one with POST /v1/engines',
  );
}

/**
 * The engine that a viewer of this camera gets; undefined when there is none. In this order: one that takes pushes
 * before one that is down; one in the viewer's location, then in the node's, then anywhere; one that the camera goes
 * to already (so that asking again changes nothing); the least loaded; the first by name. An engine to which
 * the camera's push was disabled by hand comes after all others.
 */
function chooseEngine(
  engines: Iterable<StreamingEngine>,
  choice: Choice,
  facts: EngineFacts,
): StreamingEngine | undefined {
  let best: { engine: StreamingEngine; rank: readonly number[] } | undefined;
  for (const engine of engines) {
    const rank = rankOf(engine, choice, facts);
    const order = best === undefined ? -1 : compareRanks(rank, best.rank);
    if (best === undefined || order < 0 || (order === 0 && engine.name < best.engine.name)) best = { engine, rank };
  }
  return best?.engine;
}

function rankOf(engine: StreamingEngine, choice: Choice, facts: EngineFacts): readonly number[] {
  const push = Object.values(choice.camera.pushes).find((one) => one.engine === engine.name);
  return [
    push?.enabled === false ? 1 : 0,
    facts.isHealthy(engine.name) ? 0 : 1,
    distance(engine.location, choice.viewerLocation, choice.nodeLocation),
    push === undefined ? 1 : 0,
    facts.loadOf(engine.name),
  ];
}

/** Locations are the operator's words: the same or not, whatever the case. */
function distance(location: string | undefined, viewer: string | undefined, node: string | undefined): number {
  const is = (other: string | undefined) => other !== undefined && location?.toLowerCase() === other.toLowerCase();
  if (is(viewer)) return 0;
  return is(node) ? 1 : 2;
}

function compareRanks(left: readonly number[], right: readonly number[]): number {
  for (const [index, value] of left.entries()) {
    const difference = value - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Failures that concern the engine as a whole, and not one application or stream name. */
const connectionErrors: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'TARGET_DNS',
  'TARGET_REFUSED',
  'TARGET_UNREACHABLE',
  'TARGET_TIMEOUT',
  'TARGET_CLOSED',
  'TARGET_HANDSHAKE',
]);

/** An engine is down when a push to it waits because of its connection, and none is active. */
export function isEngineHealthy(pushes: Iterable<PushSnapshot | undefined>): boolean {
  let failing = false;
  for (const push of pushes) {
    if (push?.state === 'active') return true;
    const code = push?.lastError?.code;
    if (push?.state === 'waiting' && code !== undefined && connectionErrors.has(code)) failing = true;
  }
  return !failing;
}
