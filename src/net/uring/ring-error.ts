import { getSystemErrorName } from 'node:util';

/** A refusal of the kernel to make a ring, or to do with it what is needed. */
export class RingError extends Error {
  /** A negative system error. */
  readonly result: number;
  /** The call, or what of it was asked for. */
  readonly what: string;

  /** @param what the call. @param result a negative system error */
  constructor(what: string, result: number) {
    super(`${what} failed: ${getSystemErrorName(result)}`);
    this.what = what;
    this.result = result;
  }
}
