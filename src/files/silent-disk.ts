/** A write waits no longer than this for a disk that does not answer. */
const usualLimitMs = 10_000;

/**
 * A disk (a network mount mostly) that has not answered in time. It may still do what was asked once it answers. Until
 * then nothing else may be written to the same file.
 */
export class SilentDisk extends Error {
  readonly code = 'ETIMEDOUT';
  /** Resolves when the disk has answered, well or not. */
  readonly settled: Promise<void>;

  constructor(path: string, limitMs: number, settled: Promise<void>) {
    super(`the disk of ${path} has not answered for ${limitMs / 1000} s`);
    this.name = 'SilentDisk';
    this.settled = settled;
  }
}

/**
 * Waits for work on a file, within a time limit.
 * @param path for the message
 * @throws SilentDisk; what the work throws
 */
export async function answered<T>(work: Promise<T>, path: string, limitMs = usualLimitMs): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const settled = work.then(
        () => undefined,
        () => undefined,
      );
      reject(new SilentDisk(path, limitMs, settled));
    }, limitMs);
    timer.unref();
  });
  try {
    return await Promise.race([work, silence]);
  } finally {
    clearTimeout(timer);
  }
}
