import type { Socket } from 'node:net';
import { MessageType } from '../../src/wire/message.js';
import { audioStampOffset, videoStampOffset } from '../traffic.js';
import { monotonicUs } from './clock.js';
import { SinkSession, type SinkSessionHandler } from './sink-session.js';
import type { TargetCounts } from './target-counts.js';

/** Finds what is counted for a target, by the application that its publisher names. */
export type TargetOf = (app: string) => TargetCounts;

/** One connection of the server under test to a target: accepts everything, counts, measures. */
export class SinkConnection implements SinkSessionHandler {
  readonly #targetOf: TargetOf;
  readonly #session: SinkSession;
  #target: TargetCounts | null = null;
  #nowUs = 0;

  constructor(socket: Socket, targetOf: TargetOf) {
    this.#targetOf = targetOf;
    this.#session = new SinkSession(socket, this);
    socket.on('data', (data) => this.#onData(data));
    socket.on('error', () => {});
    socket.on('close', () => {
      if (this.#target !== null) this.#target.connections--;
    });
  }

  #onData(data: Buffer): void {
    const target = this.#target;
    if (target !== null) {
      target.bytes += data.length;
      // One look at the clock for all messages of a read: they came together.
      if (target.measures) this.#nowUs = monotonicUs();
    }
    this.#session.feed(data);
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

  onPublish(app: string): void {
    this.#target = this.#targetOf(app);
    this.#target.connections++;
  }
}
