import { effect, type Signal, signal } from '@preact/signals';
import { entryOf } from './store.js';

type Values = readonly (number | null)[];

/** Figures over time; all lists are as long as `timesS`. */
export interface CameraHistory {
  /** Seconds since 1970, ascending. */
  readonly timesS: readonly number[];
  readonly bitrateBps: Values;
  readonly frameRate: Values;
  readonly pushes: Readonly<Record<string, { bitrateBps: Values; queueBytes: Values; roundTripMs: Values }>>;
}

const empty: CameraHistory = { timesS: [], bitrateBps: [], frameRate: [], pushes: {} };
const maxPoints = 1800;

export interface FollowedHistory {
  readonly data: Signal<CameraHistory>;
  /** Keeps it up to date until the function that it gives is called. */
  follow(): () => void;
}

const histories = new Map<string, FollowedHistory>();

export function historyOf(name: string): FollowedHistory {
  let history = histories.get(name);
  if (history === undefined) {
    const data = signal<CameraHistory>(empty);
    history = { data, follow: () => followCamera(name, data) };
    histories.set(name, history);
  }
  return history;
}

function followCamera(name: string, data: Signal<CameraHistory>): () => void {
  return effect(() => {
    const camera = entryOf(name)?.view.value;
    if (camera === undefined) return;
    const before = data.peek();
    const atS = Date.now() / 1000;
    const length = before.timesS.length;
    const add = (values: Values, value: number | null): Values => [...values.slice(1 - maxPoints), value];
    const pushes: Record<string, { bitrateBps: Values; queueBytes: Values; roundTripMs: Values }> = {};
    for (const push of camera.pushes) {
      const known = before.pushes[push.id];
      const none: Values = Array.from({ length }, () => null);
      pushes[push.id] = {
        bitrateBps: add(known?.bitrateBps ?? none, push.bitrateBps),
        queueBytes: add(known?.queueBytes ?? none, push.queueBytes),
        roundTripMs: add(known?.roundTripMs ?? none, push.roundTripMs),
      };
    }
    data.value = {
      timesS: [...before.timesS.slice(1 - maxPoints), atS],
      bitrateBps: add(before.bitrateBps, camera.live ? camera.bitrateInBps : null),
      frameRate: add(before.frameRate, camera.frameRate),
      pushes,
    };
  });
}
