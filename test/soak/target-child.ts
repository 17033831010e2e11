/** A target in a process of its own, so that it can be killed and stopped. Arguments: the port, 0 for any. */
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { defaultSettings } from '../../src/config/index.js';
import { ServerSession } from '../../src/rtmp/server-session.js';
import { sessionLimits } from '../../src/rtmp/settings.js';
import { isVideoFrame } from '../../src/wire/flv.js';
import { type FromTarget, readFrame, type StreamReport } from './frames.js';

const streams: Record<string, StreamReport> = Object.create(null);
const limits = sessionLimits(defaultSettings().media);

function serve(socket: Socket): void {
  let report: StreamReport | null = null;
  let [epoch, number, lastMs] = [-1, -1, -1];
  const session: ServerSession = new ServerSession({
    handler: {
      onConnect: () => session.acceptConnect(),
      onPublish({ streamId, streamName }) {
        report = streams[streamName] ??= {
          ...{ connections: 0, frames: 0, altered: 0, missing: 0, badStarts: 0, backwards: 0 },
          ends: {},
        };
        report.connections++;
        session.acceptPublish(streamId);
      },
      onPlay() {},
      onMedia(_streamId, type, timestampMs, payload) {
        if (type !== 9 || report === null || !isVideoFrame(payload)) return;
        const frame = readFrame(payload);
        if (frame === null) {
          report.altered++;
          return;
        }
        report.frames++;
        if (timestampMs < lastMs) report.backwards++;
        lastMs = timestampMs;
        const follows = frame.epoch === epoch ? frame.number === number + 1 : frame.number === 0;
        if (!follows) {
          if (epoch >= 0) report.missing += Math.max(1, frame.number - number - 1);
          if (!frame.isKey) report.badStarts++;
        }
        ({ epoch, number } = frame);
        report.ends[epoch] = number;
      },
      onUnpublish() {},
      onStop() {},
      onPause() {},
    },
    write: (data) => socket.write(data),
    limits,
    outChunkBytes: 4096,
  });
  socket.on('error', () => {});
  socket.on('data', (data) => {
    try {
      session.receive(data);
    } catch {
      socket.destroy();
    }
  });
}

function tell(message: FromTarget): void {
  process.send?.(message);
}

const server = createServer(serve);
// The port of a target that comes back may be, for a moment, the own port of a connection that looks for it.
server.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EADDRINUSE' || performance.now() > 20_000) throw error;
  setTimeout(listen, 200);
});

function listen(): void {
  server.listen(Number(process.argv[2] ?? 0), '127.0.0.1');
}

server.once('listening', () => {
  tell({ kind: 'listening', port: (server.address() as AddressInfo).port });
});
listen();
process.on('message', () => tell({ kind: 'report', streams }));
process.on('disconnect', () => process.exit(0));
