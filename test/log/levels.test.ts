import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ChannelLogger } from '../../src/backend/workers/channel-logger.js';
import { FlightRecorder } from '../../src/events/flight-recorder.js';
import { LineFilter, LogLevels, maxDebuggedCameras } from '../../src/log/levels.js';
import { createLogger } from '../../src/log/pino.js';

function capture(levels: LogLevels) {
  const lines: { level: string; message: string }[] = [];
  const target = { write: (line: string) => void lines.push(JSON.parse(line)), flush() {} };
  return { lines, log: createLogger({ level: levels.filter, format: 'json', isTerminal: false, target }) };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('the level of the log', () => {
  it('changes for loggers that are there already', () => {
    const levels = new LogLevels('info');
    const { lines, log } = capture(levels);
    const child = log.child({ part: 'media' }).child({ push: 'p-1' });
    child.debug('1');
    levels.level = 'debug';
    child.debug('2');
    levels.level = 'error';
    child.warn('3');
    child.error('4');
    expect(lines.map(({ message }) => message)).toEqual(['2', '4']);
  });
});

describe('a camera that is debugged', () => {
  it('is logged whatever the level, until its time is over; the rest keeps its level', () => {
    const levels = new LogLevels('error');
    const { lines, log } = capture(levels);
    const one = log.child({ camera: 'one' }).child({ push: 'p-1' });
    const two = log.child({ camera: 'two' });
    const say = (text: string) => {
      one.debug(`one ${text}`);
      two.info(`two ${text}`);
      log.info(`nobody ${text}`);
      log.debug(`field ${text}`, { camera: 'one' });
    };
    say('before');
    const { endsAt } = levels.debug('one', 60_000);
    expect(Date.parse(endsAt) - Date.now()).toBe(60_000);
    say('now');
    vi.advanceTimersByTime(59_999);
    say('still');
    vi.advanceTimersByTime(1);
    say('after');
    expect(lines.map(({ message }) => message)).toEqual(['one now', 'field now', 'one still', 'field still']);
    expect(levels.cameras).toEqual([]);
  });

  it('once more: its time begins anew, and the end of the first time ends nothing', () => {
    const levels = new LogLevels('info');
    levels.debug('one', 1000);
    vi.advanceTimersByTime(600);
    levels.debug('one', 1000);
    vi.advanceTimersByTime(600);
    expect(levels.filter.allows('debug', 'one')).toBe(true);
    vi.advanceTimersByTime(400);
    expect(levels.filter.allows('debug', 'one')).toBe(false);
  });

  it('is one of a few at most', () => {
    const levels = new LogLevels('info');
    for (let index = 0; index < maxDebuggedCameras; index++) levels.debug(`cam-${index}`, 1000);
    expect(() => levels.debug('one-more', 1000)).toThrow(expect.objectContaining({ code: 'LIMIT_REACHED' }));
    expect(levels.filter.allows('debug', 'one-more')).toBe(false);
    levels.debug('cam-3', 5000); // is there already
    expect(levels.endDebug('cam-3')).toBe(true);
    expect(levels.endDebug('cam-3')).toBe(false);
    levels.debug('one-more', 1000);
    expect(levels.cameras.map(({ camera }) => camera)).toContain('one-more');
  });

  it('is told to whoever logs elsewhere, its end too', () => {
    const levels = new LogLevels('info');
    const told: unknown[] = [];
    levels.observe((wanted) => told.push(wanted));
    levels.debug('one', 1000);
    levels.level = 'warn';
    vi.advanceTimersByTime(1000);
    expect(told).toEqual([
      { level: 'info', cameras: ['one'] },
      { level: 'warn', cameras: ['one'] },
      { level: 'warn', cameras: [] },
    ]);
  });

  it('is logged by a worker too, which sends no line in vain', () => {
    const filter = new LineFilter('info');
    const sent: string[] = [];
    const log = new ChannelLogger({ send: ({ message }) => void sent.push(message), filter });
    const [one, two] = ['one', 'two'].map((camera) => log.child({ camera }).child({ push: 'p-1' }));
    one!.debug('1');
    filter.wanted = { level: 'warn', cameras: ['one'] };
    one!.debug('2');
    two!.info('3');
    two!.warn('4');
    filter.wanted = { level: 'warn', cameras: [] };
    one!.info('5');
    expect(sent).toEqual(['2', '4']);
  });

  it('has what its flight recorders note in the log', () => {
    const levels = new LogLevels('warn');
    const { lines, log } = capture(levels);
    const recorder = new FlightRecorder({ log: log.child({ camera: 'one' }) });
    recorder.note('state', 'idle -> connecting');
    levels.debug('one', 1000);
    recorder.note('state', 'connecting -> active');
    expect(lines).toMatchObject([{ level: 'debug', camera: 'one', event: 'state', message: 'connecting -> active' }]);
    expect(recorder.events()).toHaveLength(2);
  });

  it('has of a flood a part, and how much was left out', () => {
    vi.setSystemTime(1_000_000_000);
    const levels = new LogLevels('debug');
    const { lines, log } = capture(levels);
    const recorder = new FlightRecorder({ log });
    for (let index = 0; index < 5000; index++) recorder.note('play', `viewer ${index}`);
    expect(lines).toHaveLength(100);
    vi.setSystemTime(1_000_001_000);
    recorder.note('play', 'later');
    expect(lines.slice(100)).toMatchObject([{ event: 'flood', leftOut: 4900 }, { message: 'later' }]);
    expect(recorder.events()).toHaveLength(300);
  });
});
