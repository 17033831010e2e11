import { describe, expect, it } from 'vitest';
import { type CapacityLimits, NodeCapacity, type RoomUser } from '../../../src/backend/native/node-capacity.js';

const mbit = 1e6;

/** A node whose clock stands until it is told, with cameras that are looked at once a second. */
function node(limits: Partial<CapacityLimits>) {
  let nowMs = 0;
  const capacity = new NodeCapacity({ outBps: null, cameras: null, ...limits }, () => nowMs);
  let users: RoomUser[] = [];
  const pass = (seconds: number, next: RoomUser[] = users, sentBps = 0): void => {
    users = next;
    for (let second = 0; second < seconds; second += 1) {
      nowMs += 1000;
      capacity.look(users, sentBps);
    }
  };
  return { capacity, pass };
}

describe('a node with a limit on its cameras', () => {
  it('takes no more, keeps those that it has, and takes another one when one is gone', () => {
    const { capacity, pass } = node({ cameras: 2 });
    for (const camera of ['a', 'b']) {
      expect(capacity.refusesCamera(camera, 0, 3)).toBeUndefined();
      capacity.enter(camera);
    }
    expect(capacity.isFull).toBe(true);
    const refusal = capacity.refusesCamera('c', 0, 0);
    expect(refusal?.code).toBe('NODE_FULL');
    expect(refusal?.message).toContain('2 of 2 cameras');
    // One that comes back while its stream is kept is no new one.
    expect(capacity.refusesCamera('a', 0, 3)).toBeUndefined();
    const { problems } = capacity;
    expect(problems).toMatchObject([
      { code: 'NODE_FULL', message: 'this node is full (2 of 2 cameras): camera c was refused' },
    ]);
    // The next refusal is the same problem: events and pages would tell of another one each time.
    expect(capacity.refusesCamera('d', 0, 0)?.code).toBe('NODE_FULL');
    expect(capacity.problems).toEqual(problems);
    capacity.leave('a');
    expect(capacity.refusesCamera('c', 0, 0)).toBeUndefined();
    pass(31);
    expect(capacity.problems).toEqual([]);
  });

  it('says that it is full at once, and that it is not after it had room for a while', () => {
    const { capacity, pass } = node({ cameras: 1 });
    const told: boolean[] = [];
    capacity.advise(
      () => ['rtmp://b/c/c'],
      () => told.push(capacity.isFull),
    );
    capacity.enter('a');
    expect(capacity.refusesCamera('c', 0, 0)?.message).toContain('publish it to rtmp://b/c/c');
    // A camera that reconnects again and again is no reason to say both in turn.
    for (let round = 0; round < 10; round += 1) {
      capacity.leave('a');
      pass(2);
      capacity.enter('a');
      pass(2);
    }
    expect(told).toEqual([true]);
    capacity.leave('a');
    pass(7);
    expect(told).toEqual([true, false]);
  });
});

