import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ChangedCamera,
  ChangedEngine,
  DeclaredPush,
  NewCamera,
  NewEngine,
  NewPush,
} from '../../src/api/v1/requests.js';
import { compilePart } from '../../src/api/validation.js';
import { CodedError, TargetError } from '../../src/errors.js';
import { addCamera, changeCamera, removeCamera } from '../../src/model/cameras.js';
import { decodeState } from '../../src/model/document/decode.js';
import { encodeState } from '../../src/model/document/encode.js';
import { addEngine, changeEngine, removeEngine } from '../../src/model/engines.js';
import { rotateKeys } from '../../src/model/keys.js';
import { type DesiredState, emptyState } from '../../src/model/model.js';
import { addPush, declarePush, removePush } from '../../src/model/pushes.js';
import { checkTarget } from '../../src/model/rules.js';
import { checkChange } from '../../src/model/state-rules.js';
import { pushUrlOf } from '../../src/model/targets.js';
import { exampleCamera, resolvePushUrl } from '../../src/model/template.js';

const at = '2026-01-01T00:00:00.000Z';
const rules = {
  maxCameras: 3,
  maxEngines: 2,
  maxPushesPerCamera: 3,
  refusesTarget: (url: string) =>
    url.includes('denied') ? new TargetError('TARGET_FORBIDDEN', 'push-deny has it') : undefined,
};

const name = fc.constantFrom(
  'a',
  'b',
  'c',
  'd',
  'constructor',
  'a.b',
  'A',
  'a b',
  '',
  '-a',
  'x'.repeat(64),
  'x'.repeat(65),
);
const goodName = fc.constantFrom('a', 'b', 'c', 'constructor', 'a.b');
const type = fc.constantFrom('one', 'two', '360', 'a b', '');
const host = fc.constantFrom('h', 'H', 'h.example', '10.0.0.1', '::1', '[::1]', '1.2.3', 'a b', 'h:80', 'denied', '');
const url = fc.constantFrom(
  ...['rtmp://h/live/a', 'rtmp://H:1935/live/a', 'rtmps://h/live/a', 'rtmp://u:p@h/live/a', 'rtmp://h/live2/a'],
  ...['rtmp://h/one/a', 'rtmp://h/live/se***', 'rtmp://denied/live/a', 'http://h/live/a', 'rtmp://h', 'rtmp://h:0/l/a'],
  ...['rtmp://[::1]/live/a', 'rtmp://h/live?x=1/a', ' rtmp://h/live/a', 'rtmp://h/li\nve/a', 'rtmp://h/app', ''],
);
const template = fc.constantFrom(
  ...['rtmp://{host}/live/{name}', 'rtmp://{host}/live2/{name}', 'rtmp://{host}/{type}/{name}', 'rtmp://{host}/live/a'],
  ...['rtmp://{host}/{location}/{name}', 'rtmp://{hots}/{name}', 'rtmp://{host', 'rtmp://{host}/live/***', ''],
);
const playback = fc.constantFrom(
  'http://{host}/{name}.m3u8',
  'https://{host}/{type}',
  'ftp://{host}/',
  'http://***@{host}/',
);
const location = fc.constantFrom('Ghent', 'a/b', 'a\u0000b', '', 'x'.repeat(129));
const budget = fc.constantFrom(65_536, 1, 1.5, 2 ** 31, '1MB');
const some = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined, freq: 4 });
/** Without what is undefined: JSON has none. */
const plain = <T extends object>(value: T): T => JSON.parse(JSON.stringify(value));

const engine = fc
  .record({ host, pushUrl: some(template), playbackUrl: some(playback), location: some(location) })
  .map(plain);
const target = fc.oneof(
  { weight: 5, arbitrary: fc.record({ url }) },
  { weight: 3, arbitrary: fc.record({ engine: name }) },
  { weight: 1, arbitrary: fc.constantFrom({}, { url: 'rtmp://h/live/a', engine: 'a' }) },
);
const push = fc
  .tuple(target, some(fc.record({ enabled: fc.constantFrom<unknown>(true, false, 1), queueMaxBytes: budget })))
  .map(([one, further]) => plain({ ...one, ...further }));
