import { expect, it } from 'vitest';
import type { CodedError } from '../../src/errors.js';
import { UnfinishedBudget } from '../../src/rtmp/unfinished-budget.js';

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Connections that hold what they are told to, and are ended by the budget. */
function budget(maxBytes: number) {
  const made = new UnfinishedBudget(maxBytes);
  const ended: [string, CodedError][] = [];
  const open = (name: string) => {
    const share = made.open((reason) => {
      ended.push([name, reason]);
      share.close();
    });
    return share;
  };
  return { made, ended, open };
}

it('ends those that hold most for longest, and not a camera in the midst of a large frame', async () => {
  const { made, ended, open } = budget(1000);
  const hoarders = Array.from({ length: 9 }, (_, i) => open(`hoarder ${i}`));
  for (const share of hoarders) share.set(100);
  await pause(30);
  const camera = open('camera');
  for (let bytes = 50; bytes <= 400; bytes += 50) camera.set(bytes);
  expect(ended.map(([name]) => name)).toEqual(['hoarder 0', 'hoarder 1', 'hoarder 2']);
  expect(ended.every(([, { code, message }]) => code === 'RTMP_LIMIT' && message.includes('100 bytes'))).toBe(true);
  expect(made.bytes).toBe(1000);
  camera.set(0);
  expect(made.bytes).toBe(600);
});

it('does not take who finishes one message after the other for a hoarder', async () => {
  const { ended, open } = budget(1000);
  const camera = open('camera');
  camera.set(300);
  const hoarder = open('hoarder');
  hoarder.set(300);
  for (let i = 0; i < 5; i++) {
    await pause(10);
    camera.set(20);
    camera.set(300);
  }
  open('other').set(450);
  expect(ended.map(([name]) => name)).toEqual(['hoarder']);
});

it('ends a hoarder that finishes small messages all the time, and not a camera in the midst of a frame', async () => {
  const { ended, open } = budget(1000);
  const hoarder = open('hoarder');
  hoarder.set(600);
  await pause(30);
  hoarder.set(610);
  hoarder.set(600); // a small message came and went
  const camera = open('camera');
  camera.set(300);
  await pause(10);
  hoarder.set(650);
  hoarder.set(600);
  camera.set(450);
  expect(ended.map(([name]) => name)).toEqual(['hoarder']);
});

it('forgets who is gone', () => {
  const { made, ended, open } = budget(1000);
  for (let i = 0; i < 100; i++) {
    const share = open('one');
    share.set(900);
    share.close();
    share.close();
  }
  expect(made.bytes).toBe(0);
  expect(ended).toEqual([]);
});

it('counts nothing of a connection that is over', () => {
  const { made, open } = budget(1000);
  const share = open('camera');
  share.set(300);
  share.close();
  share.set(200);
  expect(made.bytes).toBe(0);
});
