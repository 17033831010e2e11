import type { MediaBackend, PushSnapshot } from '../backend/backend.js';
import { isEngineHealthy } from './choose-engine.js';
import type { Reconciler } from './reconcile.js';

/** How long a verdict counts, and how many pushes are looked at for one. */
const freshMs = 1000;
const maxLooks = 200;
/** Most pushes are of cameras that are not live, of which nothing is seen: they are passed over. */
const maxPassed = 1000;

/** Which engines take pushes, judged by what the media backend sees. */
export class EngineHealth {
  readonly #backend: Pick<MediaBackend, 'push'>;
  readonly #pushes: Pick<Reconciler, 'pushesTo'>;
  readonly #verdicts = new Map<string, { healthy: boolean; atMs: number }>();

  constructor(backend: Pick<MediaBackend, 'push'>, pushes: Pick<Reconciler, 'pushesTo'>) {
    this.#backend = backend;
    this.#pushes = pushes;
  }

  /** True also for an engine that nothing is known of. */
  isHealthy(engine: string): boolean {
    const nowMs = performance.now();
    const known = this.#verdicts.get(engine);
    if (known !== undefined && nowMs - known.atMs < freshMs) return known.healthy;
    const healthy = isEngineHealthy(this.#snapshots(engine));
    if (this.#verdicts.size >= 10_000) this.#verdicts.clear();
    this.#verdicts.set(engine, { healthy, atMs: nowMs });
    return healthy;
  }

  *#snapshots(engine: string): Generator<PushSnapshot | undefined> {
    let looks = 0;
    let passed = 0;
    for (const { camera, id } of this.#pushes.pushesTo(engine)) {
      const seen = this.#backend.push(camera, id);
      if (seen === undefined) passed += 1;
      else looks += 1;
      if (looks > maxLooks || passed > maxPassed) return;
      yield seen;
    }
  }
}
