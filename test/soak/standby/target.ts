import { createWriteStream, type WriteStream } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { ServerSession } from '../../../src/rtmp/server-session.js';
import { encodeFlvTag, flvFileHeader } from '../../../src/wire/flv-file.js';
import { MessageType } from '../../../src/wire/message.js';

/** When a picture came, and what its time is. */
export interface Picture {
  readonly atMs: number;
  readonly timestampMs: number;
}

/** A target that writes what it gets into an FLV file, and notes when each picture came. */
export class WritingTarget {
  readonly pictures: Picture[] = [];
  /** What is wrong with the order of what came. */
  readonly faults: string[] = [];
  connections = 0;
  readonly #file: WriteStream;
  readonly #server: Server;
  #lastMs: number | undefined;

  constructor(path: string) {
    this.#file = createWriteStream(path);
    this.#file.write(flvFileHeader(true, true));
    this.#server = createServer({ noDelay: true }, (socket) => this.#serve(socket));
  }

  /** Resolves to its URL. */
  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `rtmp://127.0.0.1:${(this.#server.address() as AddressInfo).port}/live/cam`;
  }

  /** Resolves when the file is whole. */
  async close(): Promise<void> {
    this.#server.close();
    await new Promise<void>((resolve) => this.#file.end(resolve));
  }

  #serve(socket: Socket): void {
    this.connections++;
    socket.on('error', () => {});
    const session: ServerSession = new ServerSession({
      handler: {
        onConnect: () => session.acceptConnect(),
        onPublish: ({ streamId }) => session.acceptPublish(streamId),
        onPlay() {},
        onMedia: (_streamId, type, timestampMs, payload) => this.#take(type, timestampMs, payload),
        onUnpublish() {},
        onStop() {},
        onPause() {},
      },
      write: (data) => socket.write(data),
      limits: {
        ...{ maxMessageBytes: 1 << 23, maxChunkStreams: 64, maxPartialBytes: 1 << 24 },
        ...{ maxCommandBytes: 1 << 16, maxAmfDepth: 32 },
      },
      outChunkBytes: 4096,
    });
    socket.on('data', (data) => session.receive(data));
  }

  #take(type: number, timestampMs: number, payload: Buffer): void {
    if (type !== MessageType.Video && type !== MessageType.Audio) return;
    this.#file.write(encodeFlvTag(type, timestampMs, payload));
    const isHeader = payload[1] === 0;
    if (isHeader) return;
    if (this.#lastMs !== undefined && ((timestampMs - this.#lastMs) | 0) < -1000) {
      this.faults.push(`the time went from ${this.#lastMs} back to ${timestampMs}`);
    }
    if (type === MessageType.Video) {
      const last = this.pictures.at(-1);
      if (last !== undefined && ((timestampMs - last.timestampMs) | 0) <= 0) {
        this.faults.push(`a picture of ${timestampMs} behind one of ${last.timestampMs}`);
      }
      this.pictures.push({ atMs: performance.now(), timestampMs });
    }
    this.#lastMs = timestampMs;
  }
}
