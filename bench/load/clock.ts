const [seconds, nanoseconds] = process.hrtime();
const offsetUs = seconds * 1e6 + nanoseconds / 1e3 - performance.now() * 1e3;

/**
 * Microseconds of CLOCK_MONOTONIC, which all processes of a machine share. By `performance.now()`, which reads the same
 * clock at less cost than `process.hrtime()`.
 */
export function monotonicUs(): number {
  return offsetUs + performance.now() * 1e3;
}
