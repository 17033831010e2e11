import { describe, expect, it } from 'vitest';
import type { PublisherRefusal } from '../../src/backend/backend.js';
import { RefusedPublishers } from '../../src/control/refused-publishers.js';
import type { NewEvent } from '../../src/events/event.js';

const refusal: PublisherRefusal = {
  ...{ address: '192.0.2.1', name: 'gate', camera: 'gate', asked: 'connect', code: 'PUBLISH_NOT_REGISTERED' },
  ...{ message: 'no camera is registered as "gate"', encoder: 'OBS' },
};

function start() {
  const events: NewEvent[] = [];
  const refused = new RefusedPublishers((event) => events.push(event));
  return { events, refused };
}

describe('refused publishers', () => {
  it('are one entry for each address, name and reason, newest first, and counted', () => {
    const { refused, events } = start();
    refused.note(refusal, false, 1000);
    refused.note({ ...refusal, address: '192.0.2.2' }, false, 2000);
    refused.note(refusal, false, 3000);
    expect(refused.list()).toMatchObject([
      {
        address: '192.0.2.1',
        count: 2,
        camera: null,
        firstAt: '1970-01-01T00:00:01.000Z',
        lastAt: '1970-01-01T00:00:03.000Z',
      },
      { address: '192.0.2.2', count: 1 },
    ]);
    expect([...refused.totals]).toEqual([['PUBLISH_NOT_REGISTERED', 3]]);
    expect(events.map(({ facts }) => facts?.address)).toEqual(['192.0.2.1', '192.0.2.2']);
  });

  it('are told of again only now and then, and of a flood only a few', () => {
    const { refused, events } = start();
    for (let second = 0; second < 900; second += 10) refused.note(refusal, true, second * 1000);
    expect(events).toHaveLength(3);
    expect(events[0]).toMatchObject({ type: 'publisher.refused', camera: 'gate', code: 'PUBLISH_NOT_REGISTERED' });
    for (let i = 0; i < 10_000; i++) refused.note({ ...refusal, address: `198.51.100.${i}` }, false, 2e6 + i);
    expect(events.length).toBeLessThanOrEqual(33);
    expect(refused.list()).toHaveLength(200);
  });

  it('of one address do not push out those of others, whatever names it makes up', () => {
    const { refused } = start();
    refused.note({ ...refusal, address: '203.0.113.9' }, false, 1);
    for (let i = 0; i < 10_000; i++) refused.note({ ...refusal, name: `name-${i}` }, false, 2 + i);
    expect(refused.list().filter(({ address }) => address === '192.0.2.1')).toHaveLength(20);
    expect(refused.list().some(({ address }) => address === '203.0.113.9')).toBe(true);
  });

  it('have names that can be shown, however hostile', () => {
    const { refused } = start();
    const name = `\u001b[2J\u202egate\n${'x'.repeat(100_000)}`;
    refused.note({ ...refusal, name, message: name, encoder: name }, false, 1);
    const [entry] = refused.list();
    for (const text of [entry?.name, entry?.message, entry?.encoder]) {
      expect(text).not.toMatch(/[\p{Cc}\p{Cf}]/u);
      expect(text?.length).toBeLessThanOrEqual(300);
    }
  });

  it('are forgotten when a camera of their name is registered', () => {
    const { refused } = start();
    refused.note(refusal, false, 1);
    refused.note({ ...refusal, code: 'PUBLISH_FORBIDDEN' }, true, 2);
    refused.forgetName('gate');
    expect(refused.list().map(({ code }) => code)).toEqual(['PUBLISH_FORBIDDEN']);
  });
});
