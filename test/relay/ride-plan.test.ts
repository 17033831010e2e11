import fc from 'fast-check';
import { expect, it } from 'vitest';
import { RidePlan } from '../../src/relay/ride-plan.js';

const windowMs = 28;
const audioMs = 1024 / 48;

interface Came {
  readonly atMs: number;
  readonly isFrame: boolean;
}

interface Camera {
  readonly frameMs: number;
  readonly audioMs: number;
  /** Each message comes up to so much late, but none before the one ahead of it. */
  readonly jitterMs: number;
  /** The share of the frames that never come. */
  readonly lost: number;
  /** All that comes within so long comes at once, at its end; 0: nothing is delayed so. */
  readonly clumpMs: number;
  readonly audioFromMs: number;
  readonly seed: number;
}

const steady: Camera = {
  frameMs: 40,
  audioMs,
  jitterMs: 0,
  lost: 0,
  clumpMs: 0,
  audioFromMs: 7,
  seed: 1,
};

const seconds = 20;

/** What a camera sends, in order of coming. */
function sentBy(camera: Camera): Came[] {
  let state = camera.seed;
  const random = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0; // Numerical Recipes' generator
    return state / 2 ** 32;
  };
  const { jitterMs, lost, clumpMs } = camera;
  const came: Came[] = [];
  const add = (fromMs: number, stepMs: number, isFrame: boolean): void => {
    let lastMs = 0;
    for (let ms = fromMs; ms < seconds * 1000; ms += stepMs) {
      const skip = isFrame && random() < lost;
      const late = ms + random() * jitterMs;
      lastMs = Math.max(lastMs, clumpMs > 0 ? Math.ceil(late / clumpMs) * clumpMs : late);
      if (!skip) came.push({ atMs: lastMs, isFrame });
    }
  };
  add(0, camera.frameMs, true);
  add(camera.audioFromMs, camera.audioMs, false);
  return came.sort((a, b) => a.atMs - b.atMs);
}

/** Whether audio waits; `sinceMs` since when other audio does, or it itself. */
type Decide = (came: Came, sinceMs: number) => boolean;

/** What is sent, by a model of the scheduler whose timers are exact: how long each audio message waits, and the writes. */
function send(all: readonly Came[], decide: Decide): { waitsMs: number[]; writes: number } {
  const waitsMs: number[] = [];
  let held: number[] = [];
  let writes = 0;
  let writtenMs = -1;
  const write = (atMs: number): void => {
    waitsMs.push(...held.map((sinceMs) => atMs - sinceMs));
    held = [];
    if (atMs !== writtenMs) writes++;
    writtenMs = atMs;
  };
  for (const came of all) {
    if (held.length > 0 && held[0]! + windowMs < came.atMs) write(held[0]! + windowMs);
    if (!came.isFrame) held.push(came.atMs);
    const waits = decide(came, held[0] ?? came.atMs);
    if (came.isFrame || !waits || came.atMs === writtenMs) write(came.atMs);
  }
  return { waitsMs: waitsMs.sort((a, b) => a - b), writes };
}

/** All audio waits while video is not older than a second. */
function always(): Decide {
  let frameMs = Number.NEGATIVE_INFINITY;
  return ({ atMs, isFrame }) => {
    if (isFrame) frameMs = atMs;
    return atMs - frameMs < 1000;
  };
}

function planned(): Decide {
  const plan = new RidePlan();
  return ({ atMs, isFrame }, sinceMs) => {
    if (!isFrame) return plan.noteAudio(atMs, sinceMs, windowMs);
    plan.noteFrame(atMs);
    return false;
  };
}

const median = (sorted: readonly number[]): number => sorted[sorted.length >> 1] ?? 0;

it.each([
  ['25', 40, 11],
  ['24', 1000 / 24, 11],
  ['20', 50, 7],
  ['12.5', 80, 12],
])('at %s frames a second half of the audio comes within so many milliseconds', (_fps, frameMs, atMostMs) => {
  const all = sentBy({ ...steady, frameMs, jitterMs: 1, audioMs: audioMs * 1.0007 });
  const [before, after] = [send(all, always()), send(all, planned())];
  expect(median(after.waitsMs)).toBeLessThan(atMostMs);
  expect(median(before.waitsMs)).toBeGreaterThanOrEqual(median(after.waitsMs));
  expect(after.writes).toBeLessThanOrEqual(before.writes * 1.01);
});

it.each([30, 50, 60])('at %i frames a second audio rides as where all of it waits', (fps) => {
  const all = sentBy({ ...steady, frameMs: 1000 / fps, jitterMs: 1 });
  const [before, after] = [send(all, always()), send(all, planned())];
  expect(after.writes).toBeLessThanOrEqual(before.writes * 1.01);
});

const camera: fc.Arbitrary<Camera> = fc.record({
  frameMs: fc.oneof(
    fc.constantFrom(1000 / 60, 20, 100 / 3, 40, 1000 / 15, 200),
    fc.double({ min: 10, max: 300, noNaN: true }),
  ),
  audioMs: fc.oneof(
    fc.constantFrom(10, 20, audioMs, 1024 / 44.1, 2 * audioMs, 60),
    fc.double({ min: 8, max: 80, noNaN: true }),
  ),
  jitterMs: fc.oneof(fc.constantFrom(0, 1), fc.double({ min: 0, max: 40, noNaN: true })),
  lost: fc.constantFrom(0, 0, 0.02, 0.3),
  clumpMs: fc.constantFrom(0, 0, 0, 10, 100),
  audioFromMs: fc.double({ min: 0, max: 40, noNaN: true }),
  seed: fc.nat(),
});

it('whatever the camera: no audio beyond the window, hardly a write more than where all of it waits, and no longer a wait in the median', () => {
  fc.assert(
    fc.property(camera, (each) => {
      const all = sentBy(each);
      const lost = Math.ceil((seconds * 1000) / each.frameMs) - all.filter(({ isFrame }) => isFrame).length;
      const [before, after] = [send(all, always()), send(all, planned())];
      expect(after.waitsMs.at(-1)).toBeLessThanOrEqual(windowMs + 1e-6);
      expect(after.writes).toBeLessThanOrEqual(before.writes * 1.04 + 3 + lost);
      expect(median(after.waitsMs)).toBeLessThanOrEqual(median(before.waitsMs) + 1);
    }),
    { numRuns: 300 },
  );
});

it('waits while it does not know the frames, and no more once video stands still', () => {
  const plan = new RidePlan();
  expect(plan.noteAudio(0, 0, windowMs)).toBe(false);
  plan.noteFrame(0);
  expect(plan.noteAudio(5, 5, windowMs)).toBe(true);
  const decide = planned();
  const all = sentBy(steady).filter(({ atMs, isFrame }) => !isFrame || atMs < 10_000);
  const { waitsMs } = send(
    all.filter(({ atMs }) => atMs < 10_100),
    decide,
  );
  expect(waitsMs.length).toBeGreaterThan(400);
  const frozen = send(
    all.filter(({ atMs }) => atMs >= 10_100),
    decide,
  );
  expect(frozen.waitsMs.at(-1)).toBeLessThanOrEqual(audioMs + 1e-6);
  const later = send(
    all.filter(({ atMs }) => atMs >= 11_000),
    decide,
  );
  expect(later.waitsMs.at(-1)).toBe(0);
});
