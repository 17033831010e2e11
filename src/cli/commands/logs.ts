import { setTimeout as wait } from 'node:timers/promises';
import { type Command, Option } from 'commander';
import { isErrno } from '../../files/errno.js';
import { type LogLevel, logLevels } from '../../log/levels.js';
import { cleanText } from '../../log/pino.js';
import { findApi } from '../find-api.js';
import { localTime } from '../follow/event-text.js';
import { keepFollowing } from '../follow/keep-following.js';
import { type CliIo, painter } from '../io.js';
import { isPattern, matcherOf } from '../many/names.js';
import type { LogLineView } from '../views.js';
import { countOf, type FollowOptions, withFollowOptions } from './follow-options.js';

const everyMs = 1000;
/** More than an aggregator keeps. */
const allLines = 5000;

interface LogsOptions extends FollowOptions {
  readonly level?: LogLevel;
}

/** `logs`: the log of a running aggregator, from wherever it runs. */
export function addLogsCommand(program: Command, io: CliIo): void {
  withFollowOptions(program.command('logs [cameras...]'), 'lines')
    .description('Print or follow the log of a running aggregator, for all cameras or for some')
    .addOption(new Option('--level <level>', 'only lines of this level or above').choices(logLevels))
    .addHelpText(
      'after',
      `
The aggregator keeps its last 2,000 lines (1 MB at most) in memory; it also writes them to standard error or to the log
file. Names may have * and ?. JSON is one line each. What is logged at all depends on the log level: see "log-level", and
"camera debug" for everything about one camera. A lost connection is made again; standard error says so.

Examples:
  $ media-aggregator logs
  $ media-aggregator logs --follow gate-1
  $ media-aggregator logs -f 'gate-*' --level warn -o json
`,
    )
    .action((cameras: readonly string[], options: LogsOptions) => showLogs(cameras, options, io));
}

async function showLogs(cameras: readonly string[], options: LogsOptions, io: CliIo): Promise<void> {
  const matchers = cameras.map(matcherOf);
  const wants = ({ fields: { camera } }: LogLineView): boolean =>
    matchers.length === 0 || (typeof camera === 'string' && matchers.some((matches) => matches(camera)));
  const hasPatterns = cameras.some(isPattern);
  const count = countOf(options.lines);
  const query = {
    ...(options.level === undefined ? {} : { level: options.level }),
    ...(cameras.length === 0 || hasPatterns ? {} : { camera: cameras.join(',') }),
  };
  const isJson = options.output === 'json' || options.json === true;
  const paint = painter(io.out, io.env);
  let after: number | undefined;
  await keepFollowing(io, options.follow === true, async (onOpen, gone) => {
    for (;;) {
      const limit = String(after === undefined && !hasPatterns ? count : allLines);
      const asked = after === undefined ? { ...query, limit } : { ...query, limit, after: String(after) };
      const { items, next, missed } = await findApi(options, io).logLines(asked);
      onOpen();
      if (missed) io.err.write('the lines in between are lost: the aggregator no longer has them\n');
      const wanted = items.filter(wants);
      const shown = after === undefined ? wanted.slice(wanted.length - Math.min(count, wanted.length)) : wanted;
      after = next;
      for (const line of shown) io.out.write(isJson ? `${JSON.stringify(line)}\n` : lineText(line, paint));
      if (isErrno(await io.out.written?.(), 'EPIPE') || options.follow !== true) return true;
      await wait(everyMs, undefined, { signal: gone });
    }
  });
}

const styles = { debug: 'dim', info: 'green', warn: 'yellow', error: 'red' } as const;

function lineText({ at, level, message, fields }: LogLineView, paint: ReturnType<typeof painter>): string {
  const facts = Object.entries(fields).map(
    ([key, value]) => `${cleanText(key)}=${cleanText(typeof value === 'string' ? value : JSON.stringify(value))}`,
  );
  const rest = facts.length === 0 ? '' : `  ${paint('dim', facts.join(' '))}`;
  return `${localTime(at)}  ${paint(styles[level], level.padEnd(5))}  ${cleanText(message)}${rest}\n`;
}
