import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { unseenCamera } from '../../../src/backend/observed.js';
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

  it('keeps the newest word on each thing, and all that each has to arrive, while nobody takes anything', async () => {
    const messages: (readonly Report[])[] = [];
    const sents: (() => void)[] = [];
    const outbox = new Outbox((reports, sent) => {
      messages.push(reports);
      sents.push(sent);
    });
    const camera = (name: string, bytesIn: number): Report => ({
      type: 'seen',
      camera: { name, ...unseenCamera, pushes: [], bytesIn },
      evidence: null,
    });
    const facts = { publisher: null, encoder: null, returned: false };
    // An hour of figures of ten cameras, of which one flaps, one turn of the event loop each.
    for (let second = 0; second < 3600; second++) {
      for (let index = 0; index < 10; index++) outbox.add(camera(`cam${index}`, second));
      outbox.add({ type: 'live', camera: 'cam0', facts });
      outbox.add({ type: 'stopped', camera: 'cam0', reason: `at ${second}` });
      if (second % 360 === 0) outbox.add({ type: 'closed', id: second });
      if (second < 30) await setImmediate();
    }
    const sent = messages.length;
    expect(sent).toBe(16);
    for (const done of sents.splice(0)) done();
    await setImmediate();
    await setImmediate();
    const rest = messages.slice(sent).flat();
    expect(rest.filter(({ type }) => type === 'seen')).toEqual(
      Array.from({ length: 10 }, (_, index) => camera(`cam${index}`, 3599)),
    );
    expect(rest.filter(({ type }) => type === 'closed')).toHaveLength(9);
    expect(rest.filter(({ type }) => type === 'live' || type === 'stopped')).toEqual([
      { type: 'stopped', camera: 'cam0', reason: 'at 3599' },
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
