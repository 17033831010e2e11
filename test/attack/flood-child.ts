/** All hostile peers of one flood, in a process of their own. Argument: an Assignment as JSON. Ends when its parent does. */
import { request } from 'node:http';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setPriority } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { defaultSettings } from '../../src/config/index.js';
import { ServerSession } from '../../src/rtmp/server-session.js';
import { sessionLimits } from '../../src/rtmp/settings.js';
import { ClientHandshake } from '../../src/wire/handshake.js';
import { MessageType } from '../../src/wire/message.js';
import { command, control, type Flood, floods, neighbour } from './floods.js';
import type { Assignment, FromFlood } from './protocol.js';

const { kind, peers, rtmpPort, apiPort } = JSON.parse(process.argv[2] ?? '{}') as Assignment;
const flood = floods[kind] ?? neighbour;
const counts = { sentBytes: 0, ended: 0 };

// Attackers are elsewhere: what they take of this machine is not to be measured.
setPriority(5);

/** A socket that sends the flood as fast as it is taken, reads all answers, and tells when it is over. */
function pour(socket: Socket, { bytes, once }: Flood): void {
  const next = (): void => {
    while (!socket.destroyed && bytes !== undefined) {
      counts.sentBytes += bytes.length;
      if (!socket.write(bytes)) return;
    }
  };
  if (once !== undefined) {
    counts.sentBytes += once.length;
    socket.write(once);
  }
  if (bytes === undefined) return;
  socket.on('drain', () => setImmediate(next));
  next();
}

function opening(index: number): Buffer[] {
  const camera = flood.camera ?? `flood-${index}`;
  const parts = [control(MessageType.SetChunkSize, 0, 1, 0, 0)];
  if (flood.who === 'connected' || flood.who === 'publisher') parts.push(command(0, 'connect', 1, { app: camera }));
  if (flood.who === 'publisher') {
    parts.push(command(0, 'createStream', 2, null), command(1, 'publish', 3, null, camera, 'live'));
  }
  return parts;
}

/** One life of a hostile peer: resolves when the aggregator ended it. */
function live(index: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(rtmpPort, '127.0.0.1');
    socket.on('error', () => {});
    socket.on('close', () => resolve());
    if (flood.who === 'silent') return;
    const handshake = new ClientHandshake();
    socket.write(handshake.start());
    let isDone = false;
    socket.on('data', (data) => {
      if (isDone) return;
      const { reply, done } = handshake.receive(data);
      if (reply !== null) socket.write(reply);
      if (!done) return;
      isDone = true;
      for (const part of opening(index)) socket.write(part);
      pour(socket, flood);
    });
  });
}

/** Comes again a quarter of a second after it was ended, as somebody would who means it. */
async function peer(index: number): Promise<never> {
  for (;;) {
    await live(index);
    counts.ended++;
    await sleep(250);
  }
}

/** A target that floods who publishes to it. */
function targets(): Promise<number> {
  const server = createServer((socket) => {
    const session: ServerSession = new ServerSession({
      handler: {
        onConnect: () => session.acceptConnect(),
        onPublish({ streamId }) {
          session.acceptPublish(streamId);
          pour(socket, flood);
        },
        ...{ onPlay() {}, onMedia() {}, onUnpublish() {}, onStop() {}, onPause() {} },
      },
      write: (data) => socket.write(data),
      limits: sessionLimits(defaultSettings().media),
      outChunkBytes: 4096,
    });
    socket.on('error', () => {});
    socket.on('close', () => counts.ended++);
    socket.on('data', (data) => session.receive(data));
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}

/** A caller of the API that asks again and again, or holds what it gets and reads nothing. */
async function caller(path: string, isHeld: boolean): Promise<never> {
  for (;;) {
    await new Promise<void>((resolve) => {
      const call = request({ host: '127.0.0.1', port: apiPort, path, agent: false }, (response) => {
        if (!isHeld || (response.statusCode ?? 500) >= 400) response.resume();
        response.on('close', resolve);
      });
      call.on('error', () => resolve());
      call.end();
    });
    counts.ended++;
    await sleep(isHeld ? 250 : 1);
  }
}

/** Takes a core as a flood does, by turns of a few milliseconds. */
function burn(): void {
  const untilMs = performance.now() + 5;
  while (performance.now() < untilMs) counts.ended = 0;
  setImmediate(burn);
}

function tell(message: FromFlood): void {
  process.send?.(message);
}

async function main(): Promise<void> {
  let port = 0;
  if (flood.who === 'neighbour') burn();
  else if (flood.who === 'target') port = await targets();
  const hasPeers = flood.who !== 'target' && flood.who !== 'neighbour';
  for (let index = 0; index < peers && hasPeers; index++) {
    for (let each = 0; each < (flood.hold ?? 1); each++) {
      const { path } = flood;
      const work = path === undefined ? peer(index) : caller(path, flood.hold !== undefined);
      work.catch(() => process.exit(1));
    }
  }
  tell({ kind: 'ready', port });
}

process.on('message', () => tell({ kind: 'counts', ...counts }));
process.on('disconnect', () => process.exit(0));
await main();
