import type { CodedError } from '../errors.js';
import type { MediaSocket } from '../net/media-socket.js';
import type { LiveStream } from '../relay/live-stream.js';
import { Outlet } from '../relay/outlet.js';
import type { OutletLimits, OutletSink } from '../relay/outlet-sink.js';
import type { StreamFormat } from '../relay/stream-format.js';
import type { TrackChoice } from '../relay/track-choice.js';
import type { Playback, Viewer } from './stream-host.js';

/** A play on a connection: follows the camera through its comings and goings, and through the viewer's pauses. */
export class ViewerOutlet implements Viewer, OutletSink {
  readonly remote: string;
  readonly share: string;
  playback: Playback | null = null;
  readonly #socket: MediaSocket;
  readonly #outlet: Outlet;
  readonly #close: (reason: CodedError) => void;
  readonly #onEnd: () => void;
  readonly #onReturn: () => void;
  #stream: LiveStream | null = null;
  #begun = false;
  /** The camera stopped, and what it sent before is still on its way. */
  #ending = false;

  constructor(options: {
    socket: MediaSocket;
    remote: string;
    /** What its share of viewers is counted by. */
    share: string;
    format: StreamFormat;
    limits: OutletLimits;
    /** What it gets of a stream of several tracks; undefined: all. */
    tracks?: TrackChoice | undefined;
    close: (reason: CodedError) => void;
    /** The camera stopped. */
    onEnd: () => void;
    /** The camera is back. */
    onReturn: () => void;
  }) {
    this.remote = options.remote;
    this.share = options.share;
    this.#socket = options.socket;
    this.#close = options.close;
    this.#onEnd = options.onEnd;
    this.#onReturn = options.onReturn;
    this.#outlet = new Outlet({
      sink: this,
      format: options.format,
      limits: options.limits,
      tracks: options.tracks,
    });
  }

  get bytesOut(): number {
    return this.#outlet.bytesOut;
  }

  get pendingBytes(): number {
    return this.#socket.pendingBytes;
  }

  write(data: Buffer): boolean {
    return this.#socket.write(data);
  }

  /** Begins, once the viewer was told that it plays. */
  begin(): void {
    this.#begun = true;
    this.#stream = this.playback?.stream ?? null;
    this.#follow();
  }

  setStream(stream: LiveStream | null): void {
    if (!this.#begun || stream === this.#stream) return;
    if (stream === null) {
      this.#ending = true;
      this.#endWhenRead();
      return;
    }
    if (this.#ending) this.#finish();
    this.#leave();
    this.#stream = stream;
    this.#onReturn();
    this.#follow();
  }

  /** A live stream does not wait: unpaused, the viewer goes on with the next key frame. */
  setPaused(paused: boolean): void {
    if (paused) this.#outlet.hold();
    else this.#outlet.release(performance.now());
  }

  resume(): void {
    this.#outlet.resume(performance.now());
    if (this.#ending) this.#endWhenRead();
  }

  caughtUp(): void {
    if (this.#ending) this.#endWhenRead();
  }

  /**
   * Writes what only waits to be written together with what comes next. False: it is behind, and more is written when it has
   * taken what it got.
   */
  flush(): boolean {
    this.#outlet.flush(performance.now());
    return this.#outlet.hasCaughtUp;
  }

  close(reason: CodedError): void {
    this.#close(reason);
  }

  /** The viewer is gone. */
  end(): void {
    this.#leave();
    this.#stream = null;
    this.#ending = false;
    this.playback?.end();
    this.playback = null;
  }

  #follow(): void {
    if (this.#stream !== null) this.#stream.attach(this.#outlet, performance.now());
  }

  /** The last frames go before the word that there are no more. A viewer that takes nothing is closed as stalled. */
  #endWhenRead(): void {
    this.#outlet.flush(performance.now());
    if (this.#outlet.queueBytes <= this.pendingBytes) this.#finish();
  }

  #finish(): void {
    this.#leave();
    this.#stream = null;
    this.#ending = false;
    this.#onEnd();
  }

  #leave(): void {
    this.#stream?.detach(this.#outlet);
  }
}
