import type { Command } from 'commander';
import { findApi } from '../find-api.js';
import { json } from '../format.js';
import type { CliIo } from '../io.js';
import { addCameraAddCommand } from './camera-add.js';
import { addIngestCommands, ingestLines } from './camera-ingests.js';
import { addKeyCommands } from './camera-keys.js';
import { addCameraListCommand, addCameraRemoveCommand } from './camera-list.js';
import { addCameraRefusedCommand } from './camera-refused.js';
import { trackLines } from './camera-tracks.js';
import { addCameraDebugCommand } from './log.js';
import { type ClientOptions, withClientOptions } from './shared.js';

export function addCameraCommands(program: Command, io: CliIo, setExitCode: (code: number) => void): void {
  const camera = program
    .command('camera')
    .description('Register, list and remove cameras')
    .addHelpText(
      'after',
      '\nExamples:\n  $ media-aggregator camera add gate-1 gate-2 --type 360\n  $ media-aggregator camera list\n',
    );

  addCameraAddCommand(camera, io, setExitCode);

  withClientOptions(camera.command('show <name>'))
    .description('Show the URL that a camera publishes to, with its key, and the tracks of one that is live')
    .addHelpText('after', '\nExamples:\n  $ media-aggregator camera show gate-1\n')
    .action(async (name: string, options: ClientOptions) => {
      const view = await findApi(options, io).camera(name);
      if (options.json) io.out.write(json(view));
      else {
        io.out.write(`${ingestLines(view)}\n`);
        const tracks = trackLines(view);
        if (tracks !== '') io.out.write(`\n${tracks}`);
      }
    });

  addIngestCommands(camera, io);
  addKeyCommands(camera, io);
  addCameraDebugCommand(camera, io);

  addCameraListCommand(camera, io);
  addCameraRefusedCommand(camera, io);
  addCameraRemoveCommand(camera, io, setExitCode);
}
