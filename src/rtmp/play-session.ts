import { CodedError, type ErrorCode } from '../errors.js';
import type { AmfValue } from '../wire/amf0.js';
import { ClientHandshake } from '../wire/handshake.js';
import { ChunkStreamId, MessageType, UserControlEvent } from '../wire/message.js';
import { MessageChannel } from './channel.js';
import { type Command, encodeCommand, parseCommand, stringOf } from './command.js';
import type { PeerMeter } from './peer-meter.js';
import type { SessionLimits } from './server-session.js';
import { infoOf, isConnected, meaningOf, streamIdOf } from './target-status.js';

const transaction = { connect: 1, createStream: 2, play: 3, end: 4 } as const;

/** How much a server may send ahead of what is played, milliseconds. Live streams have nothing to send ahead. */
const bufferMs = 1000;

/** What the player waits for. */
export type PlayStep = 'handshake' | 'connect' | 'createStream' | 'play' | 'playing' | 'ended';

export interface PlaySessionHandler {
  /** A message of the stream. `payload` is valid only until the call returns. @param type 8 audio, 9 video, 18 data */
  onMedia(type: number, timestampMs: number, payload: Buffer): void;
  /** The server refuses, or ended, the stream; the connection is to be closed. */
  onEnded(error: CodedError): void;
}

/** What is to be played, and by whom. */
export interface PlayRequest {
  readonly app: string;
  readonly tcUrl: string;
  readonly streamName: string;
  readonly pageUrl?: string;
  /** Words that must not appear in what is reported. */
  readonly secrets: readonly string[];
}

/** Statuses of `play` that end it (NetStatusEvent of Flash Player): not there, refused, gone. */
const notFound = /^NetStream\.Play\.(?:StreamNotFound|FileNotFound|FileStructureInvalid|NoSupportedTrackFound)$/;
const ended = /^NetStream\.Play\.(?:Stop|UnpublishNotify|Complete)$/;
const refused = /^NetStream\.Play\.(?:Failed|InsufficientBW|Denied|Rejected|Unauthori[sz]ed|NotAllowed|Forbidden)$/;

/**
 * The client's side of an RTMP conversation that plays one stream: a pure state machine.
 *
 *   handshake -> connect -> createStream -> play -> playing -> ended
 *
 * Media is taken from `play` on, since servers exist that send it before they say that it begins.
 */
export class PlaySession {
  readonly #request: PlayRequest;
  readonly #handler: PlaySessionHandler;
  readonly #write: (data: Buffer) => void;
  readonly #handshake = new ClientHandshake();
  readonly #channel: MessageChannel;
  #step: PlayStep = 'handshake';
  #streamId = 0;

