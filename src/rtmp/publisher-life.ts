/** So many bytes of a frame count as a sign of life, also where it is not whole yet. */
const countedBytes = 16 * 1024;

/**
 * When a publisher last proved to be alive: by a frame that was taken, or a good part of one. Who drips single bytes is
 * silent, and so is who sends what nobody can use, pings, and acknowledgements.
 */
export class PublisherLife {
  lastMs: number;
  /** Bytes of the unfinished frame that were counted. */
  #countedBytes = 0;

  /** @param nowMs a monotonic clock, here and below */
  constructor(nowMs: number) {
    this.lastMs = nowMs;
  }

  /** A frame was taken, or a publish was accepted. */
  frame(nowMs: number): void {
    this.lastMs = nowMs;
    this.#countedBytes = 0;
  }

  /** A large frame takes its time on a slow line. @param bytes how much has come of the one that is not whole yet */
  part(bytes: number, nowMs: number): void {
    if (bytes - this.#countedBytes >= countedBytes) this.lastMs = nowMs;
    else if (bytes >= this.#countedBytes) return;
    this.#countedBytes = bytes;
  }
}
