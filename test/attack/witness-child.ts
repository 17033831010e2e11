/**
 * The healthy camera and its target, in one process, so that one clock times each frame. A second camera, `gop`, has a
 * GOP of eight seconds at 8 Mbit/s, for floods of plays.
 */
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { defaultSettings } from '../../src/config/index.js';
import { PublishClient } from '../../src/rtmp/publish-client.js';
import { ServerSession } from '../../src/rtmp/server-session.js';
import { sessionLimits } from '../../src/rtmp/settings.js';
import { isVideoFrame } from '../../src/wire/flv.js';
import { makeFrame, readFrame } from '../soak/frames.js';
import type { FromWitness, ToWitness } from './protocol.js';

const frameMs = 20;
const keyEvery = 50;
const header = Buffer.from([0x17, 0, 0, 0, 0, 1, 0x64, 0, 0x1f]);
/** When each frame was sent, by its number. */
const sentMs: number[] = [];
let [frames, lost, altered, next] = [0, 0, 0, -1];
let latenciesMs: number[] = [];

function onFrame(payload: Buffer): void {
  const frame = readFrame(payload);
  if (frame === null) {
    altered++;
    return;
  }
  if (next < 0) tell({ kind: 'seen' });
  else if (frame.number !== next) lost += Math.max(1, frame.number - next);
  next = frame.number + 1;
  frames++;
  latenciesMs.push(performance.now() - (sentMs[frame.number] ?? Number.NaN));
}

function serve(socket: Socket): void {
  const session: ServerSession = new ServerSession({
    handler: {
      onConnect: () => session.acceptConnect(),
      onPublish: ({ streamId }) => session.acceptPublish(streamId),
      onMedia: (_streamId, type, _timestampMs, payload) => {
        if (type === 9 && isVideoFrame(payload)) onFrame(payload);
      },
      ...{ onPlay() {}, onUnpublish() {}, onStop() {}, onPause() {} },
    },
    write: (data) => socket.write(data),
    limits: sessionLimits(defaultSettings().media),
    outChunkBytes: 4096,
  });
  socket.on('error', () => {});
  socket.on('data', (data) => session.receive(data));
}

/** Publishes for ever. @param frame the frame of a number */
async function publish(url: string, everyMs: number, frame: (number: number) => Buffer): Promise<never> {
  const publisher = new PublishClient({ url, connectTimeoutMs: 10_000 });
  await publisher.connect();
  const ended = (error: unknown): void => {
    console.error(`attack: ${url} was ended: ${error instanceof Error ? error.message : 'by itself'}`);
    process.exit(1);
  };
  publisher.closed.then(ended, ended);
  publisher.write(9, 0, header);
  const startMs = performance.now();
  for (let number = 0; ; number++) {
    const waitMs = startMs + number * everyMs - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    publisher.write(9, number * everyMs, frame(number));
  }
}

function tell(message: FromWitness): void {
  process.send?.(message);
}

function start(rtmpPort: number): void {
  const failed = (error: unknown): void => {
    console.error(error);
    process.exit(1);
  };
  const witness = (number: number): Buffer => {
    const frame = makeFrame(1, number, number % keyEvery === 0);
    sentMs[number] = performance.now();
    return frame;
  };
  publish(`rtmp://127.0.0.1:${rtmpPort}/witness/witness`, frameMs, witness).catch(failed);
  const large = (number: number): Buffer => {
    const frame = Buffer.alloc(40_000, number);
    frame[0] = number % 200 === 0 ? 0x17 : 0x27;
    frame[1] = 1;
    return frame;
  };
  publish(`rtmp://127.0.0.1:${rtmpPort}/gop/gop`, 40, large).catch(failed);
}

process.on('message', (message: ToWitness) => {
  if (message.kind === 'start') start(message.rtmpPort);
  else if (message.kind === 'reset') {
    [frames, lost, altered] = [0, 0, 0];
    latenciesMs = [];
  } else tell({ kind: 'report', frames, lost, altered, latenciesMs });
});
process.on('disconnect', () => process.exit(0));

const server = createServer(serve);
server.listen(0, '127.0.0.1', () => tell({ kind: 'listening', port: (server.address() as AddressInfo).port }));
