/**
 * HEALTHCHECK of the image: exit code 0 when the aggregator of this container is ready (`/readyz`), else 1 and why.
 * It asks where runtime.json says that the API listens, so that it holds for every setting of host and ports.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const timeoutMs = 4000;

try {
  const file = join(process.env.MEDIA_AGGREGATOR_DATA_DIR ?? './data', 'runtime.json');
  const { host, apiPort } = JSON.parse(readFileSync(file, 'utf8'));
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  const address = reachable.includes(':') ? `[${reachable}]` : reachable;
  const response = await fetch(`http://${address}:${apiPort}/readyz`, { signal: AbortSignal.timeout(timeoutMs) });
  if (!response.ok) throw new Error(`/readyz answers ${response.status}`);
  console.log('ready');
} catch (error) {
  console.log(`not ready: ${error.message}`);
  process.exitCode = 1;
}
