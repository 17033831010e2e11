/** What is done to a target: bytes given to one of its connections, or an event of it. */
export interface Step {
  /** The number of the connection (or 0). */
  readonly to: number;
  readonly what: 'data' | 'end' | 'full' | 'drain';
  readonly data: Buffer;
}

export type Input = readonly Step[];

/** Why an input is a find. */
export class Finding extends Error {
  /** Two finds of the same kind are taken for the same mistake. */
  readonly kind: string;

  constructor(kind: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

/** Something that is fed with inputs. */
export interface FuzzTarget {
  readonly name: string;
  /** How often it is chosen, relative to the others. */
  readonly weight: number;
  generate(random: import('./random.js').Random): Input;
  /**
   * Feeds one input to a fresh instance. `timed` is to be called around each piece that must not take long.
   * @throws Finding
   */
  run(input: Input, timed: (work: () => void) => void): void;
}

/** A vector as it lies in `regressions/`. */
export interface Vector {
  readonly target: string;
  /** What went wrong, before it was mended. */
  readonly was: string;
  readonly steps: readonly { readonly to: number; readonly what: Step['what']; readonly data: string }[];
}

export function toVector(target: string, was: string, input: Input): Vector {
  return { target, was, steps: input.map(({ to, what, data }) => ({ to, what, data: data.toString('base64') })) };
}

export function inputOf(vector: Vector): Input {
  return vector.steps.map(({ to, what, data }) => ({ to, what, data: Buffer.from(data, 'base64') }));
}

export function dataStep(data: Buffer, to = 0): Step {
  return { to, what: 'data', data };
}
