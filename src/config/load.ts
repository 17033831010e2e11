import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { LineCounter } from 'yaml';
import { ConfigError, messageOf } from '../errors.js';
import { nearest } from '../json/nearest.js';
import { parseYaml } from '../json/yaml.js';
import type { Setting, SettingsOf, Table } from './setting.js';
import type { LoadedSettings, SettingSources, Settings } from './settings.js';
import { environmentNames, mediaTable, nodeTable, ownEnvironmentName, settingRows } from './table.js';
import { formatDuration, show, ValueProblem } from './values.js';

/** The file that is read from the working folder when `--config` names no other. */
const settingsFileName = 'media-aggregator.yaml';
/** Names the settings file, as `--config` does. */
const configVariable = 'MEDIA_AGGREGATOR_CONFIG';
/** Where the commands find a running aggregator's API, as `--api` does. */
export const apiVariable = 'MEDIA_AGGREGATOR_API';
/** The token of the commands, as `--token` gives it. */
export const tokenVariable = 'MEDIA_AGGREGATOR_TOKEN';

const settingsFileMaxBytes = 1 << 20;
const knownKeys = settingRows.map((row) => row.key);
const knownVariables = new Set([...knownKeys.map(ownEnvironmentName), configVariable, apiVariable, tokenVariable]);

export interface LoadOptions {
  /** Flags by key (`rtmp-port`), as text; `config` names the settings file. Undefined ones were not given. */
  readonly flags: Readonly<Record<string, string | undefined>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where `media-aggregator.yaml` is looked for; a relative `--config` starts here. */
  readonly cwd: string;
}

interface Layers extends LoadOptions {
  readonly file: { readonly path: string; readonly values: ReadonlyMap<string, unknown> };
}

/**
 * Puts the settings together: flags > environment > settings file > defaults.
 * @throws ConfigError CONFIG_UNKNOWN_KEY, CONFIG_INVALID_VALUE or CONFIG_UNREADABLE
 */
export function loadSettings(options: LoadOptions): LoadedSettings {
  refuseUnknown(options.flags, options.env);
  const layers: Layers = { ...options, file: readSettingsFile(options) };
  const sources: Record<string, string> = {};
  const read = <T>(setting: Setting<T>): T | undefined => {
    const [value, source] = resolveSetting(setting, layers);
    sources[setting.key] = source;
    return value;
  };
  const media = readAll(mediaTable, read);
  const node = readAll(nodeTable, read);
  // Several nodes may be on one machine: what tells them apart is not its name.
  const isNamed = sources[nodeTable.resourceId.key] !== 'default' || node.cluster === undefined;
  const settings: Settings = { ...node, resourceId: isNamed ? node.resourceId : node.nodeId, media };
  checkTogether(settings);
  return { settings, sources: Object.fromEntries(knownKeys.map((key) => [key, sources[key] ?? 'default'])) };
}

/** The defaults alone: for tests, embedding, and as the base of what is shown. */
export function defaultSettings(): Settings {
  const read = <T>(setting: Setting<T>): T | undefined => setting.default ?? setting.fallback?.value();
  return { ...readAll(nodeTable, read), media: readAll(mediaTable, read) };
}

/** Every setting as a user would write it, with where it came from, in the order of docs/settings.md. */
export function describeSettings(
  settings: Settings,
  sources: Readonly<Record<string, string>>,
): { key: string; value: string | null; source: string }[] {
  const texts = new Map<string, string>();
  formatAll(nodeTable, settings, texts);
  formatAll(mediaTable, settings.media, texts);
  return knownKeys.map((key) => ({ key, value: texts.get(key) ?? null, source: sources[key] ?? 'default' }));
}

/** The same sources by the field of `Settings`: `rtmpPort`, `media.queueMaxBytes`. */
export function sourcesByField(sources: SettingSources): SettingSources {
  const byField: Record<string, string> = {};
  const note = (field: string, key: string) => {
    byField[field] = sources[key] ?? 'default';
  };
  for (const [field, setting] of Object.entries(nodeTable)) note(field, setting.key);
  for (const [field, setting] of Object.entries(mediaTable)) note(`media.${field}`, setting.key);
  return byField;
}

