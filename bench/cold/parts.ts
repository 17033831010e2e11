import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** What the way of a message is made of, of one build. */
export interface Parts
  extends Pick<typeof import('../../src/net/uring/ring-socket.js'), 'RingSocket'>,
    Pick<typeof import('../../src/net/uring/receiver.js'), 'RingReceiver'>,
    Pick<typeof import('../../src/net/uring/sender.js'), 'RingSender'>,
    Pick<typeof import('../../src/net/shared-read.js'), 'setReadHooks'>,
    Pick<typeof import('../../src/rtmp/server-connection.js'), 'ServerConnection'>,
    Pick<typeof import('../../src/rtmp/outgoing-connection.js'), 'OutgoingConnection'>,
    Pick<typeof import('../../src/rtmp/unfinished-budget.js'), 'UnfinishedBudget'>,
    Pick<typeof import('../../src/ingest/ingest-selector.js'), 'IngestSelector'>,
    Pick<typeof import('../../src/ingest/publisher-source.js'), 'PublisherSource'>,
    Pick<typeof import('../../src/relay/live-stream.js'), 'LiveStream'>,
    Pick<typeof import('../../src/relay/flush-scheduler.js'), 'FlushScheduler'>,
    Pick<typeof import('../../src/relay/slab-pool.js'), 'SlabPool'>,
    Pick<typeof import('../../src/relay/outlet.js'), 'Outlet'>,
    Pick<typeof import('../../src/relay/track-choice.js'), 'defaultTracks'> {}

const files = [
  ...['net/uring/ring-socket', 'net/uring/receiver', 'net/uring/sender', 'net/shared-read'],
  ...['rtmp/server-connection', 'rtmp/outgoing-connection', 'rtmp/unfinished-budget'],
  ...['ingest/ingest-selector', 'ingest/publisher-source'],
  ...['relay/live-stream', 'relay/flush-scheduler', 'relay/slab-pool', 'relay/outlet', 'relay/track-choice'],
];

/** @param dist the compiled program */
export async function loadParts(dist: string): Promise<Parts> {
  const modules = await Promise.all(
    files.map((file): Promise<object> => import(pathToFileURL(join(dist, `${file}.js`)).href)),
  );
  return Object.assign({}, ...modules) as Parts;
}
