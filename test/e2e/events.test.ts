import { createHmac } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { startAggregator } from '../support/aggregator.js';
import { makeClip, publish } from '../support/ffmpeg.js';
import { testWith } from '../support/peers.js';
import { freePort } from '../support/ports.js';
import { startProcess } from '../support/process.js';
import { startRtmpSink } from '../support/rtmp-sink.js';
import { testScope } from '../support/scope.js';
import { waitFor } from '../support/wait.js';

interface Event {
  readonly id: number;
  readonly type: string;
  readonly camera?: string;
  readonly push?: string;
  readonly state?: string;
  readonly code?: string | null;
  readonly reason?: string;
}

const eventsOf = (text: string): Event[] =>
  text
    .split('\n\n')
    .filter((block) => !block.startsWith('event: stats'))
    .flatMap((block) => /^data: (.*)$/m.exec(block)?.[1] ?? [])
    .map((data) => JSON.parse(data) as Event);

describe('events of a real node', () => {
  const test = testWith('ffmpeg', 'curl');

  test.concurrent.for([
    { way: 'in one process', flags: [] as string[] },
    { way: 'with a media worker', flags: ['--workers', '1'] },
  ])('are told by curl and by a webhook, in order, $way', async ({ flags }, context) => {
    const scope = testScope(context);
    const hooked: { event: Event; genuine: boolean }[] = [];
    let key = Buffer.alloc(0);
    const server = createServer((request, response) => {
      let body = '';
      request.on('data', (data: Buffer) => {
        body += data.toString();
      });
      request.on('end', () => {
        const { 'webhook-id': id, 'webhook-timestamp': time, 'webhook-signature': signature } = request.headers;
        const expected = createHmac('sha256', key).update(`${id}.${time}.${body}`).digest('base64');
        hooked.push({ event: JSON.parse(body) as Event, genuine: signature === `v1,${expected}` });
        response.end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    scope.defer(() => server.close());
    const hook = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;

    const [clip, sink, aggregator] = await Promise.all([
      makeClip({ seconds: 5 }),
      startRtmpSink(scope),
      startAggregator(scope, { flags: [...flags, '--webhook-url', hook] }),
    ]);
    const keyFile = join(aggregator.dataDir, 'webhook-key');
    expect(statSync(keyFile).mode & 0o777).toBe(0o600);
    key = Buffer.from(readFileSync(keyFile, 'utf8').trim(), 'hex');
    const curl = startProcess(scope, 'curl', ['-sN', `${aggregator.apiUrl}/v1/events?stats=1`]);
    await waitFor(() => curl.stdout.includes('event: reset'), { what: 'the first event' });

    const endpoint = await aggregator.addCamera('cam');
    await aggregator.addPush('cam', sink.url('cam'), 'good');
    await aggregator.addPush('cam', `rtmp://127.0.0.1:${await freePort()}/live/secret-key`, 'dead');
    const camera = publish(scope, clip, endpoint);
    await camera.exited;
    const all = (): Event[] => eventsOf(curl.stdout).filter(({ type }) => type !== 'reset');
    await waitFor(() => all().some(({ type }) => type === 'camera.stopped'), { what: 'the end of the camera' });
    await waitFor(() => all().filter(({ state }) => state === 'idle').length === 2, { what: 'both pushes to be idle' });

    const told = all();
    expect(told.slice(0, 4).map(({ type }) => type)).toEqual([
      ...['camera.registered', 'push.added', 'push.added', 'camera.live'],
    ]);
    expect(told.map(({ id }) => id)).toEqual(told.map((_, index) => (told[0]?.id ?? 0) + index));
    const states = (push: string): unknown[] =>
      told.filter((event) => event.push === push && event.state).map(({ state }) => state);
    expect(states('good')).toEqual(['connecting', 'active', 'idle']);
    expect(states('dead')).toEqual(['connecting', 'waiting', 'idle']);
    expect(told.find(({ state }) => state === 'waiting')?.code).toBe('TARGET_REFUSED');
    expect(told.find(({ type }) => type === 'camera.stopped')?.reason).toBeTruthy();
    expect(curl.stdout).toMatch(/event: stats\ndata: .*"cam":\{.*"videoCodec":"h264"/);
    expect(curl.stdout).not.toContain('secret-key');

    await waitFor(() => hooked.length >= told.length, { what: 'the webhooks' });
    expect(hooked.every(({ genuine }) => genuine)).toBe(true);
    const ofCamera = hooked.map(({ event }) => event).filter((event) => event.camera === 'cam');
    expect(ofCamera).toEqual(told.filter((event) => event.camera === 'cam'));

    // A number of an earlier life is known as such.
    await aggregator.restart();
    const again = startProcess(scope, 'curl', [
      '-sN',
      '-H',
      `Last-Event-ID: ${told.at(-1)?.id}`,
      `${aggregator.apiUrl}/v1/events`,
    ]);
    await waitFor(() => again.stdout.includes('event: reset'), { what: 'the reset' });
    expect(eventsOf(again.stdout)[0]).toMatchObject({ type: 'reset', reason: 'unknown' });
    expect(readFileSync(keyFile, 'utf8').trim()).toBe(key.toString('hex'));
  });
});
