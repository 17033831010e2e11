import { connect, type Socket } from 'node:net';
import { parseRtmpUrl } from '../../src/address/rtmp-url.js';
import { decodeAmf0, encodeAmf0 } from '../../src/wire/amf0.js';
import { ChunkReader } from '../../src/wire/chunk-reader.js';
import { encodeMessage } from '../../src/wire/chunk-writer.js';
import { ClientHandshake } from '../../src/wire/handshake.js';
import { ChunkStreamId, MessageType } from '../../src/wire/message.js';
import { publisherChunkBytes } from '../traffic.js';

const limits = { maxMessageBytes: 1 << 20, maxChunkStreams: 64, maxPartialBytes: 1 << 20 };
const connectTimeoutMs = 20_000;

/**
 * Connects, publishes, and gives the bare socket: what is sent from then on are chunks that were encoded before. What
 * the server says is thrown away.
 * @throws Error when the server refuses, or does not answer in time
 */
export function openPublisher(url: string): Promise<Socket> {
  const target = parseRtmpUrl(url);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: target.host, port: target.port, noDelay: true });
    const handshake = new ClientHandshake({ scheme: null });
    const timer = setTimeout(() => fail(new Error(`${url} did not accept the publish in time`)), connectTimeoutMs);
    let isDone = false;
    const fail = (error: Error): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(error);
    };
    const send = (streamId: number, ...values: Parameters<typeof encodeAmf0>): void => {
      const payload = encodeAmf0(...values);
      const { Command } = ChunkStreamId;
      socket.write(encodeMessage(Command, MessageType.CommandAmf0, 0, streamId, payload, publisherChunkBytes));
    };
    const reader = new ChunkReader((type, _timestampMs, _streamId, payload) => {
      if (type !== MessageType.CommandAmf0) return;
      const [name, transaction, , info] = decodeAmf0(payload);
      if (name === '_error') fail(new Error(`${url} was refused`));
      if (name === '_result' && transaction === 1) send(0, 'createStream', 2, null);
      if (name === '_result' && transaction === 2) send(Number(info), 'publish', 3, null, target.streamName, 'live');
      if (name === 'onStatus') {
        const code = typeof info === 'object' && info !== null && 'code' in info ? String(info.code) : '';
        if (code !== 'NetStream.Publish.Start') fail(new Error(`${url} was refused: ${code}`));
        else isDone = true;
      }
    }, limits);
    let isGreeted = false;
    const onData = (data: Buffer): void => {
      let rest = data;
      if (!isGreeted) {
        const result = handshake.receive(data);
        if (result.reply !== null) socket.write(result.reply);
        if (!result.done) return;
        isGreeted = true;
        rest = result.rest;
        const chunkSize = Buffer.alloc(4);
        chunkSize.writeUInt32BE(publisherChunkBytes);
        socket.write(encodeMessage(ChunkStreamId.Control, MessageType.SetChunkSize, 0, 0, chunkSize, 128));
        const { app, tcUrl } = target;
        send(0, 'connect', 1, { app, type: 'nonprivate', flashVer: 'FMLE/3.0 (compatible; bench)', tcUrl });
      }
      reader.feed(rest);
      if (!isDone) return;
      clearTimeout(timer);
      socket.off('data', onData);
      socket.on('data', () => {}); // acknowledgements
      resolve(socket);
    };
    socket.once('connect', () => socket.write(handshake.start()));
    socket.on('data', onData);
    socket.on('error', fail);
    socket.on('close', () => fail(new Error(`${url} closed the connection`)));
  });
}
