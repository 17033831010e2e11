import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ProcessExit, type RunningProcess, startProcess } from './process.js';
import type { Scope } from './scope.js';
import { waitFor } from './wait.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { bin: Record<string, string> };
/** What runs it: the Node.js of the tests, or another one (`npm run test:node-versions`). */
export const nodePath = process.env.MEDIA_AGGREGATOR_NODE ?? process.execPath;
/** The built program, by the entry that npm installs. */
export const programPath = join(root, manifest.bin['media-aggregator'] ?? '');

export interface ApiAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** What the tests look at of a push in `/v1/cameras/NAME`. */
export interface PushView {
  readonly id: string;
  readonly url: string;
  readonly state: string;
  readonly attempt: number;
  readonly connects: number;
  readonly droppedFrames: number;
  readonly bytesOut: number;
  readonly lastError: { readonly code: string; readonly message: string } | null;
}

export interface CameraView {
  readonly name: string;
  readonly endpoint: string;
  readonly live: boolean;
  readonly viewers: number;
  readonly videoCodec: string | null;
  readonly audioCodec: string | null;
  readonly pushes: readonly PushView[];
}

export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly [field: string]: unknown;
}

export interface AggregatorOptions {
  /** Further flags of `serve`. */
  flags?: readonly string[];
  env?: Readonly<Record<string, string>>;
  /** Redirections of its outputs, in the words of a shell: `2>/dev/full`. */
  redirect?: string;
  /** Where its data are; a temporary folder by default. */
  dataDir?: string;
  /** Descriptors that it may have (`ulimit -n`). */
  openFiles?: number;
  /** What it is started by: `nohup`. */
  through?: readonly string[];
  /** The user that it runs as, by number; only for tests that root runs. */
  user?: number;
}

/** A running `media-aggregator serve` on free ports of 127.0.0.1, with a data folder of its own. */
export class Aggregator {
  readonly dataDir: string;
  readonly #scope: Scope;
  readonly #options: AggregatorOptions;
  #process: RunningProcess | undefined;
  #rtmpPort = 0;
  #apiPort = 0;

  constructor(scope: Scope, options: AggregatorOptions) {
    this.#scope = scope;
    this.#options = options;
    this.dataDir = options.dataDir ?? scope.temporaryFolder();
  }

