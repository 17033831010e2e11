import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import type { EtcdClient } from '../../src/etcd/client.js';
import { PrefixWatch } from '../../src/etcd/watch.js';
import { silentLogger } from '../../src/log/log.js';

test('a watch that is resumed while it waits to be opened again has one stream', async (context) => {
  const streams: EventEmitter[] = [];
  const client = {
    endpoint: 'fake',
    next: () => undefined,
    watch: async () => {
      const stream = Object.assign(new EventEmitter(), { write: () => true, cancel: () => undefined });
      streams.push(stream);
      return stream;
    },
  } as unknown as EtcdClient;
  const [events, alive, lost, compacted] = Array.from({ length: 4 }, () => () => undefined);
  const watch = new PrefixWatch(client, '/x/', 1, { events, alive, lost, compacted } as never, silentLogger);
  context.onTestFinished(() => watch.close());
  await new Promise((resolve) => setImmediate(resolve));
  streams[0]?.emit('end');
  watch.resumeFrom(5);
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(streams.length).toBe(2);
});