function formatAll<T extends Table>(part: T, values: SettingsOf<T>, texts: Map<string, string>): void {
  for (const [field, setting] of Object.entries<Setting<unknown>>(part)) {
    const value: unknown = Reflect.get(values, field);
    if (value !== undefined) texts.set(setting.key, setting.type.format(value));
  }
}

/** The values of all settings that have one, by field: what the types of the table say. */
function readAll<T extends Table>(part: T, read: <V>(setting: Setting<V>) => V | undefined): SettingsOf<T> {
  const found = Object.entries<Setting<unknown>>(part).map(([field, setting]) => [field, read(setting)] as const);
  return Object.fromEntries(found.filter(([, value]) => value !== undefined)) as SettingsOf<T>;
}

/** The value and its source, from the strongest layer that has one. */
function resolveSetting<T>(setting: Setting<T>, layers: Layers): [value: T | undefined, source: string] {
  const flag = layers.flags[setting.key];
  if (flag !== undefined) {
    return [parse(setting, flag, `--${setting.key}`), `flag --${setting.key}`];
  }
  for (const pattern of environmentNames(setting)) {
    const name = fillIn(pattern, layers.env);
    const value = name === undefined ? undefined : layers.env[name]?.trim();
    // An empty variable is how compose files and shells write "not set".
    if (name !== undefined && value !== undefined && value !== '' && !isServiceLink(name, value)) {
      return [parse(setting, value, name), `environment ${name}`];
    }
  }
  const fromFile = layers.file.values.get(setting.key);
  if (fromFile !== undefined && fromFile !== null) {
    return [parse(setting, fromFile, setting.key, layers.file.path), `file ${layers.file.path}`];
  }
  return [setting.default ?? setting.fallback?.value(), 'default'];
}

function parse<T>(setting: Setting<T>, raw: unknown, field: string, path?: string): T {
  try {
    return setting.type.parse(raw);
  } catch (error) {
    if (!(error instanceof ValueProblem)) {
      throw error;
    }
    const where = path === undefined ? '' : ` (in ${path})`;
    throw new ConfigError('CONFIG_INVALID_VALUE', `${field} ${error.message}${where}.`, { field });
  }
}

/** Replaces `{x}` by the value of variable x; undefined when one of them is not set. */
function fillIn(pattern: string, env: LoadOptions['env']): string | undefined {
  let complete = true;
  const name = pattern.replace(/\{(\w+)\}/g, (_, variable: string) => {
    const value = env[variable];
    complete &&= value !== undefined && value !== '';
    return value ?? '';
  });
  return complete ? name : undefined;
}

/**
 * Kubernetes tells every pod of every service by variables: a service `media-aggregator-rtmp` sets
 * `MEDIA_AGGREGATOR_RTMP_PORT=tcp://10.0.0.1:1935`, which is no port number and not meant for us.
 */
function isServiceLink(name: string, value: string): boolean {
  return name.endsWith('_PORT') && /^(tcp|udp|sctp):\/\//.test(value);
}

const variablePrefix = 'MEDIA_AGGREGATOR_';
const serviceVariable = /_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$/;

function refuseUnknown(flags: LoadOptions['flags'], env: LoadOptions['env']): void {
  for (const key of Object.keys(flags)) {
    if (key !== 'config' && flags[key] !== undefined && !knownKeys.includes(key)) {
      throw unknownKey(`--${key}`, 'flag', `--${nearest(key, knownKeys) ?? ''}`);
    }
  }
  for (const name of Object.keys(env)) {
    if (name.startsWith(variablePrefix) && !knownVariables.has(name) && !serviceVariable.test(name)) {
      refuseSlip(name);
    }
  }
}

/** A variable that is nearly one of ours is a slip. Others with our prefix may be there for someone else's sake. */
function refuseSlip(name: string): void {
  const meant = nearest(name.slice(variablePrefix.length), knownKeys, 2);
  if (meant !== undefined) {
    throw unknownKey(name, 'variable', ownEnvironmentName(meant));
  }
}