  constructor(options: {
    request: PlayRequest;
    handler: PlaySessionHandler;
    write: (data: Buffer) => void;
    limits: SessionLimits;
    meter: PeerMeter;
  }) {
    const { limits, meter } = options;
    this.#request = options.request;
    this.#handler = options.handler;
    this.#write = options.write;
    this.#channel = new MessageChannel({
      write: options.write,
      meter,
      limits,
      listener: {
        onMessage: (type, timestampMs, _streamId, payload) => this.#take(type, timestampMs, payload, limits),
      },
    });
  }

  get step(): PlayStep {
    return this.#step;
  }

  get channel(): MessageChannel {
    return this.#channel;
  }

  /** Sends the first bytes; call once, when the transport is connected. */
  start(): void {
    this.#write(this.#handshake.start());
  }

  /** Takes bytes off the socket. @throws WireError when the server breaks the protocol */
  receive(data: Buffer): void {
    if (this.#step !== 'handshake') {
      this.#channel.receive(data);
      return;
    }
    const { reply, done, rest } = this.#handshake.receive(data);
    if (reply !== null) this.#write(reply);
    if (!done) return;
    this.#step = 'connect';
    const { app, tcUrl } = this.#request;
    // The codecs of Flash Player, as players say them: some servers leave out what is not named.
    this.#command(0, 'connect', transaction.connect, {
      ...{ app, flashVer: 'LNX 9,0,124,2', tcUrl, fpad: false },
      ...{ capabilities: 15, audioCodecs: 4071, videoCodecs: 252, videoFunction: 1 },
      fourCcList: ['hvc1', 'av01', 'vp09', 'Opus', 'fLaC', 'ac-3', 'ec-3'],
    });
    if (rest.length > 0) this.#channel.receive(rest);
  }

  /** Says goodbye. */
  end(): void {
    if (this.#step === 'play' || this.#step === 'playing') {
      this.#command(0, 'deleteStream', transaction.end, null, this.#streamId);
    }
    this.#step = 'ended';
  }

  #take(type: number, timestampMs: number, payload: Buffer, limits: SessionLimits): void {
    if (type === MessageType.CommandAmf0 || type === MessageType.CommandAmf3) {
      const command = parseCommand(type, payload, limits);
      if (typeof command !== 'string') this.#onCommand(command);
      return;
    }
    const isPlayed = this.#step === 'play' || this.#step === 'playing';
    const isMedia = type === MessageType.Audio || type === MessageType.Video || type === MessageType.DataAmf0;
    // Servers send an empty message of audio or video to say that there is none.
    if (isPlayed && isMedia && payload.length > 0) this.#handler.onMedia(type, timestampMs, payload);
  }

  #onCommand({ name, transactionId, args }: Command): void {
    if (this.#step === 'ended') return;
    if (name === '_result') this.#onResult(transactionId, args);
    else if (name === '_error') this.#onError(transactionId, args);
    else if (name === 'onStatus') this.#onStatus(args);
    else if (name === 'close') this.#end('SOURCE_CLOSED', 'it sent close', args);
    else if (transactionId !== 0) this.#answer(name, transactionId);
  }

  /** A call of the server that waits for an answer: measurements of bandwidth end, the rest fails. */
  #answer(name: string, transactionId: number): void {
    const isMeasure = /^_?(?:on)?(?:bw|checkBandwidth|check_?bw)/i.test(name);
    const info = { level: 'error', code: 'NetConnection.Call.Failed', description: 'This player does not know it.' };
    const payload = encodeCommand(isMeasure ? '_result' : '_error', transactionId, null, isMeasure ? null : info);
    this.#channel.send(ChunkStreamId.Command, MessageType.CommandAmf0, 0, 0, payload);
  }

  #onResult(transactionId: number, args: readonly AmfValue[]): void {
    if (this.#step === 'connect' && (transactionId === transaction.connect || isConnected(args))) {
      if (meaningOf(infoOf(args)) === 'refused') {
        this.#refuseConnect(args);
        return;
      }
      this.#step = 'createStream';
      this.#command(0, 'createStream', transaction.createStream, null);
    } else if (this.#step === 'createStream' && transactionId !== transaction.connect) {
      const streamId = streamIdOf(args);
      if (streamId === undefined) this.#end('SOURCE_PROTOCOL', 'createStream was answered without a stream id', args);
      else this.#play(streamId);
    }
  }

  #play(streamId: number): void {
    this.#step = 'play';
    this.#streamId = streamId;
    // -2: live, else recorded (RTMP 1.0, 7.2.2.1).
    this.#command(streamId, 'play', transaction.play, null, this.#request.streamName, -2000);
    this.#channel.sendUserControl(UserControlEvent.SetBufferLength, streamId, bufferMs);
  }

  #onError(transactionId: number, args: readonly AmfValue[]): void {
    if (this.#step === 'connect') this.#refuseConnect(args);
    else if (transactionId === transaction.createStream || transactionId === transaction.play) {
      this.#end('SOURCE_NOT_FOUND', 'it refuses the stream name', args);
    }
  }

  #refuseConnect(args: readonly AmfValue[]): void {
    const said = stringOf(infoOf(args).description);
    const isAuth = /auth|denied|password|unauthori[sz]ed/i.test(said);
    this.#end(isAuth ? 'SOURCE_AUTH' : 'SOURCE_NOT_FOUND', 'it refuses the application', args);
  }

  #onStatus(args: readonly AmfValue[]): void {
    const info = infoOf(args);
    const code = stringOf(info.code);
    if (code === 'NetStream.Play.Start') this.#step = 'playing';
    else if (notFound.test(code)) this.#end('SOURCE_NOT_FOUND', 'it has no such stream', args);
    else if (ended.test(code)) this.#end('SOURCE_CLOSED', 'the stream ended there', args);
    else if (refused.test(code)) this.#end('SOURCE_AUTH', 'it refuses to play the stream', args);
    else if (/^NetConnection\.Connect\.(?!Success)/.test(code)) this.#refuseConnect(args);
    else if (stringOf(info.level) === 'error') this.#end('SOURCE_NOT_FOUND', 'it does not play the stream', args);
  }

  #end(code: ErrorCode, what: string, args: readonly AmfValue[]): void {
    this.#step = 'ended';
    const info = infoOf(args);
    let said = [stringOf(info.code), stringOf(info.description)].filter((text) => text !== '').join(': ');
    for (const secret of this.#request.secrets) said = said.replaceAll(secret, '***');
    this.#handler.onEnded(new CodedError(code, `${what}${said === '' ? '' : ` (${said.slice(0, 200)})`}`));
  }

  #command(streamId: number, name: string, transactionId: number, ...args: AmfValue[]): void {
    const payload = encodeCommand(name, transactionId, ...args);
    this.#channel.send(ChunkStreamId.Command, MessageType.CommandAmf0, 0, streamId, payload);
  }
}
