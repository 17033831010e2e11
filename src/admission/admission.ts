import { addressKey, isLoopbackAddress } from '../address/plain-address.js';
import { parameterIn, queriesIn } from '../address/stream-place.js';
import { CodedError } from '../errors.js';
import type { Logger } from '../log/log.js';
import type { StreamRequest } from '../rtmp/server-session.js';
import type { Peer } from '../rtmp/stream-host.js';
import { AuthHook } from './auth-hook.js';
import { GuessLimiter } from './guess-limiter.js';
import { type HookFormat, hookQuestion } from './hook-question.js';
import { HookQueue } from './hook-queue.js';
import type { PublishKeyRule, StreamKeys } from './stream-keys.js';

/** The settings that decide who may publish and play. */
export interface AdmissionSettings {
  /** `name`: anybody who knows the name of the camera; `key`: only with its publish key. */
  readonly publishAuth: 'name' | 'key';
  /** `off`: anybody; `token`: only with a play token; `local`: this machine, and others with a play token. */
  readonly playAuth: 'off' | 'token' | 'local';
  /** URLs of auth hooks that must agree as well. */
  readonly onPublish?: string;
  readonly onPlay?: string;
  /** The form of the calls. */
  readonly onPublishFormat: HookFormat;
  readonly onPlayFormat: HookFormat;
  readonly hookTimeoutMs: number;
  /** Maximum time that a peer waits until its auth hook can be called. */
  readonly hookQueueTimeoutMs: number;
  /** If an auth hook fails: `closed` refuses everybody, `open` accepts everybody. */
  readonly hookFailure: 'closed' | 'open';
}

/** The facts of a camera that decide who may publish it. */
export interface AdmittedCamera {
  readonly name: string;
  /** Of the ingest that is asked for. */
  readonly publishKeys: readonly PublishKeyRule[];
}

/** Failures of an auth hook are logged at most this often. */
const failureLogEveryMs = 5000;
/** Dropped arguments are counted, and logged at most this often. */
const dropLogEveryMs = 60_000;

/** Decides who may publish and play. Its messages never contain the key or token of a peer. */
export class Admission {
  readonly #settings: AdmissionSettings;
  readonly #keys: StreamKeys;
  readonly #log: Logger;
  readonly #guesses: GuessLimiter;
  readonly #hooks: Readonly<Record<'publish' | 'play', AuthHook | undefined>>;
  readonly #queues: Readonly<Record<'publish' | 'play', HookQueue>>;
  #lastFailureLogMs = Number.NEGATIVE_INFINITY;
  #failures = 0;
  #lastDropLogMs = Number.NEGATIVE_INFINITY;
  #dropped = 0;

