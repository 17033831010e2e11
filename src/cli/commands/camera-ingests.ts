import type { Command } from 'commander';
import type { Input } from '../../client/index.js';
import { durationType, ValueProblem } from '../../config/values.js';
import { CodedError } from '../../errors.js';
import { cleanText } from '../../log/pino.js';
import { findApi } from '../find-api.js';
import { json } from '../format.js';
import type { CliIo } from '../io.js';
import type { CameraView } from '../views.js';
import { endpointsOf } from './camera-keys.js';
import {
  type IngestOptions,
  type KnownSource,
  knownSources,
  none,
  sourceChange,
  sourceLine,
} from './camera-sources.js';
import { type ClientOptions, repeated, withClientOptions } from './shared.js';

/** The options of `camera add` and `camera set` that are about ingests. */
export function withIngestOptions(command: Command): Command {
  return command
    .option('--ingests <names>', 'names of its ingests, in the order of preference: main,backup ...')
    .option(
      '--source <url>',
      'URL to pull the camera from: rtsp://USER:PASSWORD@HOST/PATH ..., or none; INGEST=URL for one of its ingests (may be repeated)',
      repeated,
      [],
    )
    .option('--on-demand', 'pull the source only while a push or a viewer needs it')
    .option('--always', 'pull the source all the time (default of a new source; one that is changed keeps what it has)')
    .option('--source-transport <transport>', 'transport of RTSP media: tcp or udp')
    .option(
      '--switch-back <when>',
      'how long a preferred ingest must be healthy before it goes live again: 30s ..., or never',
    )
    .option(
      '--slate <clip>',
      'what is shown when no ingest is left: built-in, FILE.flv of the folder slate-dir, or none',
    )
    .option('--slate-for <duration>', 'how long the slate is shown: 60s, 10m ...');
}

/** The options as the API takes them: null for what there is not to be. @throws CodedError USAGE */
function ingestChange(options: IngestOptions, known?: KnownSource): Omit<Input<'changeCamera'>['body'], 'type'> {
  const { switchBack, slate, slateFor } = options;
  return {
    ...sourceChange(options, known),
    ...(switchBack === undefined
      ? {}
      : { switchBackSeconds: switchBack === 'never' ? null : secondsOf('--switch-back', switchBack) }),
    ...(slate === undefined ? {} : { slate: slate === none ? null : slate }),
    ...(slateFor === undefined ? {} : { slateSeconds: secondsOf('--slate-for', slateFor) }),
  };
}

/** What is declared of a camera that is new, but for its name. */
export type CameraFacts = Omit<Input<'addCamera'>['body'], 'name'>;

/** The options for a camera that is new, which has none of what there is not to be. @throws CodedError USAGE */
export function newIngests(options: IngestOptions): CameraFacts {
  const given = Object.entries(ingestChange(options)).filter(([, value]) => value !== null);
  return Object.fromEntries(given) as CameraFacts;
}

/** `camera set` and `camera switch`. */
export function addIngestCommands(camera: Command, io: CliIo): void {
  withIngestOptions(withClientOptions(camera.command('set <name>')))
    .description('Change a camera: its type, its ingests, its source, and what is shown when no ingest is left')
    .option('--type <type>', 'kind of camera: 360, plane ..., or none')
    .addHelpText(
      'after',
      `
What is not given stays as it is. A camera that is live stays live.

Examples:
  $ media-aggregator camera set gate-1 --ingests main,backup --switch-back 30s
  $ media-aggregator camera set gate-1 --slate built-in --slate-for 5m
  $ media-aggregator camera set gate-1 --ingests none
  $ media-aggregator camera set gate-1 --source 'rtsp://USER:PASSWORD@192.0.2.7/stream1' --on-demand
  $ media-aggregator camera set gate-1 --source none
`,
    )
    .action(async (name: string, options: ClientOptions & IngestOptions & { type?: string }) => {
      const { type } = options;
      const api = findApi(options, io);
      // Before the camera is asked for: what is wrong is said without it.
      ingestChange(options);
      const known = options.source?.length ? knownSources(await api.camera(name)) : undefined;
      const change = {
        ...ingestChange(options, known),
        ...(type === undefined ? {} : { type: type === none ? null : type }),
      };
      const view = await api.changeCamera(name, change);
      io.out.write(options.json ? json(view) : `${ingestLines(view)}\n`);
    });

  withClientOptions(camera.command('switch <name>'))
    .description('Switch a camera to another of its ingests, at a key frame')
    .option('--to <ingest>', 'the ingest (default: the one that would take over if the live one failed)')
    .addHelpText(
      'after',
      `
Targets stay connected, and see one stream. The ingest stays live until it fails, or until another switch.

Examples:
  $ media-aggregator camera switch gate-1
  $ media-aggregator camera switch gate-1 --to main
`,
    )
    .action(async (name: string, options: ClientOptions & { to?: string }) => {
      const view = await findApi(options, io).switchIngest(name, options.to);
      io.out.write(options.json ? json(view) : `${ingestLines(view)}\n`);
    });
}

/** The ingests of a camera with what they do and where they are published to, a line for each. */
export function ingestLines(view: CameraView): string {
  const { ingests, source } = view;
  if (ingests === undefined) return source === undefined ? endpointsOf(view) : cleanText(sourceLine(source));
  const lines = ingests.map(({ name, live, state, endpoint, source: own }) => {
    const doing = live ? `live, ${state}` : state === 'offline' ? state : `stands by, ${state}`;
    return cleanText(`${name} (${doing}): ${own === undefined ? endpoint : sourceLine(own)}`);
  });
  return lines.join('\n');
}

function secondsOf(flag: string, text: string): number {
  try {
    return Math.ceil(durationType('1s', '24h').parse(text) / 1000);
  } catch (error) {
    if (!(error instanceof ValueProblem)) throw error;
    throw new CodedError('USAGE', `${flag} ${error.message}`);
  }
}
