import type { Command } from 'commander';
import { maskUrl } from '../../address/rtmp-url.js';
import { CodedError } from '../../errors.js';
import {
  type CameraList,
  filledPushes,
  type ListedCamera,
  maxListBytes,
  readCameraList,
} from '../../import/camera-list.js';
import { cleanText } from '../../log/pino.js';
import { exitCodes } from '../exit-codes.js';
import { findApi } from '../find-api.js';
import { json } from '../format.js';
import { type CliIo, painter } from '../io.js';
import {
  allOrNothingText,
  checkCount,
  dryRunText,
  type ManyOptions,
  makeChanges,
  type NamedChange,
  type WordsOf,
} from '../many/make-changes.js';
import { readInput } from '../many/read-input.js';
import type { CameraView } from '../views.js';
import { type CameraFacts, newIngests, withIngestOptions } from './camera-ingests.js';
import type { IngestOptions } from './camera-sources.js';
import { type ClientOptions, manyTimeoutMs, repeated, withClientOptions } from './shared.js';

interface AddOptions extends ClientOptions, ManyOptions, IngestOptions {
  readonly type?: string;
  readonly engine: readonly string[];
  readonly url: readonly string[];
}

export function addCameraAddCommand(camera: Command, io: CliIo, setExitCode: (code: number) => void): void {
  withIngestOptions(withClientOptions(camera.command('add <names...>')))
    .description('Register cameras, optionally with pushes; prints the URL that each publishes to')
    .option('--type <type>', 'kind of camera: 360, plane ...')
    .option('--engine <engine>', 'push the cameras to this streaming engine; may be repeated', repeated, [])
    .option('--url <template>', 'push them to this URL, with {name} in it; may be repeated', repeated, [])
    .option('--all-or-nothing', allOrNothingText)
    .option('--dry-run', dryRunText)
    .addHelpText(
      'after',
      `
"-" reads the cameras from standard input: names, one a line; CSV with the columns name, type, source, engine and url (engine and
url may stand several times, and a camera may have a row for each push); or JSON with the same keys, as a list or one
object a line. Registering a camera that is there with the same settings changes nothing. Exit code 1 when some cannot be
registered; each is told with its reason, and the others are registered.

Examples:
  $ media-aggregator camera add gate-1
  $ media-aggregator camera add gate-2 gate-3 --type 360 --engine paris
  $ media-aggregator camera add gate-4 --ingests main,backup --switch-back 30s
  $ media-aggregator camera add gate-5 --source 'rtsp://USER:PASSWORD@192.0.2.7:554/stream1'
  $ media-aggregator camera add - --url 'rtmp://10.0.0.7/live/{name}' < names.txt
  $ media-aggregator camera add - < cameras.csv
`,
    )
    .action(async (names: string[], options: AddOptions) => {
      const { type, engine, url } = options;
      const isPlain = names.length === 1 && names[0] !== '-' && engine.length + url.length === 0;
      if (isPlain && options.dryRun !== true) {
        await addOne(names[0] ?? '', options, io);
        return;
      }
      const lists: CameraList[] = [];
      for (const name of names) {
        if (name === '-') lists.push(readCameraList(await readInput(io, maxListBytes)));
        else lists.push({ format: 'names', cameras: [{ name, pushes: [], place: '' }], problems: [] });
      }
      const own = [...engine.map((each) => ({ engine: each })), ...url.map((each) => ({ url: each }))];
      const cameras = lists.flatMap((list) => list.cameras);
      const facts = { ...(type === undefined ? {} : { type }), ...newIngests(options) };
      const changes = cameras.map((each) => addChange({ ...each, pushes: [...each.pushes, ...own] }, facts));
      const problems = lists.flatMap((list) => list.problems);
      setExitCode(await addListed({ changes, problems }, options, io));
    });
}

/** Registers the cameras of a list, and says what of the list cannot be used. @returns the exit code */
export async function addListed(
  { changes, problems }: { changes: readonly NamedChange[]; problems: CameraList['problems'] },
  options: ClientOptions & ManyOptions,
  io: CliIo,
): Promise<number> {
  const paint = painter(io.err, io.env);
  for (const { place, message } of problems) {
    io.err.write(`${paint('red', 'failed')}: ${cleanText(`${place}: ${message}`)}\n`);
  }
  if (problems.length > 0 && options.allOrNothing === true) {
    throw new CodedError('IMPORT_INVALID', 'the list cannot be used as a whole; nothing was changed');
  }
  if (changes.length === 0) {
    if (problems.length === 0) throw new CodedError('IMPORT_INVALID', 'there is no camera in the list');
    return exitCodes.failed;
  }
  checkCount(changes, options.allOrNothing === true);
  const code = await makeChanges(findApi(options, io, manyTimeoutMs), changes, { io, options, words: addedWords });
  return problems.length > 0 ? exitCodes.failed : code;
}

/** A camera of a list as a change. @param facts of all cameras of the list; a type of its own goes before theirs */
export function addChange(camera: ListedCamera, facts: CameraFacts = {}): NamedChange {
  const type = camera.type ?? facts.type;
  const pushes = filledPushes(type === undefined ? camera : { ...camera, type });
  const body = {
    ...facts,
    ...(type === undefined ? {} : { type }),
    ...(camera.source === undefined ? {} : { source: camera.source }),
    ...(pushes.length === 0 ? {} : { pushes }),
  };
  return {
    change: { operation: 'addCamera', camera: camera.name, body },
    about: `camera ${camera.name}`,
    ...(camera.place === '' ? {} : { place: camera.place }),
  };
}

const addedWords: WordsOf = ({ about, change }, { outcome, endpoint, srtEndpoint }) => {
  const done = outcome === 'created' ? 'is registered' : 'was registered already';
  const source = change.operation === 'addCamera' ? change.body.source : undefined;
  const url = typeof source === 'string' ? source : source?.url;
  const from = url === undefined ? publishesTo(endpoint ?? '', srtEndpoint) : `It is pulled from ${maskUrl(url)}`;
  return `C${about.slice(1)} ${done}. ${from}`;
};

async function addOne(name: string, options: AddOptions, io: CliIo): Promise<void> {
  const { type } = options;
  const body = { name, ...(type === undefined ? {} : { type }), ...newIngests(options) };
  const result = await findApi(options, io).addCamera(body);
  if (options.json) {
    io.out.write(json(result.camera));
    return;
  }
  const done = result.created ? 'is registered' : 'was registered already';
  io.out.write(`${cleanText(`Camera ${result.camera.name} ${done}. ${comesFrom(result.camera)}`)}\n`);
}

/** What an operator does next, or need not do. */
function comesFrom({ endpoint, srtEndpoint, ingests, source = ingests?.[0]?.source }: CameraView): string {
  return source === undefined ? publishesTo(endpoint, srtEndpoint) : `It is pulled from ${source.url}`;
}

/** @param srtEndpoint undefined where encoders cannot publish by SRT */
function publishesTo(endpoint: string, srtEndpoint: string | undefined): string {
  return `It publishes to ${endpoint}${srtEndpoint === undefined ? '' : `, or by SRT to ${srtEndpoint}`}`;
}
