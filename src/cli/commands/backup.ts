import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { Settings } from '../../config/index.js';
import { CodedError, messageOf, StateError } from '../../errors.js';
import { writeWhole } from '../../files/write.js';
import { cleanText } from '../../log/pino.js';
import { checkChangeSteps } from '../../model/state-rules.js';
import { plural } from '../../plural.js';
import { backupState, restoreState } from '../../store/file/backup.js';
import { readVersion } from '../../store/file/disk.js';
import { camerasWithOtherKeys } from '../backup/changed-keys.js';
import { type ClusterFlags, refuseClusterFolder, settingsWith, withClusterFlags } from '../backup/cluster-command.js';
import { isSealed, minPassphraseChars, seal, unseal } from '../backup/sealed.js';
import {
  differingSecrets,
  joinSecrets,
  readSecrets,
  type Secrets,
  secretFiles,
  splitSecrets,
  writeSecrets,
} from '../backup/secrets.js';
import { type FindOptions, findApi } from '../find-api.js';
import { type CliIo, painter } from '../io.js';
import { stateSealing } from '../state-sealing.js';
import { targetRuleOf, withoutStandby } from '../target-rule.js';
import { readClusterState, restoreCluster } from './backup-cluster.js';

/** Who has not answered by then is stopped, or as good as that. */
const answerLimitMs = 5000;

/** The variable that holds the passphrase of backups, where no file does. */
const passphraseVariable = 'MEDIA_AGGREGATOR_PASSPHRASE';

interface FolderOptions extends ClusterFlags {
  readonly dataDir?: string;
  readonly passphraseFile?: string;
}

export function addBackupCommands(program: Command, io: CliIo): void {
  addBackup(program, io);
  addRestore(program, io);
}

