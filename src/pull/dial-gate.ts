/** Between two dials at least, milliseconds: those of a start do not leave in one moment. */
const spreadMs = 10;

/**
 * Limits how many sources are being dialled at a time. A dial is under way until media comes or it failed: two hundred
 * cameras, switches and routers in front of them do not like two hundred first packets at once. First come, first served.
 */
export class DialGate {
  readonly #most: number;
  readonly #waiting = new Set<() => void>();
  #underWay = 0;
  #nextMs = 0;
  #timer: NodeJS.Timeout | null = null;

  /** @param most dials that may be under way */
  constructor(most: number) {
    this.#most = most;
  }

  get underWay(): number {
    return this.#underWay;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Calls `dial` when it may begin, never before this returns.
   * @param dial is given what to call when the dial is over; calling that again does nothing
   * @returns gives the place in the line up; nothing once it dialled
   */
  enter(dial: (done: () => void) => void): () => void {
    const begin = (): void => {
      let isDone = false;
      dial(() => {
        if (isDone) return;
        isDone = true;
        this.#underWay--;
        this.#look();
      });
    };
    this.#waiting.add(begin);
    this.#look();
    return () => {
      this.#waiting.delete(begin);
    };
  }

  #look(): void {
    if (this.#timer !== null || this.#waiting.size === 0 || this.#underWay >= this.#most) return;
    const nowMs = performance.now();
    this.#timer = setTimeout(
      () => {
        this.#timer = null;
        const [begin] = this.#waiting;
        if (begin === undefined || this.#underWay >= this.#most) return;
        this.#waiting.delete(begin);
        this.#underWay++;
        this.#nextMs = performance.now() + spreadMs;
        begin();
        this.#look();
      },
      Math.max(0, this.#nextMs - nowMs),
    );
  }
}
