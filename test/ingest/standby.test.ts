import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codeOf } from '../../src/errors.js';
import { MessageType } from '../../src/wire/message.js';
import { audioHeader, makeOutlet } from '../relay/fixtures.js';
import { faultsOf, frameMs, makeBench, picturesOf, run } from './standby-bench.js';

/** The longest time between two pictures that a target got, by their timestamps. */
function longestGapMs(pictures: readonly { timestampMs: number }[]): number {
  let longest = 0;
  for (let i = 1; i < pictures.length; i++) {
    longest = Math.max(longest, (pictures[i]!.timestampMs - pictures[i - 1]!.timestampMs) | 0);
  }
  return longest;
}

describe('an ingest that stands by', () => {
  it('is taken in beside the live one, and nothing of it goes out', () => {
    const bench = makeBench();
    const [main, backup] = [bench.encoder(), bench.encoder({ ingest: 'backup', mark: 2 })];
    run(bench, [main, backup], 3000);
    expect(bench.told).toEqual(['live main', 'main came', 'backup came']);
    expect(picturesOf(bench.sink.messages).every(({ mark }) => mark === 1)).toBe(true);
    expect(bench.selector.live?.name).toBe('main');
  });

  it('has one GOP kept of it, in memory that is used again', () => {
    const bench = makeBench();
    const [main, backup] = [bench.encoder(), bench.encoder({ ingest: 'backup', mark: 2 })];
    run(bench, [main, backup], 1000);
    const oneGop = bench.selector.keptBytes;
    run(bench, [main, backup], 20_000);
    expect(oneGop).toBeGreaterThan(0);
    expect(bench.selector.keptBytes).toBeLessThan(2 * oneGop);
    expect(bench.pool.given).toBeGreaterThan(0);
  });

  it.each([
    ['a GOP larger than may be kept', { gopMaxBytes: 100 }, false],
    ['too little room for all', {}, true],
  ])('is switched to all the same with %s', (_what, settings, isShed) => {
    const bench = makeBench(settings);
    const [main, backup] = [bench.encoder(), bench.encoder({ ingest: 'backup', mark: 2 })];
    run(bench, [main, backup], 1600);
    if (isShed) expect(bench.selector.shed()).toBe(true);
    expect(bench.selector.keptBytes).toBe(0);
    main.end();
    run(bench, [backup], 1500);
    const pictures = picturesOf(bench.sink.messages);
    expect(pictures.at(-1)?.mark).toBe(2);
    expect(pictures.find(({ mark }) => mark === 2)).toMatchObject({ isKey: true });
    expect(faultsOf(bench.sink.messages)).toEqual([]);
  });

  it('is refused where the camera has no such ingest, and where that is taken', () => {
    const bench = makeBench();
    bench.encoder();
    bench.encoder({ ingest: 'backup' });
    const codes = ['third', 'main', undefined, 'backup', 'constructor'].map((ingest) => {
      try {
        bench.encoder(ingest === undefined ? {} : { ingest });
        return 'let in';
      } catch (error) {
        return codeOf(error);
      }
    });
    expect(codes).toEqual([
      'PUBLISH_NOT_REGISTERED',
      'PUBLISH_ALREADY_LIVE',
      'PUBLISH_ALREADY_LIVE',
      'PUBLISH_ALREADY_LIVE',
      'PUBLISH_NOT_REGISTERED',
    ]);
  });

  it('is closed when its camera has it no more, and the live one goes on', () => {
    const bench = makeBench();
    const [main, backup] = [bench.encoder(), bench.encoder({ ingest: 'backup', mark: 2 })];
    run(bench, [main, backup], 1000);
    bench.selector.declare({ names: ['main'], switchBackMs: null, slate: null });
    expect([main.closed, backup.closed]).toEqual([[], ['PUBLISH_NOT_REGISTERED']]);
    run(bench, [main], 1000);
    expect(bench.selector.live?.name).toBe('main');
    expect(longestGapMs(picturesOf(bench.sink.messages))).toBe(frameMs);
  });
});

/** What happens to the live one, and how long a target may go without a picture, by the timestamps. */
const failures: [string, (encoder: ReturnType<ReturnType<typeof makeBench>['encoder']>) => void, number][] = [
  ['ends', (encoder) => encoder.end(), 100],
  ['is ended by its encoder', (encoder) => encoder.source.close({ code: 'RTMP_TIMEOUT' } as never), 100],
  ['stalls', (encoder) => Object.assign(encoder, { sendsVideo: false, sendsAudio: false }), 600],
  ['loses its picture', (encoder) => Object.assign(encoder, { sendsVideo: false }), 600],
];

