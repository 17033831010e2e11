import { randomInt } from 'node:crypto';
import { addressKey } from '../address/plain-address.js';
import { cameraIn } from '../address/stream-place.js';
import { GuessLimiter } from '../admission/guess-limiter.js';
import { CodedError, type ErrorCode, messageOf } from '../errors.js';
import type { Logger } from '../log/log.js';
import { ConnectionLimits } from '../net/connection-limits.js';
import { noConnectInfo } from '../rtmp/connect.js';
import type { StreamRequest } from '../rtmp/server-handler.js';
import type { PublishGrant, StreamHost } from '../rtmp/stream-host.js';
import { acceptance, type CallerHandshake, type CallerRequest, RejectReason, refusal } from './handshake.js';
import { type KeyMaterial, unwrapKeys } from './key-material.js';
import { RecentRefusals, rejectReasonOf } from './refusals.js';
import { SrtPublisher, type SrtPublisherSettings } from './srt-publisher.js';
import { SrtSession } from './srt-session.js';
import { readStreamId } from './stream-id.js';

/** Passphrases that are checked at a time: each takes milliseconds of a thread. The others ask again by themselves. */
const maxUnwrapping = 8;
/** An encoder whose stream came to nothing is not let in again for so long, since each try is an ffmpeg. */
const failedMs = 5000;
const maxFailed = 1000;
/** Longest latency that an encoder gets, milliseconds. */
const maxLatencyMs = 8000;

/** Limits of encoders that publish by SRT. */
export interface SrtSettings extends SrtPublisherSettings {
  /** How long what is missing is waited for at least; encoders may want more. */
  readonly srtLatencyMs: number;
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
}

/** Where a datagram came from. */
export interface SrtCaller {
  readonly address: string;
  readonly port: number;
}

/** One that was let in. */
export interface SrtConnection extends SrtCaller {
  readonly id: number;
  readonly session: SrtSession;
  readonly publisher: SrtPublisher;
  /** What its conclusion is answered with, should it come again. */
  readonly answer: Buffer;
}

/** Who decides, and how answers leave. */
export interface SrtDoorOptions {
  readonly settings: SrtSettings;
  /** Undefined: encoders do not encrypt. */
  readonly passphrase: string | undefined;
  readonly host: StreamHost;
  readonly log: Logger;
  readonly send: (packet: Buffer, to: SrtCaller) => void;
}

/** A refusal that the protocol has a reason for. */
class SrtRefusal extends CodedError {
  readonly reason: number;

  constructor(reason: number, code: ErrorCode, message: string) {
    super(code, message);
    this.reason = reason;
  }
}

/**
 * Decides what becomes of a caller whose cookie is right: whether it may publish is asked as of any publisher, and it is told
 * why not by the reason of a refusal. Connections are kept here, by what their sockets are called.
 */
export class SrtDoor {
  readonly connections = new Map<number, SrtConnection>();
  readonly #options: SrtDoorOptions;
  readonly #limits: ConnectionLimits;
  readonly #refusals = new RecentRefusals();
  /** By caller: what was let in, or (null) is being decided. */
  readonly #byCaller = new Map<string, SrtConnection | null>();
  /** By camera and address, until when. */
  readonly #failed = new Map<string, { readonly untilMs: number; readonly error: CodedError }>();
  /** Of passphrases: each one that is tried costs milliseconds of a processor. */
  readonly #guesses = new GuessLimiter();
  #unwrapping = 0;
  #isClosed = false;

  constructor(options: SrtDoorOptions) {
    this.#options = options;
    this.#limits = new ConnectionLimits(options.settings, options.log);
  }

