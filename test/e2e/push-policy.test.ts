import { describe, expect } from 'vitest';
import { startAggregator } from '../support/aggregator.js';
import { testWith } from '../support/peers.js';
import { testScope } from '../support/scope.js';

describe('where pushes may go', () => {
  const test = testWith();

  test('a request for what is denied is refused, in every spelling, and changes nothing', async (context) => {
    const flags = ['--push-deny', '127.0.0.66,*.denied.invalid,*:6379'];
    const aggregator = await startAggregator(testScope(context), { flags });
    await aggregator.addCamera('cam');
    const { rtmpPort, apiPort } = aggregator;
    const forbidden = [
      '169.254.169.254',
      '[::ffff:169.254.169.254]',
      '[64:ff9b::a9fe:a9fe]',
      '[2002:a9fe:a9fe::1]',
      '[fe80::1]',
      '[fd00:ec2::254]',
      '0.0.0.0',
      '[::]',
      '224.0.0.1',
      '255.255.255.255',
      '127.0.0.66',
      '[::ffff:127.0.0.66]',
      'engine.denied.invalid',
      '127.0.0.7:6379',
      `127.0.0.1:${rtmpPort}`,
      `127.0.0.1:${apiPort}`,
      `[::ffff:127.0.0.1]:${apiPort}`,
    ];
    const asked = async (host: string) => {
      const answer = await aggregator.api('POST', '/v1/cameras/cam/pushes', { url: `rtmp://${host}/live/cam` });
      return [answer.status, (answer.body as { code?: string }).code];
    };
    for (const host of forbidden) expect([host, await asked(host)]).toEqual([host, [400, 'TARGET_FORBIDDEN']]);
    for (const host of ['2130706433', '0x7f.1', '0x7f000001', '0177.0.0.1', '127.1', '127.0.0.0x1']) {
      expect([host, await asked(host)]).toEqual([host, [400, 'INVALID_ADDRESS']]);
    }
    const tested = await aggregator.api('POST', '/v1/cameras/cam/pushes:test', { url: 'rtmp://127.0.0.66/live/cam' });
    expect(tested).toMatchObject({ status: 400, body: { code: 'TARGET_FORBIDDEN' } });
    const engine = await aggregator.api('POST', '/v1/engines', { name: 'e', host: '169.254.169.254' });
    expect(engine).toMatchObject({ status: 400, body: { code: 'TARGET_FORBIDDEN' } });
    const stream = await aggregator.api('POST', '/getStream', { name: 'cam', se_ip: '169.254.169.254' });
    expect(stream).toMatchObject({ status: 400, body: { code: 'TARGET_FORBIDDEN' } });
    expect((await aggregator.camera('cam')).pushes).toEqual([]);
    expect(await aggregator.apiOk('GET', '/v1/engines')).toMatchObject({ items: [] });
    // Another aggregator on this machine would be a target like any other.
    expect(await asked('127.0.0.1:9')).toEqual([201, undefined]);
  });
});
