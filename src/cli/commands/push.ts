import type { Command } from 'commander';
import { CodedError } from '../../errors.js';
import { cleanText } from '../../log/pino.js';
import { findApi } from '../find-api.js';
import { formatAge, formatBitrate, json, table } from '../format.js';
import type { CliIo } from '../io.js';
import { whyDown } from '../troubles.js';
import type { CameraView, PushView } from '../views.js';
import { headed } from './camera.js';
import { addPushHealthCommands } from './push-health.js';
import { type ClientOptions, withClientOptions } from './shared.js';

export function addPushCommands(program: Command, io: CliIo, setExitCode: (code: number) => void): void {
  const push = program
    .command('push')
    .description('Redirect a camera to targets')
    .addHelpText(
      'after',
      `
Examples:
  $ media-aggregator push add gate-1 rtmp://10.0.0.7/live/gate-1
  $ media-aggregator push list gate-1
  $ media-aggregator push test rtmp://10.0.0.7/live/gate-1
`,
    );
  addAdd(push, io);
  addList(push, io);
  addRemove(push, io);
  addPushHealthCommands(push, io, setExitCode);
}

function addAdd(push: Command, io: CliIo): void {
  withClientOptions(push.command('add <camera> [url]'))
    .description('Redirect a camera to an RTMP URL or a registered streaming engine, whether it is live or not')
    .option('--engine <engine>', 'a registered streaming engine, instead of a URL')
    .option('--id <id>', 'the id of the push (default: derived from the target)')
    .addHelpText(
      'after',
      `
The same target again changes nothing.

Examples:
  $ media-aggregator push add gate-1 rtmp://10.0.0.7:1935/live/gate-1
  $ media-aggregator push add gate-1 --engine paris
`,
    )
    .action(
      async (camera: string, url: string | undefined, options: ClientOptions & { engine?: string; id?: string }) => {
        const { engine, id } = options;
        if ((url === undefined) === (engine === undefined)) {
          throw new CodedError(
            'USAGE',
            'Say where the camera goes: either a URL (rtmp://HOST/APP/STREAM), or --engine NAME.',
          );
        }
        const target = { ...(url === undefined ? {} : { url }), ...(engine === undefined ? {} : { engine }) };
        const result = await findApi(options, io).addPush(camera, { ...target, ...(id === undefined ? {} : { id }) });
        if (options.json) {
          io.out.write(json(result.push));
        } else {
          const done = result.created ? 'is added' : 'was there already';
          io.out.write(
            `${cleanText(`Push ${result.push.id} of ${camera} to ${result.push.url} ${done}; it is ${result.push.state}.`)}\n`,
          );
        }
      },
    );
}

function addList(push: Command, io: CliIo): void {
  withClientOptions(push.command('list [camera]'))
    .description('List the pushes of one camera, or of all, with their state')
    .addHelpText('after', '\nExamples:\n  $ media-aggregator push list\n  $ media-aggregator push list gate-1 --json\n')
    .action(async (camera: string | undefined, options: ClientOptions) => {
      const client = findApi(options, io);
      const cameras: readonly Pick<CameraView, 'name' | 'pushes'>[] =
        camera === undefined ? await client.cameras() : [{ name: camera, pushes: await client.pushes(camera) }];
      const pushes = cameras.flatMap(({ name, pushes: all }) => all.map((each) => ({ camera: name, ...each })));
      io.out.write(options.json ? json(pushes) : pushTable(pushes, io));
    });
}

function pushTable(pushes: readonly (PushView & { camera: string })[], io: CliIo): string {
  if (pushes.length === 0) {
    return 'There is no push. Add one with "media-aggregator push add CAMERA URL".\n';
  }
  const rows = pushes.map((push) => [
    push.camera,
    push.id,
    push.state,
    formatAge(push.since),
    push.downSince === null ? null : formatAge(push.downSince),
    push.state === 'active' && push.bitrateBps !== null ? formatBitrate(push.bitrateBps) : null,
    push.droppedFrames,
    push.engine ?? null,
    push.url,
    whyDown(push),
  ]);
  return headed(
    table(['CAMERA', 'ID', 'STATE', 'FOR', 'DOWN', 'OUT', 'DROPPED', 'ENGINE', 'TARGET', 'ERROR'], rows),
    io,
  );
}

function addRemove(push: Command, io: CliIo): void {
  withClientOptions(push.command('remove <camera> <id>'))
    .description('Remove a push; the other pushes are not affected')
    .addHelpText('after', '\nExamples:\n  $ media-aggregator push remove gate-1 p-1a2b3c4d\n')
    .action(async (camera: string, id: string, options: ClientOptions) => {
      await findApi(options, io).removePush(camera, id);
      io.out.write(
        options.json ? json({ camera, removed: id }) : `${cleanText(`Push ${id} of ${camera} is removed.`)}\n`,
      );
    });
}
