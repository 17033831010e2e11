import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { turnLine } from '../../src/fairness/turn-line.js';
import { splice } from '../../src/net/splice.js';
import { FakeSocket } from '../fuzz/fake-socket.js';
import { until } from '../push/targets.js';

const opened: FakeSocket[] = [];

afterEach(async () => {
  for (const socket of opened.splice(0)) socket.lose();
  await until(() => !turnLine.isCrowded, 20_000, 'an empty line');
});

/** Two connections that are joined, and what came out at each end. */
function joined() {
  const out = { near: [] as Buffer[], far: [] as Buffer[] };
  const near = new FakeSocket(1, (data) => out.near.push(Buffer.from(data)));
  const far = new FakeSocket(2, (data) => out.far.push(Buffer.from(data)));
  let closed = 0;
  opened.push(near, far);
  splice(near, far, () => closed++);
  return { near, far, out, closed: () => closed };
}

/** Has a socket read one piece after the other, in one turn, until it is paused. Returns how many it read. */
function pour(socket: FakeSocket, pieces: Iterator<Buffer>): number {
  for (let count = 0; ; count++) {
    if (socket.isPaused) return count;
    const piece = pieces.next();
    if (piece.done === true) return count;
    socket.receive(piece.value);
  }
}

function* piecesOf(count: number, bytes: number): Generator<Buffer> {
  for (let at = 0; at < count; at++) yield Buffer.alloc(bytes, at);
}

it.each([
  ['of a byte', 5000, 1],
  ['of a record', 100, 16_384],
  ['of a large read', 20, 65_536],
])('reads %s in any number are shared out over turns, and all arrive in order', async (_what, count, bytes) => {
  const { near, out } = joined();
  const pieces = piecesOf(count, bytes);
  const first = pour(near, pieces);
  expect(first).toBeLessThan(count);
  expect(first * (bytes + 1024)).toBeLessThan(512 * 1024);
  expect(near.isPaused).toBe(true);
  let turns = 0;
  while (out.far.length < count) {
    await turn();
    if (pour(near, pieces) > 0) turns++;
    expect(turns).toBeLessThan(count);
  }
  expect(turns).toBeGreaterThan(2);
  const all = Buffer.concat(out.far);
  expect(all.equals(Buffer.concat([...piecesOf(count, bytes)]))).toBe(true);
});

it('a camera that keeps to its share is never held up by others that do not, in neither direction', async () => {
  const hasty = Array.from({ length: 50 }, joined);
  const camera = joined();
  for (let round = 0; round < 20; round++) {
    for (const { near, far } of hasty) {
      pour(near, piecesOf(1000, 1));
      pour(far, piecesOf(1000, 1));
    }
    camera.near.receive(Buffer.alloc(16_384, round));
    camera.far.receive(Buffer.alloc(100, round));
    expect(camera.near.isPaused || camera.far.isPaused).toBe(false);
    expect(camera.out.far).toHaveLength(round + 1);
    expect(camera.out.near).toHaveLength(round + 1);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
});

it('waits for room as well as for its turn', async () => {
  const { near, far, out } = joined();
  far.full = true;
  pour(near, piecesOf(1000, 1024));
  expect(near.isPaused).toBe(true);
  for (let i = 0; i < 5; i++) await turn();
  expect(near.isPaused).toBe(true); // its turn came, and there is no room
  far.drain();
  await until(() => !near.isPaused, 20_000, 'room');
  const before = out.far.length;
  near.receive(Buffer.from('x'));
  expect(out.far).toHaveLength(before + 1);
});

it('ends while it waits, and is forgotten', async () => {
  const { near, far, closed } = joined();
  pour(near, piecesOf(1000, 1));
  near.close();
  near.lose();
  expect(closed()).toBe(1);
  await until(() => !turnLine.isCrowded, 20_000, 'an empty line');
  expect(far.destroyed).toBe(true);
});
