import { type ErrorCode, TargetError } from '../errors.js';
import { type AmfObject, type AmfValue, propertiesOf } from '../wire/amf0.js';
import { ClientHandshake } from '../wire/handshake.js';
import { ChunkStreamId, MessageType, UserControlEvent } from '../wire/message.js';
import { abilitiesOf, noAbilities, type PeerAbilities } from './abilities.js';
import { MessageChannel } from './channel.js';
import { type Command, encodeCommand, parseCommand, stringOf } from './command.js';
import { type IgnoredKind, IgnoredMessages } from './ignored.js';
import type { PeerMeter } from './peer-meter.js';
import type { SessionLimits } from './server-session.js';
import { infoOf, isConnected, meaningOf, redirectOf, streamIdOf } from './target-status.js';

/**
 * How often a target is asked to acknowledge what it got. Small, because these acknowledgements are the evidence that
 * bytes arrive: at 1 Mbit/s one comes every second. Each costs the target 16 bytes. At first, and while the target is
 * slow, they are to say soon how fast it is.
 */
export const acknowledgeEveryBytes = { usually: 128 * 1024, closely: 32 * 1024 } as const;

const transaction = { connect: 1, releaseStream: 2, fcPublish: 3, createStream: 4, publish: 5, end: 6 } as const;

/** What was asked before the stream is there. */
const asked: ReadonlySet<number> = new Set([transaction.connect, transaction.releaseStream, transaction.fcPublish]);

/** What the client waits for. */
export type ClientStep = 'handshake' | 'connect' | 'createStream' | 'publish' | 'published' | 'ended';

export interface ClientSessionHandler {
  /** A command went out or came in: its name and status code, never its arguments, which may hold keys. */
  onCommand?(text: string): void;
  /** The target accepted the publish: media may be sent on this message stream. */
  onPublished(streamId: number): void;
  /**
   * The target refused or ended it; the connection is to be closed.
   * @param said the target's own description, which may hold anything, secrets too; empty when it gave none
   * @param redirect where the target wants to be published to instead, as it says it; undefined: nowhere
   */
  onRefused(error: TargetError, said: string, redirect: string | undefined): void;
  /** The target asks to be reconnected to, soon. @param tcUrl where, as it says it; undefined: at the same place */
  onReconnectRequest?(tcUrl: string | undefined): void;
}

export interface PublishTarget {
  readonly app: string;
  readonly tcUrl: string;
  readonly streamName: string;
  /** What the client calls itself; undefined: as the aggregator does. */
  readonly flashVer?: string | undefined;
  /** The aggregators that the stream came through, for those that look for loops; undefined says nothing. */
  readonly via?: string | undefined;
  /** What is said of Enhanced RTMP; undefined: nothing. */
  readonly announcement?: AmfObject | undefined;
  /** Words that must not appear in what is reported: keys, which servers like to repeat. */
  readonly secrets?: readonly string[] | undefined;
}

/**
 * The client's side of an RTMP conversation that publishes one stream: a pure state machine.
 *
 *   handshake -> connect -> createStream -> publish -> published -> ended
 */
export class ClientSession {
  readonly #target: PublishTarget;
  readonly #handler: ClientSessionHandler;
  readonly #write: (data: Buffer) => void;
  readonly #handshake = new ClientHandshake();
  readonly #channel: MessageChannel;
  readonly #outChunkBytes: number;
  readonly #ignored = new IgnoredMessages();
  #step: ClientStep = 'handshake';
  #streamId = 0;
  #abilities: PeerAbilities = noAbilities;
  #acknowledgedEvery = 0;
  /** The target said that the publish begins before it was asked. */
  #startedEarly = false;
  /** Media is sent although the target never said that it takes it: until it does, it may still refuse the publish. */
  #isUnanswered = false;

