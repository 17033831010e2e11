import type { Command } from 'commander';
import { cleanText } from '../../log/pino.js';
import { findApi } from '../find-api.js';
import { json, table } from '../format.js';
import type { CliIo } from '../io.js';
import { headed } from './camera.js';
import { type ClientOptions, withClientOptions } from './shared.js';

interface EngineOptions extends ClientOptions {
  readonly host: string;
  readonly pushUrl?: string;
  readonly playbackUrl?: string;
  readonly location?: string;
}

export function addEngineCommands(program: Command, io: CliIo): void {
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

  withClientOptions(engine.command('list'))
    .description('List the streaming engines')
    .addHelpText('after', '\nExamples:\n  $ media-aggregator engine list\n')
    .action(async (options: ClientOptions) => {
      const engines = await findApi(options, io).engines();
      if (options.json) {
        io.out.write(json(engines));
      } else if (engines.length === 0) {
        io.out.write('No engine is registered. Register one with "media-aggregator engine add NAME --host HOST".\n');
      } else {
        const rows = engines.map((each) => [
          each.name,
          each.host,
          each.location ?? null,
          each.pushUrl,
          each.playbackUrl,
        ]);
        io.out.write(headed(table(['NAME', 'HOST', 'LOCATION', 'PUSH URL', 'PLAYBACK URL'], rows), io));
      }
    });

  withClientOptions(engine.command('remove <name>'))
    .description('Remove a streaming engine that no push goes to')
    .addHelpText('after', '\nExamples:\n  $ media-aggregator engine remove paris\n')
    .action(async (name: string, options: ClientOptions) => {
      await findApi(options, io).removeEngine(name);
      io.out.write(options.json ? json({ removed: name }) : `Engine ${cleanText(name)} is removed.\n`);
    });
}
