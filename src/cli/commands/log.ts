import { Argument, type Command } from 'commander';
import { durationType, ValueProblem } from '../../config/values.js';
import { CodedError } from '../../errors.js';
import { type LogLevel, logLevels } from '../../log/levels.js';
import { cleanText } from '../../log/pino.js';
import { findApi } from '../find-api.js';
import { json } from '../format.js';
import type { CliIo } from '../io.js';
import type { LogView } from '../views.js';
import { type ClientOptions, withClientOptions } from './shared.js';

export function addLogCommand(program: Command, io: CliIo): void {
  withClientOptions(program.command('log-level'))
    .description('Show or change the log level of a running aggregator')
    .addArgument(new Argument('[level]', 'the lowest level to log').choices(logLevels))
    .addHelpText(
      'after',
      `
The level holds until the aggregator ends; the next start takes that of the settings. To see everything of one camera and
no more of the others: "media-aggregator camera debug NAME".

Examples:
  $ media-aggregator log-level
  $ media-aggregator log-level debug
`,
    )
    .action(async (level: LogLevel | undefined, options: ClientOptions) => {
      const api = findApi(options, io);
      const log = level === undefined ? await api.log() : await api.changeLog({ level });
      io.out.write(options.json ? json(log) : describe(log));
    });
}

function describe({ level, configured, cameras }: LogView): string {
  const settings = level === configured ? '' : ` (${configured} after a restart)`;
  const lines = cameras.map(({ camera, endsAt }) => `${cleanText(`Camera ${camera} is debugged until ${endsAt}`)}\n`);
  return `${cleanText(level + settings)}\n${lines.join('')}`;
}

/** `camera debug`. */
export function addCameraDebugCommand(camera: Command, io: CliIo): void {
  withClientOptions(camera.command('debug <name>'))
    .description('Log everything about one camera for a time, whatever the log level')
    .option('--for <duration>', 'how long: 5m, 1h ... at most 24h', '15m')
    .option('--off', 'stop it now')
    .addHelpText(
      'after',
      `
The log then has the RTMP commands of the camera and its targets, each state of its pushes, retries and dropped frames;
secrets are masked. It ends by itself, and with the aggregator.

Examples:
  $ media-aggregator camera debug gate-1
  $ media-aggregator camera debug gate-1 --for 1h
  $ media-aggregator camera debug gate-1 --off
`,
    )
    .action(async (name: string, options: ClientOptions & { for: string; off?: boolean }) => {
      const api = findApi(options, io);
      if (options.off) {
        await api.endDebug(name);
        io.out.write(options.json ? json({ ended: name }) : `Camera ${cleanText(name)} is no longer debugged.\n`);
        return;
      }
      const debugged = await api.debugCamera(name, secondsOf(options.for));
      const notice = debugged.notice === null ? '' : `${cleanText(debugged.notice)}\n`;
      const text = `${cleanText(`The log has everything about camera ${name} until ${debugged.endsAt}.`)}\n${notice}`;
      io.out.write(options.json ? json(debugged) : text);
    });
}

/** @throws CodedError USAGE */
function secondsOf(text: string): number {
  try {
    return Math.ceil(durationType('1s', '24h').parse(text) / 1000);
  } catch (error) {
    if (!(error instanceof ValueProblem)) throw error;
    throw new CodedError('USAGE', `--for ${error.message}`);
  }
}
