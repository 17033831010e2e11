import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { ChannelLogger } from '../../../src/backend/workers/channel-logger.js';
import { Outbox } from '../../../src/backend/workers/outbox.js';
import type { Report } from '../../../src/backend/workers/protocol.js';
import { LineFilter } from '../../../src/log/levels.js';

describe('what a worker has to say', () => {
  it('is one message for each turn of the event loop, in order', async () => {
    const messages: (readonly Report[])[] = [];
    const outbox = new Outbox((reports, sent) => {
      messages.push(reports);
      sent();
    });
    outbox.add({ type: 'served', id: 1 });
    outbox.add({ type: 'closed', id: 1 });
    expect(messages).toEqual([]);
    await setImmediate();
    outbox.add({ type: 'served', id: 2 });
    await setImmediate();
    expect(messages).toEqual([
      [
        { type: 'served', id: 1 },
        { type: 'closed', id: 1 },
      ],
      [{ type: 'served', id: 2 }],
    ]);
  });

  it('leaves lines of the log out, and says so, when nobody takes them; nothing else', async () => {
    const messages: (readonly Report[])[] = [];
    const sents: (() => void)[] = [];
    const outbox = new Outbox((reports, sent) => {
      messages.push(reports);
      sents.push(sent);
    });
    const log = new ChannelLogger({ send: (line) => outbox.add(line), filter: new LineFilter('info') });
    for (let index = 0; index < 20_000; index++) log.info('noise', { index });
    log.debug('not wanted');
    outbox.add({ type: 'closed', id: 7 });
    await setImmediate();
    expect(messages[0]!.length).toBeLessThan(6000);
    expect(messages[0]!.at(-1)).toEqual({ type: 'closed', id: 7 });
    for (const sent of sents) sent();
    log.warn('heard again');
    await setImmediate();
    expect(messages[1]).toMatchObject([
      { message: 'heard again' },
      { level: 'warn', fields: { lines: 20_000 - messages[0]!.length + 1 } },
    ]);
  });

  it('tells of errors, which JSON would not show', () => {
    const lines: Report[] = [];
    const log = new ChannelLogger({ send: (line) => lines.push(line), filter: new LineFilter('error') }).child({
      camera: 'cam',
    });
    log.error('failed', { error: new TypeError('boom', { cause: new Error('why') }) });
    expect(JSON.parse(JSON.stringify(lines))).toMatchObject([
      {
        level: 'error',
        fields: { camera: 'cam', error: { name: 'TypeError', message: 'boom', cause: { message: 'why' } } },
      },
    ]);
  });
});
