import type { PublishKeyRule } from '../../admission/stream-keys.js';
import { CodedError } from '../../errors.js';
import type { DesiredIngests } from '../../ingest/failover.js';
import type { IngestSelector } from '../../ingest/ingest-selector.js';
import { mainIngest } from '../../ingest/source.js';
import {
  type CameraSnapshot,
  type DesiredCamera,
  type IngestSnapshot,
  type SourceSnapshot,
  unseenIngest,
} from '../backend.js';

/** The switches of a camera from one ingest to another. */
export class SwitchRecord {
  #count = 0;
  #last: NonNullable<CameraSnapshot['lastSwitch']> | null = null;

  note(change: { readonly from: string; readonly to: string; readonly reason: string }): void {
    this.#count++;
    this.#last = { at: new Date().toISOString(), ...change };
  }

  /** Nothing before the first. */
  get facts(): Pick<CameraSnapshot, 'switches' | 'lastSwitch'> {
    return this.#last === null ? {} : { switches: this.#count, lastSwitch: this.#last };
  }
}

/** What a selector is told of a camera; undefined: it is as most are. */
export function ingestsOf({ ingests, switchBackMs, slate }: DesiredCamera): DesiredIngests | undefined {
  if (ingests === undefined && switchBackMs === undefined && slate === undefined) return undefined;
  const names = ingests?.map(({ name }) => name) ?? [mainIngest];
  return { names, switchBackMs: switchBackMs ?? null, slate: slate ?? null };
}

/** What there is to see of a camera's ingests, as plain values, in the order in which they are preferred. */
export function ingestSnapshots(
  selector: IngestSelector,
  nowMs: number,
  sourceOf: (ingest: string) => SourceSnapshot | undefined,
): IngestSnapshot[] {
  return selector.desired.names.map((name) => {
    const source = sourceOf(name);
    return { ...ingestSnapshot(name, selector, nowMs), ...(source === undefined ? {} : { source }) };
  });
}

function ingestSnapshot(name: string, selector: IngestSelector, nowMs: number): IngestSnapshot {
  const ingest = selector.connected.get(name);
  if (ingest === undefined) return { name, ...unseenIngest };
  // Written out, since an ingest shows fewer figures than a camera.
  const { liveSince, publisher, encoder, videoCodec, audioCodec, width, height, srt, ...figures } =
    ingest.figures(nowMs);
  const { bitrateInBps, frameRate, keyFrameIntervalMs, lastFrameAt } = figures;
  return {
    name,
    live: selector.live === ingest,
    state: selector.failover.healthOf(ingest, nowMs),
    connectedSince: liveSince,
    ...{ publisher, encoder, videoCodec, audioCodec, width, height },
    ...{ bitrateInBps, frameRate, keyFrameIntervalMs, lastFrameAt },
    ...(srt === undefined ? {} : { srt }),
    keptBytes: selector.keptOf(ingest)?.keptBytes ?? 0,
  };
}

/**
 * The keys that publishers of an ingest may show, where they need one. @param ingest undefined: the first
 * @throws CodedError PUBLISH_NOT_REGISTERED
 */
export function publishKeysOf(
  { name: camera, ingests, publishKeys = [] }: DesiredCamera,
  ingest: string | undefined,
): readonly PublishKeyRule[] {
  if (ingests === undefined) {
    if (ingest === undefined || ingest === mainIngest) return publishKeys;
  } else {
    const found = ingest === undefined ? ingests[0] : ingests.find(({ name }) => name === ingest);
    if (found !== undefined) return found.publishKeys ?? [];
  }
  const shown = JSON.stringify((ingest ?? '').slice(0, 64));
  throw new CodedError('PUBLISH_NOT_REGISTERED', `camera ${camera} has no ingest ${shown}`);
}