  constructor(options: { settings: AdmissionSettings; keys: StreamKeys; log: Logger; guesses?: GuessLimiter }) {
    this.#settings = options.settings;
    this.#keys = options.keys;
    this.#log = options.log;
    this.#guesses = options.guesses ?? new GuessLimiter();
    const { onPublish, onPlay, hookTimeoutMs } = options.settings;
    const hook = (url: string | undefined): AuthHook | undefined =>
      url === undefined ? undefined : new AuthHook(url, hookTimeoutMs);
    this.#hooks = { publish: hook(onPublish), play: hook(onPlay) };
    const { hookQueueTimeoutMs } = options.settings;
    this.#queues = {
      publish: new HookQueue('publish', hookQueueTimeoutMs),
      play: new HookQueue('play', hookQueueTimeoutMs),
    };
  }

  /**
   * Accepts a publisher, at once or when the auth hook has answered.
   * @throws CodedError (or rejects) PUBLISH_FORBIDDEN, RTMP_LIMIT
   */
  publish(camera: AdmittedCamera, request: StreamRequest, peer: Peer): Promise<void> | undefined {
    if (this.#settings.publishAuth === 'key') this.#checkKey(camera, request, peer);
    return this.#ask('publish', camera.name, request, peer);
  }

  /** The same for a viewer. @throws CodedError (or rejects) PLAY_FORBIDDEN, RTMP_LIMIT */
  play(camera: Pick<AdmittedCamera, 'name'>, request: StreamRequest, peer: Peer): Promise<void> | undefined {
    const { playAuth } = this.#settings;
    const isLocal = playAuth === 'local' && isLoopbackAddress(peer.address);
    if (playAuth !== 'off' && !isLocal) this.#checkToken(camera, request, peer);
    return this.#ask('play', camera.name, request, peer);
  }

  close(): void {
    this.#queues.publish.close();
    this.#queues.play.close();
    this.#hooks.publish?.close();
    this.#hooks.play?.close();
  }

  #checkKey({ name, publishKeys }: AdmittedCamera, request: StreamRequest, peer: Peer): void {
    const key = shown('key', request, peer);
    if (key === '') {
      const message = `camera ${name} is published with a key: rtmp://HOST:PORT/${name}/${name}?key=KEY`;
      throw new CodedError('PUBLISH_FORBIDDEN', message);
    }
    this.#guarded(peer, this.#keys.tag(name, key), () =>
      this.#keys.isPublishKey(name, key, publishKeys, Date.now())
        ? undefined
        : new CodedError('PUBLISH_FORBIDDEN', `the key is not the key of camera ${name}, or is no longer valid`),
    );
  }

  #checkToken({ name }: Pick<AdmittedCamera, 'name'>, request: StreamRequest, peer: Peer): void {
    const token = shown('token', request, peer);
    if (token === '') {
      const message = `camera ${name} is played with a token: rtmp://HOST:PORT/${name}/${name}?token=TOKEN`;
      throw new CodedError('PLAY_FORBIDDEN', message);
    }
    this.#guarded(peer, this.#keys.tag(name, token), () => {
      const verdict = this.#keys.judgePlayToken(name, token, Date.now());
      if (verdict === 'good') return undefined;
      const problem = verdict === 'expired' ? 'has expired' : `is not valid for camera ${name}`;
      return new CodedError('PLAY_FORBIDDEN', `the token ${problem}; ask for a new one`);
    });
  }

  /** Checks a key or token, unless its address has guessed too often. @param credential a tag of it that may be kept */
  #guarded(peer: Peer, credential: string, check: () => CodedError | undefined): void {
    const address = addressKey(peer.address);
    const waitMs = this.#guesses.waitMs(address, credential);
    if (waitMs > 0) {
      const seconds = Math.ceil(waitMs / 1000);
      throw new CodedError(
        'RTMP_LIMIT',
        `too many wrong keys came from ${peer.address}; the next one is checked in ${seconds} s`,
      );
    }
    const refusal = check();
    if (refusal === undefined) {
      this.#guesses.succeeded(address, credential);
      return;
    }
    this.#guesses.failed(address);
    throw refusal;
  }

  #ask(what: 'publish' | 'play', camera: string, request: StreamRequest, peer: Peer): Promise<void> | undefined {
    const hook = this.#hooks[what];
    if (hook === undefined) return undefined;
    return this.#decide(what, hook, camera, request, peer);
  }

  async #decide(
    what: 'publish' | 'play',
    hook: AuthHook,
    camera: string,
    request: StreamRequest,
    { address, connectionId, connect }: Peer,
  ): Promise<void> {
    const [ofStream = '', ofApp = ''] = queriesIn(request);
    const query = request.streamName === '' ? ofApp : ofStream;
    const format = what === 'publish' ? this.#settings.onPublishFormat : this.#settings.onPlayFormat;
    // The registered name of the camera, however the client wrote it.
    const question = hookQuestion({ call: what, camera, address, connectionId, ...connect, query }, format, hook.url);
    if (question.dropped > 0) this.#noteDropped(what, camera, question.dropped);
    const verdict = await this.#queues[what].inTurn(address, () => hook.ask(question));
    if (verdict.kind === 'allowed') return;
    const code = what === 'publish' ? 'PUBLISH_FORBIDDEN' : 'PLAY_FORBIDDEN';
    if (verdict.kind === 'refused') {
      throw new CodedError(code, `the auth hook on-${what} refuses camera ${camera}: ${verdict.reason}`);
    }
    const { hookFailure } = this.#settings;
    this.#logFailure(what, camera, verdict.reason);
    if (hookFailure === 'open') return;
    throw new CodedError(code, `the auth hook on-${what} could not be asked about camera ${camera}: ${verdict.reason}`);
  }

  /** Logs from time to time how many arguments of peers were dropped, since somebody may miss one of them. */
  #noteDropped(what: string, camera: string, count: number): void {
    this.#dropped += count;
    const nowMs = performance.now();
    if (nowMs - this.#lastDropLogMs < dropLogEveryMs) return;
    this.#lastDropLogMs = nowMs;
    this.#log.warn(`arguments of peers were left out of calls to the auth hook on-${what}`, {
      camera,
      dropped: this.#dropped,
    });
    this.#dropped = 0;
  }

  #logFailure(what: string, camera: string, reason: string): void {
    this.#failures++;
    const nowMs = performance.now();
    if (nowMs - this.#lastFailureLogMs < failureLogEveryMs) return;
    this.#lastFailureLogMs = nowMs;
    const { hookFailure } = this.#settings;
    const then = hookFailure === 'open' ? 'accepted' : 'refused';
    this.#log.warn(`the auth hook on-${what} fails`, { camera, reason, failures: this.#failures, then });
    this.#failures = 0;
  }
}

/** The value of a query parameter of the stream name or the application; empty if there is none. */
function shown(parameter: string, request: StreamRequest, { connect }: Peer): string {
  return parameterIn({ ...request, tcUrl: connect.tcUrl }, parameter);
}
