import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { healthy, startTarget } from '../push/targets.js';
import { Scope } from '../support/scope.js';
import { cli, leaveDeadSocket, startTestAggregator } from './support.js';

async function withScope(run: (scope: Scope) => Promise<void>): Promise<void> {
  const scope = new Scope();
  try {
    await run(scope);
  } finally {
    await scope.close();
  }
}

describe('push test', () => {
  it('is made by the aggregator that would push, by its rules', () =>
    withScope(async (scope) => {
      const { dataDir } = await startTestAggregator(scope, { 'push-deny': 'denied.example' });
      const denied = await cli(['push', 'test', 'rtmp://denied.example/live/key', '--data-dir', dataDir]);
      expect(denied.code).not.toBe(0);
      expect(denied.out + denied.err).toContain('push-deny');
      const target = await startTarget(healthy);
      scope.defer(() => target.close());
      const taken = await cli(['push', 'test', target.url, '--data-dir', dataDir]);
      expect(taken).toMatchObject({ code: 0, out: expect.stringContaining('would take the stream') });
      expect(taken.out).not.toContain('by itself');
      expect(target.ended.length + target.connectedMs.length).toBeGreaterThan(0);
      const wrong = await cli(['push', 'test', 'http://h/x', '--data-dir', dataDir]);
      expect(wrong.err).toContain('another scheme');
    }));

  it('is made by the command with the settings of serve where none runs', () =>
    withScope(async (scope) => {
      const dataDir = scope.temporaryFolder();
      const target = await startTarget(healthy);
      scope.defer(() => target.close());
      const taken = await cli(['push', 'test', target.url, '--data-dir', dataDir]);
      expect(taken).toMatchObject({ code: 0, out: expect.stringContaining('tested by itself') });
      await leaveDeadSocket(dataDir);
      const afterKill = await cli(['push', 'test', target.url, '--data-dir', dataDir]);
      expect(afterKill).toMatchObject({ code: 0, out: expect.stringContaining('tested by itself') });
      const config = join(dataDir, 'settings.yaml');
      writeFileSync(config, 'push-deny: [denied.example]\n');
      for (const options of [
        { args: ['--config', config], env: {} },
        { args: [], env: { MEDIA_AGGREGATOR_PUSH_DENY: 'denied.example' } },
      ]) {
        const args = ['push', 'test', 'rtmp://denied.example/live/key', '--data-dir', dataDir, ...options.args];
        const denied = await cli(args, { env: options.env });
        expect(denied.code).not.toBe(0);
        expect(denied.out + denied.err).toContain('push-deny');
      }
    }));
});
