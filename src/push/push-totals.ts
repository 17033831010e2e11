import type { DropReason } from '../relay/drop-tally.js';
import type { Outlet } from '../relay/outlet.js';

/** Frames sent and dropped by the ended connections of a push. */
export class PushTotals {
  #bytesOut = 0;
  #framesOut = 0;
  readonly #dropped: Record<DropReason, number> = { bytes: 0, age: 0, total: 0 };

  get bytesOut(): number {
    return this.#bytesOut;
  }

  get framesOut(): number {
    return this.#framesOut;
  }

  /** Adds the counts of an outlet that is no longer used. */
  add(outlet: Outlet): void {
    this.#bytesOut += outlet.bytesOut;
    this.#framesOut += outlet.framesOut;
    const { bytes, age, total } = outlet.droppedFrames;
    this.#dropped.bytes += bytes;
    this.#dropped.age += age;
    this.#dropped.total += total;
  }

  /** Frames dropped, including those of an outlet in use: all of them, and by the budget that was exceeded. */
  droppedWith(outlet: Outlet | null): { droppedFrames: number; droppedBy: Record<DropReason, number> } {
    const now = outlet?.droppedFrames;
    const bytes = this.#dropped.bytes + (now?.bytes ?? 0);
    const age = this.#dropped.age + (now?.age ?? 0);
    const total = this.#dropped.total + (now?.total ?? 0);
    return { droppedFrames: bytes + age + total, droppedBy: { bytes, age, total } };
  }
}
