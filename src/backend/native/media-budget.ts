import type { Logger } from '../../log/log.js';
import type { CameraTable } from './cameras.js';

/** Keeps what all streams hold for newcomers and slow outlets below one limit: those that hold most give it back first. */
export class MediaBudget {
  readonly #cameras: CameraTable;
  readonly #log: Logger;
  /** Obeyed within a second when it is changed, bytes. */
  maxBytes: number;

  constructor(cameras: CameraTable, maxBytes: number, log: Logger) {
    this.#cameras = cameras;
    this.maxBytes = maxBytes;
    this.#log = log;
  }

  /** Bytes that all streams keep. */
  get keptBytes(): number {
    let bytes = 0;
    for (const camera of this.#cameras.values()) bytes += camera.keptBytes;
    return bytes;
  }

  /** Whether all streams together may keep so many bytes more. */
  mayKeep(bytes: number): boolean {
    return this.keptBytes + bytes <= this.maxBytes;
  }

  /** Call about once a second. */
  enforce(): void {
    const { maxBytes } = this;
    let kept = this.keptBytes;
    if (kept <= maxBytes) return;
    const before = kept;
    const largest = [...this.#cameras.values()].sort((a, b) => b.keptBytes - a.keptBytes);
    for (const camera of largest) {
      kept -= camera.keptBytes;
      camera.shed();
      kept += camera.keptBytes;
      if (kept <= maxBytes) break;
    }
    this.#log.warn('LIMIT_REACHED: media-max-bytes exceeded; kept media was dropped', {
      summed: true,
      before,
      after: kept,
      mediaMaxBytes: maxBytes,
    });
  }
}