describe('the live ingest', () => {
  it.each(failures)('%s: the other goes on, wherever it is in its GOP', (_what, fail, gapMs) => {
    for (const phase of [0, 1, 12, 24]) {
      const bench = makeBench();
      const main = bench.encoder({ startMs: 90_000 });
      const backup = bench.encoder({ ingest: 'backup', mark: 2, startMs: 4_294_900_000, phase });
      run(bench, [main, backup], 3000);
      fail(main);
      run(bench, [main, backup], 3000);
      const pictures = picturesOf(bench.sink.messages);
      expect(bench.selector.live?.name).toBe('backup');
      expect(pictures.at(-1)?.mark).toBe(2);
      expect(longestGapMs(pictures)).toBeLessThanOrEqual(gapMs);
      expect(faultsOf(bench.sink.messages)).toEqual([]);
      // The stream is ahead of the clock by what was kept at most, and never behind.
      const lateMs = bench.now() - bench.selector.live!.meter.lastFrameMs;
      const aheadMs = pictures.at(-1)!.timestampMs - (pictures[0]!.timestampMs + 6000 - frameMs) + lateMs;
      expect(aheadMs).toBeGreaterThanOrEqual(-frameMs);
      expect(aheadMs).toBeLessThanOrEqual(1000 + frameMs);
    }
  });

  it('keeps sound and picture together over a switch', () => {
    const bench = makeBench();
    const [main, backup] = [bench.encoder(), bench.encoder({ ingest: 'backup', mark: 2, startMs: 777_777, phase: 9 })];
    run(bench, [main, backup], 2000);
    main.sendsAudio = false;
    main.sendsVideo = false;
    run(bench, [main, backup], 2000);
    const { messages } = bench.sink;
    const of = (wanted: number) =>
      messages.filter(({ type, payload }) => type === wanted && payload[1] === 1 && payload.at(-1) !== 1).slice(-20);
    const [video, audio] = [of(MessageType.Video), of(MessageType.Audio)];
    // Both are sent in the same moment here.
    expect(audio.map(({ timestampMs }) => timestampMs)).toEqual(video.map(({ timestampMs }) => timestampMs));
    // Of the other's sound from before the switch there is nothing: it would be heard twice.
    const heard = messages.filter(({ type, payload }) => type === MessageType.Audio && payload[1] === 1);
    for (let i = 1; i < heard.length; i++) {
      expect(heard[i]!.timestampMs - heard[i - 1]!.timestampMs).toBeGreaterThan(0);
    }
    expect(longestGapMs(heard)).toBeLessThan(120);
  });

  it('stays while no other is better off, and until one is', () => {
    const bench = makeBench();
    const [main, backup] = [bench.encoder(), bench.encoder({ ingest: 'backup', mark: 2 })];
    run(bench, [main, backup], 2000);
    run(bench, [], 2000); // both stalled
    run(bench, [main], 1000);
    expect(bench.selector.live?.name).toBe('main');
    expect(bench.told.filter((each) => each.includes('->'))).toEqual([]);
    run(bench, [backup], 1500);
    expect(bench.selector.live?.name).toBe('backup');
    expect(faultsOf(bench.sink.messages)).toEqual([]);
  });

  it('that has lost its picture does not give way to sound alone', () => {
    const bench = makeBench();
    const [main, backup] = [bench.encoder(), bench.encoder({ ingest: 'backup', mark: 2, hasVideo: false })];
    run(bench, [main, backup], 2000);
    main.sendsVideo = false;
    run(bench, [main, backup], 2000);
    expect(bench.selector.live?.name).toBe('main');
    main.end();
    run(bench, [backup], 1000);
    expect(bench.selector.live?.name).toBe('backup');
    expect(bench.sink.messages.at(-1)).toMatchObject({ type: MessageType.Audio });
  });

  it.each([
    [1000, 'one picture a second'],
    [2000, 'one picture in two seconds'],
  ])('is not replaced for a rate that is its own: %s ms', (everyMs) => {
    const bench = makeBench();
    const main = bench.encoder({ hasAudio: false, gopFrames: 1 });
    const backup = bench.encoder({ ingest: 'backup', mark: 2 });
    // It has to be known first.
    for (let i = 0; i < 3; i++) {
      main.send();
      bench.selector.stream?.flush(bench.now());
      bench.advance(i === 0 ? frameMs : everyMs);
    }
    bench.told.length = 0;
    for (let i = 0; i < 5; i++) {
      main.send();
      run(bench, [backup], everyMs);
    }
    const left = bench.told.filter((each) => each.startsWith('main ->'));
    // Of its first frames nobody knew how often they come; from then on it is let be.
    expect(left.length).toBeLessThanOrEqual(1);
  });

  it('gives way to a second backup where the first is not there', () => {
    const bench = makeBench({}, ['main', 'backup', 'spare']);
    const [main, spare] = [bench.encoder(), bench.encoder({ ingest: 'spare', mark: 3 })];
    run(bench, [main, spare], 1500);
    main.end();
    run(bench, [spare], 200);
    expect(bench.selector.live?.name).toBe('spare');
    const backup = bench.encoder({ ingest: 'backup', mark: 2 });
    run(bench, [spare, backup], 2000);
    expect(bench.selector.live?.name).toBe('spare');
    spare.end();
    run(bench, [backup], 200);
    expect(bench.selector.live?.name).toBe('backup');
    expect(faultsOf(bench.sink.messages)).toEqual([]);
  });

  it('is followed by one that has just come, at its first key frame', () => {
    const bench = makeBench();
    const main = bench.encoder();
    run(bench, [main], 2000);
    const backup = bench.encoder({ ingest: 'backup', mark: 2, phase: 20 });
    run(bench, [backup], frameMs);
    main.end();
    run(bench, [backup], 2000);
    expect(bench.told.filter((each) => each.startsWith('stopped'))).toEqual([]);
    expect(faultsOf(bench.sink.messages)).toEqual([]);
    expect(picturesOf(bench.sink.messages).at(-1)?.mark).toBe(2);
  });

  it('is over with the last of them, and not before', () => {
    const bench = makeBench();
    const [main, backup] = [bench.encoder(), bench.encoder({ ingest: 'backup', mark: 2 })];
    run(bench, [main, backup], 1000);
    main.end();
    run(bench, [backup], 400);
    backup.end();
    expect(bench.told.slice(3)).toEqual([
      'main -> backup: "main" ended: left',
      'main left: left',
      'backup left: left',
      'stopped backup: left',
    ]);
    expect(bench.selector.graceUntilMs).not.toBeNull();
    bench.selector.finish();
  });
});

