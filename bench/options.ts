import { parseArgs } from 'node:util';
import { findScenario, type Scenario, scenarios, shortScenario } from './scenarios.js';

export const usage = `npm run bench -- [OPTIONS]

  --scenario NAME[,NAME]  what to load: ${scenarios.map(({ name }) => name).join(', ')} (all by default),
                          or any CAMERASxTARGETS[@MBITS]
  --system SPEC           what to measure, may be repeated; by default ours and nginx-rtmp. SPEC is
                            ours[@REVISION][%RUNTIME][:FLAGS]
                              the aggregator, as built in dist/, as of a revision of git, or as built in another tree
                              (/its/path), run by RUNTIME ("node" with flags of its own), with further flags of serve
                            nginx-rtmp, node-media-server; with +nodelay behind the name, TCP_NODELAY is forced upon
                              all its connections (needs a C compiler), to compare costs at like latency
                            srs                      SRS, of which SRS is the path of the program: build ossrs/srs in its folder
                              trunk with ./configure --sanitizer=off --extra-flags=-O2 && make, and set SRS=.../objs/srs
                            direct                   no server at all: the latency of the generators
  --compare REVISION      the same as --system ours --system ours@REVISION
  --rounds N              rounds of all systems in turn (default 2)
  --seconds N             measured time of each run (default 8)
  --warm-up N             seconds before that (default 8: the memory of the pictures that are kept has been round once)
  --sinks N               processes of sinks, besides the one that measures latency (default 1)
  --calm N                on a machine with other work: wait up to N seconds for a calm moment before each run, and repeat
                          disturbed runs, up to three times
  --at-once               load all systems of a round side by side, and measure them in the same seconds: ratios then vary
                          by a few percent, whatever the machine does beside. For loads of which several fit its cores
  --out FILE              write the results as JSON, for npm run bench:tables
  --plots FOLDER          write plots of the results as SVG
  --short                 what CI runs: one small load; fails on lost messages, or on a cost of more than twice the
                          ratio to nginx-rtmp that bench/baseline.json records, when that is so three times in a row
  --record                with --short: write bench/baseline.json
  --profile FOLDER        run ours once with Node's CPU profiler, and say where the time goes
  --help`;

export interface Options {
  readonly scenarios: readonly Scenario[];
  readonly systems: readonly string[];
  readonly rounds: number;
  readonly measureMs: number;
  readonly warmUpMs: number;
  readonly sinkProcesses: number;
  /** Undefined: runs are taken as they come. */
  readonly calmWaitMs: number | undefined;
  /** All systems of a round run side by side. */
  readonly atOnce: boolean;
  readonly out: string | undefined;
  readonly plots: string | undefined;
  readonly profile: string | undefined;
  readonly short: boolean;
  readonly record: boolean;
  readonly help: boolean;
}

/** @throws TypeError, RangeError with a text for the user */
export function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      scenario: { type: 'string' },
      system: { type: 'string', multiple: true },
      compare: { type: 'string' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      'warm-up': { type: 'string' },
      sinks: { type: 'string' },
      calm: { type: 'string' },
      'at-once': { type: 'boolean', default: false },
      out: { type: 'string' },
      plots: { type: 'string' },
      profile: { type: 'string' },
      short: { type: 'boolean', default: false },
      record: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const short = values.short;
  if (values['at-once'] && values.calm !== undefined)
    throw new RangeError('--at-once and --calm exclude each other: a disturbed run is repeated by itself');
  const named = values.scenario?.split(',').map(findScenario);
  const compared = values.compare === undefined ? undefined : ['ours', `ours@${values.compare}`];
  return {
    scenarios: named ?? (short ? [shortScenario] : scenarios),
    systems: values.system ?? compared ?? ['ours', 'nginx-rtmp'],
    rounds: numberOf('rounds', values.rounds, 2, 1, 100),
    measureMs: 1000 * numberOf('seconds', values.seconds, short ? 5 : 8, 1, 3600),
    warmUpMs: 1000 * numberOf('warm-up', values['warm-up'], short ? 2 : 8, 0, 3600),
    sinkProcesses: numberOf('sinks', values.sinks, 1, 1, 64),
    calmWaitMs: values.calm === undefined ? undefined : 1000 * numberOf('calm', values.calm, 0, 0, 3600),
    atOnce: values['at-once'],
    out: values.out,
    plots: values.plots,
    profile: values.profile,
    short,
    record: values.record,
    help: values.help,
  };
}

function numberOf(name: string, text: string | undefined, fallback: number, min: number, max: number): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (!(value >= min && value <= max)) throw new RangeError(`--${name} is ${text}; it lies between ${min} and ${max}`);
  return value;
}
