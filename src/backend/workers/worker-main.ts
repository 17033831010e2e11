/**
 * The process of a media worker: the supervisor forks this file. Signals that a terminal or a service manager sends to
 * all processes of a group are the supervisor's affair, and have to be from the first moment: what the worker consists
 * of is loaded behind that. (Messages of the supervisor wait until somebody listens.)
 */
const leftToSupervisor: readonly NodeJS.Signals[] = [
  ...(['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGUSR2'] as const),
  // Node would open the port of a debugger.
  'SIGUSR1',
];
for (const signal of leftToSupervisor) process.on(signal, () => {});

const { loadOneByOne } = await import('../../process/one-by-one.js');
loadOneByOne(import.meta.url, './worker-life.js');
await import('./worker-life.js');
