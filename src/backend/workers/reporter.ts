import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { ringCounts } from '../../net/socket-way.js';
import { openFiles } from '../../process/open-files.js';
import type { BackendObserver, BackendProblem, IngestChange, PublisherRefusal, PushSnapshot } from '../backend.js';
import type { NativeBackend } from '../native/native-backend.js';
import type { Report, WorkerLoad } from './protocol.js';

/** Figures of each camera that is not idle are told about once a second, where there are many a part of them at a time: */
const roundMs = 1000;
const mostParts = 5;
/** so many are told in a row. What does it is out of the caches by the next time, and costs the first one most. */
const camerasOfPart = 50;

/** Refused publishers that are told of. */
const maxRefusedPerSecond = 50;

/**
 * How often it is looked how late the event loop is; each look wakes the process. What is measured counts from one look to
 * the next.
 */
const delayGrainMs = 50;

/**
 * Tells the supervisor what is seen: changes as they happen, figures about once a second, and of idle cameras nothing.
 */
export class Reporter implements BackendObserver {
  readonly #backend: NativeBackend;
  readonly #send: (report: Report) => void;
  readonly #delay: IntervalHistogram = monitorEventLoopDelay({ resolution: delayGrainMs });
  #timer: NodeJS.Timeout;
  readonly #certificateProblem: () => BackendProblem | null;
  /** Cameras to look at in this round. */
  #round: string[] = [];
  #part = 0;
  #parts = 1;
  #refusedSecond = 0;
  #refusedInSecond = 0;
  /** Those that were active a round ago: of one that has become idle there is a last word. */
  #before = new Set<string>();
  /** Cameras that began or ended in this turn of the event loop. */
  readonly #changed = new Set<string>();

  /** @param certificateProblem what is wrong with the certificate of the worker */
  constructor(
    backend: NativeBackend,
    send: (report: Report) => void,
    certificateProblem: () => BackendProblem | null = () => null,
  ) {
    this.#certificateProblem = certificateProblem;
    this.#backend = backend;
    this.#send = send;
    this.#delay.enable();
    this.#timer = setTimeout(this.#look, roundMs);
    backend.observe(this);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#delay.disable();
  }

  cameraLive(camera: string, facts: Parameters<BackendObserver['cameraLive']>[1]): void {
    this.#tellSoon(camera);
    this.#send({ type: 'live', camera, facts });
  }

  cameraStopped(camera: string, reason: string | null): void {
    this.#tellSoon(camera);
    this.#send({ type: 'stopped', camera, reason });
  }

  cameraCondition(camera: string, condition: BackendProblem, isRaised: boolean): void {
    this.#tellSoon(camera);
    this.#send({ type: 'condition', camera, condition, isRaised });
  }

  pushState(camera: string, push: PushSnapshot): void {
    this.#send({ type: 'push', camera, push });
  }

  ingestChanged(camera: string, change: IngestChange): void {
    this.#tellSoon(camera);
    this.#send({ type: 'ingest', camera, change });
  }

  /** A flood of strangers must not fill the channel: of more in a second, the supervisor knows nothing. */
  publisherRefused(refusal: PublisherRefusal): void {
    const second = Math.floor(performance.now() / 1000);
    if (second !== this.#refusedSecond) this.#refusedInSecond = 0;
    this.#refusedSecond = second;
    if (++this.#refusedInSecond <= maxRefusedPerSecond) this.#send({ type: 'refused', refusal });
  }

  viewersChanged(camera: string): void {
    this.#tellSoon(camera);
  }

  /** Not now: the camera is in the midst of its change. Still before the reports of this turn are sent. */
  #tellSoon(camera: string): void {
    if (this.#changed.size === 0) queueMicrotask(() => this.#tellChanged());
    this.#changed.add(camera);
  }

  #tellChanged(): void {
    for (const camera of this.#changed) this.#tell(camera);
    this.#changed.clear();
  }

  readonly #look = (): void => {
    if (this.#part === 0) {
      const active = new Set(this.#backend.activeCameras());
      this.#round = [...active, ...[...this.#before].filter((name) => !active.has(name))];
      this.#before = active;
      this.#parts = Math.min(mostParts, Math.max(1, Math.ceil(this.#round.length / camerasOfPart)));
      this.#send({ type: 'load', totals: this.#backend.totals(), load: this.#load() });
    }
    const [from, to] = [this.#part, this.#part + 1].map((part) => Math.ceil((this.#round.length * part) / this.#parts));
    for (const name of this.#round.slice(from, to)) this.#tell(name);
    this.#part = (this.#part + 1) % this.#parts;
    this.#timer = setTimeout(this.#look, roundMs / this.#parts);
  };

  #tell(name: string): void {
    const camera = this.#backend.camera(name);
    if (camera !== undefined) this.#send({ type: 'seen', camera, evidence: this.#backend.evidence(name) });
  }

  #load(): WorkerLoad {
    const { user, system } = process.cpuUsage();
    const loopDelayMs = Math.max(0, Math.round(this.#delay.max / 1e5) / 10 - delayGrainMs);
    this.#delay.reset();
    return {
      cpuSeconds: (user + system) / 1e6,
      residentBytes: process.memoryUsage.rss(),
      loopDelayMs,
      keptBytes: this.#backend.keptBytes,
      unfinishedBytes: this.#backend.unfinishedBytes,
      socketWay: this.#backend.socketWay,
      ring: ringCounts(),
      floodsEnded: this.#backend.floodsEnded,
      openFilesRefused: Object.values(openFiles.figures.refused).reduce((sum, count) => sum + count, 0),
      problems: [...this.#backend.problems(), this.#certificateProblem(), openFiles.problem].filter(
        (each) => each !== null,
      ),
    };
  }
}
