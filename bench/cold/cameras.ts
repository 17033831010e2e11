import type { SelectorOptions } from '../../src/ingest/selector-options.js';
import type { Ingest } from '../../src/ingest/source.js';
import type { Logger } from '../../src/log/log.js';
import type { Dialer } from '../../src/net/dialer.js';
import type { Outlet } from '../../src/relay/outlet.js';
import type { OutgoingHandler } from '../../src/rtmp/outgoing-connection.js';
import type { NetSettings } from '../../src/rtmp/settings.js';
import type { StreamHost } from '../../src/rtmp/stream-host.js';
import type { End, FakeKernel } from './kernel.js';
import type { Parts } from './parts.js';

const outChunkBytes = 65_536;
const budget = { queueMaxBytes: 8 << 20, queueMaxAgeMs: 5000 };
const settings: NetSettings = {
  ...{ outChunkBytes, socketMode: 'auto', ...budget, pushRetryMinMs: 1000, pushRetryMaxMs: 30_000 },
  ...{ connectTimeoutMs: 10_000, stallTimeoutMs: 10_000, handshakeTimeoutMs: 10_000, idleTimeoutMs: 30_000 },
  ...{ maxConnections: 100_000, maxConnectionsPerAddress: 100_000, maxMessageBytes: 1 << 23 },
  ...{ unfinishedMaxBytes: 1 << 28, maxChunkStreams: 64, maxCommandBytes: 1 << 16, maxAmfDepth: 16 },
};

const log: Logger = { child: () => log, debug() {}, info() {}, warn() {}, error() {} } as unknown as Logger;

/** Live cameras with one target each, by the program's own connections, handshakes and commands. */
export async function liveCameras(parts: Parts, kernel: FakeKernel, count: number): Promise<Outlet[]> {
  const { FlushScheduler, SlabPool, IngestSelector, LiveStream, PublisherSource, UnfinishedBudget } = parts;
  const scheduler = new FlushScheduler({ audioWindowMs: 30, gather: (work) => kernel.sender.gather(work) });
  parts.setReadHooks({ begin: () => scheduler.beginReading(), end: () => scheduler.flushDue() });
  const pool = new SlabPool();
  const unfinished = new UnfinishedBudget(settings.unfinishedMaxBytes);
  const format = { chunkBytes: outChunkBytes, streamId: 1, publishing: true };
  const gopMaxBytes = 16 << 20;
  const listener: SelectorOptions['listener'] = {
    ...{
      onLive() {},
      onStopped() {},
      onOver() {},
      onKeyFrames() {},
      onIngest() {},
      onSwitched() {},
      onSlateFailed() {},
    },
    onUnreadable() {
      throw new Error('what the cameras send cannot be read');
    },
  };
  const selectors = Array.from({ length: count }, (_, camera) => {
    const limits = { publishTakeoverMs: 3000, publishGraceMs: 3000, standbyAfterMs: 3000, maxBitrateKbps: 1e6 };
    return new IngestSelector({
      ...{ camera: String(camera), nodeId: 'abc', log, listener, pool, watchTimer: { want() {} } },
      settings: { ...limits, withoutKeyFrames: 'pass', gopMaxBytes },
      newStream: () => new LiveStream({ format, gopMaxBytes, scheduler, pool }, performance.now()),
      openSlate: () => Promise.reject(new Error('there is no slate')),
    });
  });
  const accept = (end: End, host: Pick<StreamHost, 'admitPublisher'>): void => {
    const admitViewer = (): never => {
      throw new Error('nobody plays');
    };
    const whole: StreamHost = { connect() {}, admitViewer, ...host };
    new parts.ServerConnection({ socket: end.socket, settings, host: whole, log, onClosed() {}, unfinished });
  };
  const connect = (end: End, camera: number, onPublished: (streamId: number) => void) => {
    const handler: OutgoingHandler = {
      ...{ onPublished, onDrain() {} },
      onClosed: (error) => console.error('a connection ended', error),
    };
    const dialer = {
      refuses: () => undefined,
      connect: () => {
        const connected = Reflect.get(end.socket, 'socket') as { emit(event: string): void };
        queueMicrotask(() => connected.emit('connect'));
        return end.socket;
      },
    } as unknown as Dialer;
    const options = { dialer, budget, mayGoUnanswered: true };
    return new parts.OutgoingConnection(`rtmp://127.0.0.1:1/live/${camera}`, settings, handler, options);
  };
  for (let camera = 0; camera < count; camera++) {
    const [publisher, accepted] = kernel.pair();
    accept(accepted, {
      admitPublisher: () => (asking) => selectors[camera]!.open(new PublisherSource(asking)),
    });
    connect(publisher, camera, () => {});
  }
  await kernel.settle();
  const outlets: Outlet[] = [];
  const swallowing: Ingest = { write: () => true, end() {} };
  for (const [camera, { stream }] of selectors.entries()) {
    if (stream === null) throw new Error(`camera ${camera} is not live`);
    const [sending, target] = kernel.pair();
    accept(target, { admitPublisher: () => () => swallowing });
    const connection = connect(sending, camera, (streamId) => {
      // Of builds from before connections had one, the connection itself.
      const sink = connection.sink ?? connection;
      const outlet = new parts.Outlet({
        sink,
        format: { ...format, streamId },
        limits: budget,
        tracks: parts.defaultTracks,
      });
      stream.attach(outlet, performance.now());
      outlets[camera] = outlet;
    });
  }
  await kernel.settle();
  if (Object.keys(outlets).length !== count) throw new Error('not every target took its stream');
  return outlets;
}
