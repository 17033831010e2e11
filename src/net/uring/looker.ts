/**
 * Has a ring looked at in intervals, which wakes nobody in between (`IORING_SETUP_DEFER_TASKRUN`): what comes meanwhile is read
 * in one call for each socket, and all sockets are read in one turn.
 */
export class Looker {
  readonly #everyMs: number;
  readonly #look: () => void;
  #timer: NodeJS.Timeout | null = null;

  /** @param look has the kernel do what it has put off, and tells of what came */
  constructor(everyMs: number, look: () => void) {
    this.#everyMs = everyMs;
    this.#look = look;
  }

  /** Whether there is something to look for, for which the process is to stay. */
  set isNeeded(isNeeded: boolean) {
    if (isNeeded) this.#timer ??= setInterval(this.#look, this.#everyMs);
    else this.close();
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }
}
