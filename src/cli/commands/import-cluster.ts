import { resolve } from 'node:path';
import { CodedError, ConflictError, StateError } from '../../errors.js';
import { FolderLock } from '../../files/lock.js';
import { cleanText } from '../../log/pino.js';
import type { DesiredState } from '../../model/model.js';
import { checkChangeSteps } from '../../model/state-rules.js';
import { allOf } from '../../model/steps.js';
import { readFolder } from '../../store/file/recover.js';
import { camerasWithOtherKeys } from '../backup/changed-keys.js';
import {
  type Difference,
  differenceOf,
  streamSecretOf,
  tokenDifference,
  tokensIn,
  tokensOf,
  tokenText,
} from '../backup/cluster-backup.js';
import { type ClusterFlags, settingsWith, withShared } from '../backup/cluster-command.js';
import { readSecrets } from '../backup/secrets.js';
import { type SharedState, streamSecretName } from '../cluster.js';
import { json } from '../format.js';
import type { CliIo } from '../io.js';
import { stateSealing } from '../state-sealing.js';
import { targetRuleOf, withoutStandby } from '../target-rule.js';

export interface ClusterImportOptions extends ClusterFlags {
  readonly dataDir?: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
  readonly withoutSecrets?: boolean;
}

/** So many of each kind are named. */
const maxNamed = 20;

/**
 * Moves the state of one node, its tokens, and what its publish keys are made from into the etcd of a cluster. All of it is
 * compared first: what is there as something else refuses the whole. Again, it changes nothing.
 * @throws ConflictError IMPORT_CONFLICT; StateError STATE_LOCKED while an aggregator runs on the folder, and as the store;
 *   what the rules of the settings refuse
 */
export async function importToCluster(options: ClusterImportOptions, io: CliIo): Promise<void> {
  const settings = settingsWith(options, io);
  if (settings.cluster === undefined) {
    throw new CodedError('USAGE', 'say which etcd: --cluster etcd://HOST:PORT --cluster-secret-file FILE');
  }
  const folder = resolve(io.cwd, settings.dataDir);
  const isDry = options.dryRun === true;
  // Else a change that it acknowledges meanwhile would stay behind.
  const lock = isDry ? undefined : await lockOf(folder);
  try {
    const { state, file, journal } = await readFolder(folder, await stateSealing(settings));
    if (file === undefined && journal === undefined) {
      throw new StateError('STATE_UNREADABLE', `there is no state in ${folder}: nothing to import`);
    }
    const secrets = await readSecrets(folder);
    const refusesTarget = await targetRuleOf(settings);
    const checked = (before: DesiredState): DesiredState => {
      const after = merged(before, state);
      allOf(checkChangeSteps(before, after, { ...settings, refusesTarget, withoutStandby: withoutStandby(settings) }));
      return after;
    };
    await withShared(settings, async (shared) => {
      const plan = planOf(state, options.withoutSecrets === true ? {} : secrets, shared);
      refuseConflicts(plan);
      checked(shared.store.state);
      if (!isDry) await carryOut(plan, shared, checked);
      const present = shared.secrets.all.get(streamSecretName) ?? plan.stream?.text;
      const others = camerasWithOtherKeys({ state, secret: secrets['stream-secret'] }, { state, secret: present });
      io.out.write(options.json === true ? json(reportOf(plan, others, isDry)) : wordsOf(plan, others, isDry));
    });
  } finally {
    await lock?.release();
  }
}

async function lockOf(folder: string): Promise<FolderLock> {
  try {
    return await FolderLock.acquire(folder);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      throw new StateError('STATE_UNREADABLE', `there is no folder ${folder}: nothing to import`, { cause: error });
    }
    if (!(error instanceof StateError)) throw error;
    const message = `${error.message}; stop the aggregator, import, and start it with --cluster (--dry-run shows meanwhile what would change)`;
    throw new StateError(error.code, message, { cause: error });
  }
}

type Plan = ReturnType<typeof planOf>;

function planOf(state: DesiredState, secrets: Readonly<Record<string, string>>, shared: SharedState) {
  const tokens = tokensOf(secrets);
  const text = streamSecretOf(secrets);
  const known = shared.secrets.all.get(streamSecretName);
  const becomes = known === undefined ? 'missing' : known === text ? 'same' : 'conflict';
  return {
    ...differenceOf(state, shared.store.state),
    tokens: tokenDifference(tokens, tokensIn(shared.tokens)),
    stored: tokens,
    stream: text === undefined ? undefined : { text, becomes: becomes as 'missing' | 'same' | 'conflict' },
  };
}

