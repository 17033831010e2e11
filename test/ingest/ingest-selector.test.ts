import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codeOf } from '../../src/errors.js';
import { IngestSelector } from '../../src/ingest/ingest-selector.js';
import { type Ingest, type Source, type SourceKind, sourcePriorities } from '../../src/ingest/source.js';
import { silentLogger } from '../../src/log/log.js';
import { FlushScheduler } from '../../src/relay/flush-scheduler.js';
import { LiveStream } from '../../src/relay/live-stream.js';
import { SlabPool } from '../../src/relay/slab-pool.js';
import { encodeAmf0 } from '../../src/wire/amf0.js';
import { MessageType } from '../../src/wire/message.js';
import { frame, makeOutlet, targetFormat, videoHeader } from '../relay/fixtures.js';
import { idleSource } from '../support/fed-stream.js';
import { waitFor } from '../support/wait.js';

const nodeId = '00ff';
const hourMs = 3_600_000;

/** A selector whose camera writes down what it is told. */
function makeSelector(settings: { publishGraceMs?: number; maxBitrateKbps?: number } = {}) {
  const told: string[] = [];
  const selector = new IngestSelector({
    ...{ camera: 'cam', nodeId, log: silentLogger, pool: new SlabPool() },
    openSlate: async () => {
      throw new Error('there is none');
    },
    settings: {
      ...{ publishTakeoverMs: 3000, publishGraceMs: hourMs, withoutKeyFrames: 'pass', maxBitrateKbps: 1e6 },
      ...{ standbyAfterMs: 500, gopMaxBytes: 1e6 },
      ...settings,
    },
    newStream: () => new LiveStream({ format: targetFormat, gopMaxBytes: 1e6, scheduler: new FlushScheduler() }, 0),
    listener: {
      onLive: ({ source }, _stream, returned) => told.push(`live ${source.remote}${returned ? ' again' : ''}`),
      onStopped: ({ source }, reason) => told.push(`stopped ${source.remote}: ${reason}`),
      onOver: () => told.push('over'),
      onUnreadable: (_ingest, kind) => told.push(`unreadable ${kind}`),
      onKeyFrames: (missing) => told.push(missing ? 'no key frames' : 'key frames'),
      onIngest() {},
      onSlateFailed() {},
      onSwitched: (from, to) => told.push(`switched from ${from.source.remote} to ${to.source.remote}`),
    },
  });
  return { selector, told };
}

interface MadeSource extends Source {
  lastMediaMs: number;
  readonly closed: string[];
  ingest: Ingest | null;
}

/** A source that ends its ingest when it is closed, as all do. */
function makeSource(remote: string, kind: SourceKind = 'publisher', facts: Partial<Source> = {}): MadeSource {
  const closed: string[] = [];
  const source: MadeSource = {
    ...idleSource({ remote, kind, priority: sourcePriorities[kind], ...facts }),
    ...{ lastMediaMs: performance.now(), closed, ingest: null },
    close(reason) {
      closed.push(reason.code);
      source.ingest?.end('closed');
    },
  };
  return source;
}

type State = 'gone' | 'live' | 'silent' | 'pattern' | 'silent pattern' | 'grace';

/** A selector that has come into a state by its first source, `a`. */
function inState(state: State) {
  const { selector, told } = makeSelector();
  const isPattern = state.endsWith('pattern');
  const first = makeSource('a', isPattern ? 'test-pattern' : 'publisher');
  if (state !== 'gone') first.ingest = selector.open(first);
  if (state.startsWith('silent')) first.lastMediaMs -= hourMs;
  if (state === 'grace') first.ingest?.end('left');
  told.length = 0;
  return { selector, told, first };
}

/** What a newcomer `b` meets: its code where it is refused, else what the camera is told, and what becomes of `a`. */
const newcomers: [State, SourceKind, string[], string[]][] = [
  ['gone', 'publisher', ['live b'], []],
  ['gone', 'test-pattern', ['live b'], []],
  ['grace', 'publisher', ['live b again'], []],
  ['grace', 'test-pattern', ['live b again'], []],
  ['live', 'publisher', ['PUBLISH_ALREADY_LIVE'], []],
  ['live', 'test-pattern', ['PUBLISH_ALREADY_LIVE'], []],
  ['silent', 'publisher', ['live b again'], ['PUBLISH_ALREADY_LIVE']],
  ['silent', 'test-pattern', ['live b again'], ['PUBLISH_ALREADY_LIVE']],
  ['pattern', 'publisher', ['live b again'], ['PUBLISH_ALREADY_LIVE']],
  ['pattern', 'test-pattern', ['PUBLISH_ALREADY_LIVE'], []],
  ['silent pattern', 'publisher', ['live b again'], ['PUBLISH_ALREADY_LIVE']],
  ['silent pattern', 'test-pattern', ['live b again'], ['PUBLISH_ALREADY_LIVE']],
];

