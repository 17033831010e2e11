// The real store, control and API, from compiled output, with a backend that moves nothing. Started and killed by
// durability.test.ts: node durability-child.mjs COMPILED_FOLDER DATA_FOLDER
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [compiled, dataDir] = process.argv.slice(2);
const load = (path) => import(pathToFileURL(join(compiled, path)).href);
const [{ Access }, { openFileStore }, { Control }, { startApi }, { silentLogger: log }] = await Promise.all([
  load('access/access.js'),
  load('store/file/file-store.js'),
  load('control/control.js'),
  load('api/server.js'),
  load('log/log.js'),
]);

const backend = {
  kind: 'native',
  start: async () => ({ host: '127.0.0.1', port: 1935 }),
  setCamera() {},
  removeCamera() {},
  refuses: () => undefined,
  addOwnListener() {},
  answerWaitMs: 0,
  viewing: null,
  observe() {},
  problems: () => [],
  facts: () => ({}),
  workers: () => [],
  camera: () => undefined,
  totals: () => ({ bitrateInBps: 0, bitrateOutBps: 0, liveCameras: 0, viewers: 0, connections: 0 }),
  probe: async () => true,
  stop: async () => {},
};
const settings = {
  host: '127.0.0.1',
  apiPort: 0,
  rtmpPort: 1935,
  resourceId: 'child',
  maxCameras: 100_000,
  maxPushesPerCamera: 100,
  maxEngines: 100,
};
const store = await openFileStore({ dataDir, log });
const control = new Control({ store, backend, settings, log });
await control.start();
const access = await Access.open({ dataDir, apiAuth: 'auto', jwtScopeClaim: 'scope' }, log);
const api = await startApi({ access, control, settings, log, version: '0.0.0' });
console.log(`port ${api.port}`);
