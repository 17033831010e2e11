import { type AddressInfo, createServer, type Socket } from 'node:net';
import { type Amf, ChunkParser, decodeAmf, encodeCommand } from '../support/rtmp-bytes.js';
import type { Scope } from '../support/scope.js';

/** What is wrong with a target. */
export type Sickness = 'slow' | 'rejects' | 'closes' | 'mute' | 'resets';

/** What a slow one reads in a second. */
const slowBytes = 10 * 1024;
const resetEveryMs = 5000;

/** A target on a free port that is sick in this way; resolves to its URL. */
export async function startSickTarget(scope: Scope, sickness: Sickness): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    scope.defer(() => socket.destroy());
    if (sickness === 'closes') socket.end();
    else if (sickness === 'mute') socket.resume();
    else serve(socket, sickness);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  scope.defer(() => server.close());
  return `rtmp://127.0.0.1:${(server.address() as AddressInfo).port}/live/cam`;
}

/** Speaks RTMP up to the publish, and then as it is sick. */
function serve(socket: Socket, sickness: Sickness): void {
  const parser = new ChunkParser();
  let received: Buffer | null = Buffer.alloc(0);
  let greeted = false;
  const onData = (data: Buffer): void => {
    if (received !== null) {
      received = Buffer.concat([received, data]);
      if (!greeted && received.length >= 1537) {
        socket.write(Buffer.concat([Buffer.from([3]), Buffer.alloc(1536, 7), received.subarray(1, 1537)]));
        greeted = true;
      }
      if (received.length < 3073) return;
      data = received.subarray(3073);
      received = null;
    }
    for (const message of parser.feed(data)) {
      if (message.type === 20) answer(decodeAmf(message.payload));
    }
  };
  socket.on('data', onData);

  function answer([name, transaction]: Amf[]): void {
    if (name === 'connect') {
      socket.write(encodeCommand(0, '_result', Number(transaction), null, { code: 'NetConnection.Connect.Success' }));
    } else if (name === 'createStream') {
      socket.write(encodeCommand(0, '_result', Number(transaction), null, 1));
    } else if (name === 'publish' && sickness === 'rejects') {
      const info = { level: 'error', code: 'NetStream.Publish.BadName', description: 'no such key' };
      socket.write(encodeCommand(1, 'onStatus', 0, null, info));
    } else if (name === 'publish') {
      socket.write(encodeCommand(1, 'onStatus', 0, null, { level: 'status', code: 'NetStream.Publish.Start' }));
      socket.off('data', onData);
      if (sickness === 'resets') {
        socket.resume();
        const timer = setTimeout(() => socket.resetAndDestroy(), resetEveryMs);
        socket.once('close', () => clearTimeout(timer));
      } else readSlowly(socket);
    }
  }
}

function readSlowly(socket: Socket): void {
  socket.pause();
  socket.on('readable', () => undefined);
  const timer = setInterval(() => socket.read(Math.min(slowBytes, socket.readableLength)), 1000);
  socket.once('close', () => clearInterval(timer));
}
