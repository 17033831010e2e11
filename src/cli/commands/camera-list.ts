import { type Command, Option } from 'commander';
import { pushStates } from '../../backend/backend.js';
import { CodedError } from '../../errors.js';
import { findApi } from '../find-api.js';
import { formatBitrate, json, table } from '../format.js';
import { headed } from '../headed.js';
import type { CliIo } from '../io.js';
import { allOrNothingText, checkCount, dryRunText, type ManyOptions, makeChanges } from '../many/make-changes.js';
import { byName, isPattern, selectByName } from '../many/names.js';
import type { CameraView } from '../views.js';
import {
  type ClientOptions,
  type ListOptions,
  manyTimeoutMs,
  outputOf,
  withClientOptions,
  withOutput,
} from './shared.js';

/** What the state of a camera may be asked for as: its own, or that of one of its pushes. */
const cameraStates = ['live', 'off', ...pushStates];

interface CameraListOptions extends ListOptions {
  readonly state?: string;
  readonly engine?: string;
}

export function addCameraListCommand(camera: Command, io: CliIo): void {
  withOutput(withClientOptions(camera.command('list [names...]')).alias('ls'))
    .description('List cameras with their state: all, or those that match the names and patterns')
    .addOption(
      new Option('--state <state>', 'only cameras that are live or off, or that have a push in this state').choices(
        cameraStates,
      ),
    )
    .option('--engine <engine>', 'only cameras with a push to this streaming engine')
    .addHelpText(
      'after',
      `
Examples:
  $ media-aggregator camera list
  $ media-aggregator camera list 'gate-*' --state waiting
  $ media-aggregator camera list --engine paris -o name
  $ media-aggregator camera list --json --api http://10.0.0.5:5000
`,
    )
    .action(async (names: string[], options: CameraListOptions) => {
      const { state, engine } = options;
      const all = await findApi(options, io).cameras();
      const named = names.length === 0 ? byName(all) : selectByName(all, names);
      const cameras = named.filter(
        (each) =>
          (state === undefined || isInState(each, state)) &&
          (engine === undefined || each.pushes.some((push) => push.engine === engine)),
      );
      const output = outputOf(options);
      if (output === 'json') io.out.write(json(cameras));
      else if (output === 'name') io.out.write(cameras.map(({ name }) => `${name}\n`).join(''));
      else io.out.write(cameraTable(cameras, { io, isWide: output === 'wide', isEmpty: all.length === 0 }));
    });
}

function isInState({ live, pushes }: CameraView, state: string): boolean {
  if (state === 'live') return live;
  return state === 'off' ? !live : pushes.some((push) => push.state === state);
}

function cameraTable(
  cameras: readonly CameraView[],
  { io, isWide, isEmpty }: { io: CliIo; isWide: boolean; isEmpty: boolean },
): string {
  if (isEmpty) return 'No camera is registered. Register one with "media-aggregator camera add NAME".\n';
  if (cameras.length === 0) return 'No camera is in this state.\n';
  const rows = cameras.map((camera) => [
    camera.name,
    camera.type ?? null,
    stateOf(camera),
    camera.live && camera.bitrateInBps !== null ? formatBitrate(camera.bitrateInBps) : null,
    codecsOf(camera),
    camera.viewers,
    `${camera.pushes.filter((push) => push.state === 'active').length}/${camera.pushes.length}`,
    camera.source === undefined ? camera.endpoint : `pulled from ${camera.source.url}`,
    ...(isWide ? wideCells(camera) : []),
  ]);
  const headings = ['NAME', 'TYPE', 'STATE', 'IN', 'CODECS', 'VIEWERS', 'PUSHES', 'PUBLISHES TO'];
  return headed(
    table([...headings, ...(isWide ? ['SIZE', 'FPS', 'LIVE SINCE', 'LAST LIVE', 'PUBLISHER', 'ENGINES'] : [])], rows),
    io,
  );
}

/** What is wrong with it stands behind its state. */
function stateOf({ live, conditions }: CameraView): string {
  const [gravest] = conditions ?? [];
  const state = live ? 'live' : 'off';
  return gravest === undefined ? state : `${state} (${gravest.label ?? gravest.code})`;
}

function wideCells(camera: CameraView): (string | number | null)[] {
  const { width, height, frameRate, liveSince, lastLive, publisher, pushes } = camera;
  const engines = new Set(pushes.flatMap(({ engine }) => engine ?? []));
  return [
    width === null || height === null ? null : `${width}x${height}`,
    frameRate === null ? null : Math.round(frameRate),
    liveSince,
    lastLive?.until ?? null,
    publisher ?? lastLive?.publisher ?? null,
    [...engines].join(','),
  ];
}

export function addCameraRemoveCommand(camera: Command, io: CliIo, setExitCode: (code: number) => void): void {
  withClientOptions(camera.command('remove <names...>').alias('rm'))
    .description('Remove cameras and their pushes; their publishers and viewers are disconnected')
    .option('--all-or-nothing', allOrNothingText)
    .option('--dry-run', dryRunText)
    .addHelpText(
      'after',
      `
Examples:
  $ media-aggregator camera remove gate-1
  $ media-aggregator camera remove 'gate-*' --dry-run
`,
    )
    .action(async (names: string[], options: ClientOptions & ManyOptions) => {
      const [only] = names;
      if (names.length === 1 && only !== undefined && !isPattern(only) && options.dryRun !== true) {
        await removeOne(only, options, io);
        return;
      }
      const client = findApi(options, io, manyTimeoutMs);
      const selected = names.some(isPattern)
        ? selectByName(await client.cameras(), names).map(({ name }) => name)
        : [...new Set(names)];
      const changes = selected.map((name) => ({
        change: { operation: 'removeCamera' as const, camera: name },
        about: `camera ${name}`,
      }));
      checkCount(changes, options.allOrNothing === true);
      setExitCode(await makeChanges(client, changes, { io, options }));
    });
}

async function removeOne(name: string, options: ClientOptions, io: CliIo): Promise<void> {
  if (name === '') throw new CodedError('USAGE', 'the name of a camera is empty');
  await findApi(options, io).removeCamera(name);
  io.out.write(options.json ? json({ removed: name }) : `Camera ${name} was removed.\n`);
}

/** `h264+aac` of the default tracks; with how many there are, where a kind has more than one. */
function codecsOf({ videoCodec, audioCodec, tracks }: CameraView): string {
  const codecs = [videoCodec, audioCodec].filter((codec) => codec !== null).join('+');
  // One of an older version says nothing of tracks.
  return (tracks ?? []).every(({ isDefault }) => isDefault) ? codecs : `${codecs} (${tracks.length} tracks)`;
}
