import { closeSync, constants, openSync, readFileSync, readSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { LogDestination } from '../../src/log/destination.js';
import { createFileLogger } from '../../src/log/pino.js';
import { runOk } from '../support/process.js';
import { testScope } from '../support/scope.js';
import { sleep, waitFor } from '../support/wait.js';

const lostLine = (lines: number, fromMs: number, toMs: number, reason: string) =>
  `LOST ${lines} ${toMs >= fromMs} ${reason}\n`;

/** A line of 1 KB. */
const line = (number: number) => `${String(number).padEnd(1023, '.')}\n`;

/** Of lines made by `line`: their numbers; and what was said of lost ones, as text. */
function numbersOf(text: string): (number | string)[] {
  return text
    .split('\n')
    .filter((each) => each !== '')
    .map((each) => (each.startsWith('LOST') ? each : Number.parseInt(each, 10)));
}

/** Every line is there in order, or was counted where it is missing. */
function expectComplete(found: readonly (number | string)[], count: number): void {
  let next = 0;
  for (const each of found) {
    if (typeof each === 'string') next += Number(each.split(' ')[1]);
    else expect(each).toBe(next++);
  }
  expect(next).toBe(count);
}

function drain(fd: number): string {
  let text = '';
  const buffer = Buffer.alloc(64 * 1024);
  for (;;) {
    try {
      const bytes = readSync(fd, buffer);
      if (bytes === 0) return text;
      text += buffer.toString('latin1', 0, bytes);
    } catch {
      return text; // EAGAIN: it is empty
    }
  }
}

describe('a pipe', () => {
  test('that nobody reads holds up nobody, and what was lost is said where it is missing', async (context) => {
    const scope = testScope(context);
    const fifo = join(scope.temporaryFolder(), 'fifo');
    await runOk('mkfifo', [fifo]);
    // To keep it open without reading from it.
    const reader = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
    scope.defer(() => closeSync(reader));
    const destination = new LogDestination({ to: fifo, lostLine });
    await destination.open();
    const startedAt = performance.now();
    for (let number = 0; number < 3000; number++) {
      destination.write(line(number));
      if (number % 100 === 0) await sleep(1);
    }
    expect(performance.now() - startedAt).toBeLessThan(5000);
    expect(destination.health.linesLost).toBeGreaterThan(1500);
    expect(destination.health.problem?.reason).toBe('nobody reads it');
    // The end of a process waits no longer for it than it wants to.
    const flushedAt = performance.now();
    await destination.flush(200);
    expect(performance.now() - flushedAt).toBeLessThan(2000);
    let text = '';
    await waitFor(
      () => {
        text += drain(reader);
        return destination.health.problem === null && text.includes('LOST');
      },
      { what: 'the lines that waited' },
    );
    destination.write(line(3000));
    await destination.flush(1000);
    text += drain(reader);
    const found = numbersOf(text);
    expectComplete(found, 3001);
    expect(found.filter((each) => typeof each === 'string')).toHaveLength(1);
    expect(text).toContain('true nobody reads it');
  });

  test('whose reader is gone is written to again when there is one', async (context) => {
    const scope = testScope(context);
    const fifo = join(scope.temporaryFolder(), 'fifo');
    await runOk('mkfifo', [fifo]);
    const destination = new LogDestination({ to: fifo, lostLine });
    await destination.open(); // nobody reads it yet
    destination.write(line(0));
    await waitFor(() => destination.health.problem?.reason.includes('EPIPE'), { what: 'the problem' });
    const flags = constants.O_RDONLY | constants.O_NONBLOCK;
    const first = openSync(fifo, flags);
    await waitFor(() => destination.health.problem === null, { what: 'the first reader' });
    expect(numbersOf(drain(first))).toEqual([0]);
    closeSync(first);
    destination.write(line(1));
    await waitFor(() => destination.health.problem?.reason.includes('EPIPE'), { what: 'the problem' });
    const second = openSync(fifo, flags);
    scope.defer(() => closeSync(second));
    await waitFor(() => destination.health.problem === null, { what: 'the second reader' });
    expect(numbersOf(drain(second))).toEqual([1]);
  });
});

test('a device that is full (/dev/full) loses lines, counts them, and is no exception', async () => {
  const full = openSync('/dev/full', 'w');
  const destination = new LogDestination({ to: full, lostLine });
  for (let number = 0; number < 3000; number++) {
    destination.write(line(number));
    if (number % 500 === 0) await sleep(1);
  }
  expect(destination.health.linesLost).toBeGreaterThan(1500);
  expect(destination.health.problem?.reason).toContain('ENOSPC');
  await destination.flush(100);
  closeSync(full);
});

describe('a file', () => {
  test('is opened anew after it was renamed, and no line is lost on the way', async (context) => {
    const file = join(testScope(context).temporaryFolder(), 'log');
    const destination = new LogDestination({ to: file, lostLine });
    await destination.open();
    let number = 0;
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < 200; i++) destination.write(line(number++));
      await sleep(5);
      renameSync(file, `${file}.${round}`);
      for (let i = 0; i < 50; i++) destination.write(line(number++));
      destination.reopen();
      await waitFor(() => readFileSync(file), { what: 'the new file' });
    }
    await destination.flush(2000);
    const files = [0, 1, 2, 3, 4].map((round) => `${file}.${round}`);
    expectComplete(numbersOf([...files, file].map((each) => readFileSync(each, 'latin1')).join('')), number);
  });

  test('whose folder comes later is made then', async (context) => {
    const folder = join(testScope(context).temporaryFolder(), 'later');
    const destination = new LogDestination({ to: join(folder, 'log'), lostLine });
    await expect(destination.open()).rejects.toMatchObject({ code: 'ENOENT' });
    destination.write(line(0));
    await runOk('mkdir', [folder]);
    await waitFor(() => numbersOf(readFileSync(join(folder, 'log'), 'latin1')).length === 1, { what: 'the file' });
    rmSync(folder, { recursive: true });
  });

  test('goes on at its end, as JSON lines and for its owner and group only', async (context) => {
    const file = join(testScope(context).temporaryFolder(), 'log');
    writeFileSync(file, 'before\n', { mode: 0o640 });
    const log = await createFileLogger(file, { level: 'info', format: 'auto', isTerminal: false });
    log.info('hello');
    await log.flush(1000);
    const [before, hello] = readFileSync(file, 'utf8').split('\n');
    expect(before).toBe('before');
    expect(JSON.parse(hello!)).toMatchObject({ level: 'info', message: 'hello' });
  });
});
