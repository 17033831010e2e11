import { api } from '../api/http.js';
import type { CameraEntry } from './store.js';

/** Whoever scrolls past is not worth a call. */
const settleMs = 300;
/** Calls at once: the server answers one costly call of a caller after the other. */
const maxAtOnce = 2;
const seconds = 300;

const asked = new WeakSet<CameraEntry>();
const waiting: (() => Promise<void>)[] = [];
let atWork = 0;

/**
 * Begins a sparkline with what the server remembers, so that a reload does not empty it: once for each camera, when its
 * card has been in sight for a moment.
 * @returns ends the waiting
 */
export function loadTrend(entry: CameraEntry): () => void {
  const { live, lastLive } = entry.view.peek();
  if (asked.has(entry) || (!live && lastLive === null)) return () => {};
  const timer = setTimeout(() => {
    asked.add(entry);
    waiting.push(() => load(entry));
    void work();
  }, settleMs);
  return () => clearTimeout(timer);
}

async function work(): Promise<void> {
  if (atWork >= maxAtOnce) return;
  atWork += 1;
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await next();
  atWork -= 1;
}

async function load(entry: CameraEntry): Promise<void> {
  try {
    const { body } = await api.call('getHistory', { path: { name: entry.name }, query: { seconds } });
    const values = [...body.camera.bitrateInBps];
    // The newest step has no value yet; as nothing, it would be shown as a dip.
    while (values.length > 0 && values.at(-1) === null) values.pop();
    const told = values.map((value) => value ?? 0);
    const first = told.findIndex((value) => value > 0);
    if (first >= 0) entry.trend.value = [...told.slice(first), ...entry.trend.peek().slice(-1)].slice(-60);
  } catch {
    // The sparkline begins with what is seen from now on.
  }
}
