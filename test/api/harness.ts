import { execFile } from 'node:child_process';
import { Access, type AccessSettings } from '../../src/access/access.js';
import { sourcePolicy } from '../../src/address/push-policy.js';
import { type RunningApi, startApi } from '../../src/api/server.js';
import type { ApiSettings } from '../../src/api/settings.js';
import type { ClusterView } from '../../src/api/v1/cluster.js';
import { PatternList } from '../../src/cli/test-patterns.js';
import type { ControlSettings } from '../../src/control/settings.js';
import { Discovery } from '../../src/discovery/discovery.js';
import { CodedError } from '../../src/errors.js';
import { LogLevels } from '../../src/log/levels.js';
import { type Logger, silentLogger } from '../../src/log/log.js';
import { Dialer } from '../../src/net/dialer.js';
import { startControl, type TestControl, testSettings } from '../control/harness.js';

export interface TestApi extends TestControl {
  readonly access: Access;
  readonly api: RunningApi;
  readonly base: string;
}

export async function startTestApi(
  settings: Partial<ControlSettings & AccessSettings & ApiSettings> = {},
  log: Logger = silentLogger,
  logLevels = new LogLevels('info'),
  prepare?: (folder: string) => Promise<void>,
  cluster?: ClusterView,
): Promise<TestApi> {
  const control = await startControl(settings, prepare);
  const access = await Access.open(
    { dataDir: control.folder, apiAuth: 'auto', jwtScopeClaim: 'scope', ...settings },
    log,
  );
  const api = await startApi({
    access,
    control: control.control,
    settings: { ...testSettings, ...settings },
    log,
    version: '0.0.0',
    testPatterns: new PatternList(
      { start: () => Promise.reject(new CodedError('PUBLISH_FORBIDDEN', 'no media')), stop: async () => {} },
      silentLogger,
    ),
    discovery: new Discovery({
      // No test asks the network of the machine, nor what else it is told to.
      dialer: new Dialer({ policy: sourcePolicy({ sourceDeny: ['*'] }) }),
      ffmpeg: 'ffmpeg',
      log: silentLogger,
      interfaces: () => [],
    }),
    logLevels,
    ...(cluster === undefined ? {} : { cluster: () => cluster }),
    settingSources: { rtmpPort: 'flag --rtmp-port' },
    settingNames: { rtmpsPort: ['rtmps-port', 'MEDIA_AGGREGATOR_RTMPS_PORT'] },
  });
  const close = async () => {
    await api.close();
    access.close();
    await control.close();
  };
  return { ...control, access, api, base: `http://127.0.0.1:${api.port}`, close };
}

export interface CurlAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  readonly json: Record<string, unknown>;
}

/** Runs the real curl with these arguments, and gives what it got. */
export async function curl(...args: string[]): Promise<CurlAnswer> {
  const format = '\n%{http_code} %{content_type}';
  const output = await new Promise<string>((resolve, reject) => {
    execFile('curl', ['-s', '--max-time', '10', '-w', format, ...args], (error, stdout, stderr) =>
      error === null ? resolve(stdout) : reject(new Error(`curl ${args.join(' ')}: ${error.message} ${stderr}`)),
    );
  });
  const end = output.lastIndexOf('\n');
  const [status = '', ...contentType] = output.slice(end + 1).split(' ');
  const body = output.slice(0, end);
  return { status: Number(status), contentType: contentType.join(' '), body, json: asRecord(body) };
}

function asRecord(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}
