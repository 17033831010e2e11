import { type Signal, signal } from '@preact/signals';
import type { Answer } from '../../../src/client/index.js';
import { api } from '../api/http.js';
import { serverNow } from './clock.js';

type Told = Answer<'getHistory'>;
type Values = readonly (number | null)[];
type Columns = Readonly<Record<string, Values>>;

/** Figures over time; all columns are as long as `timesS`. */
export interface CameraHistory {
  /** Seconds since 1970, ascending by the server's step. */
  readonly timesS: readonly number[];
  readonly camera: Columns;
  readonly pushes: Readonly<Record<string, Columns>>;
}

const nothing: CameraHistory = { timesS: [], camera: {}, pushes: {} };
const hourSeconds = 3600;
const refreshMs = 5000;
/** So much is asked for anew: enough to fill a short gap. */
const tailSeconds = 120;

export interface FollowedHistory {
  readonly data: Signal<CameraHistory>;
  /** Keeps it up to date until the function that it gives is called. */
  follow(): () => void;
}

/** The last hour of a camera. */
export function historyOf(name: string): FollowedHistory {
  const data = signal<CameraHistory>(nothing);
  return { data, follow: () => followCamera(name, data) };
}

function followCamera(name: string, data: Signal<CameraHistory>): () => void {
  let ended = false;
  let loadedMs = Number.NEGATIVE_INFINITY;
  const load = async () => {
    if (document.hidden) return;
    // After a longer break the tail would leave a gap.
    const isFresh = performance.now() - loadedMs < (tailSeconds * 1000) / 2;
    const query = isFresh ? { seconds: tailSeconds } : {};
    try {
      const { body } = await api.call('getHistory', { path: { name }, query });
      if (ended) return;
      data.value = isFresh ? joined(data.peek(), toHistory(body)) : toHistory(body);
      loadedMs = performance.now();
    } catch {
      // The page says elsewhere that the server does not answer; the next try fills the gap.
    }
  };
  void load();
  const timer = setInterval(() => void load(), refreshMs);
  return () => {
    ended = true;
    clearInterval(timer);
  };
}

function toHistory({ from, stepSeconds, camera, pushes }: Told): CameraHistory {
  if (from === null) return nothing;
  const firstS = Date.parse(from) / 1000;
  const timesS = camera.bitrateInBps.map((_, index) => firstS + index * stepSeconds);
  return { timesS, camera, pushes };
}

/** What was known, up to where the newer part begins, and that part. */
function joined(before: CameraHistory, tail: CameraHistory): CameraHistory {
  const startS = tail.timesS[0];
  if (startS === undefined) return before;
  const first = before.timesS.findIndex((timeS) => timeS > serverNow() / 1000 - hourSeconds);
  const end = before.timesS.findIndex((timeS) => timeS >= startS - 1);
  const from = Math.max(0, first);
  const to = end === -1 ? before.timesS.length : end;
  const kept = before.timesS.slice(from, to);
  const join = (old: Columns | undefined, added: Columns): Columns =>
    Object.fromEntries(
      Object.entries(added).map(([key, values]) => [
        key,
        [...(old?.[key]?.slice(from, to) ?? kept.map(() => null)), ...values],
      ]),
    );
  return {
    timesS: [...kept, ...tail.timesS],
    camera: join(before.camera, tail.camera),
    pushes: Object.fromEntries(
      Object.entries(tail.pushes).map(([id, columns]) => [id, join(before.pushes[id], columns)]),
    ),
  };
}
