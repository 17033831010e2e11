import { Command, Help } from 'commander';
import { addApplyCommand } from './commands/apply.js';
import { addBackupCommands } from './commands/backup.js';
import { addCameraCommands } from './commands/camera.js';
import { addClusterCommands } from './commands/cluster.js';
import { addConfigCommand } from './commands/config.js';
import { addDiscoverCommands } from './commands/discover.js';
import { addDoctorCommand } from './commands/doctor.js';
import { addEngineCommands } from './commands/engine.js';
import { addEventsCommand } from './commands/events.js';
import { addImportCommand } from './commands/import.js';
import { addLogCommand } from './commands/log.js';
import { addLogsCommand } from './commands/logs.js';
import { addPublishCommand } from './commands/publish.js';
import { addPushCommands } from './commands/push.js';
import { addSealCommand } from './commands/seal.js';
import { addServeCommand } from './commands/serve.js';
import { addShellCommands } from './commands/shell.js';
import { addStatusCommand } from './commands/status.js';
import { addTokenCommands } from './commands/token.js';
import { addTopCommand } from './commands/top.js';
import type { CliIo } from './io.js';
import { version } from './version.js';

/** All commands. Nothing exits the process: errors are thrown, and other exit codes than 0 are handed to `setExitCode`. */
export function buildProgram(io: CliIo, setExitCode: (code: number) => void): Command {
  const program = new Command('media-aggregator')
    .description(
      'Receives live video from cameras over RTMP, and redirects each camera to any number of targets while it is live.',
    )
    .version(version, '-v, --version', 'print the version')
    .configureOutput({
      writeOut: (text) => io.out.write(text),
      writeErr: (text) => io.err.write(text),
      // Thrown as well, and reported there in the form of all errors.
      outputError: () => {},
    })
    .configureHelp({
      // What the library adds says nothing to an operator.
      optionDescription: (option) =>
        new Help().optionDescription(option).replace(/ \((?:default: \[\]|preset: "true")\)$/, ''),
    })
    .exitOverride()
    .addHelpText(
      'after',
      `
Exit codes: 0 done, 1 failed, 2 the command line or the settings are wrong, 3 no running aggregator was reached.

Examples:
  $ media-aggregator serve
  $ media-aggregator camera add gate-1
  $ media-aggregator push add gate-1 rtmp://10.0.0.7/live/gate-1
  $ media-aggregator publish samples/clip.flv rtmp://localhost/gate-1/gate-1 --loop
  $ media-aggregator status
`,
    );
  addServeCommand(program, io, setExitCode);
  addCameraCommands(program, io, setExitCode);
  addDiscoverCommands(program, io, setExitCode);
  addPushCommands(program, io, setExitCode);
  addEngineCommands(program, io, setExitCode);
  addClusterCommands(program, io);
  addTokenCommands(program, io);
  addStatusCommand(program, io, setExitCode);
  addConfigCommand(program, io);
  addTopCommand(program, io);
  addEventsCommand(program, io);
  addLogsCommand(program, io);
  addLogCommand(program, io);
  addPublishCommand(program, io, setExitCode);
  addImportCommand(program, io, setExitCode);
  addApplyCommand(program, io, setExitCode);
  addDoctorCommand(program, io, setExitCode);
  addBackupCommands(program, io);
  addSealCommand(program, io);
  addShellCommands(program, io);
  return program;
}
