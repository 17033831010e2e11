import { setTimeout } from 'node:timers/promises';
import { CodedError } from '../../errors.js';
import { ProgressWatch } from '../../net/progress-watch.js';
import type { LiveStream } from '../../relay/live-stream.js';
import { firstTimestamp, writeShiftedTags } from '../../relay/logged-message.js';
import { Outlet } from '../../relay/outlet.js';
import type { OutletLimits, OutletSink } from '../../relay/outlet-sink.js';
import { flvFormat } from '../../relay/stream-format.js';
import type { Playback, Viewer } from '../../rtmp/stream-host.js';
import { flvFileHeader } from '../../wire/flv-file.js';
import type { FlvPlayback, FlvSink, ViewedTracks } from '../backend.js';

/**
 * A stream that has come further than this begins at 0 for who joins it: players in browsers stop at 2^31 ms, and cameras
 * exist that count from the time of day.
 */
const nearMs = 60_000;

/** How long a viewer that is behind may take for what waits, before it is sent away. */
const flushMs = 400;

/** A viewer that gets FLV: an outlet like any other, whose sink is somebody else's. */
export class FlvViewer implements Viewer, OutletSink, FlvPlayback {
  readonly remote: string;
  playback: Playback | null = null;
  readonly #outlet: Outlet;
  readonly #stallTimeoutMs: number;
  #sink: FlvSink | null = null;
  #progress: ProgressWatch | null = null;
  #stream: LiveStream | null = null;
  #headed = false;
  /** The timestamp at which its stream begins; null before its first frame. */
  #baseMs: number | null = null;
  /** The camera stopped, and what it sent before is still on its way. */
  #ending = false;
  #over = false;

  constructor(options: { remote: string; limits: OutletLimits; stallTimeoutMs: number; tracks: ViewedTracks }) {
    this.remote = options.remote;
    this.#stallTimeoutMs = options.stallTimeoutMs;
    const tracks = options.tracks === 'all' ? undefined : options.tracks;
    this.#outlet = new Outlet({ sink: this, format: flvFormat, limits: options.limits, tracks });
  }

  get bytesOut(): number {
    return this.#outlet.bytesOut;
  }

  get pendingBytes(): number {
    return this.#sink?.pendingBytes ?? 0;
  }

  begin(sink: FlvSink): void {
    if (this.#over) {
      sink.end(null);
      return;
    }
    this.#sink = sink;
    this.#progress = new ProgressWatch(sink);
    const stream = this.playback?.stream ?? null;
    if (stream === null) {
      this.#finish(null);
      return;
    }
    this.#stream = stream;
    stream.attach(this.#outlet, performance.now());
  }

  write(data: Buffer): boolean {
    const sink = this.#sink;
    if (sink === null) return false;
    if (!this.#headed) {
      this.#headed = true;
      // Players wait for what the header announces, so it says what there is.
      sink.write(flvFileHeader(this.#stream?.audioCodec !== null, this.#stream?.videoCodec !== null));
    }
    this.#baseMs ??= firstTimestamp(data) ?? null;
    if (this.#baseMs === null || this.#baseMs < nearMs) return sink.write(data);
    return writeShiftedTags(data, this.#baseMs, (part) => sink.write(part));
  }

  /** A stream that begins when the last one has ended is another one: its timestamps do not go on. */
  setStream(stream: LiveStream | null): void {
    if (stream !== null || this.#over) return;
    this.#ending = true;
    this.#endWhenRead();
  }

  resume(): void {
    if (this.#over) return;
    this.#outlet.resume(performance.now());
    if (this.#ending) this.#endWhenRead();
  }

  async flush(): Promise<void> {
    const untilMs = performance.now() + flushMs;
    while (!this.#over) {
      this.#outlet.flush(performance.now());
      if (this.#outlet.hasCaughtUp || performance.now() > untilMs) return;
      await setTimeout(10);
    }
  }

  caughtUp(): void {
    if (this.#ending) this.#endWhenRead();
  }

  tick(nowMs: number): void {
    const silentMs = this.#progress?.silentMs(nowMs) ?? 0;
    if (silentMs <= this.#stallTimeoutMs) return;
    this.close(new CodedError('RTMP_TIMEOUT', `the viewer took no data for ${this.#stallTimeoutMs / 1000} s`));
  }

  close(reason: CodedError): void {
    this.#finish(reason);
  }

  leave(): void {
    this.#end();
  }

  #endWhenRead(): void {
    this.#outlet.flush(performance.now());
    if (this.#outlet.queueBytes <= this.pendingBytes) this.#finish(null);
  }

  #finish(reason: CodedError | null): void {
    const sink = this.#sink;
    if (this.#end()) sink?.end(reason);
  }

  /** True the first time. */
  #end(): boolean {
    if (this.#over) return false;
    this.#over = true;
    // While the sink is known: what it still sends must not be written over.
    this.#stream?.detach(this.#outlet);
    this.#stream = null;
    this.playback?.end();
    this.playback = null;
    this.#sink = null;
    this.#progress = null;
    return true;
  }
}
