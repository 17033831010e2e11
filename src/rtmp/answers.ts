import type { AmfValue } from '../wire/amf0.js';
import { ChunkStreamId, MessageType } from '../wire/message.js';
import type { MessageChannel } from './channel.js';
import { encodeCommand } from './command.js';

/** The commands that a server sends to a client. */
export class Answers {
  readonly #channel: MessageChannel;

  constructor(channel: MessageChannel) {
    this.#channel = channel;
  }

  command(streamId: number, name: string, transactionId: number, ...args: AmfValue[]): void {
    const payload = encodeCommand(name, transactionId, ...args);
    this.#channel.send(ChunkStreamId.Command, MessageType.CommandAmf0, 0, streamId, payload);
  }

  /** Answers a call; commands without a transaction get no answer (7.2.1.2). */
  result(transactionId: number, value?: AmfValue): void {
    if (transactionId !== 0) this.command(0, '_result', transactionId, null, value);
  }

  /** Says that a call failed, if it has a transaction. */
  error(transactionId: number, description: string): void {
    if (transactionId === 0) return;
    const info = { level: 'error', code: 'NetConnection.Call.Failed', description };
    this.command(0, '_error', transactionId, null, info);
  }

  /** Sends the client a status of one of its streams (7.2.2). */
  status(streamId: number, level: 'status' | 'error' | 'warning', code: string, description: string): void {
    this.command(streamId, 'onStatus', 0, null, { level, code, description });
  }
}