describe('a stream that got ahead of the clock', () => {
  it('comes back to it in a break, and by no step backwards', () => {
    const bench = makeBench();
    const [main, backup] = [bench.encoder(), bench.encoder({ ingest: 'backup', mark: 2 })];
    run(bench, [main, backup], 1000 - frameMs);
    main.end();
    run(bench, [backup], 1000);
    const { messages } = bench.sink;
    const ahead = () => messages.at(-1)!.timestampMs - (bench.now() - startedMs);
    const startedMs = bench.now() - 2000 + frameMs;
    expect(ahead()).toBeGreaterThan(800);
    backup.end();
    bench.advance(5000);
    const again = bench.encoder({ mark: 3 });
    run(bench, [again], 1000);
    expect(Math.abs(ahead())).toBeLessThanOrEqual(2 * frameMs);
    expect(faultsOf(messages)).toEqual([]);
  });
});

describe('whoever joins right after a switch', () => {
  it('begins with the headers and the key frame of the one that is live now', () => {
    const bench = makeBench();
    const [main, backup] = [bench.encoder(), bench.encoder({ ingest: 'backup', mark: 2, phase: 12 })];
    run(bench, [main, backup], 2000);
    main.end();
    const { outlet, sink } = makeOutlet();
    bench.selector.stream?.attach(outlet, bench.now());
    run(bench, [backup], 400);
    expect(picturesOf(sink.messages)[0]).toMatchObject({ mark: 2, isKey: true });
    expect(faultsOf(sink.messages)).toEqual([]);
  });
});

describe('headers at a switch', () => {
  it('are sent again where they differ, and only there', () => {
    const bench = makeBench();
    const main = bench.encoder({ mark: 5 });
    const backup = bench.encoder({ ingest: 'backup', mark: 6 });
    run(bench, [main, backup], 1000);
    const before = bench.sink.messages.length;
    main.end();
    const headers = bench.sink.messages.slice(before).filter(({ payload }) => payload[1] === 0);
    bench.selector.stream?.flush(bench.now());
    const sent = bench.sink.messages.slice(before).filter(({ type, payload }) => type !== 18 && payload[1] === 0);
    expect(headers).toEqual([]);
    expect(sent.map(({ type, payload }) => [type, payload[5]])).toEqual([[MessageType.Video, 6]]);
    expect(bench.sink.messages.filter(({ payload }) => payload.equals(audioHeader())).length).toBe(1);
  });
});

