import type { RtmpUrl } from '../address/rtmp-url.js';
import type { TargetError } from '../errors.js';
import type { FlightRecorder } from '../events/flight-recorder.js';
import type { Dialer } from '../net/dialer.js';
import { isoTimeOf } from '../process/wall-clock.js';
import type { LiveStream } from '../relay/live-stream.js';
import { Outlet } from '../relay/outlet.js';
import type { OutletLimits } from '../relay/outlet-sink.js';
import type { PeerAbilities } from '../rtmp/abilities.js';
import { OutgoingConnection } from '../rtmp/outgoing-connection.js';
import type { NetSettings } from '../rtmp/settings.js';
import { type PushProfile, sentTracks, shortfallIn, toldNeeds } from './push-profile.js';
import type { PushTotals } from './push-totals.js';

/** Time limit for sending the rest of a stream after its camera has stopped. */
const drainMs = 5000;
/** The same after the push was removed, or switched off. */
const removedDrainMs = 500;

export interface PushLifeHandler {
  /** The target accepted the publish, and gets the stream from now on. */
  onPublished(): void;
  /** The socket took all that it was given. */
  onDrain(): void;
  /** The target asks to be reconnected to. @param tcUrl where, as it says it; undefined: at the same place */
  onReconnectRequest(tcUrl: string | undefined): void;
  /** It is over, exactly once; null when we closed it. */
  onClosed(error: TargetError | null): void;
}

/** One connection of a push, and the outlet that feeds it from a camera's stream. */
export class PushLife {
  readonly #stream: LiveStream;
  readonly #settings: NetSettings;
  readonly #recorder: FlightRecorder;
  readonly #connection: OutgoingConnection;
  readonly #profile: PushProfile;
  #limits: OutletLimits;
  #outlet: Outlet | null = null;
  #isOver = false;
  #publishedMs = 0;
  /** When the target last took bytes, as far as it was observed; 0: never. */
  #wellAtMs = 0;
  /** The outlet's count of overruns at the last look. */
  #drops = 0;
  /** Frames sent before the camera's last return. */
  #framesBefore = 0;

