import { type ErrorCode, messageOf, TargetError } from '../errors.js';
import type { Logger } from '../log.js';
import type { LiveStream } from '../relay/live-stream.js';
import { Outlet } from '../relay/outlet.js';
import { RateMeter } from '../relay/rate-meter.js';
import { maskUrl, parseRtmpUrl } from '../wire/url.js';
import { OutgoingConnection } from './outgoing-connection.js';
import type { NetSettings } from './settings.js';
import type { TargetWatch } from './target-watch.js';

/** A try counts as a success for the backoff once media flowed for this long. */
const settledMs = 5000;

/** Who refuses the application or the key does not change his mind in a quarter of a second. */
const rejectedRetryMinMs = 2000;

/** A sink that takes nothing for this long is called stalled. */
const stalledAfterMs = 2000;

/** What is left of a stream when its camera stops goes out within this time. */
const drainMs = 5000;

export type PushPhase = 'idle' | 'connecting' | 'active' | 'stalled' | 'waiting' | 'disabled';

export interface PushFailure {
  readonly code: ErrorCode;
  readonly message: string;
  /** Milliseconds since 1970. */
  readonly atMs: number;
}

/** One connection with the outlet that feeds it. */
interface Life {
  connection: OutgoingConnection | null;
  outlet: Outlet | null;
  readonly stream: LiveStream;
}

/** What is seen of a push. Times in milliseconds since 1970. */
export interface PushStatus {
  readonly phase: PushPhase;
  readonly sinceMs: number;
  readonly attempt: number;
  readonly lastFailure: PushFailure | null;
  readonly nextRetryAtMs: number | null;
  readonly connects: number;
  readonly bytesOut: number;
  readonly bytesAcknowledged: number | null;
  readonly bitrateBps: number;
  readonly queueBytes: number;
  readonly queueAgeMs: number;
  readonly droppedFrames: number;
}

/**
 * Keeps one target supplied with a camera's stream, for as long as there is one: connects, follows, and after a failure
 * tries again for ever, with pauses that double and a fresh look at DNS.
 *
 *   idle --camera live--> connecting --accepted--> active <--> stalled
 *     ^                     ^    |                   |            |
 *     |                  pause   '--- failure -> waiting <--------'
 *     '-------- camera gone (drained first) --------'
 */
export class Push {
  readonly url: string;
  readonly #settings: NetSettings;
  readonly #watch: TargetWatch;
  readonly #log: Logger;
  readonly #meter = new RateMeter();
  #enabled: boolean;
  #stream: LiveStream | null = null;
  #life: Life | null = null;
  #publishedAtMs = 0;
  #attempt = 0;
  #lastFailure: PushFailure | null = null;
  #retryTimer: NodeJS.Timeout | null = null;
  #nextRetryAtMs = 0;
  #unwatch: (() => void) | null = null;
  #connects = 0;
  /** Lives that only send what is left. */
  readonly #draining = new Set<Life>();
  /** One for each connection that was said goodbye to and is not closed yet. */
  readonly #goodbyes = new Set<Promise<void>>();
  /** Counts of lives that are over. */
  #pastBytesOut = 0;
  #pastDroppedFrames = 0;
  #phase: PushPhase;
  #phaseSinceMs = Date.now();

  constructor(options: {
    url: string;
    enabled: boolean;
    settings: NetSettings;
    watch: TargetWatch;
    log: Logger;
  }) {
    this.url = options.url;
    this.#enabled = options.enabled;
    this.#settings = options.settings;
    this.#watch = options.watch;
    this.#log = options.log.child({ target: maskUrl(options.url) });
    this.#phase = options.enabled ? 'idle' : 'disabled';
  }

