import { describe, expect, test } from 'vitest';
import type { LogFormat, LogLevel } from '../../src/config/index.js';
import { WireError } from '../../src/errors.js';
import { createLogger } from '../../src/log/pino.js';

function capture(options: { level?: LogLevel; format?: LogFormat; isTerminal?: boolean; colors?: boolean }) {
  const lines: string[] = [];
  const target = { write: (line: string) => void lines.push(line) };
  const { level = 'info', format = 'auto', isTerminal = false, colors = false } = options;
  return { lines, log: createLogger({ level, format, isTerminal, colors, target }) };
}

/** Everything that a terminal or a reader of lines could take for more than text, but for the line's own end. */
function hasRawControl(line: string): boolean {
  return /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(line.replace(/\n$/, ''));
}

const hostile = 'a\u001b[2J\u009b31m\r\nINFO forged\u2028\u202e\u0000\u007f\ud800';

describe('JSON', () => {
  test('one object a line: level by name, ISO time, message, fields of the child and of the call', () => {
    const { lines, log } = capture({});
    log.child({ camera: 'c1' }).warn('target refuses', { attempt: 3 });
    expect(lines).toHaveLength(1);
    const entry: unknown = JSON.parse(lines[0]!);
    expect(entry).toMatchObject({ level: 'warn', camera: 'c1', attempt: 3, message: 'target refuses' });
    expect(entry).toHaveProperty('time', expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/));
  });

  test('an error keeps its code, its cause and where it came from', () => {
    const { lines, log } = capture({});
    const error = new WireError('RTMP_CHUNK', `bad ${hostile}`, { cause: new Error('below') });
    log.error('closed', { error });
    expect(JSON.parse(lines[0]!)).toMatchObject({
      error: {
        code: 'RTMP_CHUNK',
        name: 'WireError',
        cause: { message: 'below' },
        stack: expect.arrayContaining([expect.stringContaining('pino.test')]),
      },
    });
  });

  test('the level holds back what is less important', () => {
    const { lines, log } = capture({ level: 'warn' });
    log.debug('1');
    log.info('2');
    log.warn('3');
    log.error('4');
    expect(lines.map((line) => JSON.parse(line).message)).toEqual(['3', '4']);
  });
});

describe('what a peer sends cannot leave its line', () => {
  test.each(['human', 'json'] as const)('%s', (format) => {
    const { lines, log } = capture({ format, isTerminal: true });
    const fields = { flashVer: hostile, nested: { [hostile]: [hostile] }, error: new Error(hostile) };
    log.child({ name: hostile }).info(hostile, fields);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('forged');
    expect(hasRawControl(lines[0]!)).toBe(false);
  });

  test('endless text, depth, lists and loops are cut', () => {
    const { lines, log } = capture({});
    const loop: Record<string, unknown> = {};
    loop.self = loop;
    log.info('x'.repeat(1e6), { loop, list: new Array(1e5).fill('y'), bytes: Buffer.alloc(1e6), n: 1n });
    expect(lines[0]!.length).toBeLessThan(10_000);
    expect(JSON.parse(lines[0]!)).toMatchObject({ bytes: '[1000000 bytes]', n: '1' });
  });
});

describe('human', () => {
  test('auto is human on a terminal and JSON elsewhere', () => {
    const terminal = capture({ isTerminal: true });
    terminal.log.info('camera is live', { camera: 'c1' });
    expect(terminal.lines[0]).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: camera is live \{"camera":"c1"\}\n$/);
    const file = capture({ isTerminal: false });
    file.log.info('camera is live');
    expect(() => JSON.parse(file.lines[0]!)).not.toThrow();
  });

  test('colours only when they are wanted', () => {
    const { lines, log } = capture({ isTerminal: true, colors: true });
    log.info('x');
    expect(lines[0]).toContain('\u001b[32mINFO\u001b[39m');
  });
});
