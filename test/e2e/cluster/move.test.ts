import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import type { CameraView } from '../../../src/control/views.js';
import { cli } from '../../cli/support.js';
import { startAggregator } from '../../support/aggregator.js';
import { clusterSecret, startNode } from '../../support/cluster.js';
import { TestEtcd } from '../../support/etcd.js';
import { makeClip, publish } from '../../support/ffmpeg.js';
import { testWith } from '../../support/peers.js';
import { testScope } from '../../support/scope.js';
import { waitFor } from '../../support/wait.js';

describe('from one node to a cluster', () => {
  const test = testWith('etcd', 'ffmpeg');

  test('its state, tokens and publish keys are moved, backed up and restored', async (context) => {
    const scope = testScope(context);
    const dataDir = scope.temporaryFolder();
    const flags = ['--publish-auth', 'key'];
    const [etcd, clip, alone] = await Promise.all([
      TestEtcd.start(scope),
      makeClip({ seconds: 60, keyFrameSeconds: 1 }),
      startAggregator(scope, { dataDir, flags }),
    ]);
    const endpoint = await alone.addCamera('gate');
    expect(endpoint).toContain('key=');
    await alone.apiOk('PUT', '/v1/engines/one', { host: '198.51.100.7' });
    await alone.addPush('gate', 'rtmp://198.51.100.8/live/STREAM-KEY', 'out');
    const token = await alone.makeToken('manager', 'operate');

    const secretFile = join(scope.temporaryFolder(), 'secret');
    writeFileSync(secretFile, `${clusterSecret}\n`, { mode: 0o600 });
    const cluster = ['--cluster', `etcd://${etcd.endpoints[0]}`, '--cluster-secret-file', secretFile];
    const move = (...more: string[]) => cli(['import', '--to-cluster', '--data-dir', dataDir, ...cluster, ...more]);
    const keysIn = () => etcd.ctl('get', '--prefix', '--keys-only', '/media-aggregator/');

    // While it runs, nothing is moved; what would be can be seen.
    expect(await move()).toMatchObject({ code: 1, err: expect.stringContaining('STATE_LOCKED') });
    const seen = await move('--dry-run');
    expect(seen).toMatchObject({ err: '', code: 0, out: expect.stringMatching(/cameras: 1 would be made/) });
    expect((await keysIn()).trim()).toBe('');
    await alone.process.stop('SIGTERM');
    expect((await move()).out).toMatch(
      /engines: 1 made.*\ncameras: 1 made.*\ntokens: 1 made.*\nwhat publish keys are made from: imported/,
    );
    expect((await move()).out).toMatch(/cameras: 0 made, 1 there already[\s\S]*made from: there already/);
    expect(await etcd.ctl('get', '--prefix', '/media-aggregator/')).not.toMatch(/STREAM-KEY/);
    // A secret that is not the cluster's would write over what it cannot read.
    const wrongFile = join(scope.temporaryFolder(), 'secret');
    writeFileSync(wrongFile, '0123456789abcdef'.repeat(4), { mode: 0o600 });
    const wrong = await move('--cluster-secret-file', wrongFile);
    expect(wrong.code).toBe(1);
    expect(wrong.err).toMatch(/STATE_INVALID|STATE_SEALED|CLUSTER_ENTRY_REFUSED/);

    const a = await startNode(scope, etcd, 'a', { flags });
    expect(await a.api('GET', '/v1/cameras/gate')).toMatchObject({ status: 200 });
    const session = await fetch(`${a.apiUrl}/v1/session`, { headers: { authorization: `Bearer ${token}` } });
    expect(session.status).toBe(200);
    // A publisher gets in by the key that it had, and not by another one.
    const key = new URL(endpoint).search;
    const stranger = publish(scope, clip, `${a.url('gate')}?key=${'0'.repeat(32)}`);
    await stranger.exited;
    expect((await a.camera('gate')).live).toBe(false);
    publish(scope, clip, `${a.url('gate')}${key}`);
    await a.waitForLive('gate');

    // Another node's state that has a camera of this name, and a key of its own, is refused as a whole.
    const other = scope.temporaryFolder();
    writeFileSync(join(other, 'state.json'), JSON.stringify({ version: 1, cameras: { gate: {}, yard: {} } }));
    writeFileSync(join(other, 'stream-secret'), `${'ab'.repeat(32)}\n`, { mode: 0o600 });
    const refused = await cli(['import', '--to-cluster', '--data-dir', other, ...cluster]);
    expect(refused.code).toBe(1);
    expect(refused.err).toMatch(/IMPORT_CONFLICT[\s\S]*cameras gate[\s\S]*stream-secret/);
    expect(await a.api('GET', '/v1/cameras/yard')).toMatchObject({ status: 404 });

    const folder = scope.temporaryFolder();
    const passphrase = join(folder, 'passphrase');
    writeFileSync(passphrase, 'correct horse battery');
    const file = join(folder, 'cluster.backup');
    const sealed = [...cluster, '--data-dir', folder, '--passphrase-file', passphrase];
    expect(await cli(['backup', file, ...sealed])).toMatchObject({ code: 0 });
    expect(readFileSync(file, 'utf8')).not.toMatch(/STREAM-KEY|gate/);
    await a.removePush('gate', 'out');
    await a.addCamera('later');
    await a.apiOk('DELETE', '/v1/cameras/later');
    await a.addCamera('extra');
    expect(await cli(['restore', file, ...sealed])).toMatchObject({
      code: 1,
      err: expect.stringContaining('STATE_LOCKED'),
    });
    expect(await cli(['restore', file, ...sealed, '--while-running'])).toMatchObject({ code: 0 });
    await waitFor(async () => (await a.api('GET', '/v1/cameras/extra')).status === 404, { what: 'the backup' });
    const { pushes } = (await a.apiOk('GET', '/v1/cameras/gate')) as CameraView;
    expect(pushes.map(({ id }) => id)).toEqual(['out']);
    expect((await a.camera('gate')).live).toBe(true);
    expect(readdirSync(folder)).toContain('cluster-backup.json.before-restore-1');
  });
});
