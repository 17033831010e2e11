import { resolve } from 'node:path';
import { apiVariable, loadSettings } from '../config.js';
import { CodedError } from '../errors.js';
import { cleanText } from '../log-pino.js';
import { ApiClient } from './client.js';
import { reachableHost, urlHost } from './format.js';
import type { CliIo } from './io.js';
import { findRuntime } from './runtime-file.js';

export interface FindOptions {
  readonly api?: string;
  readonly dataDir?: string;
}

/**
 * The API of the aggregator that is meant: `--api`, MEDIA_AGGREGATOR_API, or the one that runs on the data folder.
 * @throws CodedError NOT_RUNNING, USAGE; ConfigError
 */
export function findApi(options: FindOptions, io: CliIo): ApiClient {
  const given = options.api ?? (io.env[apiVariable] || undefined);
  if (given !== undefined) {
    return new ApiClient(parseBase(given, options.api === undefined ? apiVariable : '--api'));
  }
  const { settings } = loadSettings({ flags: { 'data-dir': options.dataDir }, env: io.env, cwd: io.cwd });
  const runtime = findRuntime(resolve(io.cwd, settings.dataDir));
  if (runtime === undefined) {
    throw new CodedError(
      'NOT_RUNNING',
      `No aggregator runs on the data folder ${settings.dataDir}. Start one with "media-aggregator serve", ` +
        'or say where it is with --api URL or --data-dir FOLDER.',
    );
  }
  return new ApiClient(`http://${urlHost(reachableHost(runtime.host))}:${runtime.apiPort}`);
}

function parseBase(text: string, from: string): string {
  const full = /^https?:\/\//i.test(text) ? text : `http://${text}`;
  if (!URL.canParse(full)) {
    throw new CodedError('USAGE', `${from} is "${cleanText(text)}", but must be like http://HOST:5000`);
  }
  const url = new URL(full);
  return url.origin + url.pathname;
}