/** What else happens to a selector, and what its camera is told. */
const events: [State, string, string[]][] = [
  ['gone', 'finish', []],
  ['gone', 'close', []],
  ['live', 'end', ['stopped a: left']],
  ['live', 'close', ['stopped a: closed']],
  ['live', 'finish', ['over']],
  ['pattern', 'end', ['stopped a: left']],
  ['silent', 'end', ['stopped a: left']],
  ['grace', 'finish', ['over']],
  ['grace', 'close', []],
];

describe('the source that feeds a camera', () => {
  it.each(newcomers)('%s, then a %s: %j', (state, kind, expected, closed) => {
    const { selector, told, first } = inState(state);
    const newcomer = makeSource('b', kind);
    const stream = selector.stream;
    try {
      newcomer.ingest = selector.open(newcomer);
    } catch (error) {
      told.push(codeOf(error));
    }
    expect(told).toEqual(expected);
    expect(first.closed).toEqual(closed);
    expect(selector.live?.source.remote).toBe(expected[0]?.startsWith('live') ? 'b' : 'a');
    // It goes on, wherever there was one.
    if (stream !== null) expect(selector.stream).toBe(stream);
    if (newcomer.ingest === null) return;
    expect(first.ingest?.write(MessageType.Video, 0, frame(1, true), 0) ?? false).toBe(false);
    expect(newcomer.ingest.write(MessageType.Video, 0, frame(2, true), 0)).toBe(true);
    newcomer.ingest.end('left');
    expect(told.at(-1)).toBe('stopped b: left');
  });

  it.each(events)('%s, then %s: %j', (state, event, expected) => {
    const { selector, told, first } = inState(state);
    if (event === 'end') first.ingest?.end('left');
    else if (event === 'finish') selector.finish();
    else selector.close(Object.assign(new Error('enough'), { code: 'RTMP_LIMIT' }) as never);
    expect(told).toEqual(expected);
    expect(selector.live).toBeNull();
    expect(selector.graceUntilMs === null).toBe(selector.stream === null);
    expect(first.ingest?.write(MessageType.Video, 0, frame(1, true), 0) ?? false).toBe(false);
  });

  it('is over when nobody comes back within the grace, and not when somebody does', async () => {
    const { selector, told } = makeSelector({ publishGraceMs: 20 });
    const first = selector.open(makeSource('a'));
    first.end('left');
    const second = selector.open(makeSource('b'));
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(told).toEqual(['live a', 'stopped a: left', 'live b again']);
    second.end('left');
    await waitFor(() => told.at(-1) === 'over', { what: 'the end of the grace' });
    expect(selector.stream).toBeNull();
    selector.open(makeSource('c'));
    expect(told.at(-1)).toBe('live c');
  });

  it('is over at once without a grace', () => {
    const { selector, told } = makeSelector({ publishGraceMs: 0 });
    selector.open(makeSource('a')).end('left');
    expect(told).toEqual(['live a', 'stopped a: left', 'over']);
  });

  it('may be given its ingest more than once, and is gone with the last', () => {
    const { selector, told } = makeSelector();
    const source = makeSource('a');
    const [one, two] = [selector.open(source), selector.open(source)];
    one.end('left');
    expect(two.write(MessageType.Video, 0, frame(1, true), 0)).toBe(true);
    expect(told).toEqual(['live a']);
    two.end('left');
    expect(told).toEqual(['live a', 'stopped a: left']);
  });

  it.each([
    ['in its connect', { via: `aa,${nodeId}` }],
    ['as the first of them', { via: nodeId }],
  ])('is refused when it came from here: %s', (_where, facts) => {
    const { selector, told } = makeSelector();
    expect(() => selector.open(makeSource('a', 'publisher', facts))).toThrow('a ring of pushes');
    expect(told).toEqual([]);
  });

  it('is ended when its metadata says that it came from here', async () => {
    const { selector } = makeSelector();
    const source = makeSource('a');
    source.ingest = selector.open(source);
    const metadata = encodeAmf0('@setDataFrame', 'onMetaData', { mediaAggregatorPath: `aa,${nodeId}` });
    source.ingest.write(MessageType.DataAmf0, 0, metadata, 0);
    await waitFor(() => source.closed.length > 0, { what: 'its end' });
    expect(source.closed).toEqual(['PUBLISH_LOOP']);
  });

  it('is ended when it sends more than is allowed, by what is really received', () => {
    const { selector } = makeSelector({ maxBitrateKbps: 100 });
    const source = makeSource('a');
    source.ingest = selector.open(source);
    for (let second = 0; second <= 3; second++) {
      source.ingest.write(MessageType.Video, second * 1000, frame(second, true, 12_000), second * 1000);
      selector.tick(second * 1000);
    }
    expect(source.closed).toEqual([]);
    source.ingest.write(MessageType.Video, 4000, frame(4, true, 60_000), 4000);
    selector.tick(4000);
    expect(source.closed).toEqual(['RTMP_LIMIT']);
  });

  it('that gave way with its key frames missing leaves nothing wrong behind', () => {
    const { selector, told } = makeSelector();
    const pattern = makeSource('a', 'test-pattern');
    pattern.ingest = selector.open(pattern);
    pattern.ingest.write(MessageType.Video, 0, videoHeader(), 0);
    for (let ms = 0; ms < 8000; ms += 40) pattern.ingest.write(MessageType.Video, ms, frame(1, false), ms);
    selector.open(makeSource('b'));
    expect(told).toEqual(['live a', 'no key frames', 'key frames', 'live b again']);
  });

  it('counts what each sent, and what all sent', () => {
    const { selector } = makeSelector();
    const first = selector.open(makeSource('a'));
    first.write(MessageType.Video, 0, frame(1, true, 100), 0);
    first.end('left');
    first.write(MessageType.Video, 0, frame(1, true, 100), 0);
    selector.open(makeSource('b')).write(MessageType.Video, 0, frame(1, true, 10), 0);
    expect(selector.live?.bytesIn).toBe(10);
    expect(selector.bytesIn).toBe(110);
    selector.finish();
    expect(selector.bytesIn).toBe(110);
  });
});

