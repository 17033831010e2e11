import { type Command, Option } from 'commander';
import { CodedError, codeOf, messageOf } from '../../errors.js';
import { cleanText } from '../../log/pino.js';
import { plural } from '../../plural.js';
import type { ApiClient } from '../client.js';
import { ApiError } from '../client.js';
import { exitCodes } from '../exit-codes.js';
import { findApi } from '../find-api.js';
import { json } from '../format.js';
import { type CliIo, painter } from '../io.js';
import {
  allOrNothingText,
  checkCount,
  countOf,
  dryRunText,
  type ManyOptions,
  makeChanges,
  type NamedChange,
  Progress,
} from '../many/make-changes.js';
import { isPattern } from '../many/names.js';
import { type PushFilter, type PushOfCamera, selectPushes, withPushFilter } from '../many/select-pushes.js';
import {
  type PushOptionFlags,
  type PushOptionValues,
  pushOptionFlags,
  pushOptionsFrom,
  withPushOptions,
} from './push-options.js';
import { type ClientOptions, manyTimeoutMs, withClientOptions } from './shared.js';

interface ChangeOptions extends ClientOptions, ManyOptions, PushFilter {}

/** `push remove`, `enable`, `disable`, `set` and `retry`: of one push, or of all that a pattern and a filter mean. */
export function addPushChangeCommands(push: Command, io: CliIo, setExitCode: (code: number) => void): void {
  addRemove(push, io, setExitCode);
  for (const enabled of [true, false]) addEnable(push, enabled, io, setExitCode);
  addSet(push, io, setExitCode);
  addRetry(push, io, setExitCode);
}

function command(push: Command, nameAndArguments: string, takesAll = true): Command {
  const made = withPushFilter(withClientOptions(push.command(nameAndArguments)))
    .option('--dry-run', dryRunText)
    .argument('<camera>', 'the camera, or a pattern with * and ?')
    .argument('[id]', 'the id of the push, or a pattern (default: all pushes that the options select)');
  return takesAll ? made.option('--all-or-nothing', allOrNothingText) : made;
}

function addRemove(push: Command, io: CliIo, setExitCode: (code: number) => void): void {
  command(push, 'remove')
    .alias('rm')
    .description('Remove pushes; the other pushes are not affected')
    .option('--all', 'all pushes of the cameras')
    .addHelpText(
      'after',
      `
Examples:
  $ media-aggregator push remove gate-1 p-1a2b3c4d
  $ media-aggregator push remove 'cam-*' --engine paris --dry-run
  $ media-aggregator push remove gate-1 --all
`,
    )
    .action(async (camera: string, id: string | undefined, options: ChangeOptions & { all?: boolean }) => {
      const { state, engine, all } = options;
      if (id === undefined && state === undefined && engine === undefined && all !== true) {
        throw new CodedError('USAGE', 'Say which pushes: an id, --engine, --state, or --all for all of them.');
      }
      if (id !== undefined && isOne(camera, id, options)) {
        await findApi(options, io).removePush(camera, id);
        const text = cleanText(`Push ${id} of ${camera} was removed.`);
        io.out.write(options.json ? json({ camera, removed: id }) : `${text}\n`);
        return;
      }
      const found = await find({ camera, id, options, io });
      const changes = found.pushes.map((one) => ({ ...removal(one), about: aboutOf(one) }));
      setExitCode(await make(changes, found.client, options, io));
    });
}

function removal({ camera, push }: PushOfCamera): Pick<NamedChange, 'change'> {
  return { change: { operation: 'removePush', camera: camera.name, push: push.id } };
}

function addEnable(push: Command, enabled: boolean, io: CliIo, setExitCode: (code: number) => void): void {
  const verb = enabled ? 'enable' : 'disable';
  command(push, verb)
    .description(enabled ? 'Enable pushes again' : 'Disable pushes: they stay registered, but do not connect')
    .addHelpText(
      'after',
      `\nExamples:\n  $ media-aggregator push ${verb} gate-1 p-1a2b3c4d\n  $ media-aggregator push ${verb} 'cam-*' --engine paris\n`,
    )
    .action(async (camera: string, id: string | undefined, options: ChangeOptions) => {
      const { pushes, client } = await find({ camera, id, options, io });
      const changes = pushes.map((one) => ({
        change: {
          operation: 'changePush' as const,
          camera: one.camera.name,
          push: one.push.id,
          body: { enabled },
        },
        about: aboutOf(one),
      }));
      setExitCode(await make(changes, client, options, io));
    });
}

interface SetOptions extends ClientOptions, ManyOptions, PushOptionFlags {
  readonly state?: string;
  readonly fromEngine?: string;
  readonly engine?: string;
  readonly url?: string;
  readonly enabled?: 'yes' | 'no';
}

