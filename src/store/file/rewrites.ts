interface Asked {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Callers who wait until state.json is written anew, without a change: one writing is for all of them. */
export class Rewrites {
  #waiting: Asked[] = [];

  /** Resolves when the file that was written after this call is in place; rejects with what hinders it. */
  ask(): Promise<void> {
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  get areAsked(): boolean {
    return this.#waiting.length > 0;
  }

  /** Never rejects. */
  async run(rewrite: () => Promise<void>): Promise<void> {
    const asked = this.#waiting;
    this.#waiting = [];
    try {
      await rewrite();
      for (const { resolve } of asked) resolve();
    } catch (error) {
      for (const { reject } of asked) reject(error);
    }
  }
}