type Step =
  | { readonly do: 'open'; readonly kind: SourceKind; readonly startMs: number }
  | { readonly do: 'write'; readonly index: number; readonly isKey: boolean; readonly stepMs: number }
  | { readonly do: 'silence' | 'end'; readonly index: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('open' as const),
    kind: fc.constantFrom<SourceKind>('publisher', 'test-pattern'),
    startMs: fc.integer({ min: 0, max: 0xffffffff }),
  }),
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('write' as const),
      index: fc.nat(7),
      isKey: fc.boolean(),
      stepMs: fc.integer({ min: 1, max: 2000 }),
    }),
  },
  fc.record({ do: fc.constantFrom('silence' as const, 'end' as const), index: fc.nat(7) }),
);

describe('whatever sources do', () => {
  it('one at most feeds the stream, its times never run backwards, and who lost it never writes again', () => {
    let delivered = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 80 }), (steps) => {
        const { selector } = makeSelector();
        const sources: { source: MadeSource; timeMs: number }[] = [];
        const { outlet, sink } = makeOutlet();
        let isAttached = false;
        const expected: Buffer[] = [];
        let number = 0;
        let nowMs = 0;
        for (const each of steps) {
          nowMs += 40;
          if (each.do === 'open') {
            const source = makeSource(`source ${sources.length}`, each.kind);
            try {
              source.ingest = selector.open(source);
              sources.push({ source, timeMs: each.startMs });
            } catch {
              expect(selector.live).not.toBeNull();
            }
            if (!isAttached) selector.stream?.attach(outlet, nowMs);
            isAttached = selector.stream !== null;
            continue;
          }
          // Half of what happens is about the newest.
          const chosen = each.index < 4 ? sources.at(-1) : sources[each.index % Math.max(1, sources.length)];
          if (chosen === undefined) continue;
          const { source } = chosen;
          const isLive = selector.live?.source === source;
          if (each.do === 'write') {
            chosen.timeMs = (chosen.timeMs + each.stepMs) >>> 0;
            const payload = frame(++number & 0xff, each.isKey);
            expect(source.ingest?.write(MessageType.Video, chosen.timeMs, payload, nowMs)).toBe(isLive);
            selector.stream?.flush(nowMs);
            if (isLive) expected.push(payload);
          } else if (each.do === 'silence') source.lastMediaMs -= hourMs;
          else if (isLive) source.ingest?.end('left');
        }
        const feeding = sources.filter(({ source }) => source === selector.live?.source);
        expect(feeding.length).toBe(selector.live === null ? 0 : 1);
        // In order, and nothing but what was written while its source fed the stream (frames before a key frame are not).
        const seen = sink.messages.filter(({ type }) => type === MessageType.Video);
        delivered += seen.length;
        let at = 0;
        for (const { payload } of seen) {
          while (at < expected.length && !expected[at]!.equals(payload)) at++;
          expect(at++).toBeLessThan(expected.length);
        }
        for (let i = 1; i < seen.length; i++) {
          expect((seen[i]!.timestampMs - seen[i - 1]!.timestampMs) | 0).toBeGreaterThanOrEqual(0);
        }
        selector.finish();
      }),
      { numRuns: 300 },
    );
    expect(delivered).toBeGreaterThan(300);
  });
});