describe('the way back', () => {
  const backAfter = (switchBackMs: number | null) => {
    const bench = makeBench();
    bench.selector.declare({ names: ['main', 'backup'], switchBackMs, slate: null });
    const backup = bench.encoder({ ingest: 'backup', mark: 2 });
    run(bench, [backup], 1000);
    const main = bench.encoder();
    return { bench, main, backup };
  };

  it('is not gone by itself', () => {
    const { bench, main, backup } = backAfter(null);
    run(bench, [main, backup], 20_000);
    expect(bench.selector.live?.name).toBe('backup');
  });

  it('is gone when the first was well for long enough, at its key frame and without a gap', () => {
    const { bench, main, backup } = backAfter(5000);
    run(bench, [main, backup], 4800);
    expect(bench.selector.live?.name).toBe('backup');
    run(bench, [main, backup], 1600);
    expect(bench.selector.live?.name).toBe('main');
    expect(longestGapMs(picturesOf(bench.sink.messages))).toBe(frameMs);
    expect(faultsOf(bench.sink.messages)).toEqual([]);
    expect(bench.told.at(-1)).toMatch(/^backup -> main: "main" has been well for [56] s$/);
  });

  it('begins anew when it stalls in between', () => {
    const { bench, main, backup } = backAfter(5000);
    run(bench, [main, backup], 4000);
    run(bench, [backup], 1000);
    run(bench, [main, backup], 4500);
    expect(bench.selector.live?.name).toBe('backup');
    run(bench, [main, backup], 2000);
    expect(bench.selector.live?.name).toBe('main');
  });

  it('is not gone away from what somebody chose, until that fails', async () => {
    const { bench, main, backup } = backAfter(2000);
    run(bench, [main, backup], 4000);
    expect(bench.selector.live?.name).toBe('main');
    const asked = bench.selector.failover.ask('backup');
    run(bench, [main, backup], 1200);
    await asked;
    run(bench, [main, backup], 10_000);
    expect(bench.selector.live?.name).toBe('backup');
    run(bench, [main], 1000); // it stalls
    expect(bench.selector.live?.name).toBe('main');
    run(bench, [main, backup], 5000);
    expect(bench.selector.live?.name).toBe('main');
  });
});

describe('a switch that somebody asks for', () => {
  it('is made at the next key frame, with no picture missed', async () => {
    const bench = makeBench();
    const [main, backup] = [bench.encoder(), bench.encoder({ ingest: 'backup', mark: 2, phase: 10 })];
    run(bench, [main, backup], 2000);
    for (const name of ['backup', 'main', undefined]) {
      const asked = bench.selector.failover.ask(name);
      run(bench, [main, backup], 1400);
      await asked;
    }
    expect(bench.told.filter((each) => each.includes('->'))).toHaveLength(3);
    expect(longestGapMs(picturesOf(bench.sink.messages))).toBe(frameMs);
    expect(faultsOf(bench.sink.messages)).toEqual([]);
  });

  it('does not wait for a key frame for ever', async () => {
    const bench = makeBench();
    const main = bench.encoder();
    const backup = bench.encoder({ ingest: 'backup', mark: 2, gopFrames: 500 });
    run(bench, [main, backup], 2000);
    const asked = bench.selector.failover.ask('backup');
    run(bench, [main, backup], 3200);
    await asked;
    expect(bench.selector.live?.name).toBe('backup');
    expect(faultsOf(bench.sink.messages)).toEqual([]);
  });

  it.each([
    ['nobody', 'INGEST_NOT_FOUND', false],
    ['constructor', 'INGEST_NOT_FOUND', false],
    ['backup', 'INGEST_NOT_READY', false],
    ['backup', 'INGEST_NOT_READY', true],
    [undefined, 'INGEST_NOT_READY', true],
  ])('%s is refused: %s', async (name, code, isStalled) => {
    const bench = makeBench();
    const main = bench.encoder();
    if (isStalled) run(bench, [bench.encoder({ ingest: 'backup' })], 500);
    run(bench, [main], 2000);
    await expect(bench.selector.failover.ask(name)).rejects.toMatchObject({ code });
    expect(bench.selector.live?.name).toBe('main');
  });

  it('changes nothing for the live one', async () => {
    const bench = makeBench();
    const main = bench.encoder();
    run(bench, [main], 500);
    await bench.selector.failover.ask('main');
    expect(bench.told).toEqual(['live main', 'main came']);
  });

  it.each([
    ['is gone', (bench: ReturnType<typeof makeBench>) => [...bench.selector.connected.values()].at(-1)!.end('left')],
    ['stalls', () => {}],
    ['is not there any more', (bench: ReturnType<typeof makeBench>) => bench.selector.finish()],
  ])('is given up when it %s before its key frame', async (_what, act) => {
    const bench = makeBench();
    const [main, backup] = [bench.encoder(), bench.encoder({ ingest: 'backup', mark: 2, gopFrames: 500 })];
    run(bench, [main, backup], 1000);
    const asked = expect(bench.selector.failover.ask('backup')).rejects.toMatchObject({ code: 'INGEST_NOT_READY' });
    act(bench);
    run(bench, [main], 1000);
    await asked;
  });
});

