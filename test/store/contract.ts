import { afterEach, describe, expect, test } from 'vitest';
import type { ErrorCode } from '../../src/errors.js';
import type { Camera, DesiredState } from '../../src/model/model.js';
import { emptyPushes } from '../../src/model/model.js';
import { withEntry, withoutEntry } from '../../src/model/persistent-map.js';
import type { StateChange, Store } from '../../src/store/store.js';
import { changeState } from '../support/store.js';

/** What the contract needs to know of a store. */
export interface StoreUnderTest {
  readonly store: Store;
  /** Opens the same data once more, after `store` was closed; undefined where nothing outlives the store. */
  readonly reopen?: () => Promise<Store>;
  /**
   * Has the writes from now on fail; returns the way to have them succeed again. Undefined where none can fail.
   * A store that refuses while it fails must take changes again afterwards.
   */
  readonly breakWrites?: () => Promise<() => Promise<void>>;
  /** What a change is refused with meanwhile; by default STATE_WRITE_FAILED. */
  readonly refusal?: ErrorCode;
  /** Removes all that it made; the store is closed by then. */
  readonly clean: () => Promise<void>;
}

const at = '2026-01-01T00:00:00.000Z';

function camera(name: string, type?: string): Camera {
  return { name, ...(type === undefined ? {} : { type }), createdAt: at, pushes: emptyPushes };
}

function adding(name: string, type?: string): (state: DesiredState) => DesiredState {
  return (state) => ({ ...state, cameras: withEntry(state.cameras, name, camera(name, type)) });
}

function removing(name: string): (state: DesiredState) => DesiredState {
  return (state) => ({ ...state, cameras: withoutEntry(state.cameras, name) });
}

const engine = {
  name: 'e',
  host: 'h',
  pushUrl: 'rtmp://{host}/live/{name}',
  playbackUrl: 'http://{host}/',
  createdAt: at,
};

