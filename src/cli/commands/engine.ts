import type { Command } from 'commander';
import { CodedError } from '../../errors.js';
import { cleanText } from '../../log/pino.js';
import { findApi } from '../find-api.js';
import { json, table } from '../format.js';
import { headed } from '../headed.js';
import type { CliIo } from '../io.js';
import { dryRunText, type ManyOptions, makeChanges } from '../many/make-changes.js';
import { byName } from '../many/names.js';
import type { EngineView } from '../views.js';
import { type ClientOptions, type ListOptions, outputOf, withClientOptions, withOutput } from './shared.js';

interface EngineOptions extends ClientOptions {
  readonly host: string;
  readonly pushUrl?: string;
  readonly playbackUrl?: string;
  readonly location?: string;
}

export function addEngineCommands(program: Command, io: CliIo, setExitCode: (code: number) => void): void {
  const engine = program
    .command('engine')
    .description('Register, list and remove streaming engines')
    .addHelpText(
      'after',
      '\nExamples:\n  $ media-aggregator engine add paris --host 10.0.0.7\n  $ media-aggregator engine list\n',
    );

  withClientOptions(engine.command('add <name>'))
    .description('Register a streaming engine for pushes and getStream')
    .requiredOption('--host <host>', 'host name or IP address, without a port')
    .option('--push-url <template>', 'URL that a camera is pushed to (default rtmp://{host}:1935/live/{name})')
    .option('--playback-url <template>', 'URL that viewers play it at (default http://{host}:80/hls/{name}.m3u8)')
    .option('--location <location>', 'location of the engine; compared with those of viewers and of the aggregator')
    .addHelpText(
      'after',
      `
In templates {host}, {name}, {type} and {location} are replaced: by the engine's host and location, and the camera's
name and type.

Examples:
  $ media-aggregator engine add paris --host 10.0.0.7 --location paris
  $ media-aggregator engine add lab --host lab.example.org --push-url 'rtmp://{host}:1936/{type}/{name}'
`,
    )
    .action(async (name: string, options: EngineOptions) => {
      const { host, pushUrl, playbackUrl, location } = options;
      const result = await findApi(options, io).addEngine({
        name,
        host,
        ...(pushUrl === undefined ? {} : { pushUrl }),
        ...(playbackUrl === undefined ? {} : { playbackUrl }),
        ...(location === undefined ? {} : { location }),
      });
      const done = result.created ? 'is registered' : 'was registered already';
      io.out.write(
        options.json
          ? json(result.engine)
          : `${cleanText(`Engine ${name} ${done}. Cameras are sent to ${result.engine.pushUrl}`)}\n`,
      );
    });

  addSet(engine, io);
  addList(engine, io);
  withClientOptions(engine.command('remove <names...>').alias('rm'))
    .description('Remove streaming engines that no push goes to')
    .option('--dry-run', dryRunText)
    .addHelpText('after', '\nExamples:\n  $ media-aggregator engine remove paris\n')
    .action(async (names: string[], options: ClientOptions & ManyOptions) => {
      const client = findApi(options, io);
      const [name = ''] = names;
      if (names.length === 1 && options.dryRun !== true) {
        await client.removeEngine(name);
        io.out.write(options.json ? json({ removed: name }) : `Engine ${cleanText(name)} was removed.\n`);
        return;
      }
      const changes = names.map((each) => ({
        change: { operation: 'removeEngine' as const, engine: each },
        about: `engine ${each}`,
      }));
      setExitCode(await makeChanges(client, changes, { io, options }));
    });
}

interface SetOptions extends ClientOptions {
  readonly host?: string;
  readonly pushUrl?: string;
  readonly playbackUrl?: string;
  readonly location?: string;
}

function addSet(engine: Command, io: CliIo): void {
  withClientOptions(engine.command('set <name>'))
    .description('Change a streaming engine; the pushes to it follow')
    .option('--host <host>', 'host name or IP address, without a port')
    .option('--push-url <template>', 'URL that a camera is pushed to; an empty text restores the default')
    .option('--playback-url <template>', 'URL that viewers play it at; an empty text restores the default')
    .option('--location <location>', 'location of the engine; an empty text removes it')
    .addHelpText('after', '\nExamples:\n  $ media-aggregator engine set paris --host 10.0.0.8\n')
    .action(async (name: string, { host, pushUrl, playbackUrl, location, ...options }: SetOptions) => {
      const change = {
        ...(host === undefined ? {} : { host }),
        ...(pushUrl === undefined ? {} : { pushUrl: pushUrl === '' ? null : pushUrl }),
        ...(playbackUrl === undefined ? {} : { playbackUrl: playbackUrl === '' ? null : playbackUrl }),
        ...(location === undefined ? {} : { location: location === '' ? null : location }),
      };
      if (Object.keys(change).length === 0) {
        throw new CodedError('USAGE', 'Say what to change: --host, --push-url, --playback-url or --location.');
      }
      const view = await findApi(options, io).changeEngine(name, change);
      const text = cleanText(`Engine ${name} at ${view.host} is changed. Cameras are sent to ${view.pushUrl}`);
      io.out.write(options.json ? json(view) : `${text}\n`);
    });
}

function addList(engine: Command, io: CliIo): void {
  withOutput(withClientOptions(engine.command('list')).alias('ls'))
    .description('List the streaming engines')
    .addHelpText('after', '\nExamples:\n  $ media-aggregator engine list\n')
    .action(async (options: ListOptions) => {
      const engines = byName(await findApi(options, io).engines());
      const output = outputOf(options);
      if (output === 'json') io.out.write(json(engines));
      else if (output === 'name') io.out.write(engines.map(({ name }) => `${name}\n`).join(''));
      else if (engines.length === 0) {
        io.out.write('No engine is registered. Register one with "media-aggregator engine add NAME --host HOST".\n');
      } else io.out.write(headed(engineTable(engines, output === 'wide'), io));
    });
}

/** `40 of 200 down`, or how many there are. */
export function pushesText({ pushes }: EngineView): string | null {
  if (pushes === undefined) return null;
  return pushes.down === 0 ? String(pushes.total) : `${pushes.down} of ${pushes.total} down`;
}

function engineTable(engines: readonly EngineView[], isWide: boolean): string {
  const rows = engines.map((each) => [
    each.name,
    each.host,
    each.location ?? null,
    pushesText(each),
    each.pushUrl,
    each.playbackUrl,
    ...(isWide ? [each.createdAt] : []),
  ]);
  return table(
    ['NAME', 'HOST', 'LOCATION', 'PUSHES', 'PUSH URL', 'PLAYBACK URL', ...(isWide ? ['CREATED'] : [])],
    rows,
  );
}
