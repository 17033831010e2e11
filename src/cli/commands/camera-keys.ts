import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { durationType, ValueProblem } from '../../config/values.js';
import { CodedError, messageOf } from '../../errors.js';
import { cleanText } from '../../log/pino.js';
import { findApi } from '../find-api.js';
import { json } from '../format.js';
import type { CliIo } from '../io.js';
import type { CameraView } from '../views.js';
import { type ClientOptions, withClientOptions } from './shared.js';

const longest = '8760h';

/** `camera rotate-key` and `camera play-token`: who may publish and play. */
export function addKeyCommands(camera: Command, io: CliIo): void {
  withClientOptions(camera.command('rotate-key <name>'))
    .description('Replace the publish key of a camera; prints the new URL to publish to')
    .option('--overlap <duration>', 'how long the previous keys stay valid: 30m, 1h ...')
    .option('--ingest <name>', 'the ingest that gets the new key, for a camera with several (default: main)')
    .option(
      '--key-file <file>',
      'file with the new key: 8 to 128 letters, digits, "_" and "-" (default: a generated key)',
    )
    .addHelpText(
      'after',
      `
Needs an aggregator with --publish-auth key. A camera that publishes now is not touched.

Examples:
  $ media-aggregator camera rotate-key gate-1
  $ media-aggregator camera rotate-key gate-1 --overlap 1h
`,
    )
    .action(async (name: string, options: ClientOptions & { overlap?: string; keyFile?: string; ingest?: string }) => {
      const { overlap, keyFile, ingest } = options;
      const view = await findApi(options, io).rotateKey(name, {
        ...(overlap === undefined ? {} : { overlapSeconds: secondsOf('--overlap', overlap) }),
        ...(keyFile === undefined ? {} : { key: readKey(keyFile) }),
        ...(ingest === undefined ? {} : { ingest }),
      });
      const own = view.ingests?.find(({ name: each }) => each === (ingest ?? 'main')) ?? view;
      io.out.write(options.json ? json(view) : `${endpointsOf(own)}\n`);
    });

  withClientOptions(camera.command('play-token <name>'))
    .description('Create a token to play a camera; prints the URL with it')
    .option('--for <duration>', 'how long the token is valid: 10m, 24h ...', '1h')
    .option('--http', 'print the HTTP-FLV URL, for browsers, instead of the RTMP URL')
    .addHelpText(
      'after',
      `
Needs an aggregator with --play-auth token or local. A token cannot be taken back before its end.

Examples:
  $ media-aggregator camera play-token gate-1 --for 10m
  $ media-aggregator camera play-token gate-1 --http
`,
    )
    .action(async (name: string, options: ClientOptions & { for: string; http?: boolean }) => {
      const token = await findApi(options, io).playToken(name, secondsOf('--for', options.for));
      const url = options.http ? token.httpUrl : (token.rtmpsUrl ?? token.url);
      if (url === undefined) {
        const why = 'with --backend nginx, or where on-play decides, cameras are played by RTMP only';
        throw new CodedError('VIEW_UNSUPPORTED', `there is no HTTP address: ${why}`);
      }
      io.out.write(options.json ? json(token) : `${cleanText(url)}\n`);
    });
}

/** Where a camera publishes to, a line for each way. */
export function endpointsOf({
  endpoint,
  rtmpsEndpoint,
  srtEndpoint,
}: Pick<CameraView, 'endpoint' | 'rtmpsEndpoint' | 'srtEndpoint'>): string {
  return [endpoint, rtmpsEndpoint, srtEndpoint]
    .flatMap((each) => (each === undefined ? [] : [cleanText(each)]))
    .join('\n');
}

function secondsOf(flag: string, text: string): number {
  try {
    return Math.ceil(durationType('0s', longest).parse(text) / 1000);
  } catch (error) {
    if (!(error instanceof ValueProblem)) throw error;
    throw new CodedError('USAGE', `${flag} ${error.message}`);
  }
}

function readKey(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new CodedError('USAGE', `the file of --key-file cannot be read: ${messageOf(error)}`, { cause: error });
  }
}