  /** Bytes handed to the network, ever. */
  get bytesOut(): number {
    let bytes = this.#pastBytesOut + (this.#life?.outlet?.bytesOut ?? 0);
    for (const life of this.#draining) bytes += life.outlet?.bytesOut ?? 0;
    return bytes;
  }

  setEnabled(enabled: boolean): void {
    if (enabled === this.#enabled) return;
    this.#enabled = enabled;
    if (enabled) {
      this.#setPhase('idle');
      if (this.#stream !== null) this.#connect();
    } else {
      this.#hangUp('now');
      this.#setPhase('disabled');
    }
  }

  /** The camera is live with this stream, or (null) not any more: then what is queued goes out, and the target is told. */
  setStream(stream: LiveStream | null): void {
    if (stream === this.#stream) return;
    this.#hangUp('drained');
    this.#stream = stream;
    this.#attempt = 0;
    if (!this.#enabled) return;
    if (stream === null) this.#setPhase('idle');
    else this.#connect();
  }

  /** Resolves when every connection that was said goodbye to is closed. */
  async drained(): Promise<void> {
    await Promise.all(this.#goodbyes);
  }

  /** Ends it for good. Resolves when the target was told, or could not be within the deadline. */
  async close(): Promise<void> {
    this.#hangUp('now');
    this.#stream = null;
    this.#enabled = false;
    await this.drained();
  }

  /** Call once a second. @param nowMs a monotonic clock */
  tick(nowMs: number): void {
    this.#meter.look(this.bytesOut, nowMs);
    const outlet = this.#life?.outlet;
    const connection = this.#life?.connection;
    if (outlet == null || connection == null) return;
    outlet.flush(nowMs);
    const blockedMs = outlet.blockedMs(nowMs);
    if (blockedMs > this.#settings.stallTimeoutMs) {
      const seconds = Math.round(blockedMs / 1000);
      connection.destroy(new TargetError('TARGET_STALLED', `${connection.endpoint} took no data for ${seconds} s`));
    } else {
      this.#setPhase(blockedMs > stalledAfterMs ? 'stalled' : 'active');
    }
  }

  status(nowMs: number): PushStatus {
    const outlet = this.#life?.outlet;
    return {
      phase: this.#phase,
      sinceMs: this.#phaseSinceMs,
      attempt: this.#attempt,
      lastFailure: this.#lastFailure,
      nextRetryAtMs: this.#phase === 'waiting' ? this.#nextRetryAtMs : null,
      connects: this.#connects,
      bytesOut: this.bytesOut,
      bytesAcknowledged: this.#life?.connection?.peerAcknowledged ?? null,
      bitrateBps: this.#phase === 'active' || this.#phase === 'stalled' ? this.#meter.bitsPerSecond : 0,
      queueBytes: outlet?.queueBytes ?? 0,
      queueAgeMs: Math.round(outlet?.queueAgeMs(nowMs) ?? 0),
      droppedFrames: this.#pastDroppedFrames + (outlet?.droppedFrames ?? 0),
    };
  }

  #connect(): void {
    this.#stopWaiting();
    if (this.#stream === null) return;
    this.#setPhase('connecting');
    const life: Life = { connection: null, outlet: null, stream: this.#stream };
    this.#life = life;
    try {
      life.connection = new OutgoingConnection(this.url, this.#settings, {
        onPublished: (streamId) => this.#published(life, streamId),
        onDrain: () => life.outlet?.resume(performance.now()),
        onClosed: (error) => this.#closed(life, error),
      });
    } catch (error) {
      this.#life = null;
      this.#wait(new TargetError('TARGET_UNREACHABLE', messageOf(error), { cause: error }));
    }
  }

  #published(life: Life, streamId: number): void {
    if (life !== this.#life || life.connection === null) return;
    const { outChunkBytes, queueMaxBytes, queueMaxAgeMs } = this.#settings;
    life.outlet = new Outlet({
      sink: life.connection,
      format: { chunkBytes: outChunkBytes, streamId, publishing: true },
      limits: { queueMaxBytes, queueMaxAgeMs },
    });
    this.#connects++;
    this.#publishedAtMs = performance.now();
    this.#setPhase('active');
    this.#log.info('push is active', { attempt: this.#attempt + 1 });
    life.stream.attach(life.outlet, this.#publishedAtMs);
  }

  #closed(life: Life, error: TargetError | null): void {
    if (life !== this.#life) return; // hung up on by us; its draining notices
    this.#life = null;
    const settled = life.outlet !== null && performance.now() - this.#publishedAtMs > settledMs;
    this.#bury(life);
    if (settled) this.#attempt = 0;
    this.#wait(error ?? new TargetError('TARGET_CLOSED', 'the connection ended'));
  }

  #wait(error: TargetError): void {
    const { pushRetryMinMs, pushRetryMaxMs } = this.#settings;
    const rejected = error.code === 'TARGET_CONNECT_REJECTED' || error.code === 'TARGET_PUBLISH_REJECTED';
    const minMs = rejected ? Math.min(rejectedRetryMinMs, pushRetryMaxMs) : pushRetryMinMs;
    const nominalMs = Math.min(pushRetryMaxMs, minMs * 2 ** Math.min(this.#attempt, 30));
    const pauseMs = Math.round(nominalMs * (0.75 + Math.random() / 2));
    const repeated = this.#lastFailure !== null && this.#attempt > 0 && this.#lastFailure.code === error.code;
    this.#attempt++;
    this.#lastFailure = { code: error.code, message: error.message, atMs: Date.now() };
    // The same line never twice: what goes on failing in the same way is in the status, and in debug.
    if (repeated) this.#log.debug('push failed again', { code: error.code, attempt: this.#attempt });
    else this.#log.warn('push failed; tries again', { code: error.code, reason: error.message, pauseMs });
    this.#setPhase('waiting');
    this.#nextRetryAtMs = Date.now() + pauseMs;
    this.#retryTimer = setTimeout(() => this.#connect(), pauseMs);
    if (error.code === 'TARGET_REFUSED') {
      const { host, port } = parseRtmpUrl(this.url);
      this.#unwatch = this.#watch.watch(host, port, () => this.#connect());
    }
  }

  #stopWaiting(): void {
    if (this.#retryTimer !== null) clearTimeout(this.#retryTimer);
    this.#retryTimer = null;
    this.#unwatch?.();
    this.#unwatch = null;
  }

  /**
   * Leaves the target with a goodbye: behind what the stream still has for it, or (`now`) behind what the socket holds.
   */
  #hangUp(when: 'drained' | 'now'): void {
    this.#stopWaiting();
    const life = this.#life;
    this.#life = null;
    if (life === null || life.connection === null) return;
    const { connection, outlet } = life;
    const goodbye = (async (): Promise<void> => {
      if (outlet !== null && when === 'drained') {
        this.#draining.add(life);
        await drain(connection, outlet);
        this.#draining.delete(life);
      }
      this.#bury(life);
      connection.close();
      await connection.closed;
    })().finally(() => this.#goodbyes.delete(goodbye));
    this.#goodbyes.add(goodbye);
  }

  #bury(life: Life): void {
    if (life.outlet === null) return;
    this.#pastBytesOut += life.outlet.bytesOut;
    this.#pastDroppedFrames += life.outlet.droppedFrames;
    life.stream.detach(life.outlet);
    life.outlet = null;
  }

  #setPhase(phase: PushPhase): void {
    if (phase === this.#phase) return;
    this.#phase = phase;
    this.#phaseSinceMs = Date.now();
    if (phase !== 'active' && phase !== 'stalled') this.#meter.reset();
  }
}

/** Resolves when the outlet's stream is in the kernel's hands, or when that takes too long. */
function drain(connection: OutgoingConnection, outlet: Outlet): Promise<void> {
  return new Promise((resolve) => {
    const untilMs = performance.now() + drainMs;
    const look = (): void => {
      outlet.flush(performance.now());
      if (outlet.drained || performance.now() > untilMs || connection.step === 'ended') resolve();
      else setTimeout(look, 10);
    };
    look();
  });
}
