function monotonicByHrtime(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e6 + nanoseconds / 1e3;
}

/** The difference of the two readings of one clock. A process may be held up between them: the closest try counts. */
function findOffset(): number {
  let offsetUs = 0;
  let closestUs = Number.POSITIVE_INFINITY;
  for (let tries = 0; tries < 50; tries++) {
    const beforeUs = performance.now() * 1e3;
    const us = monotonicByHrtime();
    const afterUs = performance.now() * 1e3;
    if (afterUs - beforeUs >= closestUs) continue;
    closestUs = afterUs - beforeUs;
    offsetUs = us - (beforeUs + afterUs) / 2;
  }
  return offsetUs;
}

const offsetUs = findOffset();

/**
 * Microseconds of CLOCK_MONOTONIC, which all processes of a machine share. By `performance.now()`, which reads the same
 * clock at less cost than `process.hrtime()`.
 */
export function monotonicUs(): number {
  return offsetUs + performance.now() * 1e3;
}
