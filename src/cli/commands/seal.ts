import type { Command } from 'commander';
import { findApi } from '../find-api.js';
import { json } from '../format.js';
import type { CliIo } from '../io.js';
import { type ClientOptions, withClientOptions } from './shared.js';

export function addSealCommand(program: Command, io: CliIo): void {
  withClientOptions(program.command('rotate-seal-key'))
    .description('Write the state file anew, sealed with the first key of the seal-key file')
    .addHelpText(
      'after',
      `
The first time: start the aggregator with --seal-key, and run this; until then URLs that were there before stay as they are.
To change the key: put a new one before the old one in the file, restart, run this, remove the old one, restart.
Backups and files that are kept beside state.json (".before-restore-1" and the like) are not touched.

Examples:
  $ (umask 077; openssl rand -hex 32 > seal-key)
  $ media-aggregator rotate-seal-key
`,
    )
    .action(async (options: ClientOptions) => {
      const sealed = await findApi(options, io).sealState();
      if (options.json) io.out.write(json(sealed));
      else io.out.write(`The state file is sealed with key ${sealed.keyId}.\n`);
    });
}
