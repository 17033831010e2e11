/** Loaded into the server before its program: collects garbage on SIGUSR2 and writes what is in use to a file. */
import { writeFileSync } from 'node:fs';

process.on('SIGUSR2', () => {
  const collect: unknown = Reflect.get(globalThis, 'gc');
  if (typeof collect === 'function') for (let round = 0; round < 3; round += 1) collect();
  writeFileSync(process.env.HEAP_REPORT ?? 'heap.json', JSON.stringify(process.memoryUsage()));
});
