import type { Command } from 'commander';
import { defaultSettings } from '../../config/index.js';
import { cleanText } from '../../log/pino.js';
import { type TargetTestResult, testTarget } from '../../push/target-test.js';
import { exitCodes } from '../exit-codes.js';
import { findApi } from '../find-api.js';
import { json, table } from '../format.js';
import type { CliIo } from '../io.js';
import { headed } from './camera.js';
import { type ClientOptions, withClientOptions } from './shared.js';

/** `push test`, `push retry` and `push events`: for whoever is paged when a target dies. */
export function addPushHealthCommands(push: Command, io: CliIo, setExitCode: (code: number) => void): void {
  push
    .command('test <url>')
    .description('Go the way to a target step by step from this machine, up to the permission to publish; no media')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Needs no running aggregator. Exit code 1 when the target would not take the stream; a target that has this very stream
already says so too.

Examples:
  $ media-aggregator push test rtmp://10.0.0.7:1935/live/gate-1
`,
    )
    .action(async (url: string, options: { json?: boolean }) => {
      const result = await testTarget(url, defaultSettings().media);
      io.out.write(options.json ? json(result) : describeTest(result, io));
      setExitCode(result.ok ? exitCodes.ok : exitCodes.failed);
    });

  withClientOptions(push.command('retry <camera> <id>'))
    .description('Have a waiting push try at once, instead of at the end of its pause')
    .addHelpText('after', '\nExamples:\n  $ media-aggregator push retry gate-1 p-1a2b3c4d\n')
    .action(async (camera: string, id: string, options: ClientOptions) => {
      const view = await findApi(options, io).retryPush(camera, id);
      io.out.write(options.json ? json(view) : `${cleanText(`Push ${id} of ${camera} is ${view.state}.`)}\n`);
    });

  withClientOptions(push.command('events <camera> <id>'))
    .description('Show what a push did lately: states, errors, RTMP commands, drops')
    .addHelpText('after', '\nExamples:\n  $ media-aggregator push events gate-1 p-1a2b3c4d\n')
    .action(async (camera: string, id: string, options: ClientOptions) => {
      const events = await findApi(options, io).pushEvents(camera, id);
      const rows = events.map(({ at, kind, text }) => [at, kind, text]);
      io.out.write(options.json ? json(events) : headed(table(['AT', 'WHAT', 'DETAILS'], rows), io));
    });
}

function describeTest(result: TargetTestResult, io: CliIo): string {
  const rows = result.steps.map(({ step, ok, durationMs, error }) => [
    step,
    ok ? 'ok' : 'failed',
    `${durationMs} ms`,
    error === null ? null : `${error.code}: ${error.message}`,
  ]);
  const verdict = result.ok ? 'The target would take the stream.' : 'The target would not take the stream.';
  return `${headed(table(['STEP', 'RESULT', 'TOOK', 'ERROR'], rows), io)}${verdict}\n`;
}
