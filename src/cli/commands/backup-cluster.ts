import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { tokensFileName } from '../../access/token-store.js';
import type { Settings } from '../../config/index.js';
import { StateError } from '../../errors.js';
import { prefixEnd } from '../../etcd/protocol.js';
import { nextNumber, writeWhole } from '../../files/write.js';
import { encodeState } from '../../model/document/encode.js';
import type { DesiredState } from '../../model/model.js';
import { checkChangeSteps } from '../../model/state-rules.js';
import { allOf } from '../../model/steps.js';
import { readBackup } from '../../store/file/backup.js';
import {
  sharedSecrets,
  streamSecretOf,
  tokenDifference,
  tokensIn,
  tokensOf,
  tokenText,
} from '../backup/cluster-backup.js';
import { withShared } from '../backup/cluster-command.js';
import { seal } from '../backup/sealed.js';
import { joinSecrets, type Secrets } from '../backup/secrets.js';
import { type SharedState, streamSecretName } from '../cluster.js';
import type { CliIo } from '../io.js';
import { stateSealing } from '../state-sealing.js';
import { targetRuleOf, withoutStandby } from '../target-rule.js';

const callMs = 3000;

/** What a backup of a cluster is made of: the same as of one node, so that either can be restored from it. */
export function readClusterState(settings: Settings): Promise<{
  readonly text: string;
  readonly cameras: number;
  readonly engines: number;
  readonly secrets: Secrets;
}> {
  return withShared(settings, async (shared) => {
    const { state } = shared.store;
    const counts = { cameras: state.cameras.size, engines: state.engines.size };
    return { text: encodeState(state), ...counts, secrets: sharedSecrets(shared) };
  });
}

export interface ClusterRestore {
  readonly file: string;
  /** The text of its state, if it was taken from an envelope; undefined: the file itself is the state. */
  readonly stateText: string | undefined;
  /** What is to be restored of secrets. */
  readonly secrets: Secrets;
  readonly whileRunning: boolean;
  /** Seals the copy of what was there before. */
  readonly passphrase: string | undefined;
}

/**
 * Makes a backup the state of a cluster: what is not in it is removed. What was there before is kept in the data folder.
 * @returns lines for the person who did it, and both states with their stream secrets
 * @throws StateError STATE_LOCKED while nodes run and `whileRunning` was not said; as the store and the rules of the settings
 */
export function restoreCluster(settings: Settings, restore: ClusterRestore, io: CliIo) {
  return withShared(settings, async (shared) => {
    const before = shared.store.state;
    const present = sharedSecrets(shared);
    const refusesTarget = await targetRuleOf(settings);
    const check = (then: DesiredState, now: DesiredState) =>
      checkChangeSteps(then, now, { ...settings, refusesTarget, withoutStandby: withoutStandby(settings) });
    const { file, stateText } = restore;
    const text = stateText === undefined ? {} : { text: stateText };
    const after = await readBackup({ file, ...text, check, sealing: await stateSealing(settings) }, before);
    const isLive = await nodesRun(shared);
    if (isLive && !restore.whileRunning) {
      const message = 'nodes of this cluster run; with --while-running they take the backup over at once';
      throw new StateError('STATE_LOCKED', message);
    }
    const kept = await keep(before, present, restore, settings, io);
    const stream = streamSecretOf(restore.secrets);
    const isOther = stream !== undefined && stream !== streamSecretOf(present);
    if (isOther) await shared.secrets.put(streamSecretName, stream);
    if (restore.secrets[tokensFileName] !== undefined) await restoreTokens(restore.secrets, shared);
    await shared.store.update((now) => {
      allOf(check(now, after));
      return { state: after, result: undefined };
    });
    return { before, after, present, kept, isLive, isOtherStream: isOther };
  });
}

async function nodesRun({ client, store }: SharedState): Promise<boolean> {
  const prefix = `${store.prefix}nodes/`;
  const { kvs } = await client.range({ key: Buffer.from(prefix), rangeEnd: prefixEnd(prefix), limit: 1 }, callMs);
  return kvs.length > 0;
}

/** @returns the file with what was there before */
async function keep(
  before: DesiredState,
  present: Secrets,
  { passphrase }: ClusterRestore,
  { dataDir }: Settings,
  io: CliIo,
): Promise<string> {
  const folder = resolve(io.cwd, dataDir);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const name = 'cluster-backup.json';
  const path = join(folder, `${name}.before-restore-${await nextNumber(folder, name, 'before-restore')}`);
  const plain = joinSecrets(encodeState(before), present);
  await writeWhole(path, passphrase === undefined ? plain : await seal(plain, passphrase), { adopts: false });
  return path;
}

/** As in the backup: others are revoked. */
async function restoreTokens(secrets: Secrets, { tokens }: SharedState): Promise<void> {
  const wanted = tokensOf(secrets);
  const present = tokensIn(tokens);
  const { missing, conflicts } = tokenDifference(wanted, present);
  for (const name of [...present.keys()]) {
    if (!wanted.has(name) || conflicts.includes(name)) await tokens.remove(name);
  }
  for (const name of [...missing, ...conflicts]) {
    const token = wanted.get(name);
    if (token !== undefined) await tokens.create(name, tokenText(token));
  }
}