describe('a node with a limit on what it sends', () => {
  it('names a node where the camera of a push that waits would have room', () => {
    const { capacity, pass } = node({ outBps: 5 * mbit });
    pass(1, [{ bitrateBps: 4 * mbit, copies: 1 }]);
    expect(capacity.take(4 * mbit, false, 'push', 'gate')?.message).toMatch(/it starts when there is room$/);
    capacity.advise(
      (camera) => [`rtmp://b/${camera}/${camera}`],
      () => {},
    );
    expect(capacity.take(4 * mbit, false, 'push', 'gate')?.message).toContain(
      'publishes to a node that has some: rtmp://b/gate/gate',
    );
    expect(capacity.take(4 * mbit, false, 'a viewer')?.message).toMatch(/it starts when there is room$/);
  });

  it('counts a push that is about to start with what its camera sends, at once', () => {
    const { capacity, pass } = node({ outBps: 10 * mbit });
    pass(1, [{ bitrateBps: 4 * mbit, copies: 0 }]);
    expect(capacity.take(4 * mbit, false, 'push 1')).toBeUndefined();
    expect(capacity.take(4 * mbit, false, 'push 2')).toBeUndefined();
    const lack = capacity.take(4 * mbit, false, 'push 3');
    expect(lack?.code).toBe('NODE_FULL');
    expect(lack?.message).toContain('8 Mbit/s of 10 Mbit/s out');
    // What was let in counts once, when it is looked at anew.
    pass(1, [{ bitrateBps: 4 * mbit, copies: 2 }]);
    expect(capacity.facts.committedBps).toBe(8 * mbit);
    expect(capacity.take(2 * mbit, false, 'a smaller one')).toBeUndefined();
  });

  it('takes one of which nothing is known to be as the others are', () => {
    const { capacity, pass } = node({ outBps: 10 * mbit });
    expect(capacity.take(0, false, 'the first of all')).toBeUndefined();
    pass(1, [{ bitrateBps: 6 * mbit, copies: 1 }]);
    expect(capacity.take(0, false, 'a push')?.code).toBe('NODE_FULL');
  });

  it('does not let in all that begins at a start, before the first bit rate is known', () => {
    const { capacity, pass } = node({ outBps: 10 * mbit });
    const letIn = Array.from({ length: 20 }, () => capacity.take(0, false, 'a push')).filter((lack) => !lack).length;
    expect(letIn).toBe(2);
    pass(1, [{ bitrateBps: 0, copies: 2 }]);
    expect(capacity.take(0, false, 'a push')?.code).toBe('NODE_FULL');
    // They are small: the others come after some calm seconds.
    pass(5, [{ bitrateBps: 1 * mbit, copies: 2 }]);
    expect(capacity.take(1 * mbit, true, 'a push')).toBeUndefined();
    // The first is let in whatever the limit is: else no bit rate would ever be known.
    expect(node({ outBps: 1 * mbit }).capacity.take(0, false, 'a push')).toBeUndefined();
  });

  it('is not made full by viewers who come and go', () => {
    const { capacity, pass } = node({ outBps: 10 * mbit });
    pass(1, [{ bitrateBps: 4 * mbit, copies: 1 }]);
    for (let viewer = 0; viewer < 50; viewer += 1) {
      const { looks } = capacity;
      expect(capacity.take(4 * mbit, false, 'a viewer')).toBeUndefined();
      capacity.giveBack(4 * mbit, looks);
    }
    const { looks } = capacity;
    expect(capacity.take(4 * mbit, false, 'a viewer')).toBeUndefined();
    // What was looked at since then is counted already.
    pass(1, [{ bitrateBps: 4 * mbit, copies: 2 }]);
    capacity.giveBack(4 * mbit, looks);
    expect(capacity.facts.committedBps).toBe(8 * mbit);
  });

  it('lets in who was refused, and needs nearly all there is, once nothing else is sent', () => {
    const { capacity, pass } = node({ outBps: 10 * mbit });
    pass(1, [{ bitrateBps: 4 * mbit, copies: 1 }]);
    expect(capacity.take(9.8 * mbit, false, 'push')?.code).toBe('NODE_FULL');
    pass(5, []);
    expect(capacity.take(9.8 * mbit, true, 'push')).toBeUndefined();
  });

  it('lets in who was refused only after it had room for some seconds, and a little more than needed', () => {
    const { capacity, pass } = node({ outBps: 10 * mbit });
    pass(5, [{ bitrateBps: 4 * mbit, copies: 2 }]);
    expect(capacity.take(4 * mbit, false, 'push')?.code).toBe('NODE_FULL');
    pass(4, [{ bitrateBps: 4 * mbit, copies: 1 }]);
    expect(capacity.take(4 * mbit, true, 'push')?.code).toBe('NODE_FULL');
    pass(1);
    expect(capacity.take(4 * mbit, true, 'push')).toBeUndefined();
    const { capacity: tight, pass: wait } = node({ outBps: 8 * mbit });
    wait(20, [{ bitrateBps: 4 * mbit, copies: 1 }]);
    expect(tight.take(4 * mbit, true, 'push')?.code).toBe('NODE_FULL');
    expect(tight.take(4 * mbit, false, 'push')).toBeUndefined();
  });

  it('takes a camera where all of its copies fit, and one copy where no other node would take it', () => {
    const { capacity, pass } = node({ outBps: 10 * mbit });
    pass(1, [{ bitrateBps: 4 * mbit, copies: 1 }]);
    expect(capacity.refusesCamera('new', 4 * mbit, 2)).toBeUndefined();
    let others = ['rtmp://b/new/new'];
    capacity.advise(
      () => others,
      () => undefined,
    );
    expect(capacity.refusesCamera('new', 4 * mbit, 2)?.code).toBe('NODE_FULL');
    expect(capacity.refusesCamera('new', 4 * mbit, 1)).toBeUndefined();
    // What another node sends has another way where not all of it fits.
    others = [];
    expect(capacity.refusesCamera('new', 4 * mbit, 2, true)?.message).not.toContain('rtmp:');
    expect(capacity.refusesCamera('new', 4 * mbit, 1, true)).toBeUndefined();
    pass(1, [{ bitrateBps: 4 * mbit, copies: 2 }]);
    expect(capacity.refusesCamera('new', 4 * mbit, 1)?.code).toBe('NODE_FULL');
    // Without pushes it takes no room.
    expect(capacity.refusesCamera('new', 4 * mbit, 0)).toBeUndefined();
  });

  it('goes by what is really sent where that is more', () => {
    const { capacity, pass } = node({ outBps: 10 * mbit });
    pass(1, [{ bitrateBps: 4 * mbit, copies: 1 }], 9 * mbit);
    expect(capacity.take(2 * mbit, false, 'push')?.code).toBe('NODE_FULL');
  });
});