const camera = fc.record({ type: some(type), pushes: fc.dictionary(name, push, { maxKeys: 4 }) }).map(plain);
const document = fc.record({
  cameras: fc.dictionary(name, camera, { maxKeys: 4 }),
  engines: fc.dictionary(name, engine, { maxKeys: 3 }),
});
interface Document {
  readonly cameras: Readonly<Record<string, { readonly pushes: Readonly<Record<string, object>> }>>;
  readonly engines: Readonly<Record<string, object>>;
}

const parts = {
  engine: compilePart(NewEngine, 'body'),
  changedEngine: compilePart(ChangedEngine, 'body'),
  camera: compilePart(NewCamera, 'body'),
  changedCamera: compilePart(ChangedCamera, 'body'),
  push: compilePart(NewPush, 'body'),
  declaredPush: compilePart(DeclaredPush, 'body'),
};

/** A body as a route gets it. @throws what the API answers */
function body<T>(part: keyof typeof parts, value: unknown): T {
  const checked = parts[part](value);
  if ('error' in checked) throw checked.error;
  return checked.value as T;
}

type Step = (state: DesiredState) => DesiredState;

const addsEngine = (value: object): Step => {
  const input = body<Parameters<typeof addEngine>[1]>('engine', value);
  return (state) => supported(addEngine(state, input, at, rules.maxEngines), state, input.name);
};
const addsCamera = (value: object): Step => {
  const input = body<Parameters<typeof addCamera>[1]>('camera', value);
  return (state) => addCamera(state, input, at, rules.maxCameras);
};
const addsPush = (cameraName: string, value: object): Step => {
  const input = body<Parameters<typeof addPush>[2]>('push', value);
  return (state) => {
    const added = addPush(state, cameraName, input, at, rules.maxPushesPerCamera);
    const url = pushUrlOf(state.engines, state.cameras.get(cameraName)!, added.push);
    if (added.created) checkTarget('url', url, rules.refusesTarget);
    return added.state;
  };
};

function supported(after: DesiredState, before: DesiredState, engineName: string): DesiredState {
  const changed = after.engines.get(engineName);
  if (after !== before && changed !== undefined) {
    checkTarget('pushUrl', resolvePushUrl(changed, exampleCamera), rules.refusesTarget);
  }
  return after;
}

/** What comes of something that may be refused: a state, or the code. */
function outcome(act: () => DesiredState): { state?: DesiredState; code?: string; message?: string } {
  try {
    return { state: act() };
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    return { code: 'rule' in error ? String(error.rule) : error.code, message: error.message };
  }
}

/** The document by calls of the API, one after the other. */
function byApi({ cameras, engines }: Document): DesiredState {
  let state = emptyState;
  for (const [engineName, value] of Object.entries(engines)) state = addsEngine({ name: engineName, ...value })(state);
  for (const [cameraName, { pushes, ...value }] of Object.entries(cameras)) {
    state = addsCamera({ name: cameraName, ...value })(state);
    for (const [id, one] of Object.entries(pushes)) state = addsPush(cameraName, { id, ...one })(state);
  }
  return state;
}

function byHand(value: object, before = emptyState): DesiredState {
  const after = decodeState(JSON.stringify({ version: 1, ...value }), before, at);
  checkChange(before, after, rules);
  return after;
}

