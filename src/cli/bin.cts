#!/usr/bin/env node
// The program as it is installed. CommonJS, because it must run before Node starts its thread pool: the loader of ES
// modules reads files there, and the pool's size cannot be changed once it runs.
//
// Look-ups of host names (getaddrinfo) are what the pool must be large for. Targets whose name servers do not answer
// hold a thread for many seconds each, and libuv lets look-ups have half of the pool: two threads of its default four,
// so that two such targets would hold up the pushes of all other cameras. The other half stays free for the state
// file's fsync.
process.env.UV_THREADPOOL_SIZE ??= '32';
// Before what takes time to load: SIGUSR1 opens the port of a debugger where nobody listens for it, and a server that
// has just been started must not end because its terminal is closed. What they ask for later: cli/serve-signals.ts.
process.on('SIGUSR1', () => {});
if (process.argv[2] === 'serve') {
  for (const signal of ['SIGHUP', 'SIGUSR2'] as const) process.on(signal, () => {});
}
const ofServe = ['./serve.js', '../backend/native/native-backend.js', '../backend/workers/workers-backend.js'];
void import('../process/one-by-one.js').then(({ loadOneByOne }) => {
  loadOneByOne(__filename, './run.js', ...(process.argv[2] === 'serve' ? ofServe : []));
  return import('./main.js');
});