/** What every store must do. Each implementation of Store runs it. */
export function describeStoreContract(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(`the contract of a store, kept by ${name}`, () => {
    let under: StoreUnderTest | undefined;
    const opened: Store[] = [];

    const start = async (): Promise<StoreUnderTest> => {
      under = await open();
      opened.push(under.store);
      return under;
    };

    afterEach(async () => {
      for (const store of opened.splice(0)) await store.close();
      await under?.clean();
      under = undefined;
    });

    test('it begins empty, and without a problem', async () => {
      const { store } = await start();
      expect([store.state.cameras.size, store.state.engines.size]).toEqual([0, 0]);
      expect(store.problems[0]).toBeUndefined();
    });

    test('a change answers with a state that holds it, and with its result', async () => {
      const { store } = await start();
      const { state, result } = await store.update((before) => ({
        state: adding('a')(before),
        result: before.cameras.size,
      }));
      expect(result).toBe(0);
      expect([...state.cameras.keys()]).toEqual(['a']);
      expect(store.state.cameras.get('a')).toEqual(camera('a'));
    });

    test('changes run in the order of the calls, each on the state after the one before, and answer in that order', async () => {
      const { store } = await start();
      const seen: number[] = [];
      const answered: number[] = [];
      const updates = Array.from({ length: 50 }, (_, index) =>
        store
          .update((before) => {
            seen[index] = before.cameras.size;
            return { state: adding(`c${index}`)(before), result: index };
          })
          .then(({ result }) => answered.push(result)),
      );
      await Promise.all(updates);
      expect(seen).toEqual(updates.map((_, index) => index));
      expect(answered).toEqual(updates.map((_, index) => index));
      expect(store.state.cameras.size).toBe(50);
    });

    test('a change in steps is whole for all others: those before and after it run on whole states, in order', async () => {
      const { store } = await start();
      const told: string[][] = [];
      store.subscribe(({ cameras }) => void told.push([...cameras].sort()));
      const steps = store.updateInSteps(function* (before) {
        let state = before;
        for (let index = 0; index < 200; index++) {
          state = adding(`s${index}`)(state);
          // Longer than one stretch, so that others have the event loop in between.
          for (const untilMs = performance.now() + 0.1; performance.now() < untilMs; );
          yield;
        }
        return { state, result: before.cameras.size };
      });
      const after = store.update((before) => ({ state: adding('after')(before), result: before.cameras.size }));
      const looked = new Set<number>();
      const looking = setInterval(() => looked.add(store.state.cameras.size), 1);
      const [first, second] = await Promise.all([steps, after]);
      clearInterval(looking);
      expect([first.result, second.result]).toEqual([0, 200]);
      expect(first.state.cameras.size).toBeGreaterThanOrEqual(200);
      expect([...looked].filter((size) => size > 0 && size < 200)).toEqual([]);
      expect(store.state.cameras.size).toBe(201);
      expect(told.flat()).toHaveLength(201);
    });

    test('a change in steps that throws half-way changes nothing', async () => {
      const { store } = await start();
      const failing = store.updateInSteps(function* (before) {
        yield;
        throw new Error(`refused at ${before.cameras.size}`);
      });
      await expect(failing).rejects.toThrow('refused at 0');
      await changeState(store, adding('a'));
      expect([...store.state.cameras.keys()]).toEqual(['a']);
    });

    test('what a change throws goes to its caller alone, and changes nothing', async () => {
      const { store } = await start();
      const results = await Promise.allSettled([
        changeState(store, adding('a')),
        changeState(store, () => {
          throw new Error('refused');
        }),
        changeState(store, adding('b')),
      ]);
      expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
      expect(results[1]).toMatchObject({ reason: { message: 'refused' } });
      expect([...store.state.cameras.keys()].sort()).toEqual(['a', 'b']);
    });

    test('a change is whole: a subscriber sees all of it in one step, with the names of what it changed', async () => {
      const { store } = await start();
      await changeState(store, (state) => adding('gone')(adding('same')(state)));
      const changes: StateChange[] = [];
      store.subscribe((change) => void changes.push(change));
      await changeState(store, (state) => ({
        cameras: removing('gone')(adding('new')(state)).cameras,
        engines: new Map([['e', engine]]),
      }));
      expect(changes).toHaveLength(1);
      expect([...changes[0]!.cameras].sort()).toEqual(['gone', 'new']);
      expect([...changes[0]!.engines]).toEqual(['e']);
      expect(changes[0]!.state).toBe(store.state);
    });

    test('a subscriber is told of every state in order, before its change is answered, until it ends that', async () => {
      const { store } = await start();
      const told: string[] = [];
      const end = store.subscribe(({ cameras }) => void told.push(...cameras));
      for (const name of ['a', 'b', 'c']) {
        await changeState(store, adding(name));
        expect(told.at(-1)).toBe(name);
      }
      end();
      await changeState(store, adding('d'));
      expect(told).toEqual(['a', 'b', 'c']);
    });

    test('a subscriber that fails keeps nobody from being told, and no change from being made', async () => {
      const { store } = await start();
      const told: string[] = [];
      store.subscribe(() => {
        throw new Error('ill');
      });
      store.subscribe(({ cameras }) => void told.push(...cameras));
      await changeState(store, adding('a'));
      expect(told).toEqual(['a']);
    });

    test('a change that changes nothing tells nobody, and is answered', async () => {
      const { store } = await start();
      await changeState(store, adding('a'));
      const told: StateChange[] = [];
      store.subscribe((change) => void told.push(change));
      const { result } = await store.update((state) => ({ state, result: 'same' }));
      expect([result, told.length]).toEqual(['same', 0]);
    });

    test('a state that was given out never changes', async () => {
      const { store } = await start();
      const first = await changeState(store, adding('a'));
      await changeState(store, adding('b'));
      await changeState(store, removing('a'));
      expect([...first.cameras.keys()]).toEqual(['a']);
    });

    test('a failed write leaves the state as it was, tells nobody, and the next change is taken', async (context) => {
      const { store, breakWrites, refusal: code = 'STATE_WRITE_FAILED' } = await start();
      if (breakWrites === undefined) return context.skip('no write of this store can fail');
      await changeState(store, adding('a'));
      const told: string[] = [];
      store.subscribe(({ cameras }) => void told.push(...cameras));
      const mend = await breakWrites();
      const results = await Promise.allSettled([changeState(store, adding('b')), changeState(store, removing('a'))]);
      expect(results).toMatchObject([
        { status: 'rejected', reason: { code } },
        { status: 'rejected', reason: { code } },
      ]);
      expect([...store.state.cameras.keys()]).toEqual(['a']);
      expect(told).toEqual([]);
      await mend();
      await changeState(store, adding('c'));
      expect([...store.state.cameras.keys()].sort()).toEqual(['a', 'c']);
    });

    test('closing waits for what was asked before, and refuses what comes then; once more does nothing', async () => {
      const { store, reopen } = await start();
      const before = changeState(store, adding('a'));
      const closed = store.close();
      await expect(changeState(store, adding('late'))).rejects.toMatchObject({ code: 'STATE_WRITE_FAILED' });
      await before;
      await closed;
      await store.close();
      expect([...store.state.cameras.keys()]).toEqual(['a']);
      if (reopen === undefined) return;
      const again = await reopen();
      opened.push(again);
      expect([...again.state.cameras.keys()]).toEqual(['a']);
    });

    test('what was acknowledged is there when the data is opened again, key by key', async (context) => {
      const { store, reopen } = await start();
      if (reopen === undefined) return context.skip('nothing outlives this store');
      await changeState(store, (state) => ({
        cameras: adding('b', '360')(adding('a')(state)).cameras,
        engines: new Map([['e', engine]]),
      }));
      await changeState(store, removing('a'));
      await store.close();
      const again = await reopen();
      opened.push(again);
      expect([...again.state.cameras]).toEqual([['b', camera('b', '360')]]);
      expect([...again.state.engines]).toEqual([['e', engine]]);
    });

    test('names that mean something in JavaScript are names', async () => {
      const { store, reopen } = await start();
      const names = ['constructor', 'toString', 'valueOf', '10', '9', 'hasOwnProperty'];
      for (const each of names) await changeState(store, adding(each));
      expect([...store.state.cameras.keys()].sort()).toEqual([...names].sort());
      if (reopen === undefined) return;
      await store.close();
      const again = await reopen();
      opened.push(again);
      expect([...again.state.cameras.keys()].sort()).toEqual([...names].sort());
    });
  });
}
