/**
 * node --expose-gc --import collecting.mjs PROGRAM: collects garbage every two seconds, so that the memory of PROGRAM is what it
 * holds, not what it has not tidied up yet. Where HEAP_REPORT names a file, the heap's bytes are written there each time.
 */
import { renameSync, writeFileSync } from 'node:fs';

const report = process.env.HEAP_REPORT;
setInterval(() => {
  globalThis.gc?.();
  if (report === undefined) return;
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  // Whoever reads it meanwhile reads a whole one.
  writeFileSync(`${report}.new`, String(heapUsed + arrayBuffers));
  renameSync(`${report}.new`, report);
}, 2000).unref();