  /** A conclusion whose cookie is right. */
  ask(caller: CallerHandshake, from: SrtCaller, nowMs: number): void {
    const key = `${from.address} ${from.port} ${caller.peerId}`;
    const known = this.#byCaller.get(key);
    if (known !== undefined) {
      // The answer was lost, or is not there yet.
      if (known !== null) this.#options.send(known.answer, from);
      return;
    }
    const before = this.#refusals.of(key, nowMs);
    if (before !== undefined) {
      this.#options.send(refusal(caller, before), from);
      return;
    }
    if (this.#isClosed) return;
    const { request } = caller;
    let asked: StreamRequest = { app: '', streamName: '', streamId: 1 };
    const refuse = (error: unknown): void => this.#refuse({ key, caller, from, asked }, error);
    try {
      const able = requireAble(caller, request);
      asked = requestOf(able.streamId);
      const camera = this.#options.host.cameraOf?.(asked);
      if (able.keyMaterial !== null && this.#unwrapping >= maxUnwrapping) return;
      const release = this.#limits.admit(from.address);
      if (release === undefined) throw new CodedError('RTMP_LIMIT', 'there are too many SRT connections');
      this.#byCaller.set(key, null);
      this.#admit({ able, asked, caller, camera, from }).then(
        (admitted) => this.#open({ key, caller, able, from, camera: camera ?? '', release, ...admitted }, refuse),
        (error: unknown) => {
          this.#byCaller.delete(key);
          release();
          refuse(error);
        },
      );
    } catch (error) {
      refuse(error);
    }
  }

  /** Ends all. */
  close(): void {
    this.#isClosed = true;
    const reason = new CodedError('RTMP_TIMEOUT', 'the aggregator is shutting down');
    for (const { publisher } of [...this.connections.values()]) publisher.close(reason);
  }

  async #admit(question: {
    readonly able: CallerRequest;
    readonly asked: StreamRequest;
    readonly caller: CallerHandshake;
    readonly camera: string | undefined;
    readonly from: SrtCaller;
  }): Promise<{ readonly keys: KeyMaterial | null; readonly grant: PublishGrant; readonly id: number }> {
    const { able, asked, camera, from } = question;
    // Whoever names no camera costs no derived key.
    const keys = camera === undefined ? null : await this.#keysOf(able, from);
    if (camera !== undefined) this.#requireRested(camera, from);
    const peer = { address: from.address, connectionId: this.#newId(), connect: { ...noConnectInfo, flashVer: 'SRT' } };
    const grant = await this.#options.host.admitPublisher(asked, peer);
    return { keys, grant, id: peer.connectionId };
  }

  async #keysOf({ keyMaterial }: CallerRequest, { address }: SrtCaller): Promise<KeyMaterial | null> {
    const { passphrase } = this.#options;
    if (keyMaterial === null) {
      if (passphrase === undefined) return null;
      const text = 'the encoder does not encrypt; give it the passphrase of srt-passphrase-file';
      throw new SrtRefusal(RejectReason.Unsecure, 'PUBLISH_FORBIDDEN', text);
    }
    if (passphrase === undefined) {
      const text = 'the encoder encrypts, and there is no srt-passphrase-file here';
      throw new SrtRefusal(RejectReason.Unsecure, 'PUBLISH_FORBIDDEN', text);
    }
    const waitMs = this.#guesses.waitMs(addressKey(address), '');
    if (waitMs > 0) {
      const seconds = Math.ceil(waitMs / 1000);
      const text = `too many wrong passphrases came from ${address}; the next one is checked in ${seconds} s`;
      throw new CodedError('RTMP_LIMIT', text);
    }
    this.#unwrapping++;
    const keys = await unwrapKeys(keyMaterial, passphrase).finally(() => this.#unwrapping--);
    if (keys === 'wrong-secret') this.#guesses.failed(addressKey(address));
    if (keys === 'wrong-secret')
      throw new SrtRefusal(RejectReason.BadSecret, 'PUBLISH_FORBIDDEN', 'the passphrase of the encoder is wrong');
    if (keys === 'unsupported')
      throw new SrtRefusal(RejectReason.Crypto, 'PUBLISH_FORBIDDEN', 'the encoder encrypts by what is not AES-CTR');
    return keys;
  }

  #open(
    admitted: {
      readonly key: string;
      readonly caller: CallerHandshake;
      readonly able: CallerRequest;
      readonly from: SrtCaller;
      readonly camera: string;
      readonly release: () => void;
      readonly keys: KeyMaterial | null;
      readonly grant: PublishGrant;
      readonly id: number;
    },
    refuse: (error: unknown) => void,
  ): void {
    const { key, caller, able, from, camera, release, keys, grant, id } = admitted;
    const { settings, log, send } = this.#options;
    const latencyMs = Math.max(settings.srtLatencyMs, Math.min(able.senderLatencyMs, maxLatencyMs));
    const publisher = new SrtPublisher({
      ...from,
      ...{ version: able.version, camera, settings, log },
      onOver: (failure) => {
        this.connections.delete(id);
        this.#byCaller.delete(key);
        release();
        if (failure !== null) this.#noteFailed({ camera, from, caller, able }, failure);
      },
    });
    const session: SrtSession = new SrtSession({
      ...{ id, peerId: caller.peerId, sequence: caller.sequence, latencyMs, keys },
      send: (packet) => send(packet, from),
      onPayload: (payload) => publisher.takePayload(payload),
      onKeys: (message) => this.#renew(session, message),
      onEnd: (reason) => publisher.ended(reason),
    });
    try {
      if (this.#isClosed) throw new CodedError('RTMP_LIMIT', 'the aggregator is shutting down');
      publisher.begin(session, grant(publisher));
    } catch (error) {
      this.#byCaller.delete(key);
      release();
      refuse(error);
      return;
    }
    if (publisher.isOver) return;
    const answer = acceptance(caller, able, { id, latencyMs });
    const connection = { ...from, id, session, publisher, answer };
    this.connections.set(id, connection);
    this.#byCaller.set(key, connection);
    send(answer, from);
  }

  /** Keys of the caller that take the place of others; those that cannot be used change nothing. False: not now. */
  #renew(session: SrtSession, message: Buffer): boolean {
    const { passphrase } = this.#options;
    if (passphrase === undefined || this.#unwrapping >= maxUnwrapping) return false;
    this.#unwrapping++;
    const unwrapped = unwrapKeys(message, passphrase).finally(() => this.#unwrapping--);
    unwrapped.then(
      (keys) => {
        if (typeof keys === 'string') return;
        session.setKeys(keys);
        session.answerKeys(message);
      },
      () => {},
    );
    return true;
  }

  #requireRested(camera: string, { address }: SrtCaller): void {
    const failed = this.#failed.get(`${camera} ${address}`);
    if (failed !== undefined && failed.untilMs > performance.now()) throw failed.error;
  }

  /** Its stream came to nothing: it will come again at once, and the operator is to see why it does not go. */
  #noteFailed(
    who: {
      readonly camera: string;
      readonly from: SrtCaller;
      readonly caller: CallerHandshake;
      readonly able: CallerRequest;
    },
    error: CodedError,
  ): void {
    const { camera, from } = who;
    const key = `${camera} ${from.address}`;
    this.#failed.delete(key);
    this.#failed.set(key, { untilMs: performance.now() + failedMs, error });
    const [oldest] = this.#failed.keys();
    if (this.#failed.size > maxFailed && oldest !== undefined) this.#failed.delete(oldest);
    this.#tell(from, camera, error, encoderOf(who.able));
  }

  #refuse(
    who: {
      readonly key: string;
      readonly caller: CallerHandshake;
      readonly from: SrtCaller;
      readonly asked: StreamRequest;
    },
    error: unknown,
  ): void {
    const { key, caller, from, asked } = who;
    const coded =
      error instanceof CodedError ? error : new CodedError('INTERNAL', `it cannot be let in: ${messageOf(error)}`);
    if (!(error instanceof CodedError)) {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.#options.log.error('an SRT caller could not be judged', { error: text });
    }
    const reason = coded instanceof SrtRefusal ? coded.reason : rejectReasonOf(coded.code);
    this.#refusals.note(key, reason, performance.now());
    this.#options.send(refusal(caller, reason), from);
    // Told already, when it failed.
    if (coded.code.startsWith('SOURCE_')) return;
    const name = cameraIn(asked) ?? '';
    this.#tell(from, name, coded, caller.request === null ? 'SRT' : encoderOf(caller.request));
  }

  #tell({ address }: SrtCaller, name: string, { code, message }: CodedError, encoder: string): void {
    const { log, host } = this.#options;
    log.warn('an SRT publisher was refused', { address, code, reason: message });
    host.refused?.({ address, name, camera: name || null, asked: 'publish', code, message, encoder });
  }

  #newId(): number {
    for (;;) {
      const id = randomInt(1, 0x40000000);
      if (!this.connections.has(id)) return id;
    }
  }
}