function unknownKey(field: string, kind: 'flag' | 'variable' | 'setting', guess: string, path?: string): ConfigError {
  const hint = guess === '' || guess === '--' ? 'docs/settings.md lists all' : `did you mean ${guess}?`;
  const where = path === undefined ? '' : ` in ${path}`;
  return new ConfigError('CONFIG_UNKNOWN_KEY', `There is no ${kind} ${show(field).slice(1, -1)}${where}; ${hint}`, {
    field,
  });
}

function readSettingsFile(options: LoadOptions): Layers['file'] {
  const named = options.flags.config ?? (options.env[configVariable] || undefined);
  const path = named ?? settingsFileName;
  const nothing = { path, values: new Map<string, unknown>() };
  const text = readText(resolve(options.cwd, path), path, named !== undefined);
  if (text === undefined) {
    return nothing;
  }
  const lines = new LineCounter();
  const document = toValues(() => parseYaml(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true }), path);
  const problem = document.errors[0];
  if (problem !== undefined) {
    const { line, col } = lines.linePos(problem.pos[0]);
    const reason = problem.message.split('\n')[0];
    throw new ConfigError('CONFIG_UNREADABLE', `${path} is not YAML, line ${line}, column ${col}: ${reason}`);
  }
  // Maps instead of objects: a key `__proto__` is then a key like any other, and refused like any other.
  const content: unknown = toValues(() => document.toJS({ mapAsMap: true, maxAliasCount: 10 }), path);
  if (content === null || content === undefined) {
    return nothing;
  }
  if (!(content instanceof Map)) {
    throw new ConfigError('CONFIG_UNREADABLE', `${path} must hold lines of the form "rtmp-port: 1935".`);
  }
  for (const [key, value] of content) {
    refuseUnknownEntry(key, value, path);
  }
  return { path, values: content };
}

function toValues<T>(convert: () => T, path: string): T {
  try {
    return convert();
  } catch (error) {
    throw new ConfigError('CONFIG_UNREADABLE', `${path} cannot be used: ${messageOf(error)}`, { cause: error });
  }
}

/** An unknown key that holds further keys is named down to the first of them: `media.queue-max-bytes`. */
function refuseUnknownEntry(key: unknown, value: unknown, path: string): void {
  if (typeof key === 'string' && knownKeys.includes(key)) {
    return;
  }
  const first: unknown = value instanceof Map ? value.keys().next().value : undefined;
  const leaf = String(first ?? key);
  const field = first === undefined ? leaf : `${String(key)}.${leaf}`;
  throw unknownKey(field, 'setting', nearest(leaf, knownKeys) ?? nearest(String(key), knownKeys) ?? '', path);
}

function readText(file: string, path: string, required: boolean): string | undefined {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    if (missing && !required) {
      return undefined;
    }
    const reason = missing ? 'there is no such file' : messageOf(error);
    throw new ConfigError('CONFIG_UNREADABLE', `The settings file ${path} cannot be read: ${reason}.`, {
      cause: error,
    });
  }
  if (bytes.length > settingsFileMaxBytes) {
    throw new ConfigError('CONFIG_UNREADABLE', `The settings file ${path} is larger than 1MB; is it the right one?`);
  }
  return bytes.toString('utf8');
}

/** Rules that hold between settings. */
function checkTogether(settings: Settings): void {
  const { pushRetryMinMs, pushRetryMaxMs, publishTakeoverMs, idleTimeoutMs } = settings.media;
  if (settings.rtmpPort === settings.apiPort && settings.rtmpPort !== 0) {
    throw invalid('api-port', `is ${settings.apiPort}, which rtmp-port is too; they must differ`);
  }
  checkRtmps(settings);
  checkSrt(settings);
  checkNginx(settings);
  checkAccess(settings);
  checkCluster(settings);
  checkCapacity(settings);
  if (pushRetryMinMs > pushRetryMaxMs) {
    const [min, max] = [formatDuration(pushRetryMinMs), formatDuration(pushRetryMaxMs)];
    throw invalid('push-retry-min', `is ${min}, but must not be longer than push-retry-max, ${max}`);
  }
  if (publishTakeoverMs > idleTimeoutMs) {
    const [takeover, idle] = [formatDuration(publishTakeoverMs), formatDuration(idleTimeoutMs)];
    throw invalid('publish-takeover', `is ${takeover}, but must not be longer than idle-timeout, ${idle}`);
  }
}

