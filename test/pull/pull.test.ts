import { describe, expect, onTestFinished, test } from 'vitest';
import { defaultSettings } from '../../src/config/index.js';
import { CodedError, SourceError } from '../../src/errors.js';
import { FlightRecorder } from '../../src/events/flight-recorder.js';
import type { Source } from '../../src/ingest/source.js';
import { silentLogger } from '../../src/log/log.js';
import { DialGate } from '../../src/pull/dial-gate.js';
import type { PullListener } from '../../src/pull/life.js';
import { Pull, type PullOptions } from '../../src/pull/pull.js';
import { waitFor } from '../support/wait.js';

/** A pull whose lives a test makes: each is told by `lives`. */
function makePull(changes: Partial<PullOptions['settings']> = {}, options: Partial<PullOptions> = {}) {
  const lives: { readonly say: PullListener; isClosed: boolean }[] = [];
  const problems: (string | null)[] = [];
  const written: number[] = [];
  const ended: string[] = [];
  const sources: Source[] = [];
  const settings = { ...defaultSettings().media, pushRetryMinMs: 10, pushRetryMaxMs: 40, ...changes };
  const pull = new Pull({
    ...{ shownUrl: 'rtsp://cam/x', settings, gate: new DialGate(4), log: silentLogger },
    recorder: new FlightRecorder({ log: silentLogger }),
    start: (say) => {
      const life = { say, isClosed: false };
      lives.push(life);
      return {
        close: () => {
          life.isClosed = true;
        },
      };
    },
    open: (source) => {
      sources.push(source);
      return {
        write: (_type, timestampMs) => {
          written.push(timestampMs);
          return true;
        },
        end: (reason) => ended.push(reason),
      };
    },
    claim: () => undefined,
    release: () => {},
    onProblem: (error) => problems.push(error?.code ?? null),
    ...options,
  });
  onTestFinished(() => pull.close('the test is over'));
  const dialled = (count: number) => waitFor(() => lives.length === count, { what: `dial ${count}` });
  return { pull, lives, problems, written, ended, sources, dialled };
}

const frame = Buffer.from([0x27, 1, 0, 0, 0]);

describe('a source that is pulled', () => {
  test('is live with its first media, fails, and is dialled again', async () => {
    const { pull, lives, problems, written, ended, dialled } = makePull();
    pull.want(true);
    await dialled(1);
    expect(pull.state).toBe('connecting');
    lives[0]?.say.onMedia(9, 0, frame);
    expect(pull.state).toBe('live');
    lives[0]?.say.onEnded(new SourceError('SOURCE_CLOSED', 'it left'));
    expect(pull.figures()).toMatchObject({ state: 'waiting', attempt: 1, lastError: { code: 'SOURCE_CLOSED' } });
    expect(ended).toEqual(['SOURCE_CLOSED: it left']);
    await dialled(2);
    lives[1]?.say.onMedia(9, 7, frame);
    expect(pull.figures()).toMatchObject({ state: 'live', connects: 2 });
    expect([written, problems]).toEqual([
      [0, 7],
      [null, 'SOURCE_CLOSED', null],
    ]);
  });

  test('that nobody wants any more ends after its linger, and not while somebody wants it', async () => {
    const { pull, lives, dialled } = makePull({ sourceLingerMs: 30 });
    pull.want(true);
    await dialled(1);
    lives[0]?.say.onMedia(9, 0, frame);
    pull.want(false);
    pull.want(true);
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(pull.state).toBe('live');
    pull.want(false);
    await waitFor(() => pull.state === 'off', { what: 'its end' });
    expect(lives.map(({ isClosed }) => isClosed)).toEqual([true]);
  });

  test('that says nothing is given up', async () => {
    const { pull, lives, dialled } = makePull({ stallTimeoutMs: 100, connectTimeoutMs: 100 });
    pull.want(true);
    await dialled(2);
    expect(lives[0]?.isClosed).toBe(true);
    expect(pull.figures().lastError?.code).toBe('SOURCE_STALLED');
  });

  test('that the camera does not take waits, and says why', async () => {
    const refuse = (): never => {
      throw new CodedError('PUBLISH_ALREADY_LIVE', 'somebody else is live');
    };
    const { pull, lives, problems, dialled } = makePull({}, { open: refuse });
    pull.want(true);
    await dialled(1);
    lives[0]?.say.onMedia(9, 0, frame);
    expect(lives[0]?.isClosed).toBe(true);
    expect([pull.state, problems]).toEqual(['waiting', ['PUBLISH_ALREADY_LIVE']]);
  });

  test('that the camera ends is dialled again later', async () => {
    const { pull, lives, sources, dialled } = makePull();
    pull.want(true);
    await dialled(1);
    lives[0]?.say.onMedia(9, 0, frame);
    sources[0]?.close(new CodedError('RTMP_LIMIT', 'it sends too much'));
    expect(pull.figures()).toMatchObject({ state: 'waiting', lastError: { code: 'RTMP_LIMIT' } });
    await dialled(2);
  });

  test('that fails in the act of starting, and speaks when it is over, does no harm', async () => {
    let count = 0;
    const late: PullListener[] = [];
    const start: PullOptions['start'] = (say) => {
      late.push(say);
      if (++count === 1) throw new CodedError('TARGET_FORBIDDEN', 'no');
      say.onEnded(new SourceError('SOURCE_REFUSED', 'at once'));
      return { close() {} };
    };
    const { pull, written } = makePull({}, { start });
    pull.want(true);
    await waitFor(() => count >= 3, { what: 'three dials' });
    pull.close('enough');
    late[0]?.onMedia(9, 0, frame);
    late[0]?.onEnded(new SourceError('SOURCE_CLOSED', 'late'));
    expect([pull.state, written]).toEqual(['off', []]);
  });

  test('is not dialled where another node has the camera', async () => {
    const claim = () => Promise.reject(new CodedError('PUBLISH_ALREADY_LIVE', 'node b has it'));
    const { pull, lives, problems } = makePull({}, { claim });
    pull.want(true);
    await waitFor(() => pull.figures().attempt > 1, { what: 'two tries' });
    expect(pull.figures().lastError?.code).toBe('PUBLISH_ALREADY_LIVE');
    // That is no trouble of the source.
    expect([lives.length, new Set(problems)]).toEqual([0, new Set([null])]);
  });
});
