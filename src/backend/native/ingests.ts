import type { IngestSelector } from '../../ingest/ingest-selector.js';
import { type CameraSnapshot, type IngestSnapshot, unseenIngest } from '../backend.js';

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

/** What there is to see of a camera's ingests, as plain values, in the order in which they are preferred. */
export function ingestSnapshots(selector: IngestSelector, nowMs: number): IngestSnapshot[] {
  return selector.desired.names.map((name) => ingestSnapshot(name, selector, nowMs));
}

function ingestSnapshot(name: string, selector: IngestSelector, nowMs: number): IngestSnapshot {
  const ingest = selector.connected.get(name);
  if (ingest === undefined) return { name, ...unseenIngest };
  // Written out, since an ingest shows fewer figures than a camera.
  const { liveSince, publisher, encoder, videoCodec, audioCodec, width, height, ...figures } = ingest.figures(nowMs);
  const { bitrateInBps, frameRate, keyFrameIntervalMs, lastFrameAt } = figures;
  return {
    name,
    live: selector.live === ingest,
    state: selector.failover.healthOf(ingest, nowMs),
    connectedSince: liveSince,
    ...{ publisher, encoder, videoCodec, audioCodec, width, height },
    ...{ bitrateInBps, frameRate, keyFrameIntervalMs, lastFrameAt },
    keptBytes: selector.keptOf(ingest)?.keptBytes ?? 0,
  };
}
