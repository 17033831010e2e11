import { resolve } from 'node:path';
import type { Command } from 'commander';
import { type LoadedSettings, loadSettings, settingRows } from '../../config/index.js';
import { messageOf } from '../../errors.js';
import { cleanText } from '../../log/pino.js';
import { plural } from '../../plural.js';
import { endProcess } from '../../process/end-process.js';
import { noDataDir } from '../data-path.js';
import { type Check, type CheckStatus, fail, ok } from '../doctor/check.js';
import { checkCluster } from '../doctor/cluster.js';
import { checkAnswers, checkDisk, checkRules, checkState, countRegistered } from '../doctor/disk.js';
import { checkExtraTrust, checkFiles, checkStandardError } from '../doctor/files.js';
import { askForPorts } from '../doctor/held-ports.js';
import { checkMemory } from '../doctor/memory.js';
import { checkAdvertisedHost, checkFamilies, checkPorts } from '../doctor/network.js';
import { checkSockets, checkSocketsInUse } from '../doctor/sockets.js';
import { checkClock, checkNode, checkOpenFiles, checkPrograms } from '../doctor/system.js';
import { exitCodes } from '../exit-codes.js';
import { findApi } from '../find-api.js';
import { json } from '../format.js';
import { type CliIo, painter } from '../io.js';
import { findRuntime } from '../runtime-file.js';

/** The flags of `serve` that change what is looked at. */
const flagKeys = [
  ...[
    'rtmp-port',
    'rtmps-port',
    'srt-port',
    'rtmps-cert',
    'rtmps-key',
    'api-port',
    'api-tls-cert',
    'api-tls-key',
    'host',
    'data-dir',
  ],
  ...['max-cameras', 'max-engines', 'max-pushes-per-camera', 'push-allow', 'push-deny'],
  ...['cluster', 'cluster-prefix', 'cluster-secret-file', 'cluster-user-file'],
  ...['cluster-ca', 'cluster-cert', 'cluster-key', 'node-id'],
  ...['advertise-host', 'workers', 'max-connections', 'push-tls-ca', 'log-file', 'socket-mode'],
];

export function addDoctorCommand(program: Command, io: CliIo, setExitCode: (code: number) => void): void {
  const command = program
    .command('doctor')
    .description(
      'Check whether an aggregator can run on this machine, and say what to do; exit code 1 if a check fails',
    )
    .option('--config <file>', 'settings file, as for serve')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
It reads the same settings as "serve" would here: give it the same flags, variables and settings file.

Examples:
  $ media-aggregator doctor
  $ media-aggregator doctor --rtmp-port 1936 --data-dir /var/lib/media-aggregator
  $ media-aggregator doctor --json
`,
    );
  const attributes = new Map([['config', 'config']]);
  for (const row of settingRows.filter((each) => flagKeys.includes(each.key))) {
    const option = command.createOption(`${row.flag} ${row.placeholder}`, row.description);
    attributes.set(option.attributeName(), row.key);
    command.addOption(option);
  }
  command.action(async (options: Record<string, string | undefined> & { json?: string }) => {
    const flags = Object.fromEntries([...attributes].map(([attribute, key]) => [key, options[attribute]]));
    const { checks, isSilent } = await runChecks(flags, io);
    io.out.write(options.json ? json({ ok: !checks.some(isFailed), checks }) : describeChecks(checks, io));
    setExitCode(checks.some(isFailed) ? exitCodes.failed : exitCodes.ok);
    // What still waits for a disk that does not answer lets no process end.
    if (isSilent) setTimeout(() => void endProcess(exitCodes.failed), endAfterMs).unref();
  });
}

/** The output has gone out by then. */
const endAfterMs = 2000;

/** How long a running aggregator may take to say how it is. */
const askMs = 5000;

const isFailed = (check: Check) => check.status === 'fail';

async function runChecks(
  flags: Record<string, string | undefined>,
  io: CliIo,
): Promise<{ checks: Check[]; isSilent: boolean }> {
  const checks: Check[] = [checkNode()];
  let loaded: LoadedSettings;
  try {
    loaded = loadSettings({ flags, env: io.env, cwd: io.cwd });
  } catch (error) {
    checks.push(fail('settings', messageOf(error), 'Correct it; the other checks need the settings.'));
    return { checks, isSilent: false };
  }
  const { settings, sources } = loaded;
  const given = Object.values(sources).filter((source) => source !== 'default').length;
  checks.push(
    ok(
      'settings',
      given === 0
        ? 'the defaults'
        : `valid; ${plural(given, 'differs from its default or repeats it', 'differ from the defaults or repeat them')}`,
    ),
  );
  const dataDir = resolve(io.cwd, settings.dataDir);
  const silence = settings.dataDir === noDataDir ? undefined : await checkAnswers(dataDir);
  // What reads the folder at once would stand still with its disk.
  const runtime = silence === undefined ? findRuntime(dataDir) : undefined;
  // No other aggregator that the environment may name.
  const findOwn = () => findApi({ dataDir }, { ...io, env: {} }, askMs);
  const held = runtime ?? (silence === undefined ? await askForPorts(findOwn) : undefined);
  checks.push(...(await checkPorts(settings, held)));
  checks.push(checkFamilies(settings));
  checks.push(await checkAdvertisedHost(settings));
  if (silence !== undefined) checks.push(silence);
  else if (settings.dataDir !== noDataDir) {
    checks.push(...(await checkDisk(dataDir)));
    if (settings.cluster === undefined) {
      checks.push(await checkState(dataDir, settings), await checkRules(dataDir, settings));
    }
  }
  if (settings.cluster !== undefined) checks.push(...(await checkCluster(dataDir, settings)));
  // Which of the cluster's cameras this node will have, nobody knows.
  const isAlone = silence === undefined && settings.cluster === undefined;
  checks.push(...(await checkFiles(settings, io.cwd)), ...checkExtraTrust(io.env, io.cwd));
  if (settings.logFile === undefined) checks.push(await checkStandardError(runtime?.pid));
  checks.push(
    checkClock(silence === undefined ? dataDir : undefined),
    checkOpenFiles(settings, undefined, isAlone ? await countRegistered(dataDir, settings) : undefined),
    checkMemory(settings),
    ...(await checkSockets(settings)),
    ...(held === undefined ? [] : await checkSocketsInUse(findOwn())),
    ...(await checkPrograms(io.env, settings)),
  );
  return { checks, isSilent: silence !== undefined };
}

const styles: Readonly<Record<CheckStatus, 'green' | 'yellow' | 'red'>> = { ok: 'green', warn: 'yellow', fail: 'red' };

function describeChecks(checks: readonly Check[], io: CliIo): string {
  const paint = painter(io.out, io.env);
  const width = Math.max(...checks.map((check) => check.name.length));
  const lines = checks.map((check) => {
    const status = paint(styles[check.status], check.status.padEnd(4));
    const advice = check.advice === undefined ? '' : `\n${' '.repeat(width + 7)}${cleanText(check.advice)}`;
    return `${status} ${check.name.padEnd(width)}  ${cleanText(check.message)}${advice}`;
  });
  return `${lines.join('\n')}\n`;
}