type Step =
  | {
      readonly do: 'open';
      readonly ingest: number;
      readonly startMs: number;
      readonly gop: number;
      readonly phase: number;
      readonly isReordered: boolean;
    }
  | { readonly do: 'send'; readonly which: number; readonly times: number }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'end' | 'mute' | 'unmute' | 'ask'; readonly which: number }
  | { readonly do: 'shed' };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('open' as const),
    ingest: fc.nat(2),
    startMs: fc.integer({ min: 0, max: 0xffffffff }),
    gop: fc.integer({ min: 1, max: 60 }),
    phase: fc.nat(30),
    isReordered: fc.boolean(),
  }),
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('send' as const),
      which: fc.nat(7),
      times: fc.integer({ min: 1, max: 40 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 2000 }) }) },
  fc.record({
    do: fc.constantFrom('end' as const, 'mute' as const, 'unmute' as const, 'ask' as const),
    which: fc.nat(7),
  }),
  fc.constant({ do: 'shed' as const }),
);

/** Two encoders, so that there is something to switch between. */
const begun: readonly Step[] = [
  { do: 'open', ingest: 0, startMs: 5000, gop: 12, phase: 0, isReordered: false },
  { do: 'open', ingest: 1, startMs: 4_294_966_000, gop: 25, phase: 3, isReordered: false },
  { do: 'send', which: 1, times: 30 },
];

describe('whatever the encoders of a camera do', () => {
  it('a target sees one stream: times never run backwards, each begins with its header at a key frame', () => {
    let switches = 0;
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 20, maxLength: 70 }),
        fc.constantFrom(null, 300),
        (steps, switchBackMs) => {
          const names = ['main', 'backup', 'spare'];
          const bench = makeBench({ withoutKeyFrames: 'drop' }, names);
          bench.selector.declare({ names, switchBackMs, slate: null });
          const encoders: ReturnType<typeof bench.encoder>[] = [];
          const late = makeOutlet();
          for (const each of [...begun, ...steps]) {
            if (each.do === 'wait') bench.advance(each.ms);
            else if (each.do === 'shed') bench.selector.shed();
            else if (each.do === 'open') {
              const { startMs, gop: gopFrames, phase, isReordered } = each;
              const options = { ingest: names[each.ingest]!, mark: encoders.length + 1 };
              try {
                encoders.push(bench.encoder({ ...options, startMs, gopFrames, phase, isReordered }));
              } catch (error) {
                expect(codeOf(error)).toBe('PUBLISH_ALREADY_LIVE');
              }
            } else {
              // Half of what happens is about those that came last.
              const encoder = encoders[each.which < 4 ? encoders.length - 1 - each.which : each.which];
              if (encoder === undefined) continue;
              if (each.do === 'end') encoder.end();
              else if (each.do === 'mute') encoder.sendsVideo = false;
              else if (each.do === 'unmute') encoder.sendsVideo = true;
              else if (each.do === 'ask') void bench.selector.failover.ask(undefined).catch(() => {});
              else if (each.do === 'send') {
                const others = encoders.filter((other) => other.ingest !== null && other !== encoder);
                run(bench, each.which % 2 === 0 ? [encoder] : [...others, encoder], each.times * frameMs);
              }
            }
            if (encoders.length === 2 && bench.selector.stream !== null && late.sink.messages.length === 0) {
              bench.selector.stream.attach(late.outlet, bench.now());
            }
            const live = bench.selector.live;
            if (live !== null) expect([...bench.selector.connected.values()]).toContain(live);
          }
          switches += bench.told.filter((each) => each.includes('->')).length;
          for (const { messages } of [bench.sink, late.sink]) expect(faultsOf(messages)).toEqual([]);
          bench.selector.finish();
        },
      ),
      { numRuns: Number(process.env.MEDIA_AGGREGATOR_STANDBY_RUNS ?? 120) },
    );
    expect(switches).toBeGreaterThan(40);
  });
});