  get process(): RunningProcess {
    if (this.#process === undefined) throw new Error('the aggregator was not started');
    return this.#process;
  }

  get rtmpPort(): number {
    return this.#rtmpPort;
  }

  get apiPort(): number {
    return this.#apiPort;
  }

  get apiUrl(): string {
    return `http://127.0.0.1:${this.#apiPort}`;
  }

  /** Where a camera publishes, and where it is played. */
  url(name: string): string {
    return `rtmp://127.0.0.1:${this.#rtmpPort}/${name}/${name}`;
  }

  /** Starts it, on the ports of the last time if there was one. */
  launch(): RunningProcess {
    const { redirect, user, openFiles } = this.#options;
    const limit = openFiles === undefined ? '' : `ulimit -n ${openFiles}; `;
    const shell =
      redirect === undefined && limit === '' ? [] : ['sh', '-c', `${limit}exec "$@" ${redirect ?? ''}`, 'sh'];
    const as = user === undefined ? [] : ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups'];
    const [command = '', ...prefix] = [...as, ...shell, ...(this.#options.through ?? []), nodePath];
    const started = startProcess(
      this.#scope,
      command,
      [
        ...prefix,
        ...[programPath, 'serve', '--host', '127.0.0.1', '--advertise-host', '127.0.0.1', '--data-dir', this.dataDir],
        ...['--rtmp-port', String(this.#rtmpPort), '--api-port', String(this.#apiPort), '--log-format', 'json'],
        // A camera that leaves is gone at once, unless a test is about its return.
        ...['--publish-grace', '0s'],
        ...(this.#options.flags ?? []),
      ],
      { name: 'media-aggregator', ...(this.#options.env === undefined ? {} : { env: this.#options.env }) },
    );
    this.#process = started;
    return started;
  }

  /** Starts it and waits until it serves. */
  async start(): Promise<void> {
    const started = this.launch();
    await waitFor(
      async () => {
        if (started.exit !== undefined) return true;
        const runtime = JSON.parse(readFileSync(join(this.dataDir, 'runtime.json'), 'utf8')) as Record<string, unknown>;
        // A file of an earlier life, killed before it could clean up, names another process.
        if (runtime.pid !== started.pid) return false;
        this.#rtmpPort = Number(runtime.rtmpPort);
        this.#apiPort = Number(runtime.apiPort);
        return (await fetch(`${this.apiUrl}/readyz`)).ok;
      },
      { what: 'the aggregator to serve', timeoutMs: 30_000 },
    );
    if (started.exit !== undefined) {
      throw new Error(`the aggregator ended with ${JSON.stringify(started.exit)}:\n${started.stderr}`);
    }
  }

  /** As a power cut: nothing of it gets to run on. */
  kill9(): Promise<ProcessExit> {
    return this.process.stop('SIGKILL');
  }

  /** `kill9` and a new start on the same data folder and ports. */
  async restart(): Promise<void> {
    await this.kill9();
    await this.start();
  }

  async api(method: string, path: string, body?: unknown): Promise<ApiAnswer> {
    const response = await fetch(this.apiUrl + path, {
      method,
      ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
  }

  /** `api`, but a status of 400 and above is an error. */
  async apiOk(method: string, path: string, body?: unknown): Promise<unknown> {
    const answer = await this.api(method, path, body);
    if (answer.status >= 400) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  /** Makes a token by the admin token: tokens are not made without one. */
  async makeToken(name: string, scope: 'read' | 'operate' | 'admin'): Promise<string> {
    const admin = readFileSync(join(this.dataDir, 'admin-token'), 'utf8').trim();
    const response = await fetch(`${this.apiUrl}/v1/tokens`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${admin}` },
      body: JSON.stringify({ name, scope }),
    });
    const { token } = (await response.json()) as { token?: string };
    if (token === undefined) throw new Error(`no token: ${response.status}`);
    return token;
  }

  /** Registers a camera; resolves to where it publishes. */
  async addCamera(name: string): Promise<string> {
    const view = (await this.apiOk('POST', '/v1/cameras', { name })) as CameraView;
    return view.endpoint;
  }

  async addPush(camera: string, url: string, id?: string): Promise<PushView> {
    const body = id === undefined ? { url } : { id, url };
    return (await this.apiOk('POST', `/v1/cameras/${camera}/pushes`, body)) as PushView;
  }

  async removePush(camera: string, id: string): Promise<void> {
    await this.apiOk('DELETE', `/v1/cameras/${camera}/pushes/${id}`);
  }

  /** The camera as this very node sees it, in a cluster too. */
  async camera(name: string): Promise<CameraView> {
    return (await this.apiOk('GET', `/v1/cameras/${name}?node=self`)) as CameraView;
  }

  async push(camera: string, id: string): Promise<PushView> {
    return (await this.apiOk('GET', `/v1/cameras/${camera}/pushes/${id}?node=self`)) as PushView;
  }

  waitForLive(name: string, live = true): Promise<CameraView> {
    const what = `camera ${name} to be ${live ? 'live' : 'not live'}`;
    return waitFor(
      async () => {
        const camera = await this.camera(name);
        return camera.live === live && camera;
      },
      { what },
    );
  }

  waitForPush(camera: string, id: string, state: string, timeoutMs = 30_000): Promise<PushView> {
    const what = `push ${id} of ${camera} to be ${state}`;
    return waitFor(
      async () => {
        const push = await this.push(camera, id);
        if (push.state === state) return push;
        throw new Error(`it is ${push.state}, last error: ${JSON.stringify(push.lastError)}`);
      },
      { what, timeoutMs },
    );
  }

  /** Waits until the log of this life says it: its lines come by a pipe, later than what they tell of. */
  async waitForLine(text: string): Promise<void> {
    const isThere = () => this.logLines().some((line) => JSON.stringify(line).includes(text));
    await waitFor(isThere, { what: `the log to say "${text}"` });
  }

  /** The lines of this life's log so far. */
  logLines(): LogLine[] {
    return this.process.stderr
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line) as LogLine);
  }

  /** Resident memory, that of its media workers included. */
  rssBytes(): number {
    const { pid } = this.process;
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
    return [String(pid), ...children].reduce((sum, each) => {
      const status = readFileSync(`/proc/${each}/status`, 'utf8');
      return sum + Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
    }, 0);
  }
}

export async function startAggregator(scope: Scope, options: AggregatorOptions = {}): Promise<Aggregator> {
  const aggregator = new Aggregator(scope, options);
  await aggregator.start();
  return aggregator;
}
