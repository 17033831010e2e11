import { WireError } from '../errors.js';
import type { AmfValue } from '../wire/amf0.js';
import { Amf0Marker } from '../wire/amf0-values.js';
import type { ChunkReaderLimits } from '../wire/chunk-reader.js';
import { ServerHandshake } from '../wire/handshake.js';
import { ChunkStreamId, MessageType, UserControlEvent } from '../wire/message.js';
import { MessageChannel } from './channel.js';
import { type Command, encodeCommand, objectArgument, parseCommand, stringOf } from './command.js';

/** Windows that we announce to a client; what the common servers use. */
const windowAckBytes = 5_000_000;

/** A client needs one stream; those that open more publish or play a few at once. */
const maxStreamsPerConnection = 16;

const maxNameLength = 1024;

/** What a client may send. */
export interface SessionLimits extends ChunkReaderLimits {
  /** Largest message before a publish is accepted, and largest command ever. */
  readonly maxCommandBytes: number;
  /** Deepest nesting of values in a command. */
  readonly maxAmfDepth: number;
}

/** What a client said in `connect` (RTMP 1.0, section 7.2.1.1). */
export interface ConnectInfo {
  /** The application as the client wrote it, its query included. */
  readonly app: string;
  readonly tcUrl: string;
  readonly flashVer: string;
  readonly swfUrl: string;
  readonly pageUrl: string;
  /** The aggregators that what it publishes came through, in the publisher's words; empty when it says none. */
  readonly path: string;
}

/** What a client wants to publish or play; answered by the session's accept and refuse calls. */
export interface StreamRequest {
  readonly app: string;
  /** The stream name as the client wrote it, its query included. */
  readonly streamName: string;
  /** The message stream that it is asked on. */
  readonly streamId: number;
}

/** What the owner of a connection decides and gets. Each request is answered exactly once, at once or later. */
export interface ServerSessionHandler {
  /** A command came; told before anything is done about it. The name is as the client wrote it. */
  onCommand?(name: string): void;
  /** Answer with `acceptConnect` or `refuseConnect`. */
  onConnect(info: ConnectInfo): void;
  /** Answer with `acceptPublish` or `refusePublish`. */
  onPublish(request: StreamRequest): void;
  /** Answer with `acceptPlay` or `refusePlay`. */
  onPlay(request: StreamRequest): void;
  /** Audio, video or data of an accepted publish. `payload` is valid only until the call returns. */
  onMedia(streamId: number, type: number, timestampMs: number, payload: Buffer): void;
  /** An accepted publish ended by the client's own word. */
  onUnpublish(streamId: number): void;
  /** An accepted play ended by the client's own word. */
  onStop(streamId: number): void;
  /** A player wants a pause, or its end. */
  onPause(streamId: number, paused: boolean): void;
}

type Role = 'idle' | 'asking' | 'publishing' | 'playing';

interface NetStream {
  role: Role;
  name: string;
}

/**
 * The server's side of an RTMP conversation, for publishers and players: a pure state machine of bytes in, bytes out
 * and requests to its handler.
 *
 *   handshake -> connecting -> connected -> { createStream -> publish | play -> closeStream | deleteStream }*
 */
export class ServerSession {
  readonly #handler: ServerSessionHandler;
  readonly #write: (data: Buffer) => void;
  readonly #handshake: ServerHandshake | null;
  readonly #channel: MessageChannel;
  readonly #outChunkBytes: number;
  readonly #limits: SessionLimits;
  /** What the chunk reader obeys: little, until a publish is accepted. */
  readonly #chunkLimits: ChunkReaderLimits;
  readonly #streams = new Map<number, NetStream>();
  #phase: 'handshake' | 'fresh' | 'connecting' | 'connected';
  #connectTransaction = 1;
  #connectArguments: Readonly<Record<string, AmfValue>> = {};
  #app = '';
  #nextStreamId = 1;

