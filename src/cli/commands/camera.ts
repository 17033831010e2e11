import type { Command } from 'commander';
import { cleanText } from '../../log/pino.js';
import { findApi } from '../find-api.js';
import { formatBitrate, json, table } from '../format.js';
import { type CliIo, painter } from '../io.js';
import type { CameraView } from '../views.js';
import { addKeyCommands, endpointsOf } from './camera-keys.js';
import { addCameraDebugCommand } from './log.js';
import { type ClientOptions, withClientOptions } from './shared.js';

export function addCameraCommands(program: Command, io: CliIo): void {
  const camera = program
    .command('camera')
    .description('Register, list and remove cameras')
    .addHelpText(
      'after',
      '\nExamples:\n  $ media-aggregator camera add gate-1 --type 360\n  $ media-aggregator camera list\n',
    );

  withClientOptions(camera.command('add <name>'))
    .description('Register a camera; prints the URL that it publishes to')
    .option('--type <type>', 'kind of camera: 360, plane ...')
    .addHelpText(
      'after',
      `
Registering a camera that is there with the same settings changes nothing.

Examples:
  $ media-aggregator camera add gate-1
  $ media-aggregator camera add gate-2 --type 360 --json
`,
    )
    .action(async (name: string, options: ClientOptions & { type?: string }) => {
      const { type } = options;
      const result = await findApi(options, io).addCamera({ name, ...(type === undefined ? {} : { type }) });
      if (options.json) {
        io.out.write(json(result.camera));
      } else {
        const done = result.created ? 'is registered' : 'was registered already';
        io.out.write(
          `${cleanText(`Camera ${result.camera.name} ${done}. It publishes to ${result.camera.endpoint}`)}\n`,
        );
      }
    });

  withClientOptions(camera.command('show <name>'))
    .description('Show the URL that a camera publishes to, with its key')
    .addHelpText('after', '\nExamples:\n  $ media-aggregator camera show gate-1\n')
    .action(async (name: string, options: ClientOptions) => {
      const view = await findApi(options, io).camera(name);
      io.out.write(options.json ? json(view) : `${endpointsOf(view)}\n`);
    });

  addKeyCommands(camera, io);
  addCameraDebugCommand(camera, io);

  withClientOptions(camera.command('list'))
    .description('List the cameras with their state')
    .addHelpText(
      'after',
      `
Examples:
  $ media-aggregator camera list
  $ media-aggregator camera list --json --api http://10.0.0.5:5000
`,
    )
    .action(async (options: ClientOptions) => {
      const cameras = await findApi(options, io).cameras();
      io.out.write(options.json ? json(cameras) : cameraTable(cameras, io));
    });

  withClientOptions(camera.command('remove <name>'))
    .description('Remove a camera and its pushes; its publisher and viewers are disconnected')
    .addHelpText('after', '\nExamples:\n  $ media-aggregator camera remove gate-1\n')
    .action(async (name: string, options: ClientOptions) => {
      await findApi(options, io).removeCamera(name);
      io.out.write(options.json ? json({ removed: name }) : `Camera ${cleanText(name)} is removed.\n`);
    });
}

function cameraTable(cameras: readonly CameraView[], io: CliIo): string {
  if (cameras.length === 0) {
    return 'No camera is registered. Register one with "media-aggregator camera add NAME".\n';
  }
  const rows = cameras.map((camera) => [
    camera.name,
    camera.type ?? null,
    camera.live ? 'live' : 'off',
    camera.live && camera.bitrateInBps !== null ? formatBitrate(camera.bitrateInBps) : null,
    [camera.videoCodec, camera.audioCodec].filter((codec) => codec !== null).join('+'),
    camera.viewers,
    `${camera.pushes.filter((push) => push.state === 'active').length}/${camera.pushes.length}`,
    camera.endpoint,
  ]);
  const text = table(['NAME', 'TYPE', 'STATE', 'IN', 'CODECS', 'VIEWERS', 'PUSHES', 'PUBLISHES TO'], rows);
  return headed(text, io);
}

/** The first line bold, on a terminal. */
export function headed(text: string, io: CliIo): string {
  const paint = painter(io.out, io.env);
  return text.replace(/^.*/, (heading) => paint('bold', heading));
}