  constructor(options: {
    target: PublishTarget;
    handler: ClientSessionHandler;
    write: (data: Buffer) => void;
    limits: SessionLimits;
    outChunkBytes: number;
    /** Weighs all that comes behind the handshake. */
    meter?: PeerMeter;
  }) {
    this.#target = options.target;
    this.#handler = options.handler;
    this.#write = options.write;
    this.#outChunkBytes = options.outChunkBytes;
    this.#channel = new MessageChannel({
      write: options.write,
      meter: options.meter,
      // A target only answers commands and has no reason to send anything large; large messages are skipped.
      limits: {
        maxChunkStreams: options.limits.maxChunkStreams,
        maxMessageBytes: options.limits.maxCommandBytes,
        maxPartialBytes: 2 * options.limits.maxCommandBytes,
        onTooLarge: (type, bytes) => this.#ignore('large', `a message of type ${type} with ${bytes} bytes`),
      },
      listener: {
        onMessage: (type, _timestampMs, _streamId, payload) => {
          if (type === MessageType.CommandAmf0 || type === MessageType.CommandAmf3) {
            const command = parseCommand(type, payload, options.limits);
            // Irrelevant or malformed messages of a target do not end a push: they are noted, and their readable part
            // counts.
            if (typeof command === 'string') this.#ignore('command', command);
            else this.#onCommand(command);
          }
        },
        onIgnored: (kind, detail) => this.#ignore(kind, detail),
      },
    });
  }

  get step(): ClientStep {
    return this.#step;
  }

  /** What the target said of Enhanced RTMP when it accepted the application. */
  get abilities(): PeerAbilities {
    return this.#abilities;
  }

  /** True while media is sent and the target has not said that it takes it. */
  get isUnanswered(): boolean {
    return this.#isUnanswered;
  }

  get channel(): MessageChannel {
    return this.#channel;
  }

  /** The message stream to send media on, once published. */
  get streamId(): number {
    return this.#streamId;
  }

  /** Sends the client's first bytes; call once, when the transport is connected. */
  start(): void {
    this.#write(this.#handshake.start());
  }

  /** Takes bytes off the socket. @throws WireError when the target breaks the protocol */
  receive(data: Buffer): void {
    if (this.#step !== 'handshake') {
      this.#channel.receive(data);
      return;
    }
    const { reply, done, rest } = this.#handshake.receive(data);
    if (reply !== null) this.#write(reply);
    if (!done) return;
    this.#step = 'connect';
    this.#channel.setOutChunkBytes(this.#outChunkBytes);
    this.#command(0, 'connect', transaction.connect, {
      app: this.#target.app,
      type: 'nonprivate',
      flashVer: this.#target.flashVer ?? 'FMLE/3.0 (compatible; media-aggregator)',
      tcUrl: this.#target.tcUrl,
      ...(this.#target.via === undefined ? {} : { mediaAggregatorPath: this.#target.via }),
      ...this.#target.announcement,
    });
    if (rest.length > 0) this.#channel.receive(rest);
  }

  /** Asks the target to acknowledge every `bytes` bytes, unless it was already asked for that. */
  acknowledgeEvery(bytes: number): void {
    if (bytes === this.#acknowledgedEvery) return;
    this.#acknowledgedEvery = bytes;
    this.#channel.sendWindowAckSize(bytes);
  }

  /** Asks whether the target is there (7.1.7). @param timestampMs what the answer repeats */
  ping(timestampMs: number): void {
    this.#channel.sendUserControl(UserControlEvent.PingRequest, timestampMs);
  }

  /**
   * Begins to send media although the target did not answer `publish`. It counts as neither accepted nor refused: what it
   * takes or acknowledges says how it is.
   */
  startUnanswered(): void {
    if (this.#step !== 'publish') return;
    this.#isUnanswered = true;
    this.#handler.onCommand?.('publish was not answered; media is sent all the same');
    this.#start();
  }

  /** Says goodbye: the target then ends the stream at once instead of waiting for the connection to die. */
  end(): void {
    if (this.#step === 'published' || this.#step === 'publish') {
      this.#command(0, 'FCUnpublish', transaction.end, null, this.#target.streamName);
      this.#command(0, 'deleteStream', transaction.end + 1, null, this.#streamId);
    }
    this.#step = 'ended';
  }

  #ignore(kind: IgnoredKind, detail: string): void {
    if (this.#ignored.note(kind)) this.#handler.onCommand?.(`ignored: ${detail.slice(0, 160)}`);
  }

  #onCommand(command: Command): void {
    const { name, transactionId, args, problem } = command;
    if (problem !== null) this.#ignore('command', problem);
    const code = stringOf(infoOf(args).code);
    // Shortened after secrets are removed: half of a secret would not be found.
    const [shownName, shownCode] = [this.#withoutSecrets(name).slice(0, 40), this.#withoutSecrets(code).slice(0, 80)];
    this.#handler.onCommand?.(`< ${shownName}${shownCode === '' ? '' : ` ${shownCode}`}`);
    if (this.#step === 'ended') return;
    if (name === '_result') this.#onResult(transactionId, args);
    else if (name === '_error') this.#onError(transactionId, args);
    else if (name === 'onStatus') this.#onStatus(args);
    else if (name === 'onFCPublish' || name === 'onFCUnpublish') this.#onFcStatus(name, args);
    else if (name === 'close') this.#refuse('TARGET_CLOSED', 'it sent close', args);
    else if (transactionId !== 0) this.#answer(name, transactionId);
  }

  /** A call of the target that waits for an answer (RTMP 1.0, 7.2.1.2). Measurements of bandwidth end, the rest fails. */
  #answer(name: string, transactionId: number): void {
    if (/^_?(?:on)?(?:bw|checkBandwidth|check_?bw)/i.test(name) || name === 'ping') {
      this.#reply('_result', transactionId, null);
      return;
    }
    const description = 'This client does not know the command.';
    this.#reply('_error', transactionId, { level: 'error', code: 'NetConnection.Call.Failed', description });
  }

  /** The answer to FCPublish. Only a refusal says anything: the publish itself has an answer of its own. */
  #onFcStatus(name: string, args: readonly AmfValue[]): void {
    const meaning = meaningOf(infoOf(args));
    if (meaning === 'refused') this.#end(args);
    else if (meaning === 'ended' && name === 'onFCUnpublish' && this.#step === 'published') this.#end(args);
  }

  /**
   * Transactions are what they ought to be at most targets. Where one writes another, what it says tells what it answers: a
   * connect by its code, createStream by a number that nothing else has.
   */
  #onResult(transactionId: number, args: readonly AmfValue[]): void {
    if (this.#step === 'connect' && (transactionId === transaction.connect || isConnected(args))) {
      if (meaningOf(infoOf(args)) === 'refused') {
        this.#refuse('TARGET_CONNECT_REJECTED', `the application ${this.#quotedApp()}`, args);
      } else this.#accepted(args);
    } else if (this.#step === 'createStream' && transactionId === transaction.createStream) {
      const streamId = streamIdOf(args);
      if (streamId === undefined) {
        this.#refuse('TARGET_PROTOCOL', 'createStream answered without a stream id', args);
      } else this.#publish(streamId);
    } else if (transactionId === transaction.publish) {
      // Some answer the call itself, too.
      this.#onStatus(args);
    } else if (this.#step === 'createStream' && !asked.has(transactionId)) {
      const streamId = streamIdOf(args);
      if (streamId !== undefined) this.#publish(streamId);
    }
  }

  #accepted(args: readonly AmfValue[]): void {
    // In the first object; where the objects are in one, in that.
    for (const value of args) {
      const said = abilitiesOf(propertiesOf(value) ?? {});
      if (said.isSaid) this.#abilities = said;
    }
    this.#createStream();
  }

  #createStream(): void {
    this.#step = 'createStream';
    this.acknowledgeEvery(acknowledgeEveryBytes.closely);
    const { streamName } = this.#target;
    this.#command(0, 'releaseStream', transaction.releaseStream, null, streamName);
    this.#command(0, 'FCPublish', transaction.fcPublish, null, streamName);
    this.#command(0, 'createStream', transaction.createStream, null);
  }

  #publish(streamId: number): void {
    this.#step = 'publish';
    this.#streamId = streamId;
    this.#command(streamId, 'publish', transaction.publish, null, this.#target.streamName, 'live');
    if (this.#startedEarly) this.#start();
  }

  #start(): void {
    if (this.#step === 'published') this.#isUnanswered = false;
    if (this.#step !== 'publish') {
      this.#startedEarly ||= this.#step === 'createStream';
      return;
    }
    this.#step = 'published';
    this.#handler.onPublished(this.#streamId);
  }

  /** Before the start it is the name or the key, or the application; later the target ends what it had accepted. */
  #end(args: readonly AmfValue[]): void {
    if (this.#step === 'published' && !this.#isUnanswered) {
      this.#refuse('TARGET_CLOSED', 'it ended the stream', args);
    } else if (/^NetConnection\./.test(stringOf(infoOf(args).code))) {
      this.#refuse('TARGET_CONNECT_REJECTED', `the application ${this.#quotedApp()}`, args);
    } else this.#refuse('TARGET_PUBLISH_REJECTED', 'the stream name or key', args);
  }

  #onError(transactionId: number, args: readonly AmfValue[]): void {
    if (transactionId === transaction.connect && this.#step !== 'connect') {
      this.#refuse('TARGET_CLOSED', 'it refused the application that it had accepted', args);
    } else if (transactionId === transaction.connect) {
      this.#refuse('TARGET_CONNECT_REJECTED', `the application ${this.#quotedApp()}`, args);
    } else if (transactionId === transaction.createStream || transactionId === transaction.publish) {
      this.#refuse('TARGET_PUBLISH_REJECTED', 'the stream name', args);
    } else if (/^NetStream\.Publish\./.test(stringOf(infoOf(args).code)) && meaningOf(infoOf(args)) === 'refused') {
      this.#end(args);
    } // servers that do not know releaseStream or FCPublish say so, and mean no harm
  }

  #onStatus(args: readonly AmfValue[]): void {
    if (this.#step === 'connect' && isConnected(args)) {
      this.#accepted(args);
      return;
    }
    const info = infoOf(args);
    if (stringOf(info.code) === 'NetConnection.Connect.ReconnectRequest') {
      const tcUrl = stringOf(info.tcUrl);
      if (this.#step === 'published') this.#handler.onReconnectRequest?.(tcUrl === '' ? undefined : tcUrl);
      return;
    }
    switch (meaningOf(infoOf(args))) {
      case 'start':
        this.#start();
        return;
      case 'refused':
      case 'ended':
        this.#end(args);
        return;
      case 'nothing':
    }
  }

  #refuse(code: ErrorCode, what: string, args: readonly AmfValue[]): void {
    this.#step = 'ended';
    const info = infoOf(args);
    const description = stringOf(info.description);
    const said = [stringOf(info.code), description].filter((text) => text !== '').join(': ');
    const words = this.#withoutSecrets(said);
    const verb = code.endsWith('REJECTED') ? 'the target refused ' : 'the target is done: ';
    const error = new TargetError(code, `${verb}${what}${words === '' ? '' : ` (${words.slice(0, 200)})`}`);
    // A stream that already flows is not redirected: the next attempt follows the redirect from its beginning.
    const redirect = code === 'TARGET_CLOSED' ? undefined : redirectOf(info);
    this.#handler.onRefused(error, description, redirect);
  }

  /** The name of the application; its query may hold a key, and where there is no stream name it may be one. */
  #quotedApp(): string {
    return JSON.stringify(this.#withoutSecrets(this.#target.app.split('?', 1)[0] ?? '').slice(0, 64));
  }

  #withoutSecrets(text: string): string {
    let clean = text;
    for (const secret of this.#target.secrets ?? []) clean = clean.replaceAll(secret, '***');
    return clean;
  }

  #reply(name: '_result' | '_error', transactionId: number, info: AmfValue): void {
    const payload = encodeCommand(name, transactionId, null, info);
    this.#channel.send(ChunkStreamId.Command, MessageType.CommandAmf0, 0, 0, payload);
  }

  #command(streamId: number, name: string, transactionId: number, ...args: AmfValue[]): void {
    this.#handler.onCommand?.(`> ${name}`);
    const payload = encodeCommand(name, transactionId, ...args);
    this.#channel.send(ChunkStreamId.Command, MessageType.CommandAmf0, 0, streamId, payload);
  }
}