  /**
   * Begins to connect at once.
   * @throws InputError INVALID_ADDRESS; TargetError TARGET_UNSUPPORTED, TARGET_FORBIDDEN
   */
  constructor(options: {
    url: string;
    /** The URL as it may be shown. */
    shownUrl: string;
    stream: LiveStream;
    limits: OutletLimits;
    profile: PushProfile;
    settings: NetSettings;
    dialer: Dialer;
    recorder: FlightRecorder;
    /** False: the target closes when it is pinged. */
    mayPing: boolean;
    /** Where the target asked to be reconnected to; undefined: at the URL. */
    elsewhere?: RtmpUrl | undefined;
    handler: PushLifeHandler;
  }) {
    const { stream, limits, settings, recorder, handler } = options;
    this.#stream = stream;
    this.#settings = settings;
    this.#recorder = recorder;
    this.#limits = limits;
    this.#profile = options.profile;
    const onConnection = {
      onCommand: (text: string) => recorder.note('command', text),
      onPublished: (streamId: number) => {
        // It was hung up on meanwhile.
        if (this.#isOver) return;
        this.#published(streamId);
        handler.onPublished();
      },
      onDrain: () => {
        this.#outlet?.resume(performance.now());
        handler.onDrain();
      },
      onReconnectRequest: (tcUrl: string | undefined) => handler.onReconnectRequest(tcUrl),
      onClosed: (error: TargetError | null) => handler.onClosed(error),
    };
    this.#connection = new OutgoingConnection(options.url, settings, onConnection, {
      via: stream.via.join(','),
      shownUrl: options.shownUrl,
      dialer: options.dialer,
      budget: limits,
      mayGoUnanswered: true,
      needs: toldNeeds(options.profile, stream),
      elsewhere: options.elsewhere,
      mayPing: options.mayPing,
    });
  }

  get connection(): OutgoingConnection {
    return this.#connection;
  }

  /** Null before the target accepted the publish, and after the end. */
  get outlet(): Outlet | null {
    return this.#outlet;
  }

  /** Changes the budgets without interruption. */
  setLimits(limits: OutletLimits): void {
    this.#limits = limits;
    this.#outlet?.setLimits(limits);
    this.#connection.setBudget(limits);
  }

  #published(streamId: number): void {
    const connection = this.#connection;
    const { audio } = this.#profile;
    this.#outlet = new Outlet({
      sink: connection.sink,
      format: { chunkBytes: this.#settings.outChunkBytes, streamId, publishing: true, ...(audio && { audio }) },
      limits: this.#limits,
      tracks: sentTracks(this.#profile, connection.abilities),
    });
    this.#publishedMs = performance.now();
    this.#recorder.note('publish', `accepted by ${connection.remoteAddress ?? connection.endpoint}`);
    this.#stream.attach(this.#outlet, this.#publishedMs);
  }

  /** The camera returned to a connection that was kept: whether the target still takes media is not known yet. */
  cameraReturned(): void {
    if (this.#outlet !== null) this.#framesBefore = this.#outlet.framesOut;
  }

  /** What the target says of itself; null before it took the stream. */
  get abilities(): PeerAbilities | null {
    return this.#outlet === null ? null : this.#connection.abilities;
  }

  /** What of the stream the target does not take, by its own word; null: nothing, or it says nothing. */
  get shortfall(): string | null {
    return this.#outlet === null ? null : shortfallIn(this.#profile, this.#stream, this.#connection.abilities);
  }

  /** True when media was sent since then, and the target shows that it takes some, or at least the socket's queue empties. */
  get isProven(): boolean {
    const connection = this.#connection;
    // Its acknowledgements, or bytes that it takes, are the only word of a target that did not answer.
    if (this.#outlet === null || this.#outlet.framesOut <= this.#framesBefore || connection.isUnanswered) return false;
    if (this.shortfall !== null) return false;
    return connection.pendingBytes === 0 || connection.acknowledgements.acknowledgedBytes !== null;
  }

  /** The target takes media now. Returns for how long it has, milliseconds. */
  noteWell(): number {
    this.#wellAtMs = performance.now();
    return this.#wellAtMs - this.#publishedMs;
  }

  /** How long media flowed, as far as the target was observed to take it. @param isActive it still does */
  flowedMs(isActive: boolean): number {
    if (this.#wellAtMs === 0) return 0;
    return (isActive ? performance.now() : this.#wellAtMs) - this.#publishedMs;
  }

  /** Call once a second while media flows. */
  look(nowMs: number): void {
    const outlet = this.#outlet;
    if (outlet === null) return;
    this.#connection.look(nowMs);
    outlet.flush(nowMs);
    if (outlet.drops === this.#drops) return;
    this.#drops = outlet.drops;
    const { bytes, age, total } = outlet.droppedFrames;
    const frames = bytes + age + total;
    this.#recorder.note('drop', `over the budget of ${outlet.dropReason}; frames left out so far: ${frames}`);
  }

  /** What is measured of this connection, by the names of `backend/observed-push.ts`. @param nowMs a monotonic clock */
  figures(nowMs: number) {
    const { acknowledgements } = this.#connection;
    const keyFrameMs = this.#outlet?.lastKeyFrameMs ?? 0;
    const measured = acknowledgements.roundTripMs;
    // A byte that is in flight for longer than the last measured time shows that the measurement is outdated.
    const round = measured === null ? null : Math.max(measured, this.#connection.flightAgeMs(nowMs));
    return {
      bytesAcknowledged: acknowledgements.acknowledgedBytes,
      roundTripMs: round === null ? null : Math.round(round * 10) / 10,
      queueBytes: this.#outlet?.queueBytes ?? 0,
      queueAgeMs: Math.round(this.#outlet?.queueAgeMs(nowMs) ?? 0),
      lastKeyFrameAt: keyFrameMs === 0 ? null : isoTimeOf(keyFrameMs, nowMs),
    };
  }

  /**
   * Since when it could send, but the camera has sent no key frame to start at: milliseconds since 1970; null when it does
   * not wait for one. @param nowMs a monotonic clock
   */
  keyFrameAwaitedSinceMs(nowMs: number): number | null {
    const waitingMs = this.#outlet?.waitingSinceMs ?? null;
    return waitingMs === null ? null : Math.round(Date.now() - (nowMs - waitingMs));
  }

  /** Takes it from the stream, and adds to `totals` what it sent. */
  bury(totals: PushTotals): void {
    this.#isOver = true;
    if (this.#outlet === null) return;
    this.#stream.detach(this.#outlet);
    totals.add(this.#outlet);
    this.#outlet = null;
  }

  /**
   * Resolves when the kernel has taken all bytes of the outlet, or when that takes too long.
   * @param isRemoved nobody wants it any more: what has come is handed to a target that takes it
   */
  drain(isRemoved: boolean): Promise<void> {
    const connection = this.#connection;
    const outlet = this.#outlet;
    if (outlet === null) return Promise.resolve();
    connection.letGo();
    return new Promise((resolve) => {
      const untilMs = performance.now() + (isRemoved ? removedDrainMs : drainMs);
      const look = (): void => {
        outlet.flush(performance.now());
        const isDone = isRemoved ? outlet.hasCaughtUp : outlet.drained;
        if (isDone || performance.now() > untilMs || connection.isClosed) resolve();
        else setTimeout(look, 10);
      };
      look();
    });
  }
}
