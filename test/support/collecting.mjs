/**
 * node --expose-gc --import collecting.mjs PROGRAM: collects garbage every two seconds, so that the memory of PROGRAM is what it
 * holds, not what it has not tidied up yet. Where HEAP_REPORT names a file, the heap's bytes are written there each time.
 */
import { writeFileSync } from 'node:fs';

const report = process.env.HEAP_REPORT;
setInterval(() => {
  globalThis.gc?.();
  if (report === undefined) return;
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  writeFileSync(report, String(heapUsed + arrayBuffers));
}, 2000).unref();
