import { WireError } from '../errors.js';
import { plural } from '../plural.js';
import type { AmfObject, AmfValue } from '../wire/amf0.js';
import type { ChunkReaderLimits } from '../wire/chunk-limits.js';
import { ServerHandshake } from '../wire/handshake.js';
import { MessageType, UserControlEvent } from '../wire/message.js';
import { amf0Data } from './amf0-data.js';
import { Answers } from './answers.js';
import { MessageChannel, type MessageListener } from './channel.js';
import { type Command, nameArgument, parseCommand } from './command.js';
import { connectArguments, connectInfoOf, connectResult, maxNameLength } from './connect.js';
import type { IgnoredKind } from './ignored.js';
import type { PeerMeter } from './peer-meter.js';
import type { ServerSessionHandler } from './server-handler.js';
import { ServerStreams } from './server-streams.js';

export type { ConnectInfo } from './connect.js';
export type { ServerSessionHandler, StreamRequest } from './server-handler.js';

/** Windows that we announce to a client; what the common servers use. */
const windowAckBytes = 5_000_000;

/** What a client may send. */
export interface SessionLimits extends ChunkReaderLimits {
  /** Largest message before a publish is accepted, and largest command ever. */
  readonly maxCommandBytes: number;
  /** Deepest nesting of values in a command. */
  readonly maxAmfDepth: number;
}

/**
 * The server's side of an RTMP conversation, for publishers and players: a pure state machine of bytes in, bytes out
 * and requests to its handler.
 *
 *   handshake -> connecting -> connected -> { createStream -> publish | play -> closeStream | deleteStream }*
 *
 * That is the usual order; a client may leave out createStream, publish again, or send media of any stream id
 * (docs/compatibility.md has who does what). It throws only what the chunk reader throws, when that cannot go on, and for
 * limits: a command that cannot be read or followed is told to `onIgnored`, and a live stream goes on.
 */
export class ServerSession implements MessageListener {
  readonly #handler: ServerSessionHandler;
  readonly #write: (data: Buffer) => void;
  readonly #handshake: ServerHandshake | null;
  readonly #channel: MessageChannel;
  readonly #outChunkBytes: number;
  readonly #limits: SessionLimits;
  /** What the chunk reader obeys: little, until a publish is accepted. */
  readonly #chunkLimits: ChunkReaderLimits;
  readonly #answers: Answers;
  readonly #streams: ServerStreams;
  #phase: 'handshake' | 'fresh' | 'connecting' | 'connected';
  #connectTransaction = 1;
  #connectArguments: AmfObject = {};
  #app = '';