function addSet(push: Command, io: CliIo, setExitCode: (code: number) => void): void {
  withPushOptions(withClientOptions(push.command('set')))
    .argument('<camera>', 'the camera, or a pattern with * and ?')
    .argument('[id]', 'the id of the push, or a pattern (default: all pushes that the options select)')
    .description('Change pushes: target, whether they are enabled, queue limits, tracks')
    .option('--state <state>', 'only pushes in this state')
    .option('--from-engine <engine>', 'only pushes that go to this streaming engine now')
    .option('--engine <engine>', 'push to this streaming engine from now on')
    .option('--url <template>', 'push to this URL from now on; {name} and {type} are replaced')
    .addOption(new Option('--enabled <yes|no>', 'connect or not').choices(['yes', 'no']))
    .option('--all-or-nothing', allOrNothingText)
    .option('--dry-run', dryRunText)
    .addHelpText(
      'after',
      `
Examples:
  $ media-aggregator push set gate-1 p-1a2b3c4d --queue-max-bytes 16MB
  $ media-aggregator push set gate-1 p-1a2b3c4d --enhanced off --video-track 1
  $ media-aggregator push set 'cam-*' --from-engine paris --engine rome --dry-run
`,
    )
    .action(async (camera: string, id: string | undefined, options: SetOptions) => {
      const { state, fromEngine, url, engine } = options;
      const { enabled } = options;
      const change = { ...(enabled === undefined ? {} : { enabled: enabled === 'yes' }), ...pushOptionsFrom(options) };
      if (url !== undefined && engine !== undefined) throw new CodedError('USAGE', 'Give --url or --engine, not both.');
      if (url === undefined && engine === undefined && Object.keys(change).length === 0) {
        throw new CodedError('USAGE', `Say what to change: --engine, --url, --enabled, ${pushOptionFlags}.`);
      }
      const filter = {
        ...(state === undefined ? {} : { state }),
        ...(fromEngine === undefined ? {} : { engine: fromEngine }),
      };
      const { pushes, client } = await find({ camera, id, options: { ...clientOf(options), ...filter }, io });
      if (url !== undefined && !url.includes('{name}') && pushes.length > 1) throw oneTarget(url);
      const changes = pushes.map((one) => ({ ...settingOf(one, { url, engine, change }), about: aboutOf(one) }));
      setExitCode(await make(changes, client, options, io));
    });
}

/** Without the options that `find` would take for filters. */
function clientOf({ engine: _engine, ...rest }: SetOptions): ClientOptions {
  return rest;
}

interface PushSettings extends PushOptionValues {
  readonly enabled?: boolean;
}

function settingOf(
  { camera, push }: PushOfCamera,
  { url, engine, change }: { url: string | undefined; engine: string | undefined; change: PushSettings },
): Pick<NamedChange, 'change'> {
  if (url === undefined && engine === undefined) {
    return { change: { operation: 'changePush', camera: camera.name, push: push.id, body: change } };
  }
  const { queueMaxBytes = push.queueMaxBytes, queueMaxAgeMs = push.queueMaxAgeMs, enabled = push.enabled } = change;
  const { enhanced = push.enhanced, videoTrack = push.videoTrack, audioTrack = push.audioTrack } = change;
  const { audio = push.audio, via = push.via } = change;
  const target = url === undefined ? { engine } : { url: filled(url, camera) };
  const body = {
    ...{ id: push.id, ...target, enabled },
    ...(queueMaxBytes == null ? {} : { queueMaxBytes }),
    ...(queueMaxAgeMs == null ? {} : { queueMaxAgeMs }),
    ...(enhanced === undefined ? {} : { enhanced }),
    ...(videoTrack === undefined ? {} : { videoTrack }),
    ...(audioTrack === undefined ? {} : { audioTrack }),
    ...(audio === undefined ? {} : { audio }),
    ...(via == null ? {} : { via }),
  };
  return { change: { operation: 'declarePush', camera: camera.name, body } };
}

/** A URL with the names of a camera in the places of a template. */
export function filled(template: string, { name, type }: { name: string; type?: string | undefined }): string {
  const url = template.replaceAll('{name}', name);
  return type === undefined ? url : url.replaceAll('{type}', type);
}

/** Cameras that publish one stream at one target throw each other out. */
export function oneTarget(url: string): CodedError {
  const hint = url.includes('?') ? '' : `, for example ${url.replace(/\/[^/]*$/, '/{name}')}`;
  return new CodedError(
    'USAGE',
    `Several pushes would go to one stream of the target; put {name} into the URL${hint}.`,
  );
}

const retriesAtOnce = 8;

