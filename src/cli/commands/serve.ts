import { constants } from 'node:os';
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { loadSettings, type SettingRow, type Settings, settingRows, sourcesByField } from '../../config/index.js';
import { show } from '../../config/values.js';
import { ConfigError, messageOf } from '../../errors.js';
import { LogDestination } from '../../log/destination.js';
import { LogLevels } from '../../log/levels.js';
import { cleanText, createFileLogger, createLogger, type ProcessLogger } from '../../log/pino.js';
import { endProcess } from '../../process/end-process.js';
import { dataFolderPath } from '../data-path.js';
import { exitCodes } from '../exit-codes.js';
import { urlHost } from '../format.js';
import { type CliIo, wantsColors } from '../io.js';
import type { RunningAggregator } from '../serve.js';
import { onSignals } from '../serve-signals.js';
import { ServiceManager } from '../service-manager.js';
import { settingsReader } from '../settings-reader.js';
import { version } from '../version.js';

/** What stopping may take on top of `shutdown-timeout`, before it is cut short. */
const stopGraceMs = 1500;
/** How long the last lines of the log may take. */
const lastLinesMs = 500;

export function addServeCommand(program: Command, io: CliIo, setExitCode: (code: number) => void): void {
  const command = program
    .command('serve')
    .description('Run an aggregator: accept cameras on the RTMP port, and serve the API')
    .addOption(new Option('--config <file>', 'Settings file (default media-aggregator.yaml, if it exists)'))
    .addHelpText(
      'after',
      `
Every setting can also come from a variable (--rtmp-port: MEDIA_AGGREGATOR_RTMP_PORT) or from media-aggregator.yaml
(rtmp-port: 1935). Flags go over variables, variables over the file. docs/settings.md lists all with their ranges.

Examples:
  $ media-aggregator serve
  $ media-aggregator serve --rtmp-port 1936 --api-port 5001 --data-dir /var/lib/media-aggregator
  $ media-aggregator serve --advertise-host cameras.example.org --location stadium
  $ media-aggregator serve --config /etc/media-aggregator.yaml --log-format json
`,
    );
  const keys = new Map<string, string>([['config', 'config']]);
  for (const row of settingRows) {
    const option = settingOption(row);
    keys.set(option.attributeName(), row.key);
    command.addOption(option);
  }
  command.action(async (options: Record<string, string | undefined>) => {
    const flags: Record<string, string | undefined> = {};
    for (const [attribute, key] of keys) {
      flags[key] = options[attribute];
    }
    setExitCode(await serve(flags, io));
  });
}

function settingOption(row: SettingRow): Option {
  const text = row.defaultText === undefined ? '' : ` (default ${row.defaultText})`;
  const option = new Option(`${row.flag} ${row.placeholder}`, row.description + text);
  // A flag whose value may be left out: yes.
  if (option.optional) option.preset('true');
  return option.helpGroup(row.group === 'media' ? 'Media settings:' : 'Settings:');
}

/** Runs until a signal ends it. */
async function serve(flags: Record<string, string | undefined>, io: CliIo): Promise<number> {
  const load = () => loadSettings({ flags, env: io.env, cwd: io.cwd });
  const loaded = load();
  const settings = { ...loaded.settings, dataDir: dataFolderPath(io.cwd, loaded.settings.dataDir) };
  const logLevels = new LogLevels(settings.logLevel);
  const log = await openLog(settings, logLevels, io);
  exitOnUncaught(log);
  logWarnings(log);
  const stopLimitMs = settings.drainDelayMs + settings.media.shutdownTimeoutMs + stopGraceMs;
  const readSettings = settingsReader({ load, before: loaded, log, logLevels });
  let aggregator: RunningAggregator | undefined;
  const first = new Promise<void>((resolveFirst) => {
    onSignals({
      stop: (signal) => {
        log.info('stopping', { signal });
        // From the signal on, whatever it finds: a start that is under way may hang, too.
        setTimeout(() => {
          log.error('stopping took too long; what is left is ended by force');
          void end(log, exitCodes.failed);
        }, stopLimitMs);
        resolveFirst();
      },
      stopNow: (signal) => void end(log, 128 + constants.signals[signal]),
      readAgain: () => {
        readSettings();
        aggregator?.readAgain();
      },
      reopenLog: () => log.reopen(),
    });
  });
  // Loaded here and not above: the other commands start faster without the server's parts.
  const { startAggregator } = await import('../serve.js');
  const sources = sourcesByField(loaded.sources);
  try {
    aggregator = await startAggregator({ settings, sources, log, logHealth: () => log.health, logLevels, version });
  } catch (error) {
    // What is wrong is said on standard error, which may take it or not.
    setTimeout(() => void endProcess(exitCodes.failed), lastLinesMs).unref();
    await log.flush(lastLinesMs);
    throw error;
  }
  const line = readyLine(loaded.settings, aggregator);
  printLine(io, line);
  const manager = new ServiceManager(io.env, log);
  manager.ready(line);

  await first;
  manager.stopping();
  await aggregator.stop();
  log.info('stopped');
  // Nothing is under way any more; a stray timer or keep-alive connection must not hold up the end.
  await end(log, exitCodes.ok);
  return exitCodes.ok;
}