function checkCapacity({ capacityOutMbps, capacityCameras, backend, workers }: Settings): void {
  const key = capacityOutMbps !== undefined ? 'capacity-out-mbps' : 'capacity-cameras';
  if (capacityOutMbps === undefined && capacityCameras === undefined) return;
  if (backend === 'nginx') throw invalid(key, 'is set, but nginx takes what comes; use backend native');
  if (workers > 0) throw invalid(key, 'is set, but media workers do not count together what they send; use workers 0');
}

function checkRtmps({ backend, rtmpPort, rtmpsPort, rtmpsCert, rtmpsKey, apiPort }: Settings): void {
  if (rtmpsPort === undefined) {
    const [key] = [rtmpsCert && 'rtmps-cert', rtmpsKey && 'rtmps-key'].filter((each) => each);
    if (key) throw invalid(key, 'is set, but rtmps-port is not, which says where the certificate is used');
    return;
  }
  if (backend === 'nginx') throw invalid('rtmps-port', 'is set, but nginx takes no RTMP with TLS; use backend native');
  if (rtmpsCert === undefined) throw invalid('rtmps-cert', 'is not set, but rtmps-port needs a certificate');
  if (rtmpsKey === undefined) throw invalid('rtmps-key', 'is not set, but the certificate needs its private key');
  if (rtmpsPort !== 0 && (rtmpsPort === rtmpPort || rtmpsPort === apiPort)) {
    throw invalid('rtmps-port', `is ${rtmpsPort}, which rtmp-port or api-port is too; they must differ`);
  }
}

function checkSrt({ backend, workers, srtPort, srtPassphraseFile }: Settings): void {
  if (srtPort === undefined) {
    if (srtPassphraseFile === undefined) return;
    throw invalid('srt-passphrase-file', 'is set, but srt-port is not, which says where encoders come in');
  }
  if (backend === 'nginx') throw invalid('srt-port', 'is set, but nginx takes no SRT; use backend native');
  if (workers > 0) throw invalid('srt-port', 'is set, but media workers take no SRT; use workers 0');
}

function checkNginx({ backend, nginxStatPort, nginxExternal, rtmpPort, apiPort, media }: Settings): void {
  if (backend !== 'nginx') return;
  const asked = [
    media.publishAuth === 'key' && 'publish-auth',
    media.playAuth !== 'off' && 'play-auth',
    media.onPublish !== undefined && 'on-publish',
    media.onPlay !== undefined && 'on-play',
  ].find((key) => key !== false);
  if (asked) {
    const instead = 'with backend nginx, put on_publish, on_play, allow and deny into the template (nginx-template)';
    throw invalid(asked, `is set, but nginx decides who publishes and plays; ${instead}`);
  }
  if (nginxStatPort !== 0 && (nginxStatPort === rtmpPort || nginxStatPort === apiPort)) {
    throw invalid('nginx-stat-port', `is ${nginxStatPort}, which rtmp-port or api-port is too; they must differ`);
  }
  // Whoever runs nginx must find the same ports after each start.
  if (nginxExternal && nginxStatPort === 0) {
    throw invalid('nginx-stat-port', 'is 0, but with nginx-external it must be a port that stays the same');
  }
  if (nginxExternal && rtmpPort === 0) {
    throw invalid('rtmp-port', 'is 0, but with nginx-external it must be a port that stays the same');
  }
}

