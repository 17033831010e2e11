import type { Socket } from 'node:net';
import { decodeAmf0, encodeAmf0 } from '../../src/wire/amf0.js';
import { encodeMessage } from '../../src/wire/chunk-writer.js';
import { ServerHandshake } from '../../src/wire/handshake.js';
import { ChunkStreamId, MessageType } from '../../src/wire/message.js';
import { audioStampOffset, videoStampOffset } from '../traffic.js';
import { monotonicUs } from './clock.js';
import { SinkReader, type SinkReaderHandler } from './sink-reader.js';
import type { TargetCounts } from './target-counts.js';

const chunkBytes = 4096;

/** Finds what is counted for a target, by the application that its publisher names. */
export type TargetOf = (app: string) => TargetCounts;

/** One connection of the server under test to a target: accepts everything, counts, measures. */
export class SinkConnection implements SinkReaderHandler {
  readonly #socket: Socket;
  readonly #targetOf: TargetOf;
  readonly #handshake = new ServerHandshake();
  readonly #reader = new SinkReader(this);
  #isGreeted = false;
  #target: TargetCounts | null = null;
  #app = '';
  #readBytes = 0;
  /** How often the peer wants to be told what arrived (RTMP 1.0, section 5.4.4); 0: never. */
  #windowBytes = 0;
  #toldBytes = 0;
  #nowUs = 0;

  constructor(socket: Socket, targetOf: TargetOf) {
    this.#socket = socket;
    this.#targetOf = targetOf;
    socket.on('data', (data) => this.#onData(data));
    socket.on('error', () => {});
    socket.on('close', () => {
      if (this.#target !== null) this.#target.connections--;
    });
  }

  #onData(data: Buffer): void {
    this.#readBytes += data.length;
    if (this.#isGreeted) {
      const target = this.#target;
      if (target !== null) {
        target.bytes += data.length;
        // One look at the clock for all messages of a read: they came together.
        if (target.measures) this.#nowUs = monotonicUs();
      }
      this.#reader.feed(data);
      if (this.#windowBytes > 0 && this.#readBytes - this.#toldBytes >= this.#windowBytes) this.#acknowledge();
      return;
    }
    const { reply, done, rest } = this.#handshake.receive(data);
    if (reply !== null) this.#socket.write(reply);
    if (!done) return;
    this.#isGreeted = true;
    this.#reader.feed(rest);
  }

  onMedia(type: number, head: Buffer, at: number, bytes: number): void {
    const target = this.#target;
    // Byte 1 says whether it is a frame or a sequence header (FLV, AVCPacketType and AACPacketType).
    if (target === null || head[at + 1] !== 1) return;
    const isVideo = type === MessageType.Video;
    const stamp = at + (isVideo ? videoStampOffset : audioStampOffset);
    const sequence = head.readUInt32BE(stamp);
    (isVideo ? target.video : target.audio).note(sequence);
    target.messages++;
    target.payloadBytes += bytes;
    if (!target.measures) return;
    if (target.firstPictureUs === 0 && isVideo && head[at] === 0x17) target.firstPictureUs = this.#nowUs;
    const latencies = isVideo ? target.videoLatenciesUs : target.audioLatenciesUs;
    latencies.push(this.#nowUs - head.readDoubleBE(stamp + 4));
  }

  onControl(type: number, payload: Buffer): void {
    if (type === MessageType.WindowAckSize) this.#windowBytes = payload.readUInt32BE(0);
    if (type === MessageType.CommandAmf0) this.#onCommand(payload);
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
      this.#target = this.#targetOf(this.#app);
      this.#target.connections++;
      this.#command(1, 'onStatus', 0, null, { level: 'status', code: 'NetStream.Publish.Start', description: 'ok' });
    }
  }

  #command(streamId: number, ...values: Parameters<typeof encodeAmf0>): void {
    this.#socket.write(
      // 128 bytes is what a peer expects from one that never said otherwise.
      encodeMessage(ChunkStreamId.Command, MessageType.CommandAmf0, 0, streamId, encodeAmf0(...values), 128),
    );
  }

  #acknowledge(): void {
    this.#toldBytes = this.#readBytes;
    const payload = Buffer.alloc(4);
    payload.writeUInt32BE(this.#readBytes >>> 0);
    const { Control } = ChunkStreamId;
    this.#socket.write(encodeMessage(Control, MessageType.Acknowledgement, 0, 0, payload, chunkBytes));
  }
}
