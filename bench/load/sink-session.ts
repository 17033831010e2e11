import type { Socket } from 'node:net';
import { decodeAmf0, encodeAmf0 } from '../../src/wire/amf0.js';
import { encodeMessage } from '../../src/wire/chunk-writer.js';
import { ServerHandshake } from '../../src/wire/handshake.js';
import { ChunkStreamId, MessageType } from '../../src/wire/message.js';
import { SinkReader, type SinkReaderHandler } from './sink-reader.js';

/** What is done with what a publisher sends. */
export interface SinkSessionHandler {
  /** As `SinkReaderHandler.onMedia`. */
  readonly onMedia: SinkReaderHandler['onMedia'];
  /** @param app the application that it named */
  onPublish(app: string): void;
}

/** What a peer expects of chunks from one that never said otherwise. */
const chunkBytes = 128;

/** A target's side of one connection, as plainly as it goes: it accepts everything, and acknowledges as it is asked to. */
export class SinkSession {
  readonly #socket: Socket;
  readonly #handler: SinkSessionHandler;
  /** The window that it names to its peer, bytes; 0: none. */
  readonly #ownWindowBytes: number;
  readonly #handshake = new ServerHandshake();
  readonly #reader: SinkReader;
  #isGreeted = false;
  #app = '';
  #readBytes = 0;
  /** How often the peer wants to be told what arrived (RTMP 1.0, section 5.4.4); 0: never. */
  #windowBytes = 0;
  #toldBytes = 0;

  constructor(socket: Socket, handler: SinkSessionHandler, ownWindowBytes = 0) {
    this.#socket = socket;
    this.#handler = handler;
    this.#ownWindowBytes = ownWindowBytes;
    this.#reader = new SinkReader({
      onMedia: (type, head, at, bytes) => handler.onMedia(type, head, at, bytes),
      onControl: (type, payload) => {
        if (type === MessageType.WindowAckSize) this.#windowBytes = payload.readUInt32BE(0);
        if (type === MessageType.CommandAmf0) this.#onCommand(payload);
      },
    });
  }

  feed(data: Buffer): void {
    this.#readBytes += data.length;
    if (this.#isGreeted) {
      this.#reader.feed(data);
      if (this.#windowBytes > 0 && this.#readBytes - this.#toldBytes >= this.#windowBytes) this.#acknowledge();
      return;
    }
    const { reply, done, rest } = this.#handshake.receive(data);
    if (reply !== null) this.#socket.write(reply);
    if (!done) return;
    this.#isGreeted = true;
    if (this.#ownWindowBytes > 0) this.#control(MessageType.WindowAckSize, this.#ownWindowBytes);
    this.#reader.feed(rest);
  }

  #onCommand(payload: Buffer): void {
    const [name, transaction, info] = decodeAmf0(payload);
    if (name === 'connect') {
      this.#app = typeof info === 'object' && info !== null && 'app' in info ? String(info.app) : '';
      const status = { level: 'status', code: 'NetConnection.Connect.Success', description: 'ok', objectEncoding: 0 };
      this.#command(0, '_result', Number(transaction), { fmsVer: 'FMS/3,0,1,123', capabilities: 31 }, status);
    } else if (name === 'createStream') {
      this.#command(0, '_result', Number(transaction), null, 1);
    } else if (name === 'publish') {
      this.#handler.onPublish(this.#app);
      this.#command(1, 'onStatus', 0, null, { level: 'status', code: 'NetStream.Publish.Start', description: 'ok' });
    }
  }

  #command(streamId: number, ...values: Parameters<typeof encodeAmf0>): void {
    this.#send(ChunkStreamId.Command, MessageType.CommandAmf0, streamId, encodeAmf0(...values));
  }

  #acknowledge(): void {
    this.#toldBytes = this.#readBytes;
    this.#control(MessageType.Acknowledgement, this.#readBytes >>> 0);
  }

  #control(type: number, value: number): void {
    const payload = Buffer.alloc(4);
    payload.writeUInt32BE(value);
    this.#send(ChunkStreamId.Control, type, 0, payload);
  }

  #send(csid: number, type: number, streamId: number, payload: Buffer): void {
    this.#socket.write(encodeMessage(csid, type, 0, streamId, payload, chunkBytes));
  }
}
