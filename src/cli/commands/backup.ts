import { resolve } from 'node:path';
import type { Command } from 'commander';
import { loadSettings } from '../../config/index.js';
import { CodedError, messageOf, StateError } from '../../errors.js';
import { writeWhole } from '../../files/write.js';
import { cleanText } from '../../log/pino.js';
import { checkChangeSteps } from '../../model/state-rules.js';
import { backupState, restoreState } from '../../store/file/backup.js';
import { type FindOptions, findApi } from '../find-api.js';
import type { CliIo } from '../io.js';
import { targetRuleOf, withoutStandby } from '../target-rule.js';

/** Who has not answered by then is stopped, or as good as that. */
const answerLimitMs = 5000;

interface FolderOptions {
  readonly dataDir?: string;
}

export function addBackupCommands(program: Command, io: CliIo): void {
  program
    .command('backup')
    .argument('<file>', 'file to write, mode 0600; - for standard output')
    .description('Write cameras, pushes and engines to a file; safe while an aggregator is running')
    .option('--data-dir <folder>', 'data folder of the aggregator (default: that of the settings)')
    .addHelpText(
      'after',
      `
The file is a state.json with everything that was acknowledged, its journal included. It may hold stream keys. Tokens
and certificates are no part of it.

Examples:
  $ media-aggregator backup /var/backups/media-aggregator.json
  $ media-aggregator backup - --data-dir /var/lib/media-aggregator | gzip > state.json.gz
`,
    )
    .action(async (file: string, options: FolderOptions) => {
      const { text, cameras, engines } = await backupState(folderOf(options, io));
      if (file === '-') {
        io.out.write(text);
        const lost = await io.out.written?.();
        if (lost === undefined) return;
        // Also where nobody reads any more: half a backup is none.
        throw new CodedError(
          'OUTPUT_FAILED',
          `standard output could not be written: ${lost.message}; there is no backup`,
        );
      }
      const path = resolve(io.cwd, file);
      await writeWhole(path, text, { adopts: false }).catch((error: unknown) => {
        throw new StateError('STATE_WRITE_FAILED', `${path} could not be written: ${messageOf(error)}`, {
          cause: error,
        });
      });
      io.out.write(`${cleanText(file)} holds ${cameras} cameras and ${engines} engines\n`);
    });

  program
    .command('restore')
    .argument('<file>', 'a file written by "backup" of this or an older version')
    .description('Restore a backup into a data folder; the previous files are kept beside it')
    .option('--data-dir <folder>', 'data folder of the aggregator (default: that of the settings)')
    .option('--token <token>', 'token for the API of the running aggregator; prefer --token-file')
    .option('--token-file <file>', 'file with the token (or MEDIA_AGGREGATOR_TOKEN with the token itself)')
    .option('--while-running', 'also while an aggregator is running there, which applies it live')
    .addHelpText(
      'after',
      `
With --while-running it ends well only when the running aggregator goes by the file; else what was there is put back. The
rules of the settings (max-cameras, push-deny ...) hold: give those of the aggregator as it gets them, by variables or its file.

Examples:
  $ media-aggregator restore /var/backups/media-aggregator.json
  $ media-aggregator restore state.json --data-dir /var/lib/media-aggregator --while-running
`,
    )
    .action(async (file: string, options: FolderOptions & FindOptions & { whileRunning?: boolean }) => {
      const { settings } = loadSettings({ flags: { 'data-dir': options.dataDir }, env: io.env, cwd: io.cwd });
      const refusesTarget = await targetRuleOf(settings);
      const { cameras, engines, kept, isLive } = await restoreState({
        folder: folderOf(options, io),
        file: resolve(io.cwd, file),
        whileRunning: options.whileRunning === true,
        check: (before, after) =>
          checkChangeSteps(before, after, { ...settings, refusesTarget, withoutStandby: withoutStandby(settings) }),
        problems: () => findApi(options, io, answerLimitMs).problems(),
      });
      const what = `restored ${cameras} cameras and ${engines} engines${isLive ? '; the running aggregator took them over' : ''}\n`;
      io.out.write(what + kept.map((path) => `what was there before is kept as ${cleanText(path)}\n`).join(''));
    });
}

function folderOf(options: FolderOptions, io: CliIo): string {
  const { settings } = loadSettings({ flags: { 'data-dir': options.dataDir }, env: io.env, cwd: io.cwd });
  return resolve(io.cwd, settings.dataDir);
}
