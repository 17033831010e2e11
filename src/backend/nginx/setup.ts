import { mkdir } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { PushPolicy, PushRules } from '../../address/push-policy.js';
import { CodedError, messageOf } from '../../errors.js';
import { readRegular } from '../../files/read.js';
import type { Logger } from '../../log/log.js';
import type { OutgoingSettings } from '../../rtmp/outgoing-attempt.js';
import { findNginx, type NginxBinary } from './binary.js';
import { Configuration } from './configuration.js';
import { type NginxPaths, nginxPaths, removeLeftovers } from './files.js';
import type { HostNames } from './host-names.js';
import { NginxProcess } from './nginx-process.js';
import { Observer } from './observer.js';
import { type Choices, chooseOnce } from './ports.js';
import type { Problems } from './problems.js';
import { nginxProcesses, orphansOf } from './processes.js';
import { Runner } from './runner.js';
import { fetchStatistics } from './statistics.js';
import { defaultTemplate, Template } from './template.js';

/** As `Settings` of the program has them. */
export interface NginxBackendSettings {
  readonly host: string;
  readonly rtmpPort: number;
  readonly apiPort: number;
  readonly dataDir: string;
  readonly nginxBinary?: string | undefined;
  readonly nginxTemplate?: string | undefined;
  readonly nginxConf?: string | undefined;
  readonly nginxStatPort: number;
  readonly nginxExternal: boolean;
  readonly media: OutgoingSettings & PushRules;
}

const maxTemplateBytes = 1 << 20;
const statPath = '/stat';
const statTimeoutMs = 3_000;

/** The parts of the backend that exist from its start on. */
export interface Setup {
  readonly paths: NginxPaths;
  readonly choices: Choices;
  /** Null with an nginx that somebody else runs. */
  readonly binary: NginxBinary | null;
  readonly configuration: Configuration;
  readonly process: NginxProcess | null;
  readonly runner: Runner | null;
  readonly observer: Observer;
}

/**
 * Finds nginx, and one that an earlier aggregator left running, and chooses the ports.
 * @throws CodedError NGINX_NOT_FOUND, NGINX_UNUSABLE, NGINX_TEMPLATE or ADDRESS_IN_USE
 */
export async function setUp(options: {
  settings: NginxBackendSettings;
  hosts: HostNames;
  policy: PushPolicy;
  problems: Problems;
  log: Logger;
  /** nginx ended by itself. */
  onDown: (reason: string) => void;
  /** The pushes of each camera in the configuration that the newest worker has. */
  pushes: () => ReadonlyMap<string, ReadonlySet<string>>;
}): Promise<Setup> {
  const { settings, hosts, policy, problems, log } = options;
  const { host, rtmpPort, apiPort, nginxStatPort: statPort, nginxExternal: isExternal } = settings;
  const conf = settings.nginxConf === undefined ? undefined : resolve(settings.nginxConf);
  const paths = nginxPaths(resolve(settings.dataDir), conf);
  const template = new Template(await readTemplate(settings.nginxTemplate));
  // An external nginx may be on another machine. One that is on this machine still shows where its RTMP module is.
  const found = await findNginx(settings.nginxBinary).catch((error: unknown) => {
    if (isExternal) return null;
    throw error;
  });
  const binary = isExternal ? null : found;
  await mkdir(paths.folder, { recursive: true, mode: 0o755 });
  await mkdir(dirname(paths.conf), { recursive: true });
  await removeLeftovers(paths.conf);

  const process = binary === null ? null : new NginxProcess({ binary, paths, log, onDown: options.onDown });
  const adopted = (await process?.adopt()) ?? false;
  const orphans = isExternal ? [] : await orphansOf((await nginxProcesses()) ?? [], paths.errorLog);
  const isRunning = adopted || orphans.length > 0;
  const choices = await chooseOnce({ paths, host, rtmpPort, statPort, apiPort, isRunning, isExternal });
  const controlPath = `/control-${choices.token}`;
  const configuration = new Configuration({
    paths,
    binary,
    template,
    facts: {
      module: found?.module ?? null,
      pidFile: paths.pidFile,
      errorLog: paths.errorLog,
      temporaryFolder: paths.temporaryFolder,
      temporaryPaths: found?.temporaryPaths ?? [],
      listen: listenWords(host, choices.rtmpPort),
      statListen: `127.0.0.1:${choices.statPort}`,
      statPath,
      controlPath,
    },
    required: { rtmpPort: choices.rtmpPort, statPort: choices.statPort, statPath, pidFile: paths.pidFile },
    hosts,
    policy,
    problems,
    log,
  });
  await configuration.open();
  const runner = process && new Runner({ paths, statPort: choices.statPort, controlPath, process, problems, log });
  if (adopted) {
    await runner?.adopted();
    log.info('took over the nginx that was running', { pid: process?.pid });
  }
  const observer = new Observer({
    rtmpPort: choices.rtmpPort,
    statPort: choices.statPort,
    local: !isExternal,
    fetch: () => fetchStatistics(choices.statPort, statPath, statTimeoutMs),
    workerPids: async () => (await process?.allWorkers())?.map(({ pid }) => pid),
    pushes: options.pushes,
  });
  return { paths, choices, binary, configuration, process, runner, observer };
}

async function readTemplate(file: string | undefined): Promise<string> {
  if (file === undefined) return defaultTemplate;
  try {
    const found = await readRegular(file, maxTemplateBytes);
    if (found === undefined) throw new Error('there is no such file');
    return found.bytes.toString();
  } catch (error) {
    const message = `The template ${file} cannot be read: ${messageOf(error)}.`;
    throw new CodedError('NGINX_TEMPLATE', message, { cause: error, field: '--nginx-template' });
  }
}

/** `listen 1935` where all addresses are meant, as in the original. */
function listenWords(host: string, port: number): readonly string[] {
  if (host === '0.0.0.0') return [String(port)];
  if (host === '::') return [`[::]:${port}`, 'ipv6only=off'];
  return [host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`];
}
