import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { DesiredPush } from '../../../src/backend/backend.js';
import { CameraPushes } from '../../../src/backend/native/camera-pushes.js';
import { defaultSettings } from '../../../src/config/index.js';
import { TargetError } from '../../../src/errors.js';
import { FlightRecorder } from '../../../src/events/flight-recorder.js';
import { silentLogger } from '../../../src/log/log.js';
import { Dialer } from '../../../src/net/dialer.js';
import { TargetWatch } from '../../../src/push/target-watch.js';
import { until } from '../../push/targets.js';
import { makeStream } from '../../relay/fixtures.js';
import { longestHoldMs } from '../../support/loop-holds.js';

const count = 3000;
const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  while (cleanups.length > 0) await cleanups.pop()?.();
});

function pushesOfOneCamera(takeRoom: () => TargetError | undefined = () => undefined): CameraPushes {
  const pushes = new CameraPushes(() => ({
    camera: 'gate',
    settings: { ...defaultSettings().media, pushRetryMinMs: 60_000, pushRetryMaxMs: 60_000 },
    watch: new TargetWatch(50),
    dialer: new Dialer(),
    log: silentLogger,
    recorder: new FlightRecorder({ log: silentLogger }),
    takeRoom,
    onPhase() {},
  }));
  cleanups.push(() => pushes.close());
  return pushes;
}

/** Port 1 of this machine, where nobody listens; a few are connected, the others are switched off. */
function declared(from = 0, to = count, path = 'a'): DesiredPush[] {
  return Array.from({ length: to - from }, (_, index) => {
    const id = `p${from + index}`;
    return { id, url: `rtmp://127.0.0.1:1/${path}/${id}`, enabled: index % 20 === 0 };
  });
}

const phaseOf = (pushes: CameraPushes, id: string): string =>
  pushes.all.get(id)?.status(performance.now()).state ?? 'none';
const phases = (pushes: CameraPushes): Set<string> => new Set([...pushes.all.keys()].map((id) => phaseOf(pushes, id)));

describe('a camera of thousands of pushes', () => {
  it('makes, changes and ends them in slices, in order, and others have their turns between', async () => {
    const pushes = pushesOfOneCamera();
    const stream = makeStream();
    pushes.declare(declared());
    expect(pushes.all.size).toBe(0);
    pushes.begin(stream);
    expect(pushes.all.size).toBeGreaterThan(0);
    expect(pushes.all.size).toBeLessThan(count / 2);
    await until(() => pushes.all.size === count, 20_000, 'all of them');
    expect([...pushes.all.keys()]).toEqual(declared().map(({ id }) => id));
    // Half of them go, half of what stays changes its address, and new ones come.
    const next = [...declared(0, 750), ...declared(750, 1500, 'b'), ...declared(count, count + 500)];
    pushes.declare(next);
    expect(pushes.all.size).toBeGreaterThan(next.length);
    await until(() => pushes.all.size === next.length, 20_000, 'those that are declared');
    await until(() => next.every(({ id, url }) => pushes.all.get(id)?.url === url), 20_000, 'their addresses');
    pushes.end();
    await until(() => !phases(pushes).has('connecting') && !phases(pushes).has('waiting'), 20_000, 'the end of all');
    expect(phases(pushes)).toEqual(new Set(['idle', 'disabled']));
  });

  it('ends as what came last says, whatever comes in the middle of a slice', async () => {
    const pushes = pushesOfOneCamera();
    const [one, other] = [makeStream(), makeStream()];
    pushes.declare(declared());
    pushes.begin(one);
    await turn();
    pushes.pause();
    pushes.begin(one);
    await turn();
    pushes.end();
    pushes.declare(declared(0, 1000));
    await turn();
    pushes.begin(other);
    pushes.declare(declared(0, 1200));
    await until(() => pushes.all.size === 1200, 20_000, 'those that are declared');
    const enabled = (): string[] =>
      declared(0, 1200).flatMap(({ id, enabled: is }) => (is ? [phaseOf(pushes, id)] : []));
    await until(() => enabled().every((phase) => phase === 'waiting'), 20_000, 'every target to be tried');
    pushes.pause();
    pushes.end();
    await until(() => enabled().every((phase) => phase === 'idle'), 20_000, 'the end of all');
    await pushes.close();
    expect(pushes.all.size).toBe(0);
  });

  it('holds nobody up for long', async () => {
    const hold = await longestHoldMs(async () => {
      const pushes = pushesOfOneCamera();
      pushes.declare(declared());
      pushes.begin(makeStream());
      await until(() => pushes.all.size === count, 20_000, 'all of them');
      pushes.declare(declared(0, count, 'b'));
      await until(() => pushes.all.get(`p${count - 1}`)?.url.includes('/b/') === true, 20_000, 'the change');
      pushes.end();
      await pushes.close();
    }, 3);
    // A single step of all of them takes several times as long.
    expect(hold).toBeLessThan(100);
  });
});

it('a push with another target, or another profile, has the room of the one before; one that is off or removed gives it back', async () => {
  let left = 1;
  const pushes = pushesOfOneCamera(() =>
    left-- > 0 ? undefined : new TargetError('NODE_FULL', 'no room for 4 Mbit/s more'),
  );
  const out = { id: 'out', url: 'rtmp://127.0.0.1:1/a/out', enabled: true };
  pushes.declare([out]);
  pushes.begin(makeStream());
  const hasRoom = () => until(() => pushes.holdingRoom === 1, 20_000, 'it to have room');
  await hasRoom();
  for (const next of [
    { ...out, url: 'rtmp://127.0.0.1:1/b/out' },
    { ...out, enhanced: 'off' as const },
  ]) {
    pushes.declare([next]);
    expect(pushes.all.get('out')?.url).toBe(next.url);
    pushes.tick(performance.now());
    expect(pushes.holdingRoom).toBe(1);
    expect(pushes.all.get('out')?.lastFailure?.code).not.toBe('NODE_FULL');
  }
  pushes.declare([{ ...out, enabled: false }]);
  expect(pushes.holdingRoom).toBe(0);
  // Nobody but who begins at once takes it over.
  left = 1;
  pushes.declare([out]);
  await hasRoom();
  pushes.declare([{ ...out, url: 'rtmp://127.0.0.1:1/b/out', enabled: false }]);
  expect(pushes.holdingRoom).toBe(0);
  left = 1;
  pushes.declare([out]);
  await hasRoom();
  pushes.pause();
  pushes.declare([{ ...out, url: 'rtmp://127.0.0.1:1/b/out' }]);
  pushes.end();
  expect(pushes.holdingRoom).toBe(0);
  pushes.declare([]);
  expect(pushes.holdingRoom).toBe(0);
});

it('of a stream that another node sent: nothing is at another node any more when it is over, and nothing begins', async () => {
  let began = 0;
  const pushes = pushesOfOneCamera(() => {
    began += 1;
    return undefined;
  });
  pushes.declare([{ id: 'p', url: 'rtmp://127.0.0.1:1/a/p', enabled: true }]);
  pushes.begin(makeStream(), false);
  expect(phaseOf(pushes, 'p')).toBe('elsewhere');
  pushes.pause();
  pushes.end();
  expect(phaseOf(pushes, 'p')).toBe('idle');
  expect(began).toBe(0);
  pushes.begin(makeStream());
  await until(() => phaseOf(pushes, 'p') !== 'idle', 20_000, 'it to begin here');
  await until(() => began > 0, 20_000, 'it to take room');
});
