import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { apiVariable, loadSettings, tokenVariable } from '../config/index.js';
import { CodedError, messageOf } from '../errors.js';
import { ownSocketName } from '../files/own-socket-name.js';
import { cleanText } from '../log/pino.js';
import { ApiClient } from './client.js';
import { exchange } from './exchange.js';
import { reachableHost, urlHost } from './format.js';
import type { CliIo } from './io.js';
import { connectOwnSocket, NoOwnSocket } from './own-socket.js';
import { pinnedFetch } from './pinned-fetch.js';
import { type FoundRuntime, findRuntime } from './runtime-file.js';

export interface FindOptions {
  readonly api?: string;
  readonly dataDir?: string;
  readonly token?: string;
  readonly tokenFile?: string;
}

/**
 * The API of the aggregator that is meant: `--api`, MEDIA_AGGREGATOR_API, or the one that runs on the data folder. The
 * token is that of `--token`, `--token-file` or MEDIA_AGGREGATOR_TOKEN; the aggregator of a data folder needs none.
 * @param timeoutMs how long an answer may take; undefined: as long as for any command
 * @throws CodedError NOT_RUNNING, USAGE; ConfigError
 */
export function findApi(options: FindOptions, io: CliIo, timeoutMs?: number): ApiClient {
  const given = options.api ?? (io.env[apiVariable] || undefined);
  const token = givenToken(options, io);
  if (given !== undefined) {
    return new ApiClient({
      base: parseBase(given, options.api === undefined ? apiVariable : '--api'),
      token,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
  }
  const { settings } = loadSettings({ flags: { 'data-dir': options.dataDir }, env: io.env, cwd: io.cwd });
  const dataDir = resolve(io.cwd, settings.dataDir);
  const runtime = findRuntime(dataDir);
  const socketPath = join(dataDir, ownSocketName);
  if (runtime === undefined) {
    const none = new CodedError(
      'NOT_RUNNING',
      `No aggregator runs on the data folder ${settings.dataDir}. Start one with "media-aggregator serve", ` +
        'or say where it is with --api URL or --data-dir FOLDER.',
    );
    if (!existsSync(socketPath)) throw none;
    return new ApiClient({
      base: 'http://localhost',
      token,
      fetch: socketFetch(socketPath, none),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
  }
  const base = `${runtime.apiCertFile === undefined ? 'http' : 'https'}://${urlHost(reachableHost(runtime.host))}:${runtime.apiPort}`;
  return new ApiClient({
    base,
    token,
    fetch: ownFetch(socketPath, runtime, token !== undefined),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });
}

/**
 * `fetch` for the aggregator of a data folder: by the socket in it, which is nobody else's and asks for no token. Where
 * that cannot be used, by the port, and with the admin token: but only when it is certain who listens there, since the
 * port of a dead aggregator, or its pid, may be anybody's by now.
 */
function ownFetch(path: string, runtime: FoundRuntime, isTokenGiven: boolean): typeof fetch {
  const { apiCertFile, adminTokenFile, isCertain } = runtime;
  const byPort = apiCertFile === undefined ? fetch : pinnedFetch(apiCertFile);
  return async (input, init = {}) => {
    const url = new URL(input instanceof Request ? input.url : input);
    try {
      const socket = await connectOwnSocket(path, init.signal ?? undefined);
      return await exchange(socket, url, init);
    } catch (error) {
      if (!(error instanceof NoOwnSocket)) throw error;
      // A certificate proves as well who listens, before anything is sent. Else not even the call itself is: what is
      // asked for may hold keys.
      if (!isCertain && apiCertFile === undefined) {
        const origin = `${url.protocol}//${url.host}`;
        throw new Error(
          `${error.message}, and it is not certain who listens on port ${url.port}; say --api ${origin} if you trust it`,
        );
      }
      const headers = new Headers(init.headers);
      const own = isTokenGiven || adminTokenFile === undefined ? undefined : readOwnToken(adminTokenFile);
      if (own !== undefined) headers.set('authorization', `Bearer ${own}`);
      return byPort(url, { ...init, headers });
    }
  };
}

/**
 * `fetch` by the socket in a data folder alone: an aggregator whose disk is full has written no runtime.json. @param none
 * thrown when nobody listens on it
 */
function socketFetch(path: string, none: CodedError): typeof fetch {
  return async (input, init = {}) => {
    const socket = await connectOwnSocket(path, init.signal ?? undefined).catch((error: unknown) => {
      const isDead = error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED';
      throw isDead || error instanceof NoOwnSocket ? none : error;
    });
    return exchange(socket, new URL(input instanceof Request ? input.url : input), init);
  };
}

/** @throws CodedError USAGE */
function givenToken({ token, tokenFile }: FindOptions, io: CliIo): string | undefined {
  if (token !== undefined && tokenFile !== undefined) {
    throw new CodedError('USAGE', '--token and --token-file are both given; one of them is enough');
  }
  if (token !== undefined) return checkedToken(token, '--token');
  if (tokenFile !== undefined) {
    try {
      return checkedToken(readFileSync(resolve(io.cwd, tokenFile), 'utf8'), '--token-file');
    } catch (error) {
      if (error instanceof CodedError) throw error;
      throw new CodedError('USAGE', `--token-file cannot be read: ${messageOf(error)}`, { cause: error });
    }
  }
  const variable = io.env[tokenVariable];
  return variable === undefined || variable === '' ? undefined : checkedToken(variable, tokenVariable);
}

function checkedToken(text: string, from: string): string {
  const token = text.trim();
  if (/^[\x21-\x7e]{1,8192}$/.test(token)) return token;
  throw new CodedError('USAGE', `${from} holds no token: it must be one line of visible ASCII characters`);
}

/** Undefined when this user may not read it; the aggregator then says what is missing. */
function readOwnToken(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}

function parseBase(text: string, from: string): string {
  const full = /^https?:\/\//i.test(text) ? text : `http://${text}`;
  if (!URL.canParse(full)) {
    throw new CodedError('USAGE', `${from} is "${cleanText(text)}", but must be like http://HOST:5000`);
  }
  const url = new URL(full);
  return url.origin + url.pathname;
}
