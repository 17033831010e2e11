import type { MediaBackend, PushSnapshot } from '../backend/backend.js';
import type { Reconciler } from './reconcile.js';

/** How the pushes to a streaming engine fare, as seen by this node. */
export interface EnginePushes {
  /** All pushes to it. */
  readonly total: number;
  /** Those whose target takes media. */
  readonly active: number;
  /** Those whose target takes none although it should. */
  readonly down: number;
}

/** True for a push whose target takes no media although it should. */
export function isPushDown({ state, downSince }: Pick<PushSnapshot, 'state' | 'downSince'>): boolean {
  return downSince !== null || state === 'waiting' || state === 'stalled';
}

/** Counts the pushes to an engine, one in each step: thousands may go to one. */
export function* enginePushesSteps(
  engine: string,
  { backend, reconciler }: { backend: Pick<MediaBackend, 'push'>; reconciler: Pick<Reconciler, 'pushesTo'> },
): Generator<null, EnginePushes> {
  const counts = { total: 0, active: 0, down: 0 };
  for (const { camera, id, enabled } of reconciler.pushesTo(engine)) {
    counts.total += 1;
    const seen = enabled ? backend.push(camera, id) : undefined;
    if (seen?.state === 'active') counts.active += 1;
    if (seen !== undefined && isPushDown(seen)) counts.down += 1;
    yield null;
  }
  return counts;
}
