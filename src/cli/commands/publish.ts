import { type Command, InvalidArgumentError } from 'commander';
import { parseRtmpUrl } from '../../address/rtmp-url.js';
import { CodedError } from '../../errors.js';
import type { LeftOut } from '../../ingest/tag-source.js';
import { cleanText } from '../../log/pino.js';
import { plural } from '../../plural.js';
import { exitCodes } from '../exit-codes.js';
import { formatBitrate, formatBytes, json } from '../format.js';
import type { CliIo } from '../io.js';
import { Publishing, type PublishProgress, type PublishResult } from '../publish/publish.js';

interface PublishFlags {
  readonly loop?: boolean;
  readonly count: number;
  readonly duration?: number;
  readonly json?: boolean;
}

const connectTimeoutMs = 5_000;
const maxCount = 10_000;

export function addPublishCommand(program: Command, io: CliIo, setExitCode: (code: number) => void): void {
  program
    .command('publish <file> <url>')
    .description('Publish an FLV file over RTMP in real time, as a camera would')
    .option('--loop', 'start again at the end; timestamps keep increasing')
    .option('--count <n>', 'publish n copies at once; {i} in the URL becomes 1 to n', parseCount, 1)
    .option('--duration <seconds>', 'stop after this many seconds', parseSeconds)
    .option('--json', 'print what was sent as JSON')
    .addHelpText(
      'after',
      `
Exit code 1, with the reason, when the server refuses or closes, or when no frame was sent. Ctrl-C ends it in order.
A broken recording (junk, a cut end, joined files) is sent as far as other players read it; what was left out is said.

Examples:
  $ media-aggregator publish samples/clip.flv rtmp://localhost/gate-1/gate-1 --loop
  $ media-aggregator publish samples/clip.flv 'rtmp://localhost/cam-{i}/cam-{i}' --count 20 --loop --duration 60
`,
    )
    .action(async (file: string, url: string, flags: PublishFlags) => {
      const urls = expandUrl(url, flags.count);
      for (const each of urls) {
        parseRtmpUrl(each);
      }
      setExitCode(await publish(file, urls, flags, io));
    });
}

function expandUrl(url: string, count: number): string[] {
  if (count > 1 && !url.includes('{i}')) {
    throw new CodedError(
      'USAGE',
      `With --count ${count} each copy needs a stream of its own: put {i} where the number goes, ` +
        "as in 'rtmp://localhost/cam-{i}/cam-{i}'.",
    );
  }
  return Array.from({ length: count }, (_, index) => url.replaceAll('{i}', String(index + 1)));
}

async function publish(file: string, urls: string[], flags: PublishFlags, io: CliIo): Promise<number> {
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  const onHangup = () => {
    // Without a terminal it was meant to outlive one (nohup, whose wish Node undoes at its start).
    if (io.out.isTTY || io.err.isTTY) stop.abort();
  };
  process.on('SIGHUP', onHangup);
  const endSignals = ['SIGINT', 'SIGTERM', 'SIGQUIT'] as const;
  for (const signal of endSignals) process.once(signal, onSignal);
  const durationMs = flags.duration === undefined ? undefined : flags.duration * 1000;
  const options = { file, urls, loop: flags.loop === true, durationMs, connectTimeoutMs, signal: stop.signal };
  const publishing = new Publishing(options);
  const stopProgress = showProgress(publishing, urls.length, io);
  try {
    const results = await publishing.run();
    stopProgress();
    report(results, publishing, flags, io);
    const isSent = results.every(({ error, frames }) => error === null && frames > 0);
    return isSent ? exitCodes.ok : exitCodes.failed;
  } finally {
    stopProgress();
    process.off('SIGHUP', onHangup);
    for (const signal of endSignals) process.off(signal, onSignal);
  }
}

