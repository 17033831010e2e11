import type { Command } from 'commander';
import { maskTarget } from '../../address/rtmp-url.js';
import { CodedError } from '../../errors.js';
import { cleanText } from '../../log/pino.js';
import { findApi } from '../find-api.js';
import { formatAge, formatBitrate, json, table } from '../format.js';
import { headed } from '../headed.js';
import type { CliIo } from '../io.js';
import {
  allOrNothingText,
  checkCount,
  dryRunText,
  type ManyOptions,
  makeChanges,
  type NamedChange,
} from '../many/make-changes.js';
import { byName, isPattern, selectByName } from '../many/names.js';
import { isWanted, type PushFilter, withPushFilter } from '../many/select-pushes.js';
import { whyDown } from '../troubles.js';
import type { CameraView, PushView } from '../views.js';
import { addPushChangeCommands, filled, oneTarget } from './push-change.js';
import { addPushHealthCommands } from './push-health.js';
import { newPushOptions, type PushOptionFlags, withPushOptions } from './push-options.js';
import {
  type ClientOptions,
  type ListOptions,
  manyTimeoutMs,
  outputOf,
  withClientOptions,
  withOutput,
} from './shared.js';

export function addPushCommands(program: Command, io: CliIo, setExitCode: (code: number) => void): void {
  const push = program
    .command('push')
    .description('Redirect cameras to targets')
    .addHelpText(
      'after',
      `
Examples:
  $ media-aggregator push add gate-1 rtmp://10.0.0.7/live/gate-1
  $ media-aggregator push list gate-1
  $ media-aggregator push test rtmp://10.0.0.7/live/gate-1
`,
    );
  addAdd(push, io, setExitCode);
  addList(push, io);
  addPushChangeCommands(push, io, setExitCode);
  addPushHealthCommands(push, io, setExitCode);
}

interface AddOptions extends ClientOptions, ManyOptions, PushOptionFlags {
  readonly engine?: string;
  readonly id?: string;
}

function addAdd(push: Command, io: CliIo, setExitCode: (code: number) => void): void {
  withPushOptions(withClientOptions(push.command('add')))
    .argument('<camera>', 'the camera, or a pattern with * and ?')
    .argument('[url]', 'where to: rtmp://HOST/APP/STREAM; {name} and {type} are replaced for a pattern')
    .description('Redirect cameras to an RTMP URL or a registered streaming engine, whether they are live or not')
    .option('--engine <engine>', 'a registered streaming engine, instead of a URL')
    .option('--id <id>', 'the id of the push (default: derived from the target)')
    .option('--all-or-nothing', allOrNothingText)
    .option('--dry-run', dryRunText)
    .addHelpText(
      'after',
      `
The same target again changes nothing.

Examples:
  $ media-aggregator push add gate-1 rtmp://10.0.0.7:1935/live/gate-1
  $ media-aggregator push add 'cam-*' --engine paris
  $ media-aggregator push add 'cam-*' 'rtmp://10.0.0.7/live/{name}' --dry-run
`,
    )
    .action(async (camera: string, url: string | undefined, options: AddOptions) => {
      const { engine, id } = options;
      if ((url === undefined) === (engine === undefined)) {
        throw new CodedError(
          'USAGE',
          'Say where the camera goes: either a URL (rtmp://HOST/APP/STREAM), or --engine NAME.',
        );
      }
      if (isPattern(camera) || options.dryRun === true) {
        setExitCode(await addMany(camera, url, options, io));
        return;
      }
      const target = { ...(url === undefined ? {} : { url }), ...(engine === undefined ? {} : { engine }) };
      const result = await findApi(options, io).addPush(camera, {
        ...target,
        ...(id === undefined ? {} : { id }),
        ...newPushOptions(options),
      });
      const done = result.created ? 'is added' : 'was there already';
      const text = `Push ${result.push.id} of ${camera} to ${result.push.url} ${done}; it is ${result.push.state}.`;
      io.out.write(options.json ? json(result.push) : `${cleanText(text)}\n`);
    });
}

async function addMany(pattern: string, url: string | undefined, options: AddOptions, io: CliIo): Promise<number> {
  const { engine, id } = options;
  const client = findApi(options, io, manyTimeoutMs);
  const cameras = selectByName(await client.cameras(), [pattern]);
  if (url !== undefined && !url.includes('{name}') && cameras.length > 1) throw oneTarget(url);
  const changes = cameras.map((camera): NamedChange => {
    const target = url === undefined ? { engine } : { url: filled(url, camera) };
    return {
      change: {
        operation: 'addPush',
        camera: camera.name,
        body: { ...target, ...(id === undefined ? {} : { id }), ...newPushOptions(options) },
      },
      about: `push of ${camera.name} to ${engine ?? maskTarget(filled(url ?? '', camera), camera.name)}`,
    };
  });
  checkCount(changes, options.allOrNothing === true);
  return makeChanges(client, changes, { io, options });
}

function addList(push: Command, io: CliIo): void {
  withPushFilter(withOutput(withClientOptions(push.command('list [camera]')).alias('ls')))
    .description('List pushes with their state: of one camera, of the cameras that match a pattern, or of all')
    .addHelpText(
      'after',
      `
Examples:
  $ media-aggregator push list
  $ media-aggregator push list 'gate-*' --state waiting
  $ media-aggregator push list --engine paris -o name
`,
    )
    .action(async (camera: string | undefined, options: ListOptions & PushFilter) => {
      const client = findApi(options, io);
      const cameras: readonly Pick<CameraView, 'name' | 'pushes'>[] =
        camera === undefined || isPattern(camera)
          ? await client.cameras()
          : [{ name: camera, pushes: await client.pushes(camera) }];
      const selected = camera === undefined ? byName(cameras) : selectByName(cameras, [camera]);
      const pushes = selected.flatMap(({ name, pushes: all }) =>
        all.filter((each) => isWanted(each, options)).map((each) => ({ camera: name, ...each })),
      );
      const output = outputOf(options);
      if (output === 'json') io.out.write(json(pushes));
      else if (output === 'name') io.out.write(pushes.map((each) => `${each.camera} ${each.id}\n`).join(''));
      else io.out.write(pushTable(pushes, output === 'wide', io));
    });
}

function pushTable(pushes: readonly (PushView & { camera: string })[], isWide: boolean, io: CliIo): string {
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
    ...(isWide ? [push.enabled ? 'yes' : 'no', push.attempt, push.queueBytes, push.connects, push.createdAt] : []),
  ]);
  const headings = ['CAMERA', 'ID', 'STATE', 'FOR', 'DOWN', 'OUT', 'DROPPED', 'ENGINE', 'TARGET', 'ERROR'];
  return headed(
    table([...headings, ...(isWide ? ['ENABLED', 'FAILURES', 'QUEUE', 'CONNECTS', 'CREATED'] : [])], rows),
    io,
  );
}