  constructor(options: {
    handler: ServerSessionHandler;
    write: (data: Buffer) => void;
    limits: SessionLimits;
    /** The chunk size that we send with. */
    outChunkBytes: number;
    /** A handshake that somebody else began; null: one that somebody else completed. Default: it begins here. */
    handshake?: ServerHandshake | null;
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
      onMessage: (type, timestampMs, streamId, payload) => this.#message(type, timestampMs, streamId, payload),
    });
  }

  get channel(): MessageChannel {
    return this.#channel;
  }

  /** What the connection is doing, for the line that says why it ended. */
  get phase(): string {
    return this.#phase;
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
    // Enhanced RTMP v2: whatever codec comes is passed on (bit 4: "can forward"); said only to those who asked.
    const enhanced =
      asked.fourCcList === undefined && asked.capsEx === undefined
        ? {}
        : { capsEx: 0, videoFourCcInfoMap: { '*': 4 }, audioFourCcInfoMap: { '*': 4 } };
    this.#command(
      0,
      '_result',
      this.#connectTransaction,
      { fmsVer: 'FMS/3,0,1,123', capabilities: 31, ...enhanced },
      {
        level: 'status',
        code: 'NetConnection.Connect.Success',
        description: 'Connection succeeded.',
        objectEncoding: asked.objectEncoding === 3 ? 3 : 0,
      },
    );
    this.#connectArguments = {}; // may be large, and is of no more use
    this.#phase = 'connected';
  }

  /** @param code the specification's or the field's code, `NetConnection.Connect.Rejected` mostly */
  refuseConnect(code: string, description: string): void {
    this.#command(0, '_error', this.#connectTransaction, null, { level: 'error', code, description });
    this.#phase = 'fresh';
  }

  acceptPublish(streamId: number): void {
    const stream = this.#answered(streamId, 'publishing');
    if (stream === undefined) return;
    this.#chunkLimits.maxMessageBytes = this.#limits.maxMessageBytes;
    this.#chunkLimits.maxPartialBytes = this.#limits.maxPartialBytes;
    this.#channel.sendUserControl(UserControlEvent.StreamBegin, streamId);
    this.status(streamId, 'status', 'NetStream.Publish.Start', `${stream.name} is now published.`);
  }

  refusePublish(streamId: number, code: string, description: string): void {
    if (this.#answered(streamId, 'idle') !== undefined) this.status(streamId, 'error', code, description);
  }

  /**
   * Says what players wait for. The data messages that Flash Player wanted besides (`|RtmpSampleAccess`, `onStatus`) are
   * left out: ffmpeg takes each for a data stream of its own, beside video and audio.
   */
  acceptPlay(streamId: number): void {
    const stream = this.#answered(streamId, 'playing');
    if (stream === undefined) return;
    this.#channel.sendUserControl(UserControlEvent.StreamBegin, streamId);
    this.status(streamId, 'status', 'NetStream.Play.Reset', `Playing and resetting ${stream.name}.`);
    this.status(streamId, 'status', 'NetStream.Play.Start', `Started playing ${stream.name}.`);
  }

  refusePlay(streamId: number, code: string, description: string): void {
    if (this.#answered(streamId, 'idle') !== undefined) this.status(streamId, 'error', code, description);
  }

  /** Tells the client of one of its streams (7.2.2). */
  status(streamId: number, level: 'status' | 'error' | 'warning', code: string, description: string): void {
    this.#command(streamId, 'onStatus', 0, null, { level, code, description });
  }

  /** Tells a player that its camera stopped; it stays connected and gets the camera's next stream. */
  playUnpublished(streamId: number): void {
    this.#channel.sendUserControl(UserControlEvent.StreamEof, streamId);
    this.status(streamId, 'status', 'NetStream.Play.UnpublishNotify', 'The camera stopped publishing.');
  }

  /** Tells a player that its camera is back. */
  playPublished(streamId: number): void {
    this.#channel.sendUserControl(UserControlEvent.StreamBegin, streamId);
    this.status(streamId, 'status', 'NetStream.Play.PublishNotify', 'The camera is publishing again.');
  }

  /** Tells the client, stream by stream, that we end it: for an orderly shutdown. */
  endAll(description: string): void {
    for (const [streamId, stream] of this.#streams) {
      if (stream.role === 'publishing') this.status(streamId, 'status', 'NetStream.Unpublish.Success', description);
      if (stream.role === 'playing') {
        this.#channel.sendUserControl(UserControlEvent.StreamEof, streamId);
        this.status(streamId, 'status', 'NetStream.Play.Stop', description);
      }
      stream.role = 'idle';
    }
  }

  #message(type: number, timestampMs: number, streamId: number, payload: Buffer): void {
    switch (type) {
      case MessageType.Audio:
      case MessageType.Video:
      case MessageType.DataAmf0:
        if (this.#streams.get(streamId)?.role === 'publishing') {
          this.#handler.onMedia(streamId, type, timestampMs, payload);
        }
        return;
      case MessageType.DataAmf3:
        if (this.#streams.get(streamId)?.role === 'publishing') {
          this.#handler.onMedia(streamId, MessageType.DataAmf0, timestampMs, amf0OfData(payload));
        }
        return;
      case MessageType.CommandAmf0:
      case MessageType.CommandAmf3:
        this.#onCommand(streamId, parseCommand(type, payload, this.#limits));
        return;
      default:
        return; // shared objects and types that nobody defined: not for us
    }
  }

  #onCommand(streamId: number, command: Command): void {
    const { name, transactionId, args } = command;
    this.#handler.onCommand?.(name);
    if (name === 'connect') {
      this.#onConnect(command);
      return;
    }
    if (this.#phase !== 'connected') {
      throw new WireError('RTMP_COMMAND', `the command ${quote(name)} came before connect was accepted`);
    }
    switch (name) {
      case 'createStream':
        this.#createStream(transactionId);
        return;
      case 'publish':
        if (args[1] === false) this.#end(streamId);
        else this.#ask(streamId, stringOf(args[1]), 'publish');
        return;
      case 'play':
        if (args[1] === false) this.#end(streamId);
        else this.#ask(streamId, stringOf(args[1]), 'play');
        return;
      case 'deleteStream':
        this.#deleteStream(args[1]);
        return;
      case 'closeStream':
        this.#end(streamId);
        return;
      case 'FCUnpublish':
        this.#fcUnpublish(transactionId, stringOf(args[1]));
        return;
      case 'FCPublish':
        this.#result(transactionId);
        this.#command(0, 'onFCPublish', 0, null, {
          level: 'status',
          code: 'NetStream.Publish.Start',
          description: stringOf(args[1]),
        });
        return;
      case 'FCSubscribe':
        this.#result(transactionId);
        this.#command(0, 'onFCSubscribe', 0, null, {
          level: 'status',
          code: 'NetStream.Play.Start',
          description: stringOf(args[1]),
        });
        return;
      case 'pause':
      case 'pauseRaw':
        this.#pause(streamId, args[1] === true);
        return;
      case 'seek':
        this.status(streamId, 'error', 'NetStream.Seek.Failed', 'A live stream cannot be sought in.');
        return;
      case 'getStreamLength':
      case 'getMovLen':
        this.#result(transactionId, 0); // live: no length
        return;
      case 'releaseStream':
      case 'FCUnsubscribe':
      case '_checkbw':
      case 'checkBandwidth':
      case 'set_playlist':
        this.#result(transactionId);
        return;
      case 'receiveAudio':
      case 'receiveVideo':
      case '_result':
      case '_error':
      case 'onStatus':
        return; // answers to us, and wishes that a live fan-out does not grant
      default:
        if (transactionId !== 0) {
          this.#command(0, '_error', transactionId, null, {
            level: 'error',
            code: 'NetConnection.Call.Failed',
            description: 'This server does not know the command.',
          });
        }
    }
  }

  #onConnect({ transactionId, args }: Command): void {
    if (this.#phase !== 'fresh') throw new WireError('RTMP_COMMAND', 'connect came twice on one connection');
    const asked = objectArgument(args, 0);
    const app = stringOf(asked.app);
    if (app.length > maxNameLength) {
      throw new WireError('RTMP_COMMAND', `connect names an application of ${app.length} characters`);
    }
    this.#phase = 'connecting';
    this.#connectTransaction = transactionId;
    this.#connectArguments = asked;
    this.#app = app;
    this.#handler.onConnect({
      app,
      tcUrl: stringOf(asked.tcUrl).slice(0, maxNameLength),
      flashVer: stringOf(asked.flashVer).slice(0, 128),
      swfUrl: stringOf(asked.swfUrl).slice(0, maxNameLength),
      pageUrl: stringOf(asked.pageUrl).slice(0, maxNameLength),
      path: stringOf(asked.mediaAggregatorPath),
    });
  }

  #createStream(transactionId: number): void {
    if (this.#streams.size >= maxStreamsPerConnection) {
      throw new WireError('RTMP_LIMIT', `the client opened more than ${maxStreamsPerConnection} streams`);
    }
    const streamId = this.#nextStreamId++;
    this.#streams.set(streamId, { role: 'idle', name: '' });
    this.#result(transactionId, streamId);
  }

  #ask(streamId: number, name: string, what: 'publish' | 'play'): void {
    const stream = this.#streams.get(streamId);
    if (stream === undefined) {
      throw new WireError('RTMP_COMMAND', `${what} came on stream ${streamId}, which createStream never made`);
    }
    if (name.length > maxNameLength) {
      throw new WireError('RTMP_COMMAND', `${what} names a stream of ${name.length} characters`);
    }
    if (stream.role === 'asking' || stream.role === 'publishing') {
      this.status(streamId, 'error', 'NetStream.Publish.BadName', 'This stream is in use already.');
      return;
    }
    if (stream.role === 'playing') this.#end(streamId); // a second play replaces the first
    stream.role = 'asking';
    stream.name = name;
    const request = { app: this.#app, streamName: name, streamId };
    if (what === 'publish') this.#handler.onPublish(request);
    else this.#handler.onPlay(request);
  }

  #answered(streamId: number, role: Role): NetStream | undefined {
    const stream = this.#streams.get(streamId);
    if (stream === undefined || stream.role !== 'asking') return undefined; // gone while the answer was on its way
    stream.role = role;
    return stream;
  }

  #end(streamId: number): void {
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return;
    const role = stream.role;
    stream.role = 'idle';
    if (role === 'publishing') {
      this.status(streamId, 'status', 'NetStream.Unpublish.Success', `${stream.name} is now unpublished.`);
      this.#handler.onUnpublish(streamId);
    } else if (role === 'playing') {
      this.status(streamId, 'status', 'NetStream.Play.Stop', `Stopped playing ${stream.name}.`);
      this.#handler.onStop(streamId);
    }
  }

  #deleteStream(id: AmfValue | undefined): void {
    if (typeof id !== 'number') return;
    this.#end(id);
    this.#streams.delete(id);
  }

  #fcUnpublish(transactionId: number, name: string): void {
    this.#result(transactionId);
    for (const [streamId, stream] of this.#streams) {
      if (stream.role !== 'publishing' || stream.name !== name) continue;
      this.#command(0, 'onFCUnpublish', 0, null, {
        level: 'status',
        code: 'NetStream.Unpublish.Success',
        description: name,
      });
      this.#end(streamId);
      return;
    }
  }

  #pause(streamId: number, paused: boolean): void {
    if (this.#streams.get(streamId)?.role !== 'playing') return;
    if (paused) this.status(streamId, 'status', 'NetStream.Pause.Notify', 'Paused.');
    else this.status(streamId, 'status', 'NetStream.Unpause.Notify', 'Unpaused: continues live.');
    this.#handler.onPause(streamId, paused);
  }

  /** Answers a call; commands without a transaction want no answer (7.2.1.2). */
  #result(transactionId: number, value?: AmfValue): void {
    if (transactionId === 0) return;
    this.#command(0, '_result', transactionId, null, value);
  }

  #command(streamId: number, name: string, transactionId: number, ...args: AmfValue[]): void {
    const payload = encodeCommand(name, transactionId, ...args);
    this.#channel.send(ChunkStreamId.Command, MessageType.CommandAmf0, 0, streamId, payload);
  }
}

/**
 * The AMF0 part of a data message of type 15: behind a format selector, which is 0 and which nobody checks; senders exist
 * that leave it out, and then a string comes first.
 */
function amf0OfData(payload: Buffer): Buffer {
  return payload[0] === Amf0Marker.String ? payload : payload.subarray(1);
}

function quote(name: string): string {
  return JSON.stringify(name.slice(0, 40));
}
