import { expect, onTestFailed, onTestFinished, test } from 'vitest';
import { sourcePolicy } from '../../src/address/push-policy.js';
import { Discovery } from '../../src/discovery/discovery.js';
import { type FollowedSource, SourceFollower } from '../../src/discovery/follow.js';
import { silentLogger } from '../../src/log/log.js';
import { Dialer } from '../../src/net/dialer.js';
import { type ProbeAnswer, startOnvifDevice, startProbeAnswerer, type TestDevice } from '../support/onvif-device.js';
import { type Scope, testScope } from '../support/scope.js';
import { sleep, waitFor } from '../support/wait.js';

const login = { username: 'op', password: 'secret-word' };
const group = '239.255.255.250';

function answerOf(device: TestDevice): ProbeAnswer {
  return { xaddrs: `http://${device.address}/onvif/device_service`, reference: device.reference };
}

/** A follower of these sources in a network of these devices; each look takes moments in place of minutes. */
async function follow(
  scope: Scope,
  sources: () => readonly FollowedSource[],
  devices: () => readonly TestDevice[],
  afterMs = 1,
) {
  const port = await startProbeAnswerer(scope, () => devices().map(answerOf), { group });
  const dialer = new Dialer({ policy: sourcePolicy({}) });
  const discovery = new Discovery({ dialer, ffmpeg: '', log: silentLogger, port, interfaces: () => ['127.0.0.1'] });
  const moves: string[] = [];
  const mover = {
    list: sources,
    move: async ({ camera, ingest }: FollowedSource, host: string) => {
      moves.push(`${camera}/${ingest} to ${host}`);
      return true;
    },
  };
  const looks = { count: 0 };
  const probe = discovery.probe.bind(discovery);
  discovery.probe = (...args) => {
    looks.count++;
    return probe(...args);
  };
  const times = { afterMs, lookMs: 20, pauseMs: 50, probeMs: 150 };
  const follower = new SourceFollower(discovery, mover, times, silentLogger);
  scope.defer(() => follower.close());
  follower.start();
  return { moves, looks };
}

const lost = (facts: Partial<FollowedSource> = {}): FollowedSource => ({
  ...{ camera: 'gate', ingest: 'main', url: 'rtsp://op:secret-word@127.0.0.9:554/main' },
  ...{ device: { serial: 'SN-7' }, state: 'waiting', code: 'SOURCE_UNREACHABLE' },
  ...facts,
});
const newScope = (): Scope => testScope({ onTestFinished, onTestFailed });

test('a lost camera is found again by its serial number', async () => {
  const scope = newScope();
  const other = await startOnvifDevice(scope, { login, serial: 'SN-8' });
  const device = await startOnvifDevice(scope, { login, serial: 'SN-7' });
  const { moves } = await follow(
    scope,
    () => (moves.length === 0 ? [lost()] : []),
    () => [other, device],
  );
  await waitFor(() => moves.length > 0, { what: 'the camera' });
  expect(moves).toEqual(['gate/main to 127.0.0.1']);
});

test('what it calls itself is enough to ask nobody else', async () => {
  const scope = newScope();
  const other = await startOnvifDevice(scope, { login, serial: 'SN-8' });
  const device = await startOnvifDevice(scope, { login, serial: 'SN-7' });
  const { reference } = device;
  const source = lost({ device: { serial: 'SN-7', reference } });
  const { moves } = await follow(
    scope,
    () => (moves.length === 0 ? [source] : []),
    () => [other, device],
  );
  await waitFor(() => moves.length > 0, { what: 'the camera' });
  expect(other.calls).toEqual([]);
});

test('one that calls itself the same and has another serial number is not it', async () => {
  const scope = newScope();
  const device = await startOnvifDevice(scope, { login, serial: 'SN-8' });
  const { moves, looks } = await follow(
    scope,
    () => [lost({ device: { serial: 'SN-7', reference: device.reference } })],
    () => [device],
  );
  await waitFor(() => looks.count >= 3, { what: 'three looks' });
  expect(moves).toEqual([]);
  // It was asked once, and not in each look: cameras lock a login that is tried again and again.
  expect(device.calls.filter((call) => call.startsWith('GetDeviceInformation'))).toHaveLength(1);
});

test.each([
  ['is live', { state: 'live', code: null }],
  ['is not wanted', { state: 'off', code: null }],
  ['has a codec that cannot be carried', { code: 'SOURCE_CODEC' }],
  ['is at another node', { code: 'PUBLISH_ALREADY_LIVE' }],
])('nobody is asked for a source that %s', async (_, facts) => {
  const scope = newScope();
  const { looks } = await follow(
    scope,
    () => [lost(facts)],
    () => [],
  );
  await sleep(300);
  expect(looks.count).toBe(0);
});

test('not before it was lost for a while, and never where that is switched off', async () => {
  const scope = newScope();
  const patient = await follow(
    scope,
    () => [lost()],
    () => [],
    600_000,
  );
  const off = await follow(
    scope,
    () => [lost()],
    () => [],
    0,
  );
  await sleep(300);
  expect([patient.looks.count, off.looks.count]).toEqual([0, 0]);
});
