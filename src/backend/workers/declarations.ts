import { CodedError, type ErrorCode } from '../../errors.js';

/** A camera that its worker was told of, and that has not said yet that it is so. */
interface Open {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: CodedError) => void;
  /** Of the last order; 0: the worker is down, and is told when it is up again. */
  sequence: number;
}

/** What the workers were told of cameras, until they say that they did it. */
export class Declarations {
  /** By camera. */
  readonly #open = new Map<string, Open>();

  /**
   * A camera's worker was told, or will be. @param sequence of the order; 0: it is told when it is up
   * @returns resolves when the worker did the last that it was told of this camera; rejects when that failed
   */
  expect(camera: string, sequence: number): Promise<void> {
    const known = this.#open.get(camera);
    if (known !== undefined) {
      known.sequence = sequence;
      return known.promise;
    }
    let resolve: () => void = () => {};
    let reject: (error: CodedError) => void = () => {};
    const promise = new Promise<void>((onDone, onFailed) => {
      resolve = onDone;
      reject = onFailed;
    });
    // Nobody has to wait for it.
    promise.catch(() => {});
    this.#open.set(camera, { promise, resolve, reject, sequence });
    return promise;
  }

  /** Resolves as above; at once when nothing is expected. */
  done(camera: string): Promise<void> {
    return this.#open.get(camera)?.promise ?? Promise.resolve();
  }

  /** A worker did what it was told, or failed on it. */
  note(camera: string, sequence: number, failure: { readonly code: ErrorCode; readonly message: string } | null): void {
    const known = this.#open.get(camera);
    // Another order followed, which is what is waited for.
    if (known === undefined || known.sequence === 0 || known.sequence > sequence) return;
    this.#open.delete(camera);
    if (failure === null) known.resolve();
    else known.reject(new CodedError(failure.code, failure.message));
  }

  /** The worker of these cameras ended: it will be told again. */
  lost(cameras: Iterable<string>): void {
    for (const camera of cameras) {
      const known = this.#open.get(camera);
      if (known !== undefined) known.sequence = 0;
    }
  }

  /** A camera was removed where no worker has to be told. */
  drop(camera: string): void {
    this.#open.get(camera)?.resolve();
    this.#open.delete(camera);
  }

  /** Nothing is told any more. */
  close(): void {
    for (const camera of [...this.#open.keys()]) this.drop(camera);
  }
}