/** @throws SrtRefusal for a caller that speaks what is not spoken here */
function requireAble(caller: CallerHandshake, request: CallerRequest | null): CallerRequest {
  const refuse = (reason: number, message: string): never => {
    throw new SrtRefusal(reason, 'SRT_UNSUPPORTED', message);
  };
  if (caller.version < 5) return refuse(RejectReason.Version, 'it speaks SRT older than 1.3; update the encoder');
  if (request === null) return refuse(RejectReason.Rogue, 'its handshake says nothing of what it can');
  if (request.isStream) return refuse(RejectReason.MessageApi, 'it sends a file; live mode (transtype live) is wanted');
  if (request.congestion !== 'live')
    return refuse(RejectReason.Congestion, 'its congestion control is not that of live mode');
  if (request.filter !== '') return refuse(RejectReason.Filter, 'it wants a packet filter (FEC); turn that off');
  if (request.isGroup) return refuse(RejectReason.Group, 'it wants bonded connections; turn those off');
  return request;
}

function requestOf(streamId: string): StreamRequest {
  if (streamId === '') {
    const text = 'it has no stream id; give the encoder streamid=NAME, or #!::r=NAME,m=publish,key=KEY';
    throw new SrtRefusal(RejectReason.BadRequest, 'PUBLISH_NOT_REGISTERED', text);
  }
  const read = readStreamId(streamId);
  if (read === null) {
    const text = 'its stream id asks to be sent a stream; SRT is taken here, and not sent (m=publish)';
    throw new SrtRefusal(RejectReason.BadMode, 'PUBLISH_FORBIDDEN', text);
  }
  return { ...read, streamId: 1 };
}

function encoderOf({ version }: CallerRequest): string {
  return `SRT ${version >>> 16}.${(version >>> 8) & 0xff}.${version & 0xff}`;
}
