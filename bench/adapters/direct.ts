import type { Adapter } from './adapter.js';

/** No server: each camera publishes to its first target itself. Shows what the generators add to every latency. */
export const direct: Adapter = {
  name: 'direct',
  unavailable: () => undefined,
  start: async (_folder, cameras) => {
    const urls = new Map(cameras.map(({ name, targets }) => [name, targets[0] ?? '']));
    return {
      pid: undefined,
      publishUrl: (camera) => urls.get(camera) ?? '',
      addPush: undefined,
      output: () => '',
      stop: async () => {},
    };
  },
};