function refuseConflicts({ cameras, engines, tokens, stream }: Plan): void {
  const parts = [
    ...named('cameras', cameras.conflicts),
    ...named('engines', engines.conflicts),
    ...named('tokens', tokens.conflicts),
    ...(stream?.becomes === 'conflict'
      ? [
          'what publish keys and play tokens are made from (stream-secret): the publishers of this node would be refused',
        ]
      : []),
  ];
  if (parts.length === 0) return;
  const advice = [
    cameras.conflicts.length + engines.conflicts.length + tokens.conflicts.length === 0
      ? []
      : ['remove or rename one of the two of each name'],
    stream?.becomes === 'conflict' ? ['--without-secrets leaves keys and tokens behind'] : [],
  ].flat();
  const message = `the cluster has others already: ${parts.join('; ')}. Nothing was changed; ${advice.join('; ')}`;
  throw new ConflictError('IMPORT_CONFLICT', message);
}

function named(what: string, names: readonly string[]): string[] {
  if (names.length === 0) return [];
  const more = names.length > maxNamed ? ` and ${names.length - maxNamed} more` : '';
  return [`${what} ${names.slice(0, maxNamed).join(', ')}${more}`];
}

/** @throws ConflictError where somebody else was faster with something else */
function merged(before: DesiredState, wanted: DesiredState): DesiredState {
  const { cameras, engines } = differenceOf(wanted, before);
  const conflicts = [...named('cameras', cameras.conflicts), ...named('engines', engines.conflicts)];
  if (conflicts.length > 0) {
    throw new ConflictError('IMPORT_CONFLICT', `the cluster has others already: ${conflicts.join('; ')}`);
  }
  if (cameras.missing.length + engines.missing.length === 0) return before;
  return {
    cameras: withMissing(before.cameras, wanted.cameras, cameras.missing),
    engines: withMissing(before.engines, wanted.engines, engines.missing),
  };
}

function withMissing<T>(
  before: ReadonlyMap<string, T>,
  wanted: ReadonlyMap<string, T>,
  missing: readonly string[],
): ReadonlyMap<string, T> {
  if (missing.length === 0) return before;
  const all = new Map(before.entries());
  for (const name of missing) {
    const value = wanted.get(name);
    if (value !== undefined) all.set(name, value);
  }
  return all;
}

/** Keys before cameras: a publisher that comes at once is let in. */
async function carryOut(plan: Plan, shared: SharedState, after: (before: DesiredState) => DesiredState): Promise<void> {
  const { stream, tokens, stored } = plan;
  if (stream?.becomes === 'missing' && !(await shared.secrets.create(streamSecretName, stream.text))) {
    if (shared.secrets.all.get(streamSecretName) !== stream.text) {
      throw new ConflictError('IMPORT_CONFLICT', 'a node of the cluster has just made another stream-secret');
    }
  }
  for (const name of tokens.missing) {
    const token = stored.get(name);
    if (token === undefined || (await shared.tokens.create(name, tokenText(token)))) continue;
    throw new ConflictError('IMPORT_CONFLICT', `another token "${name}" was made in the cluster meanwhile`);
  }
  await shared.store.update((before) => ({ state: after(before), result: undefined }));
}

function reportOf({ cameras, engines, tokens, stream }: Plan, others: readonly string[], dryRun: boolean): object {
  const counts = ({ missing, same }: Difference<string>) => ({ made: missing.length, there: same.length });
  return {
    dryRun,
    ...{ cameras: counts(cameras), engines: counts(engines), tokens: counts(tokens) },
    streamSecret: stream?.becomes === 'missing' ? 'made' : (stream?.becomes ?? 'not imported'),
    camerasWithOtherKeys: others,
  };
}

function wordsOf(plan: Plan, others: readonly string[], dryRun: boolean): string {
  const { cameras, engines, tokens, stream } = plan;
  const line = (what: string, { missing, same }: Difference<string>): string =>
    `${what}: ${missing.length} ${dryRun ? 'would be made' : 'made'}, ${same.length} there already\n`;
  const key =
    stream === undefined
      ? 'not imported'
      : stream.becomes === 'same'
        ? 'there already'
        : dryRun
          ? 'would be imported'
          : 'imported';
  const warning =
    others.length === 0
      ? ''
      : `WARNING: the publish keys of these cameras are others in the cluster: ${named('', others)[0]?.trim()}\n`;
  const rest = dryRun
    ? 'nothing was changed\n'
    : 'now start this node with --cluster; its admin token, webhook key and settings stay in its data folder\n';
  return cleanLines([
    line('engines', engines),
    line('cameras', cameras),
    line('tokens', tokens),
    `what publish keys are made from: ${key}\n`,
    warning,
    rest,
  ]);
}

function cleanLines(lines: readonly string[]): string {
  return lines.map((line) => (line === '' ? '' : `${cleanText(line.trimEnd())}\n`)).join('');
}