/** One line a second that is written over, on a terminal only. */
function showProgress(publishing: Publishing, count: number, io: CliIo): () => void {
  if (!io.err.isTTY) {
    return () => {};
  }
  let before: PublishProgress = publishing.progress;
  const timer = setInterval(() => {
    const now = publishing.progress;
    const rate = ((now.bytes - before.bytes) * 8000) / (now.elapsedMs - before.elapsedMs);
    before = now;
    const seconds = Math.round(now.elapsedMs / 1000);
    const copies = count === 1 ? '' : `${now.connected}/${count} connected, `;
    io.err.write(
      `\r\u001b[K${seconds} s: ${copies}${formatBytes(now.bytes)}, ${plural(now.messages, 'message')}, ${formatBitrate(rate)}`,
    );
  }, 1000);
  let shown = true;
  return () => {
    if (shown) {
      shown = false;
      clearInterval(timer);
      io.err.write('\r\u001b[K');
    }
  };
}

function report(results: readonly PublishResult[], publishing: Publishing, flags: PublishFlags, io: CliIo): void {
  const total = publishing.progress;
  const elapsedMs = Math.round(total.elapsedMs);
  const bitrateBps = elapsedMs === 0 ? 0 : Math.round((total.bytes * 8000) / elapsedMs);
  for (const { url, error, frames } of results) {
    if (error !== null) {
      io.err.write(`${cleanText(`error: ${error.code}: ${url}: ${error.message}`)}\n`);
    } else if (frames === 0) {
      io.err.write(`error: ${cleanText(url)}: nothing was sent.\n`);
    }
  }
  const { bytes, messages } = total;
  const { leftOut } = publishing;
  if (flags.json) {
    io.out.write(json({ bytes, messages, elapsedMs, bitrateBps, leftOut: leftOut ?? null, streams: results }));
    return;
  }
  if (messages > 0) {
    const copies = results.length === 1 ? '' : ` on ${results.length} streams`;
    const seconds = (elapsedMs / 1000).toFixed(1);
    io.out.write(
      `Sent ${formatBytes(bytes)}, ${plural(messages, 'message')}${copies} in ${seconds} s (${formatBitrate(bitrateBps)}).\n`,
    );
  }
  const jumps = Math.max(0, ...results.map(({ timestampJumps }) => timestampJumps));
  for (const line of describeLeftOut(leftOut, jumps)) {
    io.err.write(`${line}\n`);
  }
}

/** What of the file was not sent, or not as it stands; no line for a file that is as it should be. */
function describeLeftOut(leftOut: LeftOut | undefined, jumps: number): string[] {
  const {
    junkBytes = 0,
    cutBytes = 0,
    unknownTags = 0,
    encryptedTags = 0,
    unreadableTags = 0,
    joins = 0,
  } = leftOut ?? {};
  const parts = [
    [junkBytes, 'bytes that are no tags'],
    [cutBytes, 'bytes of a tag that the end of the file cuts off'],
    [unknownTags, 'tags of unknown types'],
    [encryptedTags, 'encrypted tags'],
    [unreadableTags, 'tags that no server takes'],
  ] as const;
  const left = parts.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
  return [
    ...(left.length === 0 ? [] : [`Left out: ${left.join(', ')}.`]),
    ...(joins === 0 ? [] : [`Files joined end to end: ${joins + 1}; each goes on where the one before it ended.`]),
    ...(jumps === 0 ? [] : [`Timestamps that jumped: ${jumps}; each goes on where they had been.`]),
  ];
}

function parseCount(text: string): number {
  const count = Number(text);
  if (!/^\d{1,6}$/.test(text) || count < 1 || count > maxCount) {
    throw new InvalidArgumentError(`It must be a whole number from 1 to ${maxCount}.`);
  }
  return count;
}

function parseSeconds(text: string): number {
  const match = /^(\d{1,9}(?:\.\d{1,3})?)s?$/.exec(text);
  const seconds = Number(match?.[1]);
  if (match === null || seconds <= 0) {
    throw new InvalidArgumentError('It must be a number of seconds above 0, like 30 or 2.5.');
  }
  return seconds;
}
