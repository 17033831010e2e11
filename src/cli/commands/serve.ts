import { constants } from 'node:os';
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { loadSettings, type SettingRow, type Settings, settingRows, sourcesByField } from '../../config/index.js';
import { LogLevels } from '../../log/levels.js';
import { createLogger, type ProcessLogger } from '../../log/pino.js';
import { exitCodes } from '../exit-codes.js';
import { urlHost } from '../format.js';
import { type CliIo, wantsColors } from '../io.js';
import type { RunningAggregator } from '../serve.js';
import { ServiceManager } from '../service-manager.js';
import { version } from '../version.js';

/** What stopping may take on top of `shutdown-timeout`, before it is cut short. */
const stopGraceMs = 1500;

export function addServeCommand(program: Command, io: CliIo, setExitCode: (code: number) => void): void {
  const command = program
    .command('serve')
    .description('Run an aggregator: take cameras on the RTMP port, answer the API')
    .addOption(new Option('--config <file>', 'Settings file (default media-aggregator.yaml, when it is there)'))
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
  const loaded = loadSettings({ flags, env: io.env, cwd: io.cwd });
  const settings = { ...loaded.settings, dataDir: resolve(io.cwd, loaded.settings.dataDir) };
  const logLevels = new LogLevels(settings.logLevel);
  const log = createLogger({
    level: logLevels.filter,
    format: settings.logFormat,
    isTerminal: io.err.isTTY,
    colors: wantsColors(io.err, io.env),
  });
  exitOnUncaught(log);
  const signals = watchSignals(log);
  // Loaded here and not above: the other commands start faster without the server's parts.
  const { startAggregator } = await import('../serve.js');
  const sources = sourcesByField(loaded.sources);
  const aggregator = await startAggregator({ settings, sources, log, logLevels, version });
  const line = readyLine(loaded.settings, aggregator);
  io.out.write(`${line}\n`);
  const manager = new ServiceManager(io.env, log);
  manager.ready(line);

  const signal = await signals.first;
  manager.stopping();
  log.info('stopping', { signal });
  const deadline = setTimeout(
    () => {
      log.error('stopping took too long; what is left is cut off');
      log.flush();
      process.exit(exitCodes.failed);
    },
    settings.drainDelayMs + settings.media.shutdownTimeoutMs + stopGraceMs,
  );
  await aggregator.stop();
  clearTimeout(deadline);
  log.info('stopped');
  log.flush();
  // Nothing is under way any more; a stray timer or keep-alive connection must not hold up the end.
  process.exit(exitCodes.ok);
}

function readyLine(
  settings: Settings,
  { rtmpPort, rtmpsPort, apiPort }: Pick<RunningAggregator, 'rtmpPort' | 'rtmpsPort' | 'apiPort'>,
): string {
  const host = settings.host === '0.0.0.0' || settings.host === '::' ? 'localhost' : settings.host;
  const rtmpHost = urlHost(settings.advertiseHost ?? host);
  const rtmps = rtmpsPort === undefined ? '' : `, rtmps://${rtmpHost}:${rtmpsPort}`;
  const rtmp = `rtmp://${rtmpHost}:${rtmpPort}${rtmps}`;
  const api = `${settings.apiTlsCert === undefined ? 'http' : 'https'}://${urlHost(host)}:${apiPort}`;
  return `media-aggregator ${version} serves: RTMP ${rtmp}, API ${api}, data ${settings.dataDir}`;
}

/** The first SIGTERM or SIGINT asks for an orderly end, a second one ends at once. */
function watchSignals(log: ProcessLogger): { first: Promise<NodeJS.Signals> } {
  const first = new Promise<NodeJS.Signals>((resolveFirst) => {
    let asked = false;
    const onSignal = (signal: NodeJS.Signals) => {
      if (asked) {
        log.flush();
        process.exit(128 + constants.signals[signal]);
      }
      asked = true;
      resolveFirst(signal);
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  });
  return { first };
}

/** After an exception that nobody expected nothing can be trusted; whoever started the process starts it again. */
function exitOnUncaught(log: ProcessLogger): void {
  process.once('uncaughtException', (error, origin) => {
    log.error('uncaught exception', { origin, error });
    log.flush();
    process.exit(exitCodes.failed);
  });
}