async function openLog(settings: Settings, logLevels: LogLevels, io: CliIo): Promise<ProcessLogger> {
  const { logFile, logFormat: format } = settings;
  const { filter: level, recent } = logLevels;
  if (logFile === undefined) {
    return createLogger({ level, format, isTerminal: io.err.isTTY, colors: wantsColors(io.err, io.env), recent });
  }
  try {
    return await createFileLogger(resolve(io.cwd, logFile), {
      level,
      format,
      isTerminal: false,
      colors: false,
      recent,
    });
  } catch (error) {
    const message = `log-file ${show(logFile)} cannot be opened: ${messageOf(error)}`;
    throw new ConfigError('CONFIG_INVALID_VALUE', message, { cause: error, field: '--log-file' });
  }
}

/** Ends the process, with the last lines of its log if that takes them in time. */
async function end(log: ProcessLogger, code: number): Promise<void> {
  await log.flush(lastLinesMs);
  await endProcess(code);
}

/** A line of standard output. One that is full, closed or not read is no reason to wait or to end. */
function printLine(io: CliIo, line: string): void {
  if (io.out.fd === undefined) io.out.write(`${line}\n`);
  else new LogDestination({ to: io.out.fd, lostLine: () => '' }).write(`${cleanText(line)}\n`);
}

function readyLine(
  settings: Settings,
  {
    rtmpPort,
    rtmpsPort,
    srtPort,
    apiPort,
    hasDashboard,
  }: Pick<RunningAggregator, 'rtmpPort' | 'rtmpsPort' | 'srtPort' | 'apiPort' | 'hasDashboard'>,
): string {
  const host = settings.host === '0.0.0.0' || settings.host === '::' ? 'localhost' : settings.host;
  const rtmpHost = urlHost(settings.advertiseHost ?? host);
  const rtmps = rtmpsPort === undefined ? '' : `, rtmps://${rtmpHost}:${rtmpsPort}`;
  const srt = srtPort === undefined ? '' : `, srt://${rtmpHost}:${srtPort}`;
  const rtmp = `rtmp://${rtmpHost}:${rtmpPort}${rtmps}${srt}`;
  const api = `${settings.apiTlsCert === undefined ? 'http' : 'https'}://${urlHost(host)}:${apiPort}`;
  const dashboard = hasDashboard ? `, dashboard ${api}/` : '';
  return `media-aggregator ${version} serves: RTMP ${rtmp}, API ${api}, data ${settings.dataDir}${dashboard}`;
}

/** After an exception that nobody expected nothing can be trusted; whoever started the process starts it again. */
function exitOnUncaught(log: ProcessLogger): void {
  let isEnding = false;
  process.on('uncaughtException', (error, origin) => {
    if (isEnding) {
      void endProcess(exitCodes.failed);
      return;
    }
    isEnding = true;
    log.error('uncaught exception', { origin, error });
    void end(log, exitCodes.failed);
  });
}

/** Node would write them to standard error by itself, and wait for who reads it. */
function logWarnings(log: ProcessLogger): void {
  process.removeAllListeners('warning');
  process.on('warning', ({ name, message }) => log.warn('Node.js warns', { name, reason: message }));
}
