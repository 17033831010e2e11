import { ServerSession } from '../../src/rtmp/server-session.js';
import { amf, oddCommand, oddMessage } from '../support/odd-bytes.js';
import { type Amf, ChunkParser, decodeAmf } from '../support/rtmp-bytes.js';

export const sessionLimits = {
  maxMessageBytes: 1 << 20,
  maxChunkStreams: 64,
  maxPartialBytes: 1 << 21,
  maxCommandBytes: 1 << 14,
  maxAmfDepth: 8,
};

/** The other end of a session that lets everybody publish and play, and what came of it. */
export class OddClient {
  /** `publish APP NAME STREAM`, `media TYPE STREAM TIME`, `unpublish STREAM`, and so on, in order. */
  readonly events: string[] = [];
  readonly ignored: string[] = [];
  readonly payloads: Buffer[] = [];
  readonly session: ServerSession;
  readonly #parser = new ChunkParser();
  readonly #answers: Amf[][] = [];
  acknowledged: number[] = [];

  constructor() {
    this.session = new ServerSession({
      handler: {
        onConnect: (info) => {
          this.events.push(`connect ${info.app}`);
          this.session.acceptConnect();
        },
        onPublish: ({ app, streamName, streamId }) => {
          this.events.push(`publish ${app} ${streamName} ${streamId}`);
          this.session.acceptPublish(streamId);
        },
        onPlay: ({ streamName, streamId }) => {
          this.events.push(`play ${streamName} ${streamId}`);
          this.session.acceptPlay(streamId);
        },
        onMedia: (streamId, type, timestampMs, payload) => {
          this.events.push(`media ${type} ${streamId} ${timestampMs}`);
          this.payloads.push(Buffer.from(payload));
        },
        onUnpublish: (streamId) => this.events.push(`unpublish ${streamId}`),
        onStop: (streamId) => this.events.push(`stop ${streamId}`),
        onPause: () => {},
        onIgnored: (kind) => this.ignored.push(kind),
      },
      limits: sessionLimits,
      outChunkBytes: 128,
      handshake: null,
      write: (data) => this.#read(data),
    });
  }

  /** Everything in one read, as a sender does that waits for no answer. */
  send(...parts: readonly Buffer[]): this {
    this.session.receive(Buffer.concat(parts));
    return this;
  }

  /** Connects, makes stream 1, and publishes `cam` on it. */
  publishing(): this {
    this.send(connect(), createStream(), publish(1));
    this.events.length = 0;
    return this;
  }

  /** `_result 4`, `onStatus NetStream.Publish.Start`, and so on. */
  answers(): string[] {
    return this.#answers.map(([name, transaction, , info]) => {
      const code = (info as { code?: Amf } | null | undefined)?.code;
      return name === 'onStatus' ? `onStatus ${code}` : `${name} ${transaction}`;
    });
  }

  starts(): number {
    return this.answers().filter((answer) => answer === 'onStatus NetStream.Publish.Start').length;
  }

  /** What came in answer to this transaction: name, transaction, object, value. */
  answer(transaction: number): Amf[] | undefined {
    return this.#answers.find(([name, id]) => id === transaction && name !== 'onStatus');
  }

  #read(data: Buffer): void {
    for (const { type, payload } of this.#parser.feed(Buffer.from(data))) {
      if (type === 20) this.#answers.push(decodeAmf(payload));
      if (type === 3) this.acknowledged.push(payload.readUInt32BE(0));
    }
  }
}

export const connect = (app = 'cam', transaction = 1): Buffer =>
  oddCommand(0, amf.string('connect'), amf.number(transaction), amf.object([['app', amf.string(app)]]));
export const createStream = (transaction = 4): Buffer =>
  oddCommand(0, amf.string('createStream'), amf.number(transaction), amf.null());
export const publish = (streamId: number, name = 'cam'): Buffer =>
  oddCommand(streamId, amf.string('publish'), amf.number(5), amf.null(), amf.string(name), amf.string('live'));
export const command = (streamId: number, name: string, ...args: readonly Buffer[]): Buffer =>
  oddCommand(streamId, amf.string(name), amf.number(9), amf.null(), ...args);
/** One key frame; the length tells one from another. */
export const video = (streamId: number, timeMs = 0, bytes = 5): Buffer =>
  oddMessage({ type: 9, csid: 6, streamId, timeMs, payload: Buffer.alloc(bytes, 0x17) });