function addRetry(push: Command, io: CliIo, setExitCode: (code: number) => void): void {
  command(push, 'retry', false)
    .description('Retry waiting pushes now, without waiting for their next retry')
    .addHelpText(
      'after',
      "\nExamples:\n  $ media-aggregator push retry gate-1 p-1a2b3c4d\n  $ media-aggregator push retry 'cam-*' --engine paris\n",
    )
    .action(async (camera: string, id: string | undefined, options: ChangeOptions) => {
      if (id !== undefined && isOne(camera, id, options)) {
        const view = await findApi(options, io).retryPush(camera, id);
        io.out.write(options.json ? json(view) : `${cleanText(`Push ${id} of ${camera} is ${view.state}.`)}\n`);
        return;
      }
      const found = await find({ camera, id, options, io });
      const waiting = found.pushes.filter(({ push: { state } }) => state === (options.state ?? 'waiting'));
      setExitCode(await retryAll(waiting, found.client, options, io));
    });
}

async function retryAll(
  pushes: readonly PushOfCamera[],
  client: ApiClient,
  { json: asJson, dryRun }: ChangeOptions,
  io: CliIo,
): Promise<number> {
  const results: { camera: string; push: string; state?: string; error?: { code: string; message: string } }[] = [];
  const waiting = pushes[Symbol.iterator]();
  const progress = new Progress(io, pushes.length);
  let unreachable: unknown;
  const work = async (): Promise<void> => {
    for (const { camera, push } of { [Symbol.iterator]: () => waiting }) {
      if (unreachable !== undefined) return;
      const about = { camera: camera.name, push: push.id };
      try {
        const state = dryRun === true ? push.state : (await client.retryPush(camera.name, push.id)).state;
        results.push({ ...about, state });
      } catch (error) {
        if (codeOf(error) === 'API_UNREACHABLE') unreachable = error;
        const code = error instanceof ApiError ? error.apiCode : codeOf(error);
        results.push({ ...about, error: { code, message: messageOf(error) } });
      }
      progress.show(results.length);
    }
  };
  await Promise.all(Array.from({ length: retriesAtOnce }, work));
  progress.end();
  const failed = results.filter(({ error }) => error !== undefined);
  if (asJson === true) io.out.write(json({ dryRun: dryRun === true, failed: failed.length, results }));
  else {
    const paint = painter(io.err, io.env);
    const retried = countOf(results.length - failed.length, 'push');
    io.out.write(dryRun === true ? `Dry run: ${retried} would be retried.\n` : `${retried} retried.\n`);
    for (const { camera, push, error } of failed) {
      io.err.write(
        `${paint('red', 'failed')}: ${cleanText(`push ${push} of ${camera}: ${error?.code}: ${error?.message}`)}\n`,
      );
    }
  }
  if (unreachable !== undefined) {
    const left = pushes.length - results.length;
    if (left > 0 && asJson !== true)
      io.err.write(`${painter(io.err, io.env)('red', 'failed')}: ${plural(left, 'was', 'were')} not tried\n`);
    throw unreachable;
  }
  return failed.length > 0 ? exitCodes.failed : exitCodes.ok;
}

/** True for one push that is named in full: it is asked for as it stands, and the API says what is wrong with it. */
function isOne(camera: string, id: string, { state, engine, dryRun }: ChangeOptions): boolean {
  return !isPattern(camera) && !isPattern(id) && state === undefined && engine === undefined && dryRun !== true;
}

async function find({
  camera,
  id,
  options,
  io,
}: {
  camera: string;
  id: string | undefined;
  options: ChangeOptions;
  io: CliIo;
}): Promise<{ client: ApiClient; pushes: PushOfCamera[] }> {
  const client = findApi(options, io, manyTimeoutMs);
  const cameras = isPattern(camera) ? await client.cameras() : [await client.camera(camera)];
  const pushes = selectPushes(cameras, { camera, id, filter: options });
  if (id !== undefined && !isPattern(id) && pushes.length === 0 && options.state === undefined) {
    throw new CodedError('PUSH_NOT_FOUND', `no push "${id}" of ${camera} is there`);
  }
  return { client, pushes };
}

async function make(
  changes: readonly NamedChange[],
  client: ApiClient,
  options: ClientOptions & ManyOptions,
  io: CliIo,
): Promise<number> {
  if (changes.length === 0) {
    io.out.write(
      options.json
        ? json({ dryRun: options.dryRun === true, failed: 0, results: [] })
        : 'No push matches; nothing was changed.\n',
    );
    return exitCodes.ok;
  }
  checkCount(changes, options.allOrNothing === true);
  return makeChanges(client, changes, { io, options });
}

/** A push as people know it. Its URL has no secrets: it is what the API shows. */
function aboutOf({ camera, push }: PushOfCamera): string {
  return `push ${push.id} of ${camera.name} to ${push.engine ?? push.url}`;
}
