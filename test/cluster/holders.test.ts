import { describe, expect, test, vi } from 'vitest';
import { GoneNodes } from '../../src/cluster/gone-nodes.js';
import { givesUp, type HeldCamera, HolderQuestions, type Holders } from '../../src/cluster/holders.js';
import type { LiveCamera } from '../../src/cluster/live-cameras.js';
import type { ClusterNode } from '../../src/cluster/node-record.js';
import { silentLogger } from '../../src/log/log.js';

const nodeOf = (id: string): ClusterNode => ({ id, rtmp: '', api: '', version: '', startedAt: '' });

/** One node among others, of which a test says what they are and answer. */
class Stage {
  listed = ['a', 'b', 'c'];
  leaseId: string | undefined = '1';
  readonly live = new Map<string, LiveCamera>();
  readonly own = new Map<string, { epoch: number; isSilent: boolean }>();
  readonly answers = new Map<string, Holders>();
  readonly asked: string[] = [];
  readonly givenUp: string[] = [];
  readonly #nodeListeners: (() => void)[] = [];
  readonly #cameraListeners: ((camera: string) => void)[] = [];
  readonly questions: HolderQuestions;

  constructor() {
    const stage = this;
    const nodes = {
      self: nodeOf('b'),
      get all() {
        return stage.listed.map(nodeOf);
      },
      get leaseId() {
        return stage.leaseId;
      },
      onChange: (listener: () => void) => void stage.#nodeListeners.push(listener),
    };
    this.questions = new HolderQuestions({
      nodes,
      gone: new GoneNodes(nodes),
      cameras: {
        isLive: (camera) => this.own.has(camera),
        isSilent: (camera) => this.own.get(camera)?.isSilent ?? true,
        letGo: () => undefined,
        live: () => this.own.keys(),
      },
      live: { all: this.live, onChange: (listener) => void this.#cameraListeners.push(listener) },
      epochOf: (camera) => this.own.get(camera)?.epoch ?? 0,
      giveUp: (camera, node) => {
        this.givenUp.push(`${camera} to ${node}`);
        this.own.delete(camera);
      },
      ask: async (node, _path, body) => {
        this.asked.push(`${node}: ${JSON.parse(body).cameras.join()}`);
        const answer = this.answers.get(node);
        if (answer === undefined) throw new Error('no answer');
        return Buffer.from(JSON.stringify(answer));
      },
      log: silentLogger,
    });
  }

  list(...ids: string[]): void {
    this.listed = ids;
    for (const listener of this.#nodeListeners) listener();
  }

  claim(camera: string, node: string | undefined, epoch = 1): void {
    if (node === undefined) this.live.delete(camera);
    else this.live.set(camera, { node, epoch });
    for (const listener of this.#cameraListeners) listener(camera);
  }

  says(id: string, reachesEtcd: boolean, ...cameras: Partial<HeldCamera>[]): void {
    const all = cameras.map((each) => ({ ...{ camera: 'gate', node: id, epoch: 1, isSilent: false }, ...each }));
    this.answers.set(id, { id, reachesEtcd, cameras: all });
  }
}

describe('a camera whose node is not in the list any more', () => {
  const lost = (): Stage => {
    const stage = new Stage();
    stage.claim('gate', 'a');
    stage.list('b', 'c');
    stage.claim('gate', undefined);
    return stage;
  };

  test('stays there when that node says that it is live', async () => {
    const stage = lost();
    stage.says('a', false, {});
    expect(await stage.questions.holderOf('gate', false)).toBe('a');
  });

  test('is free when that node is silent about it, or has a publisher that is, or does not answer', async () => {
    const stage = lost();
    stage.says('a', false);
    expect(await stage.questions.holderOf('gate', false)).toBeUndefined();
    stage.says('a', false, { isSilent: true });
    expect(await stage.questions.holderOf('gate', false)).toBeUndefined();
    stage.answers.delete('a');
    expect(await stage.questions.holderOf('gate', false)).toBeUndefined();
    // Who comes soon after does not wait for it again.
    const asked = stage.asked.length;
    await stage.questions.holderOf('gate', false);
    expect(stage.asked.length).toBe(asked);
  });

  test('is waited for once, also where many publishers come while it does not answer', async () => {
    const stage = new Stage();
    for (let number = 0; number < 1200; number++) stage.claim(`camera-${number}`, 'a');
    stage.list('b', 'c');
    for (let number = 0; number < 1200; number++) stage.claim(`camera-${number}`, undefined);
    const answers = Array.from({ length: 1200 }, (_, number) => stage.questions.holderOf(`camera-${number}`, false));
    expect((await Promise.all(answers)).filter((each) => each !== undefined)).toEqual([]);
    expect(stage.asked.length).toBe(1);
    stage.questions.close();
  });

  test('is free where that node gave it back before it left', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const stage = new Stage();
    stage.claim('gate', 'a');
    stage.claim('gate', undefined);
    vi.advanceTimersByTime(8000);
    stage.list('b', 'c');
    await stage.questions.holderOf('gate', false);
    vi.useRealTimers();
    expect(stage.asked).toEqual([]);
  });

  test('is not asked for where etcd knows better', async () => {
    const stage = lost();
    stage.list('a', 'b', 'c');
    await stage.questions.holderOf('gate', false);
    await stage.questions.holderOf('yard', false);
    expect(stage.asked).toEqual([]);
  });

  test('a thousand cameras of a dead node are asked for in a few questions', async () => {
    const stage = new Stage();
    for (let number = 0; number < 1000; number++) stage.claim(`camera-${number}`, 'a');
    stage.list('b', 'c');
    for (let number = 0; number < 1000; number++) stage.claim(`camera-${number}`, undefined);
    stage.says('a', false);
    await Promise.all(Array.from({ length: 1000 }, (_, number) => stage.questions.holderOf(`camera-${number}`, false)));
    expect(stage.asked.length).toBeLessThanOrEqual(4);
  });
});

describe('a node without a lease', () => {
  test('gives up what a node that reaches etcd knows to be claimed later, and does not take it again', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'performance'] });
    const stage = new Stage();
    stage.own.set('gate', { epoch: 3, isSilent: false }).set('yard', { epoch: 9, isSilent: false });
    stage.leaseId = undefined;
    stage.says('a', true, { node: 'c', epoch: 5 }, { camera: 'yard', node: 'c', epoch: 5 });
    await vi.advanceTimersByTimeAsync(2000);
    vi.useRealTimers();
    expect(stage.givenUp).toEqual(['gate to c']);
    expect(await stage.questions.holderOf('gate', true)).toBe('c');
    stage.questions.close();
  });

  test('with a lease, nobody is asked', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'performance'] });
    const stage = new Stage();
    stage.own.set('gate', { epoch: 3, isSilent: false });
    await vi.advanceTimersByTimeAsync(6000);
    vi.useRealTimers();
    expect(stage.asked).toEqual([]);
    stage.questions.close();
  });
});

test('of two nodes that both have a camera, one alone gives it up', () => {
  const sides = [0, 3, 5].flatMap((epoch) => [false, true].map((isSilent) => ({ epoch, isSilent })));
  for (const one of sides) {
    for (const other of sides) {
      const a = { id: 'a', ...one };
      const b = { id: 'b', ...other };
      const held = ({ id, ...rest }: typeof a): HeldCamera => ({ camera: 'gate', node: id, ...rest });
      const asked = (id: string) => ({ id, reachesEtcd: false });
      expect(Number(givesUp(a, held(b), asked('b'))) + Number(givesUp(b, held(a), asked('a')))).toBe(1);
    }
  }
});

test('the word of a node that does not reach etcd counts for itself alone', () => {
  const own = { id: 'a', epoch: 1, isSilent: false };
  const other = { camera: 'gate', node: 'b', epoch: 2, isSilent: false };
  expect(givesUp(own, other, { id: 'c', reachesEtcd: false })).toBe(false);
  expect(givesUp(own, other, { id: 'c', reachesEtcd: true })).toBe(true);
  expect(givesUp(own, other, { id: 'b', reachesEtcd: false })).toBe(true);
});
