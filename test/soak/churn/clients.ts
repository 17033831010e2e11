import { connect, type Socket } from 'node:net';
import { encodeCommand } from '../../../src/rtmp/command.js';
import { encodeMessage } from '../../../src/wire/chunk-writer.js';
import { ClientHandshake } from '../../../src/wire/handshake.js';
import { MessageType } from '../../../src/wire/message.js';
import { makeFrame } from '../frames.js';

/** What clients came to, by what they came for. */
export const counts = { strangers: 0, publishers: 0, published: 0, viewers: 0, played: 0 };

const chunkBytes = 128;

function command(streamId: number, ...[name, ...values]: Parameters<typeof encodeCommand>): Buffer {
  return encodeMessage(3, MessageType.CommandAmf0, 0, streamId, encodeCommand(name, ...values), chunkBytes);
}

/** Everything that a client says until it is let in, in one piece. */
function beginning(camera: string, ask: 'publish' | 'play'): Buffer {
  return Buffer.concat([
    new ClientHandshake().start(),
    Buffer.alloc(1536),
    command(0, 'connect', 1, { app: camera, tcUrl: `rtmp://127.0.0.1/${camera}` }),
    command(0, 'createStream', 2, null),
    command(1, ask, 3, null, camera, 'live'),
  ]);
}

const media = Buffer.concat(
  Array.from({ length: 12 }, (_, i) =>
    encodeMessage(6, MessageType.Video, i * 40, 1, makeFrame(1, i, i === 0), chunkBytes),
  ),
);

/** Leaves by a reset, at once, or in order. */
function leave(socket: Socket, number: number): void {
  if (number % 3 === 0) socket.resetAndDestroy();
  else if (number % 3 === 1) socket.destroy();
  else socket.end(() => socket.destroy());
}

function open(port: number, begin: (socket: Socket) => void): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.once('close', () => resolve());
    socket.setTimeout(20_000, () => socket.destroy());
    socket.once('connect', () => begin(socket));
  });
}

/** Says nothing, half a handshake, a whole one, or more than that. */
export function stranger(port: number, number: number): Promise<void> {
  counts.strangers++;
  return open(port, (socket) => {
    socket.on('data', () => {});
    const bytes = [0, 700, 1537, 3073 + (number % 500)][number % 4] ?? 0;
    if (bytes === 0) {
      leave(socket, number);
      return;
    }
    const data = Buffer.alloc(bytes, number);
    data[0] = 3;
    if (number % 5 === 0) socket.pause();
    socket.write(data, () => setTimeout(() => leave(socket, number), number % 7));
  });
}

/** Publishes, and leaves within its media: in the midst of a message, mostly. */
export function publisher(port: number, number: number, camera: string): Promise<void> {
  counts.publishers++;
  return open(port, (socket) => {
    let heard = '';
    socket.on('data', (data) => {
      if (heard.includes('NetStream.Publish.Start')) return;
      heard += data.toString('latin1');
      if (!heard.includes('NetStream.Publish.Start')) return;
      counts.published++;
      socket.write(media.subarray(0, 1 + ((number * 7919) % media.length)));
      setTimeout(() => leave(socket, number), number % 11);
    });
    socket.write(beginning(camera, 'publish'));
  });
}

/** Plays, and leaves while it is sent to; some read nothing. */
export function viewer(port: number, number: number, camera: string): Promise<void> {
  counts.viewers++;
  return open(port, (socket) => {
    let heard = '';
    socket.on('data', (data) => {
      if (heard.includes('NetStream.Play.')) return;
      heard += data.toString('latin1');
      if (!heard.includes('NetStream.Play.')) return;
      counts.played++;
      if (number % 2 === 0) socket.pause();
      setTimeout(() => leave(socket, number), number % 130);
    });
    socket.write(beginning(camera, 'play'));
  });
}
