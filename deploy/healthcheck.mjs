/**
 * HEALTHCHECK of the image: exit code 0 when the aggregator of this container is ready (`/readyz`), else 1 and why.
 * It asks where runtime.json says that the API listens, so that it holds for every setting of host and ports; where a full
 * disk took no such file, it asks by the socket beside it.
 */
import { existsSync, readFileSync } from 'node:fs';
import { get } from 'node:http';
import { get as getSecure } from 'node:https';
import { join } from 'node:path';

const timeoutMs = 4000;

/** Where the API is: `get` of its protocol, and what that is told. */
function whereabouts(folder) {
  const file = join(folder, 'runtime.json');
  const socketPath = join(folder, 'api.sock');
  if (!existsSync(file) && existsSync(socketPath)) return [get, { socketPath }];
  const { host, apiPort, apiCertFile } = JSON.parse(readFileSync(file, 'utf8'));
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return [apiCertFile === undefined ? get : getSecure, { host: reachable, port: apiPort }];
}

try {
  const [ask, place] = whereabouts(process.env.MEDIA_AGGREGATOR_DATA_DIR ?? './data');
  const status = await new Promise((resolve, reject) => {
    // The certificate is for the name that others use; this is the same container.
    const options = { ...place, path: '/readyz', rejectUnauthorized: false };
    const sent = ask({ ...options, signal: AbortSignal.timeout(timeoutMs) }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    sent.on('error', reject);
  });
  if (status !== 200) throw new Error(`/readyz answers ${status}`);
  console.log('ready');
} catch (error) {
  console.log(`not ready: ${error.message}`);
  process.exitCode = 1;
}
