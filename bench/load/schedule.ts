import { audioPerCycle, cycleMs, framesPerCycle, pseudoRandom, type Template, type Traffic } from '../traffic.js';

/** When which camera sends what, within a cycle; sorted by time. */
export interface Schedule {
  readonly atMs: Float64Array;
  /** Index into the list of cameras. */
  readonly camera: Uint32Array;
  readonly templates: readonly Template[];
  /** When each camera's cycle, and so its key frame, begins. */
  readonly beginMs: Float64Array;
}

/** Cameras are not synchronised: each one's cycle begins at a time of its own, its audio at another. */
export function createSchedule(traffic: Traffic, cameras: number, seed: number): Schedule {
  const random = pseudoRandom(seed);
  const beginMs = Float64Array.from({ length: cameras }, () => random() * cycleMs);
  const events: { atMs: number; camera: number; template: Template }[] = [];
  for (let camera = 0; camera < cameras; camera++) {
    const begin = beginMs[camera] ?? 0;
    const add = (templates: readonly Template[], count: number, phaseMs: number): void => {
      for (const [i, template] of templates.entries()) {
        events.push({ atMs: (begin + phaseMs + (i * cycleMs) / count) % cycleMs, camera, template });
      }
    };
    add(traffic.video, framesPerCycle, 0);
    add(traffic.audio, audioPerCycle, (random() * cycleMs) / audioPerCycle);
  }
  events.sort((a, b) => a.atMs - b.atMs);
  return {
    atMs: Float64Array.from(events, ({ atMs }) => atMs),
    camera: Uint32Array.from(events, ({ camera }) => camera),
    templates: events.map(({ template }) => template),
    beginMs,
  };
}