describe('a state', () => {
  test('is accepted when it is written by hand just when the API accepts it, and is the same then', () => {
    let accepted = 0;
    fc.assert(
      fc.property(document, (value) => {
        const [api, hand] = [outcome(() => byApi(value)), outcome(() => byHand(value))];
        expect(hand.state === undefined, `API: ${api.message}; by hand: ${hand.message}`).toBe(api.state === undefined);
        if (api.state === undefined || hand.state === undefined) return;
        accepted += 1;
        expect(encodeState(hand.state)).toBe(encodeState(api.state));
      }),
      { numRuns: 4000 },
    );
    // The runs tell something of both sides.
    expect(accepted).toBeGreaterThan(100);
    expect(accepted).toBeLessThan(3900);
  });

  test('with one mistake is refused with the same code at both doors', () => {
    const codes = new Set<string>();
    const good = {
      cameras: { a: { type: 'one', pushes: { p: { url: 'rtmp://h/live/a' }, q: { engine: 'e' } } }, b: { pushes: {} } },
      engines: { e: { host: 'e', pushUrl: 'rtmp://{host}/{type}/{name}' }, f: { host: 'f' } },
    };
    const mistake = fc.oneof(
      fc.tuple(name, camera).map(([key, value]) => ({ ...good, cameras: { ...good.cameras, [key]: value } })),
      fc.tuple(name, engine).map(([key, value]) => ({ ...good, engines: { ...good.engines, [key]: value } })),
      fc.tuple(name, push).map(([key, value]) => {
        const { pushes } = good.cameras.a;
        return { ...good, cameras: { ...good.cameras, a: { type: 'one', pushes: { ...pushes, [key]: value } } } };
      }),
    );
    fc.assert(
      fc.property(mistake, (value) => {
        const [api, hand] = [outcome(() => byApi(value)), outcome(() => byHand(value))];
        expect(hand.state === undefined, `API: ${api.message}; by hand: ${hand.message}`).toBe(api.state === undefined);
        // An entry with several mistakes may be told of another one.
        if (api.code !== undefined && hand.code !== undefined) codes.add(api.code === hand.code ? api.code : 'other');
      }),
      { numRuns: 3000 },
    );
    const known = ['INVALID_NAME', 'INVALID_ADDRESS', 'INVALID_REQUEST', 'PUSH_CONFLICT', 'TARGET_FORBIDDEN'];
    for (const code of [...known, 'ENGINE_NOT_FOUND', 'LIMIT_REACHED']) expect([...codes]).toContain(code);
  });

  /** Calls as they come, those that are refused too. */
  const call = fc.oneof<fc.Arbitrary<() => Step>[]>(
    fc.tuple(goodName, engine).map(
      ([key, value]) =>
        () =>
          addsEngine({ name: key, ...value }),
    ),
    fc.tuple(goodName, some(type)).map(
      ([key, one]) =>
        () =>
          addsCamera(plain({ name: key, type: one })),
    ),
    fc.tuple(goodName, goodName, push).map(
      ([key, id, value]) =>
        () =>
          addsPush(key, { id, ...value }),
    ),
    fc.tuple(goodName, goodName, push).map(([key, id, value]) => () => {
      const input = body<Parameters<typeof addPush>[2]>('declaredPush', value);
      return (state) => {
        const declared = declarePush(state, key, { ...input, id }, at, rules.maxPushesPerCamera);
        const url = pushUrlOf(state.engines, state.cameras.get(key)!, declared.push);
        if (declared.state !== state) checkTarget('url', url, rules.refusesTarget);
        return declared.state;
      };
    }),
    fc.tuple(goodName, engine).map(([key, value]) => () => {
      const change = body<Parameters<typeof changeEngine>[2]>('changedEngine', value);
      return (state) => supported(changeEngine(state, key, change), state, key);
    }),
    fc.tuple(goodName, fc.option(type)).map(([key, one]) => () => {
      const change = body<Parameters<typeof changeCamera>[2]>('changedCamera', { type: one });
      return (state) => changeCamera(state, key, change);
    }),
    fc.tuple(goodName, fc.nat(9), fc.boolean(), fc.nat(3)).map(([key, digit, isGiven, hours]) => () => {
      const made = isGiven ? { tag: String(digit).repeat(64) } : { id: `k${digit}${hours}` };
      const change = { key: made, overlapSeconds: hours * 3600 };
      return (state) => rotateKeys(state, key, change, Date.parse(at));
    }),
    fc.tuple(goodName, goodName).map(
      ([key, id]) =>
        () =>
        (state) =>
          removePush(state, key, id),
    ),
    fc.tuple(goodName).map(
      ([key]) =>
        () =>
        (state) =>
          removeCamera(state, key),
    ),
    fc.tuple(goodName).map(
      ([key]) =>
        () =>
        (state) =>
          removeEngine(state, key),
    ),
  );

  test('that the API came to is read from a file, and each change of the API may be made by hand', () => {
    let changes = 0;
    fc.assert(
      fc.property(fc.array(call, { maxLength: 25 }), (calls) => {
        let state = emptyState;
        for (const one of calls) {
          const before = state;
          const { state: after } = outcome(() => one()(before));
          if (after === undefined || after === before) continue;
          changes += 1;
          const read = decodeState(encodeState(after), before, at);
          expect(encodeState(read)).toBe(encodeState(after));
          checkChange(before, read, rules);
          // From nothing too, as a backup is restored into an empty folder.
          checkChange(emptyState, read, rules);
          state = after;
        }
      }),
      { numRuns: 1500 },
    );
    expect(changes).toBeGreaterThan(300);
  });
});
