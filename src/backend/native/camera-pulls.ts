import { isDeepStrictEqual } from 'node:util';
import { maskUrl } from '../../address/rtmp-url.js';
import { CodedError, type SourceError } from '../../errors.js';
import type { FlightRecorder } from '../../events/flight-recorder.js';
import { type Ingest, mainIngest, type Source } from '../../ingest/source.js';
import type { Logger } from '../../log/log.js';
import type { DialGate } from '../../pull/dial-gate.js';
import { Pull, type PullSettings } from '../../pull/pull.js';
import { type PullTools, pullOf } from '../../pull/start-pull.js';
import type { BackendProblem, DesiredCamera, DesiredSource, SourceSnapshot } from '../backend.js';
import { CameraConditions } from './conditions.js';

/** What the sources of all cameras of a process share. */
export interface PullContext extends PullTools {
  readonly gate: DialGate;
  /** Of the programs that transcode sound. */
  readonly transcoders: DialGate;
  readonly pullSettings: PullSettings;
}

export interface CameraPullOptions {
  readonly context: PullContext;
  readonly log: Logger;
  readonly recorder: FlightRecorder;
  /** Something is wrong with a source, or not any more. */
  readonly onCondition: (condition: BackendProblem, isRaised: boolean) => void;
  /** Lets a source in by an ingest. @throws CodedError */
  readonly open: (source: Source, ingest: string) => Ingest;
  /** Asks whether the camera may be had here. */
  readonly claim: () => Promise<void> | undefined;
  /** A source does not hold the camera any more. */
  readonly release: () => void;
}

interface Kept {
  readonly source: DesiredSource;
  readonly pull: Pull;
  error: SourceError | null;
}

const words = { label: 'source down', advice: 'See that the camera is on and reachable, and that its URL is right.' };

/** Whether anything of a camera is fetched from a source. */
export function hasSource({ source, ingests = [] }: Pick<DesiredCamera, 'ingests' | 'source'>): boolean {
  return source !== undefined || ingests.some((ingest) => ingest.source !== undefined);
}

const noSources: ReadonlyMap<string, Kept> = new Map();

/** The sources that are pulled of one camera, one for an ingest. */
export class CameraPulls {
  readonly #options: CameraPullOptions;
  #kept: Map<string, Kept> | null = null;
  /** They outlast what a source gives. */
  readonly #conditions: CameraConditions;
  #isDemanded = false;
  /** Those who wait until it is live. */
  readonly #waiting: (() => void)[] = [];

  constructor(options: CameraPullOptions) {
    this.#options = options;
    this.#conditions = new CameraConditions(options.onCondition);
  }

  get #all(): ReadonlyMap<string, Kept> {
    return this.#kept ?? noSources;
  }

  /** True where the camera has a source. */
  get isUsed(): boolean {
    return this.#all.size > 0;
  }

  /** An ingest with a source is fed by that alone: why a publisher may not feed it. Undefined: it may. */
  refusalOf(ingest: string): CodedError | undefined {
    if (!this.#all.has(ingest)) return undefined;
    const text = `ingest "${ingest}" of the camera is pulled from its source, and not published`;
    return new CodedError('PUBLISH_FORBIDDEN', text);
  }

  /** What is wrong with the sources, before what is wrong with what comes. */
  withConditions(own: readonly BackendProblem[]): readonly BackendProblem[] {
    const { list } = this.#conditions;
    return list.length === 0 ? own : [...list, ...own];
  }

  /** Converges to what is declared; a source that is declared as it was goes on. */
  declare(desired: Pick<DesiredCamera, 'ingests' | 'source'>): void {
    const wanted = new Map<string, DesiredSource>();
    if (desired.source !== undefined) wanted.set(mainIngest, desired.source);
    for (const { name, source } of desired.ingests ?? []) if (source !== undefined) wanted.set(name, source);
    for (const [ingest, kept] of [...this.#all]) {
      if (isDeepStrictEqual(wanted.get(ingest), kept.source)) wanted.delete(ingest);
      else this.#drop(ingest, kept, 'its source was changed');
    }
    for (const [ingest, source] of wanted) this.#add(ingest, source);
  }

  /** Somebody gets what the camera shows, or nobody does: sources on demand follow. */
  demand(isDemanded: boolean): void {
    this.#isDemanded = isDemanded;
    this.#follow();
  }

  /** Has sources on demand come. Resolves when the camera is live, or `ms` went by; at once where there are none. */
  async wake(ms: number): Promise<void> {
    if (![...this.#all.values()].some(({ source }) => source.mode === 'on-demand')) return;
    await new Promise<void>((resolve) => {
      const over = (): void => {
        clearTimeout(timer);
        const at = this.#waiting.indexOf(over);
        if (at >= 0) this.#waiting.splice(at, 1);
        resolve();
      };
      const timer = setTimeout(over, ms);
      this.#waiting.push(over);
      this.#follow();
    });
    // Who waited gets it now, or does not want it any more.
    setImmediate(() => this.#follow());
  }

  /** No other node has the camera any more. */
  freed(): void {
    for (const { pull } of this.#all.values()) pull.freed();
  }

  /** The camera is live. */
  onLive(): void {
    for (const tell of [...this.#waiting]) tell();
  }

  #follow(): void {
    const isWanted = this.#isDemanded || this.#waiting.length > 0;
    for (const { source, pull } of this.#all.values()) if (source.mode === 'on-demand') pull.want(isWanted);
  }

  /** Undefined: the ingest has no source. */
  snapshot(ingest: string): SourceSnapshot | undefined {
    const kept = this.#all.get(ingest);
    return kept === undefined ? undefined : { url: kept.pull.shownUrl, ...kept.pull.figures() };
  }

  /** Ends all of them. @param reason in words */
  close(reason: string): void {
    for (const [ingest, kept] of [...this.#all]) this.#drop(ingest, kept, reason);
    for (const tell of [...this.#waiting]) tell();
  }

  #add(ingest: string, source: DesiredSource): void {
    const { context, open, claim, release, log, recorder } = this.#options;
    const own = log.child({ ingest });
    const pull = new Pull({
      ...{ shownUrl: maskUrl(source.url), settings: context.pullSettings, gate: context.gate },
      ...{ claim, release, recorder, log: own },
      start: pullOf(source, context, own),
      open: (each) => open(each, ingest),
      onProblem: (error) => {
        kept.error = error;
        this.#judge();
      },
    });
    const kept: Kept = { source, pull, error: null };
    this.#kept ??= new Map();
    this.#kept.set(ingest, kept);
    pull.want(source.mode !== 'on-demand' || this.#isDemanded || this.#waiting.length > 0);
  }

  #drop(ingest: string, { pull }: Kept, reason: string): void {
    this.#kept?.delete(ingest);
    pull.close(reason);
    this.#judge();
  }

  /** One condition for all of them: the first that is down says why. */
  #judge(): void {
    for (const { error } of this.#all.values()) {
      if (error === null) continue;
      this.#conditions.raise('SOURCE_DOWN', `${error.code}: ${error.message}`, words);
      return;
    }
    this.#conditions.clear('SOURCE_DOWN');
  }
}