function checkAccess({ apiTlsCert, apiTlsKey, ...jwt }: Settings): void {
  if ((apiTlsCert === undefined) !== (apiTlsKey === undefined)) {
    const [missing, given] =
      apiTlsKey === undefined ? ['api-tls-key', 'api-tls-cert'] : ['api-tls-cert', 'api-tls-key'];
    throw invalid(missing, `is not set, but ${given} is; a certificate and its key are needed together`);
  }
  const { jwtJwksUrl, jwtJwksFile, jwtIssuer, jwtAudience } = jwt;
  if (jwtJwksUrl === undefined && jwtJwksFile === undefined) {
    if (jwtIssuer === undefined && jwtAudience === undefined) return;
    throw invalid('jwt-jwks-url', 'is not set, but jwt-issuer or jwt-audience is; say where the keys are');
  }
  if (jwtJwksUrl !== undefined && jwtJwksFile !== undefined) {
    throw invalid('jwt-jwks-file', 'is set, and jwt-jwks-url too; one of them is enough');
  }
  // Without them a token that the provider made for another service would do.
  if (jwtIssuer === undefined) throw invalid('jwt-issuer', 'is not set, but is needed with the keys of a provider');
  if (jwtAudience === undefined) throw invalid('jwt-audience', 'is not set, but is needed with the keys of a provider');
  if (jwtJwksUrl !== undefined && !/^https:|^http:\/\/(localhost|127(\.\d+){3}|\[::1\])[:/]/.test(jwtJwksUrl)) {
    throw invalid(
      'jwt-jwks-url',
      `is ${show(jwtJwksUrl)}, but must begin with https://: who could change the keys could sign`,
    );
  }
}

function checkCluster(settings: Settings): void {
  const { cluster, clusterSecretFile, clusterCert, clusterKey, clusterCa, clusterUserFile, backend } = settings;
  const { clusterPrefix, nodeId, dataDir } = settings;
  if (cluster === undefined) {
    const needless = Object.entries({
      'cluster-secret-file': clusterSecretFile,
      'cluster-ca': clusterCa,
      'cluster-cert': clusterCert,
      'cluster-key': clusterKey,
      'cluster-user-file': clusterUserFile,
    }).find(([, value]) => value !== undefined);
    if (needless !== undefined) throw invalid(needless[0], 'is set, but cluster is not: say which etcd it is for');
    return;
  }
  if (clusterSecretFile === undefined) {
    throw invalid(
      'cluster-secret-file',
      'is not set, but cluster is; make one with "openssl rand -hex 32" and give it to every node',
    );
  }
  if ((clusterCert === undefined) !== (clusterKey === undefined)) {
    const [missing, given] =
      clusterKey === undefined ? ['cluster-key', 'cluster-cert'] : ['cluster-cert', 'cluster-key'];
    throw invalid(missing, `is not set, but ${given} is; a certificate and its key are needed together`);
  }
  const needsTls = clusterCa !== undefined || clusterCert !== undefined;
  if (needsTls && !cluster.startsWith('etcds:')) {
    throw invalid('cluster', `is ${show(cluster)}, but certificates are set; with TLS it begins with etcds://`);
  }
  if (!/^\/[\x21-\x7e]*$/.test(clusterPrefix)) {
    throw invalid('cluster-prefix', `is ${show(clusterPrefix)}, but must begin with "/" and have no blanks`);
  }
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(nodeId)) {
    throw invalid('node-id', `is ${show(nodeId)}, but must be letters, digits, ".", "_" and "-"; at most 64`);
  }
  if (dataDir === 'none') throw invalid('data-dir', 'is none, but a node of a cluster keeps what it knows on disk');
  if (backend === 'nginx') throw invalid('cluster', 'is set, but with backend nginx a node is alone');
  if (settings.workers > 0) {
    const why =
      'media workers claim no cameras, and send none to other nodes; run several nodes on one machine instead';
    throw invalid('workers', `is ${settings.workers}, but must be 0 in a cluster: ${why}`);
  }
}

function invalid(key: string, problem: string): ConfigError {
  return new ConfigError('CONFIG_INVALID_VALUE', `${key} ${problem}.`, { field: key });
}
