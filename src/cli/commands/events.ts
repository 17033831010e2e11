import { type Command, Option } from 'commander';
import { CodedError } from '../../errors.js';
import { readEvents } from '../../events/event-reader.js';
import { isErrno } from '../../files/errno.js';
import { cleanText } from '../../log/pino.js';
import { findApi } from '../find-api.js';
import { eventLine, type ShownEvent } from '../follow/event-text.js';
import { keepFollowing } from '../follow/keep-following.js';
import { type CliIo, painter } from '../io.js';
import { isPattern, matcherOf } from '../many/names.js';
import { countOf, type FollowOptions, withFollowOptions } from './follow-options.js';

/** Three of the server's signs of life are missing. */
const silenceMs = 45_000;

interface EventsOptions extends FollowOptions {
  readonly types?: string;
  readonly own?: true;
}

/** `events`: what happened, and what happens. */
export function addEventsCommand(program: Command, io: CliIo): void {
  withFollowOptions(program.command('events [cameras...]'), 'events')
    .description('List or follow recent events: cameras going live or offline, push states, problems, changes')
    .addOption(
      new Option(
        '--types <types>',
        'only these types, or types that begin with these words: push,camera.live,problem ...',
      ),
    )
    .option('--own', 'in a cluster, only of the node that is asked, not of all nodes')
    .addHelpText(
      'after',
      `
Without names, events of all cameras, and those of no camera. Names may have * and ?. JSON is one event a line. A lost
connection is made again, and what was missed is caught up on; standard error says so. In a cluster each event has its node,
and standard error names the nodes that do not answer.

Examples:
  $ media-aggregator events
  $ media-aggregator events --follow gate-1
  $ media-aggregator events -f 'gate-*' --types push,problem -o json
`,
    )
    .action((cameras: readonly string[], options: EventsOptions) => showEvents(cameras, options, io));
}

async function showEvents(cameras: readonly string[], options: EventsOptions, io: CliIo): Promise<void> {
  const matchers = cameras.map(matcherOf);
  const wants = ({ camera }: ShownEvent): boolean =>
    matchers.length === 0 || (typeof camera === 'string' && matchers.some((matches) => matches(camera)));
  const hasPatterns = cameras.some(isPattern);
  const count = countOf(options.lines);
  const query = {
    ...(options.own === true ? { node: 'self' as const } : {}),
    ...(options.types === undefined ? {} : { types: options.types }),
    // Patterns are matched here: of all that there are, the newest are shown.
    ...(cameras.length === 0 || hasPatterns ? {} : { camera: cameras.join(',') }),
    recent: String(hasPatterns ? 9999 : count),
  };
  const paint = painter(io.out, io.env);
  const show = async (event: ShownEvent): Promise<boolean> => {
    if (options.output === 'json' || options.json === true) io.out.write(`${JSON.stringify(event)}\n`);
    else io.out.write(eventLine(event, paint));
    return isErrno(await io.out.written?.(), 'EPIPE');
  };
  let lastEventId = '';
  await keepFollowing(io, options.follow === true, async (onOpen, gone) => {
    const stop = new AbortController();
    const end = (): void => stop.abort();
    gone.addEventListener('abort', end);
    let isOpen = false;
    let timer = setTimeout(() => {}, 0);
    const alive = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => stop.abort(), silenceMs);
    };
    let before: ShownEvent[] | undefined = lastEventId === '' ? [] : undefined;
    try {
      const asked = lastEventId === '' ? query : { ...query, lastEventId };
      const { body, headers } = await findApi(options, io).followEvents(asked, stop.signal);
      if (body === null || headers.get('content-type')?.startsWith('text/event-stream') !== true) {
        throw new CodedError('API_UNREACHABLE', 'the answer is not a stream of events; is this an aggregator?');
      }
      onOpen();
      isOpen = true;
      alive();
      for await (const { type, data, id } of readEvents(body, alive)) {
        if (id !== '') lastEventId = id;
        const event: ShownEvent = JSON.parse(data);
        if (type !== 'reset') {
          if (!wants(event)) continue;
          if (before !== undefined) before.push(event);
          else if (await show(event)) return true;
          continue;
        }
        if (Array.isArray(event.unknown)) {
          const names = event.unknown.map((name) => cleanText(String(name))).join(', ');
          io.err.write(`events of these nodes are missing, because they do not answer: ${names}\n`);
        }
        if (before === undefined) io.err.write('the events in between are lost: the aggregator no longer has them\n');
        for (const each of count === 0 ? [] : (before ?? []).slice(-count)) if (await show(each)) return true;
        before = undefined;
        if (options.follow !== true) return true;
      }
      if (before !== undefined) throw new CodedError('API_UNREACHABLE', 'the stream of events ended before it began');
      return false;
    } catch (error) {
      // Whatever ends it once it is open is of the connection, which may be made again.
      if (isOpen && !(error instanceof CodedError))
        throw new CodedError('API_UNREACHABLE', 'the connection ended', { cause: error });
      throw error;
    } finally {
      gone.removeEventListener('abort', end);
      clearTimeout(timer);
      stop.abort();
    }
  });
}
