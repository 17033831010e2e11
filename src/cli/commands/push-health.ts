import { resolve } from 'node:path';
import type { Command } from 'commander';
import { PushPolicy } from '../../address/push-policy.js';
import { loadSettings } from '../../config/index.js';
import { codeOf } from '../../errors.js';
import { Dialer } from '../../net/dialer.js';
import { type TargetTestResult, testTarget } from '../../push/target-test.js';
import { TrustedFile } from '../../tls/trusted-file.js';
import { exitCodes } from '../exit-codes.js';
import { findApi } from '../find-api.js';
import { json, table } from '../format.js';
import { headed } from '../headed.js';
import type { CliIo } from '../io.js';
import type { TargetTestView } from '../views.js';
import { type ClientOptions, withClientOptions } from './shared.js';

/** Each step may take `connect-timeout`. */
const testTimeoutMs = 120_000;

/** `push test` and `push events`: for whoever is paged when a target dies. */
export function addPushHealthCommands(push: Command, io: CliIo, setExitCode: (code: number) => void): void {
  withClientOptions(push.command('test <url>'))
    .description('Test a target step by step, up to the permission to publish; sends no media')
    .option('--config <file>', 'settings for the test, if no aggregator is running')
    .addHelpText(
      'after',
      `
Asks the aggregator that would push, so that its settings, its network and its trusted certificates count. Where none runs,
this command tests by itself, with the settings that "serve" would have here. Exit code 1 when the target would not take
the stream; a target that has this very stream already says so too.

Examples:
  $ media-aggregator push test rtmp://10.0.0.7:1935/live/gate-1
`,
    )
    .action(async (url: string, options: ClientOptions & { config?: string }) => {
      const asked = await testThere(url, options, io);
      const result = asked ?? (await testHere(url, options, io));
      const by = asked === undefined ? 'No aggregator runs here; this command tested by itself.\n' : '';
      io.out.write(options.json ? json(result) : `${describeTest(result, io)}${by}`);
      setExitCode(result.ok ? exitCodes.ok : exitCodes.failed);
    });

  withClientOptions(push.command('events <camera> <id>'))
    .description('List the recent events of a push: states, errors, RTMP commands, drops')
    .addHelpText('after', '\nExamples:\n  $ media-aggregator push events gate-1 p-1a2b3c4d\n')
    .action(async (camera: string, id: string, options: ClientOptions) => {
      const events = await findApi(options, io).pushEvents(camera, id);
      const rows = events.map(({ at, kind, text }) => [at, kind, text]);
      io.out.write(options.json ? json(events) : headed(table(['AT', 'WHAT', 'DETAILS'], rows), io));
    });
}

/** What the aggregator that is meant says; undefined when none runs on the data folder. */
async function testThere(url: string, options: ClientOptions, io: CliIo): Promise<TargetTestView | undefined> {
  try {
    return await findApi(options, io, testTimeoutMs).testTarget(url);
  } catch (error) {
    if (codeOf(error) === 'NOT_RUNNING') return undefined;
    throw error;
  }
}

/** Tests from this process, with the settings that `serve` would have here. */
function testHere(
  url: string,
  { config, dataDir }: ClientOptions & { config?: string },
  io: CliIo,
): Promise<TargetTestResult> {
  const flags = { config, 'data-dir': dataDir };
  const { media } = loadSettings({ flags, env: io.env, cwd: io.cwd }).settings;
  const { pushTlsCa, socketMode } = media;
  const trust = pushTlsCa === undefined ? undefined : new TrustedFile(resolve(io.cwd, pushTlsCa), '--push-tls-ca');
  return testTarget(url, media, new Dialer({ policy: new PushPolicy(media), trust, socketMode }));
}

function describeTest(result: TargetTestResult | TargetTestView, io: CliIo): string {
  const rows = result.steps.map(({ step, ok, durationMs, error }) => [
    step,
    ok ? 'ok' : 'failed',
    `${durationMs} ms`,
    error === null ? null : `${error.code}: ${error.message}`,
  ]);
  const verdict = result.ok ? 'The target would take the stream.' : 'The target would not take the stream.';
  return `${headed(table(['STEP', 'RESULT', 'TOOK', 'ERROR'], rows), io)}${verdict}\n`;
}