  constructor(options: {
    handler: ServerSessionHandler;
    write: (data: Buffer) => void;
    limits: SessionLimits;
    /** The chunk size that we send with. */
    outChunkBytes: number;
    /** A handshake that somebody else began; null: one that somebody else completed. Default: it begins here. */
    handshake?: ServerHandshake | null;
    /** Weighs all that comes behind the handshake. */
    meter?: PeerMeter;
  }) {
    this.#handler = options.handler;
    this.#handshake = options.handshake === undefined ? new ServerHandshake() : options.handshake;
    this.#phase = this.#handshake === null ? 'fresh' : 'handshake';
    this.#write = options.write;
    this.#outChunkBytes = options.outChunkBytes;
    this.#limits = options.limits;
    this.#chunkLimits = {
      maxChunkStreams: options.limits.maxChunkStreams,
      maxMessageBytes: options.limits.maxCommandBytes,
      maxPartialBytes: 2 * options.limits.maxCommandBytes,
    };
    this.#channel = new MessageChannel({
      write: options.write,
      limits: this.#chunkLimits,
      meter: options.meter,
      listener: this,
    });
    this.#answers = new Answers(this.#channel);
    this.#streams = new ServerStreams(options.handler, this.#channel, this.#answers);
  }

  get channel(): MessageChannel {
    return this.#channel;
  }

  /** What the connection is doing, for the line that says why it ended. */
  get phase(): string {
    return this.#phase;
  }

  /** Bytes that have come of audio or video of a publish, of which the message is not whole yet. */
  get unfinishedMediaBytes(): number {
    const { unfinishedBytes, unfinishedType: type, unfinishedStreamId } = this.#channel;
    if (unfinishedBytes === 0) return 0;
    const isMedia = type === MessageType.Audio || type === MessageType.Video || type === MessageType.Aggregate;
    return isMedia && this.#streams.publishingFor(unfinishedStreamId) >= 0 ? unfinishedBytes : 0;
  }

  /** Looks at what `receive` will need: `prefetch` in `RingReceiver`. */
  prefetch(): number {
    return this.#channel.prefetch() + this.#streams.prefetch();
  }

  /** Takes bytes off the socket. @throws WireError when the peer breaks the protocol; the connection is then useless */
  receive(data: Buffer): void {
    if (this.#phase !== 'handshake' || this.#handshake === null) {
      this.#channel.receive(data);
      return;
    }
    const { reply, done, rest } = this.#handshake.receive(data);
    if (reply !== null) this.#write(reply);
    if (!done) return;
    this.#phase = 'fresh';
    if (rest.length > 0) this.#channel.receive(rest);
  }

  acceptConnect(): void {
    const asked = this.#connectArguments;
    this.#channel.sendWindowAckSize(windowAckBytes);
    this.#channel.sendPeerBandwidth(windowAckBytes);
    this.#channel.setOutChunkBytes(this.#outChunkBytes);
    this.#answers.command(0, '_result', this.#connectTransaction, ...connectResult(asked));
    this.#connectArguments = {}; // may be large, and is of no more use
    this.#phase = 'connected';
  }

  /** @param code the specification's or the field's code, `NetConnection.Connect.Rejected` mostly */
  refuseConnect(code: string, description: string): void {
    this.#answers.command(0, '_error', this.#connectTransaction, null, { level: 'error', code, description });
    this.#phase = 'fresh';
  }

  acceptPublish(streamId: number): void {
    if (!this.#streams.acceptPublish(streamId)) return;
    this.#chunkLimits.maxMessageBytes = this.#limits.maxMessageBytes;
    this.#chunkLimits.maxPartialBytes = this.#limits.maxPartialBytes;
  }

  refusePublish(streamId: number, code: string, description: string): void {
    this.#streams.refuse(streamId, code, description);
  }

  acceptPlay(streamId: number): void {
    this.#streams.acceptPlay(streamId);
  }

  refusePlay(streamId: number, code: string, description: string): void {
    this.#streams.refuse(streamId, code, description);
  }

  /** Tells the client of one of its streams (7.2.2). */
  status(streamId: number, level: 'status' | 'error' | 'warning', code: string, description: string): void {
    this.#answers.status(streamId, level, code, description);
  }

  /** Tells a player that its camera stopped; it stays connected and gets the camera's next stream. */
  playUnpublished(streamId: number): void {
    this.#channel.sendUserControl(UserControlEvent.StreamEof, streamId);
    this.#answers.status(streamId, 'status', 'NetStream.Play.UnpublishNotify', 'The camera stopped publishing.');
  }

  /** Tells a player that its camera is back. */
  playPublished(streamId: number): void {
    this.#channel.sendUserControl(UserControlEvent.StreamBegin, streamId);
    this.#answers.status(streamId, 'status', 'NetStream.Play.PublishNotify', 'The camera is publishing again.');
  }

  /** Tells the client, stream by stream, that we end it: for an orderly shutdown. */
  endAll(description: string): void {
    this.#streams.endAll(description);
  }

  /** Called by its channel. */
  onMessage(type: number, timestampMs: number, streamId: number, payload: Buffer): void {
    switch (type) {
      case MessageType.Audio:
      case MessageType.Video:
        this.#media(type, timestampMs, streamId, payload);
        return;
      case MessageType.DataAmf0:
      case MessageType.DataAmf3:
        this.#media(MessageType.DataAmf0, timestampMs, streamId, amf0Data(type, payload));
        return;
      case MessageType.CommandAmf0:
      case MessageType.CommandAmf3: {
        const command = parseCommand(type, payload, this.#limits);
        if (typeof command === 'string') this.onIgnored('command', command);
        else this.#onCommand(streamId, command);
        return;
      }
      default:
        // Shared objects are Flash's, and other types nobody defined.
        this.onIgnored('unknown', `type ${type}, ${plural(payload.length, 'byte')}`);
    }
  }

  #media(type: number, timestampMs: number, streamId: number, payload: Buffer): void {
    const publishing = this.#streams.publishingFor(streamId);
    if (publishing >= 0) this.#handler.onMedia(publishing, type, timestampMs, payload);
    else this.onIgnored('media', `a message of type ${type} came on stream ${streamId}`);
  }

  /** Called by its channel. */
  onIgnored(kind: IgnoredKind, detail: string): void {
    this.#handler.onIgnored?.(kind, detail);
  }

  #onCommand(streamId: number, command: Command): void {
    const { name, transactionId, args, problem } = command;
    this.#handler.onCommand?.(name);
    // What it needs may stand before that.
    if (problem !== null) this.onIgnored('command', `${quote(name)}: ${problem}`);
    if (name === 'connect') {
      this.#onConnect(command);
      return;
    }
    if (this.#phase !== 'connected') {
      this.onIgnored('order', `${quote(name)} came before connect`);
      this.#answers.error(transactionId, 'Nothing can be done before connect.');
      return;
    }
    switch (name) {
      case 'createStream':
        this.#streams.create(transactionId);
        return;
      case 'publish':
        this.#streams.publish(streamId, args);
        return;
      case 'play':
        this.#streams.play(streamId, args);
        return;
      case 'deleteStream':
        this.#streams.delete(streamId, args);
        return;
      case 'closeStream':
        this.#streams.close(streamId);
        return;
      case 'FCUnpublish':
        this.#streams.fcUnpublish(transactionId, nameArgument(args));
        return;
      case 'FCPublish':
        this.#answers.result(transactionId);
        this.#announce('onFCPublish', 'NetStream.Publish.Start', args);
        return;
      case 'FCSubscribe':
        this.#answers.result(transactionId);
        this.#announce('onFCSubscribe', 'NetStream.Play.Start', args);
        return;
      case 'pause':
      case 'pauseRaw':
        this.#streams.pause(streamId, args[1] === true);
        return;
      case 'seek':
        this.#answers.status(streamId, 'error', 'NetStream.Seek.Failed', 'A live stream cannot be sought in.');
        return;
      case 'getStreamLength':
      case 'getMovLen':
        this.#answers.result(transactionId, 0); // live: no length
        return;
      case 'releaseStream':
      case 'FCUnsubscribe':
      case '_checkbw':
      case 'checkBandwidth':
      case 'set_playlist':
        this.#answers.result(transactionId);
        return;
      case 'receiveAudio':
      case 'receiveVideo':
      case '_result':
      case '_error':
      case 'onStatus':
        return; // answers to us, and wishes that a live fan-out does not grant
      default:
        this.#answers.error(transactionId, 'This server does not know the command.');
    }
  }

  #announce(name: string, code: string, args: readonly AmfValue[]): void {
    this.#answers.command(0, name, 0, null, { level: 'status', code, description: nameArgument(args) });
  }

  #onConnect({ transactionId, args }: Command): void {
    const asked = connectArguments(args);
    const info = connectInfoOf(asked);
    if (this.#phase !== 'fresh') {
      this.#connectAgain(transactionId, info.app);
      return;
    }
    if (info.app.length > maxNameLength) {
      throw new WireError('RTMP_COMMAND', `connect names an application of ${info.app.length} characters`);
    }
    this.#phase = 'connecting';
    this.#connectTransaction = transactionId === 0 ? 1 : transactionId;
    this.#connectArguments = asked;
    this.#app = info.app;
    this.#streams.connect(info);
    this.#handler.onConnect(info);
  }

  /** The same once more is answered once more; the application stays what it is, since streams may be live in it. */
  #connectAgain(transactionId: number, app: string): void {
    this.onIgnored('order', 'connect came again');
    if (this.#phase !== 'connected') return;
    if (app === this.#app) this.#answers.command(0, '_result', transactionId, ...connectResult({}));
    else this.#answers.error(transactionId, 'This connection has its application.');
  }
}

function quote(name: string): string {
  return JSON.stringify(name.slice(0, 40));
}