function addBackup(program: Command, io: CliIo): void {
  withClusterFlags(program.command('backup'))
    .argument('<file>', 'file to write, mode 0600; - for standard output')
    .description(
      'Write a backup file with everything that is needed to run this node elsewhere; safe while an aggregator is running',
    )
    .option('--data-dir <folder>', 'data folder of the aggregator (default: that of the settings)')
    .option('--passphrase-file <file>', `seal it with the passphrase in this file (or ${passphraseVariable})`)
    .option('--without-secrets', 'write only the state: cameras, pushes, engines')
    .addHelpText(
      'after',
      `
The file is a state.json with everything that was acknowledged, its journal included, and the secrets of the data folder:
what publish keys are made from, the hashes of the tokens, the admin token, the keys of webhooks. Keep it as safe as the
data folder, or seal it with a passphrase. Settings and certificates are no part of it.

In a cluster (--cluster, or the setting) it is what all nodes share, read from etcd: the state, the hashes of the tokens and what
publish keys are made from. The form is the same, so that it can be restored into one node, too.

Examples:
  $ media-aggregator backup /var/backups/media-aggregator.json
  $ media-aggregator backup node.sealed --passphrase-file /root/backup-passphrase
  $ media-aggregator backup - --data-dir /var/lib/media-aggregator | gzip > state.json.gz
  $ media-aggregator backup cluster.sealed --cluster etcd://10.0.0.1:2379 --cluster-secret-file cluster-secret --passphrase-file P
`,
    )
    .action(async (file: string, options: FolderOptions & { withoutSecrets?: boolean }) => {
      const passphrase = passphraseOf(options, io);
      const settings = settingsWith(options, io);
      const isCluster = settings.cluster !== undefined;
      const found = isCluster ? await readClusterState(settings) : await readNodeState(settings, io);
      const { text: stateText, cameras, engines, secrets: present } = found;
      const secrets = options.withoutSecrets === true ? {} : present;
      const plain = Object.keys(secrets).length === 0 ? stateText : joinSecrets(stateText, secrets);
      const text = passphrase === undefined ? plain : await seal(plain, passphrase);
      const notes = backupNotes(secrets, present, { isSealed: passphrase !== undefined, isCluster, io });
      if (file === '-') {
        io.err.write(notes);
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
      io.out.write(`${cleanText(file)} holds ${plural(cameras, 'camera')} and ${plural(engines, 'engine')}\n${notes}`);
    });
}

/** What a backup of one node is made of. */
async function readNodeState(settings: Settings, io: CliIo) {
  const folder = resolve(io.cwd, settings.dataDir);
  refuseClusterFolder(folder);
  const state = await backupState(folder, await stateSealing(settings));
  return { ...state, secrets: await readSecrets(folder) };
}

/**
 * What the backup holds of secrets, and loudly what it does not.
 * @param present those that there are; a folder in which an aggregator ran has the stream-secret at least
 */
function backupNotes(
  secrets: Secrets,
  present: Secrets,
  { isSealed, isCluster, io }: { isSealed: boolean; isCluster: boolean; io: CliIo },
): string {
  const paint = painter(io.out, io.env);
  const names = Object.keys(secrets);
  const missing = Object.entries(secretFiles)
    .filter(([name]) => !names.includes(name) && (name in present || name === 'stream-secret') && name !== 'etag-key')
    .map(([name, { what }]) => `${name} (${what})`);
  const warning = paint('red', 'WARNING');
  return [
    names.length === 0 ? [] : [`with the secrets of the node: ${names.join(', ')}`],
    missing.length === 0
      ? []
      : [`${warning}: it does not hold ${missing.join(', ')}; restored elsewhere, it is not the same node`],
    names.length === 0 || isSealed
      ? []
      : ['it is not sealed: keep it as safe as the data folder, or use --passphrase-file'],
    isSealed ? ['it is sealed; without the passphrase nobody can open it'] : [],
    isCluster ? ["not in it: the cluster's secret, and the admin tokens and webhook keys of the nodes"] : [],
    ['not in it: the settings (media-aggregator.yaml, variables, flags) and certificates'],
  ]
    .flat()
    .map((line) => `${line}\n`)
    .join('');
}

function addRestore(program: Command, io: CliIo): void {
  withClusterFlags(program.command('restore'))
    .argument('<file>', 'a file written by "backup" of this or an older version')
    .description(
      'Restore a backup into a data folder, which is created if missing; the previous files are kept beside it',
    )
    .option('--data-dir <folder>', 'data folder of the aggregator (default: that of the settings)')
    .option('--passphrase-file <file>', `the passphrase of a sealed backup (or ${passphraseVariable})`)
    .option('--without-secrets', 'leave the secrets of the data folder as they are')
    .option('--token <token>', 'token for the API of the running aggregator; prefer --token-file')
    .option('--token-file <file>', 'file with the token (or MEDIA_AGGREGATOR_TOKEN with the token itself)')
    .option('--while-running', 'restore even while an aggregator is running there; it applies the backup live')
    .addHelpText(
      'after',
      `
With --while-running it ends well only when the running aggregator goes by the file; else what was there is put back. Its
secrets stay then. The rules of the settings (max-cameras, push-deny ...) hold: give those of the aggregator as it gets
them, by variables or its file. Cameras whose publish keys are others afterwards are named.

In a cluster (--cluster, or the setting) it goes to etcd, and what is not in the backup is removed there. Running nodes
take it over at once, with --while-running; what was there before is kept in the data folder as a backup.

Examples:
  $ media-aggregator restore /var/backups/media-aggregator.json
  $ media-aggregator restore node.sealed --passphrase-file /root/backup-passphrase --data-dir /var/lib/new
  $ media-aggregator restore state.json --data-dir /var/lib/media-aggregator --while-running
`,
    )
    .action(async (file: string, options: RestoreCommandOptions) => {
      io.out.write(await restore(file, options, io));
    });
}

interface RestoreCommandOptions extends FolderOptions, FindOptions {
  readonly whileRunning?: boolean;
  readonly withoutSecrets?: boolean;
}

async function restore(file: string, options: RestoreCommandOptions, io: CliIo): Promise<string> {
  const settings = settingsWith(options, io);
  const path = resolve(io.cwd, file);
  const opened = await openBackup(path, options, io);
  if (settings.cluster !== undefined) return restoreIntoCluster(settings, path, opened, options, io);
  const refusesTarget = await targetRuleOf(settings);
  const folder = resolve(io.cwd, settings.dataDir);
  refuseClusterFolder(folder);
  const present = await readSecrets(folder);
  const wanted = options.withoutSecrets === true ? {} : (opened?.secrets ?? {});
  const differing = differingSecrets(wanted, present);
  const { cameras, engines, kept, isLive, before, after } = await restoreState({
    folder,
    file: path,
    ...(opened === undefined ? {} : { text: opened.stateText }),
    whileRunning: options.whileRunning === true,
    sealing: await stateSealing(settings),
    check: (then, now) =>
      checkChangeSteps(then, now, { ...settings, refusesTarget, withoutStandby: withoutStandby(settings) }),
    problems: () => findApi(options, io, answerLimitMs).problems(),
    alongside: (replaced) => writeSecrets(folder, differing, wanted, replaced),
  });
  const paint = painter(io.out, io.env);
  const warning = paint('red', 'WARNING');
  const lines = [
    `restored ${plural(cameras, 'camera')} and ${plural(engines, 'engine')}${isLive ? '; the running aggregator took them over' : ''}`,
    ...kept.map((each) => `what was there before is kept as ${cleanText(each)}`),
  ];
  if (differing.length > 0 && isLive) {
    lines.push(
      `${warning}: the running aggregator keeps its own ${differing.join(', ')}; to be the same node, stop it and restore again`,
    );
  } else if (differing.length > 0) lines.push(`restored the secrets of the node: ${differing.join(', ')}`);
  const secret = isLive ? present['stream-secret'] : (wanted['stream-secret'] ?? present['stream-secret']);
  const keyed = { state: after, secret };
  // A new folder had nothing: what counts is what let publishers in where the backup was made.
  const hadNothing = present['stream-secret'] === undefined;
  const others = camerasWithOtherKeys(
    hadNothing
      ? { state: after, secret: wanted['stream-secret'] ?? '' }
      : { state: before, secret: present['stream-secret'] },
    keyed,
  );
  const usesKeys =
    settings.media.publishAuth === 'key' || [...after.cameras.values()].some(({ keys }) => keys !== undefined);
  if (others.length > 0 && usesKeys) lines.push(`${warning}: ${wordsForKeys(others, hadNothing)}`);
  return `${lines.join('\n')}\n`;
}

async function restoreIntoCluster(
  settings: Settings,
  file: string,
  opened: Opened | undefined,
  options: RestoreCommandOptions,
  io: CliIo,
): Promise<string> {
  const secrets = options.withoutSecrets === true ? {} : (opened?.secrets ?? {});
  const whileRunning = options.whileRunning === true;
  const passphrase = passphraseOf(options, io);
  const request = { file, stateText: opened?.stateText, secrets, whileRunning, passphrase };
  const { before, after, present, kept, isLive, isOtherStream } = await restoreCluster(settings, request, io);
  const warning = painter(io.out, io.env)('red', 'WARNING');
  const lines = [
    `restored ${plural(after.cameras.size, 'camera')} and ${plural(after.engines.size, 'engine')} into the cluster`,
    `what was there before is kept as ${cleanText(kept)}`,
  ];
  if (isOtherStream && isLive) {
    lines.push(`${warning}: publish keys are made from another secret now: restart every node, one after the other`);
  }
  const others = camerasWithOtherKeys(
    { state: before, secret: present['stream-secret'] },
    { state: after, secret: secrets['stream-secret'] ?? present['stream-secret'] },
  );
  if (others.length > 0) lines.push(`${warning}: ${wordsForKeys(others, false)}`);
  return `${lines.join('\n')}\n`;
}

interface Opened {
  readonly stateText: string;
  readonly secrets: Secrets | undefined;
}

/** Cameras that are named; of more, the first ones are. */
const maxNamed = 200;

function wordsForKeys(names: readonly string[], hadNothing: boolean): string {
  const more = names.length > maxNamed ? ` and ${names.length - maxNamed} more` : '';
  const why = hadNothing
    ? 'the backup holds no stream-secret, so a new one is made'
    : 'the keys that let their publishers in until now do not any more';
  return `the publish keys of ${plural(names.length, 'camera')} are others than before ("camera show NAME" shows the new ones), since ${why}: ${names.slice(0, maxNamed).join(', ')}${more}`;
}

/** The state and the secrets of a backup; undefined: it is a plain state.json, or cannot be read, which is told later. */
async function openBackup(path: string, options: FolderOptions, io: CliIo): Promise<Opened | undefined> {
  const found = await readVersion(path).catch(() => undefined);
  if (found === undefined || found.broken !== undefined) return undefined;
  const passphrase = passphraseOf(options, io);
  if (!isSealed(found.text)) return splitSecrets(found.text);
  if (passphrase === undefined) {
    const message = `${path} is sealed; give its passphrase with --passphrase-file FILE or ${passphraseVariable}`;
    throw new StateError('BACKUP_SEALED', message);
  }
  return splitSecrets(await unseal(found.text, passphrase));
}

/** @throws CodedError USAGE */
function passphraseOf({ passphraseFile }: FolderOptions, io: CliIo): string | undefined {
  let text = io.env[passphraseVariable];
  if (passphraseFile !== undefined) {
    try {
      text = readFileSync(resolve(io.cwd, passphraseFile), 'utf8').replace(/\r?\n$/, '');
    } catch (error) {
      throw new CodedError('USAGE', `--passphrase-file cannot be read: ${messageOf(error)}`, { cause: error });
    }
  }
  if (text === undefined || (text === '' && passphraseFile === undefined)) return undefined;
  if (text.length >= minPassphraseChars) return text;
  throw new CodedError('USAGE', `the passphrase must have at least ${minPassphraseChars} characters`);
}
