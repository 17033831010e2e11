import { resolve } from 'node:path';
import type { Command } from 'commander';
import { maskTarget, maskUrl } from '../../address/rtmp-url.js';
import { CodedError, messageOf } from '../../errors.js';
import { readRegular } from '../../files/read.js';
import { cleanText } from '../../log/pino.js';
import type { ApiClient } from '../client.js';
import { exitCodes } from '../exit-codes.js';
import { findApi } from '../find-api.js';
import { type Fleet, maxFleetBytes, readFleet } from '../fleet.js';
import { json } from '../format.js';
import { type CliIo, painter } from '../io.js';
import type { Change } from '../many/make-changes.js';
import { compareNames } from '../many/names.js';
import { decodeText, readInput } from '../many/read-input.js';
import type { CameraView, ChangeResultView, EngineView } from '../views.js';
import { type ClientOptions, manyTimeoutMs, withClientOptions } from './shared.js';

interface ApplyOptions extends ClientOptions {
  readonly file: string;
  readonly prune?: boolean;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

export function addApplyCommand(program: Command, io: CliIo, setExitCode: (code: number) => void): void {
  withClientOptions(program.command('apply'))
    .description('Change cameras, pushes and engines to match a file, after showing what would change')
    .requiredOption('-f, --file <file>', 'the fleet file, YAML or JSON; - for standard input')
    .option('--prune', 'also remove cameras, pushes of its cameras and engines that are not in the file')
    .option('--dry-run', 'only show what would change')
    .option('-y, --yes', 'do not ask on a terminal')
    .addHelpText(
      'after',
      `
The file has the whole desired state:

  engines:
    paris: { host: 10.0.0.7 }
  cameras:
    gate-1:
      type: "360"
      pushes: [ paris, "rtmp://10.0.0.9/live/{name}" ]
    gate-2:

All changes are made in one commit, or none. What the file does not have stays, unless --prune is given. Options of a push
are given by keys: { engine: paris, id: main, enabled: false }.

Examples:
  $ media-aggregator apply -f fleet.yaml --dry-run
  $ media-aggregator apply -f fleet.yaml --prune --yes
`,
    )
    .action(async (options: ApplyOptions) => {
      const fleet = readFleet(options.file, await textOf(options.file, io));
      setExitCode(await apply(fleet, options, io));
    });
}

async function textOf(file: string, io: CliIo): Promise<string> {
  if (file === '-') return readInput(io, maxFleetBytes);
  const found = await readRegular(resolve(io.cwd, file), maxFleetBytes).catch((error: unknown) => {
    throw new CodedError('IMPORT_UNREADABLE', `${file} cannot be read: ${messageOf(error)}`, { cause: error });
  });
  if (found === undefined) throw new CodedError('IMPORT_UNREADABLE', `there is no file ${file}`);
  return decodeText(found.bytes, file);
}

/** What there is now. */
interface Present {
  readonly cameras: ReadonlyMap<string, CameraView>;
  readonly engines: ReadonlyMap<string, EngineView>;
}

async function apply(fleet: Fleet, options: ApplyOptions, io: CliIo): Promise<number> {
  const client = findApi(options, io, manyTimeoutMs);
  const [cameras, engines] = await Promise.all([client.cameras(), client.engines()]);
  const present: Present = {
    cameras: new Map(cameras.map((camera) => [camera.name, camera])),
    engines: new Map(engines.map((engine) => [engine.name, engine])),
  };
  const declared = declarations(fleet);
  // What pushes the file means is known once its targets were looked up.
  const pruned =
    options.prune === true ? pruning(fleet, present, await idsOf(client, declared)) : { first: [], last: [] };
  const changes = [...pruned.first, ...declared, ...pruned.last];
  if (changes.length === 0) throw new CodedError('IMPORT_INVALID', `${options.file} declares nothing`);
  const { results } = await client.batch({ mode: 'all', dryRun: true, changes });
  const lines = results.flatMap((result, index) => diffLines(changes[index], result, present));
  if (options.json === true) {
    const isDone = options.dryRun !== true && lines.length > 0;
    if (isDone) await client.batch({ mode: 'all', changes });
    io.out.write(json({ dryRun: options.dryRun === true, changed: isDone, results }));
    return exitCodes.ok;
  }
  const paint = painter(io.out, io.env);
  const colors = { '+': 'green', '~': 'yellow', '-': 'red' } as const;
  io.out.write(lines.map(({ sign, text }) => `${paint(colors[sign], `${sign} ${cleanText(text)}`)}\n`).join(''));
  const count = (sign: Line['sign']): number => lines.filter((line) => line.sign === sign).length;
  const counts = `${count('+')} to add, ${count('~')} to change, ${count('-')} to remove`;
  if (lines.length === 0) io.out.write('Nothing to change.\n');
  else if (options.dryRun === true) io.out.write(`${counts}. Nothing was changed.\n`);
  else if (!(await isWanted(counts, options, io))) return exitCodes.failed;
  else {
    await client.batch({ mode: 'all', changes });
    io.out.write(
      `Applied: ${counts.replaceAll('to add', 'added').replaceAll('to change', 'changed').replaceAll('to remove', 'removed')}.\n`,
    );
  }
  return exitCodes.ok;
}

/** Asks on a terminal. Without one, whoever calls has decided. */
async function isWanted(counts: string, { yes, file }: ApplyOptions, io: CliIo): Promise<boolean> {
  if (yes === true || io.terminal === undefined || file === '-') return true;
  io.out.write(`${counts}. Apply? [y/N] `);
  for await (const block of io.input ?? []) {
    const isYes = /^\s*y(es)?\s*$/i.test(Buffer.from(block as Uint8Array).toString());
    if (!isYes) io.out.write('Nothing was changed.\n');
    return isYes;
  }
  return false;
}

function declarations({ engines, cameras }: Fleet): Change[] {
  // The API checks what the file says, field by field.
  const engineChanges = [...engines].map(
    ([engine, body]) => ({ operation: 'declareEngine', engine, body }) as unknown as Change,
  );
  const cameraChanges = [...cameras].map(
    ([camera, { facts, pushes }]) =>
      ({
        operation: 'declareCamera',
        camera,
        body: { ...facts, ...(pushes.length === 0 ? {} : { pushes }) },
      }) as unknown as Change,
  );
  return [...engineChanges, ...cameraChanges];
}

/** The ids of the pushes that the file means, by camera. */
async function idsOf(
  client: ApiClient,
  declared: readonly Change[],
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const ids = new Map<string, ReadonlySet<string>>();
  if (declared.length === 0) return ids;
  const { results } = await client.batch({ mode: 'all', dryRun: true, changes: declared });
  for (const { camera, pushes = [] } of results) {
    if (camera !== undefined) ids.set(camera, new Set(pushes.map(({ id }) => id)));
  }
  return ids;
}

/** What the file does not have: cameras and pushes, which make room, and engines, which others may need until then. */
function pruning(
  fleet: Fleet,
  present: Present,
  ids: ReadonlyMap<string, ReadonlySet<string>>,
): { readonly first: Change[]; readonly last: Change[] } {
  const first: Change[] = [];
  for (const [camera, { pushes }] of [...present.cameras].sort(([one], [other]) => compareNames(one, other))) {
    if (!fleet.cameras.has(camera)) first.push({ operation: 'removeCamera', camera });
    else {
      for (const { id } of pushes) {
        if (ids.get(camera)?.has(id) !== true) first.push({ operation: 'removePush', camera, push: id });
      }
    }
  }
  const gone = [...present.engines.keys()].filter((engine) => !fleet.engines.has(engine));
  return { first, last: gone.map((engine) => ({ operation: 'removeEngine', engine })) };
}

interface Line {
  readonly sign: '+' | '~' | '-';
  readonly text: string;
}

const signs = { created: '+', changed: '~', removed: '-' } as const;

function diffLines(change: Change | undefined, result: ChangeResultView, present: Present): Line[] {
  if (change === undefined) return [];
  const { outcome, fields = [], pushes = [] } = result;
  const name = 'engine' in change ? `engine ${change.engine}` : `camera ${change.camera}`;
  const about = 'push' in change ? `push ${change.push} of ${change.camera}` : name;
  const before = 'engine' in change ? present.engines.get(change.engine) : present.cameras.get(change.camera);
  const after: object = 'body' in change ? change.body : {};
  const lines: Line[] = [];
  if (outcome === 'created' || outcome === 'changed' || outcome === 'removed') {
    lines.push({ sign: signs[outcome], text: `${about}${fieldsText(fields, before, after)}` });
  }
  const wanted = 'body' in change && 'pushes' in change.body ? (change.body.pushes ?? []) : [];
  for (const [index, push] of pushes.entries()) {
    if (push.outcome !== 'created' && push.outcome !== 'changed') continue;
    const camera = 'camera' in change ? change.camera : '';
    const known = present.cameras.get(camera)?.pushes.find(({ id }) => id === push.id);
    const { engine, url = '' } = wanted[index] ?? {};
    const target = engine === undefined ? maskTarget(url, camera) : `engine ${engine}`;
    const text = `push ${push.id} of ${camera} to ${target}${fieldsText(push.fields ?? [], known, wanted[index] ?? {})}`;
    lines.push({ sign: signs[push.outcome], text });
  }
  return lines;
}

/** `(type: "360" -> "plane")`; URLs without their secrets. */
function fieldsText(fields: readonly string[], before: object | undefined, after: object): string {
  if (fields.length === 0) return '';
  const shown = (thing: object | undefined, field: string): string => {
    const value: unknown = thing === undefined ? undefined : Reflect.get(thing, field);
    if (value === undefined) return 'none';
    const text = JSON.stringify(value);
    return text.includes('://') ? maskUrl(text) : text;
  };
  return ` (${fields.map((field) => (field === 'keys' ? field : `${field}: ${shown(before, field)} -> ${shown(after, field)}`)).join(', ')})`;
}
